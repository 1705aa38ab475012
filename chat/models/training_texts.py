"""The texts that models learnt from, where their tokens lie on this machine."""

import asyncio
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chat.errors import RefusedError
from chat.models.catalogue import Listing
from chat.models.engines import Loaded
from chat.turns import Turns
from gpt.checkpoint import Checkpoint, CheckpointError
from gpt.checkpoint.copied_runs import read_copied_runs
from gpt.checkpoint.evidence import Floor, floor_in
from gpt.checkpoint.provenance import called, prepare_command, texts, token_folders
from gpt.dataset import documents, open_tokens
from gpt.files import facts_of
from gpt.text.memorization import ReferenceText
from gpt.text.ngram import floor_of
from gpt.text.run_hashes import RunHashes

FOLDERS_VARIABLE = "INKLING_DATA"
KEPT = 2
"""How many training texts stay in memory, and how many hashes of such: of 15 million characters
they take about 60 MB and 25."""
SEARCHES_AT_ONCE = 2
COMMAND = re.compile(r"^ {4}(python -m train\.prepare (?:[\w./= -]|\\\n){1,600})$", re.M)
"""How a card says that the text was cut into tokens; a line may go on after a backslash."""


MOST_CARD = 100_000
"""Characters of a card that are searched for it."""
MOST_TOKENS = 64_000_000
MOST_BYTES = 64_000_000
"""Of a text that is looked through: its words stand in memory, and the folder may lie."""
MOST_COUNTED = 1 << 20
"""Tokens of a text whose tables are counted here: 130 MB of memory, a second or two."""
FLOORS_KEPT = 64
PART_TOKENS = 1_000_000
MOST_WORD = 1_000_000


class NotHereError(RefusedError):
    """The text that a model learnt from is not on this machine.

    Attributes:
        command: What brings it here, with its files at hand; "" where nobody knows which they are.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        names = [name for name, serves in texts(checkpoint.training) if "train" in serves]
        which = f" ({', '.join(names)})" if names else ""
        name = called(checkpoint.folder)
        super().__init__(
            f"The text that “{name}” learnt from{which} is not on this machine, so nobody can look "
            "for these words in it."
        )
        self.command = text_command(checkpoint)


class TooLongError(RefusedError):
    """The text is more than a search can hold in memory."""

    def __init__(self, size: str) -> None:
        super().__init__(
            f"The text that this model learnt from has {size}, too many to look these words up in: "
            f"up to {MOST_BYTES // 1_000_000} MB can be looked through."
        )


class NotYoursError(RefusedError):
    """The text that a model learnt from is another writer's."""

    def __init__(self, listing: Listing) -> None:
        super().__init__(
            f"“{listing.key}” learnt from another writer's text: only they can look into it. You "
            "can write with the model, and look for your words in what your own models learnt from."
        )


class TrainingTexts:
    """The training texts that lie on this machine, read when they are first asked for.

    They come through here alone, and only for a listing whose text is open to whoever it was made
    for (`Listing.open_text`).

    Args:
        folder: Its folders are looked through, those that INKLING_DATA names, with a colon
            between them, and the one in the run that a model comes from.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._read: dict[tuple[Path, str], ReferenceText] = {}
        self._hashes: dict[tuple[Path, str], RunHashes] = {}
        self._floors: dict[tuple[Path, str], Floor | None] = {}
        self._turn = asyncio.Lock()
        self._counting = asyncio.Lock()
        self.searches = Turns(SEARCHES_AT_ONCE, each=1)
        """For who holds words against a text: it takes a processor for itself."""

    def find(self, folder: Path, training: Mapping[str, Any]) -> Path | None:
        """The folder with the tokens that a model learnt from; None where there is none.

        Args:
            folder: The model's.
            training: Its training.json.
        """
        extra = [Path(each) for each in os.environ.get(FOLDERS_VARIABLE, "").split(":") if each]
        own = sorted(self.folder.glob("*/")) if self.folder else []
        # A text that was trained on as it was lies beside best/ and steps/.
        beside = [each / "data" for each in folder.absolute().parents[:2]]
        return next(token_folders(training, "train", [*beside, *own, *extra]), None)

    async def floor(self, listing: Listing, training: Mapping[str, Any]) -> Floor | None:
        """What tables of a model's training text give, counted here, for one that has no notes of
        it; None where its text is another writer's, or is not on this machine.

        Args:
            training: Its training.json.
        """
        if not (listing.here and listing.open_text):
            return None
        folder = await asyncio.to_thread(self.find, listing.folder, training)
        if folder is None:
            return None
        key = (folder, str(training.get("data")))
        async with self._counting:
            if key not in self._floors:
                try:
                    found = await asyncio.to_thread(_floor, folder, training)
                except (CheckpointError, OSError, ValueError, KeyError):
                    return None  # asked again the next time: it may have been half copied
                self._floors[key] = found
                while len(self._floors) > FLOORS_KEPT:
                    del self._floors[next(iter(self._floors))]
            return self._floors[key]

    async def get(self, loaded: Loaded) -> ReferenceText:
        """The text that a model learnt from, as words.

        Raises:
            NotYoursError: It is another writer's.
            NotHereError: It is not on this machine.
            TooLongError: It is too long.
        """
        checkpoint = loaded.checkpoint
        if checkpoint is None:
            raise RefusedError(
                f"“{loaded.listing.key}” runs on a server of another program: nobody here knows "
                "what it learnt from, so this cannot be checked."
            )
        if not loaded.listing.open_text:
            raise NotYoursError(loaded.listing)
        folder = await asyncio.to_thread(self.find, checkpoint.folder, checkpoint.training)
        if folder is None:
            raise NotHereError(checkpoint)
        key = (folder, str(checkpoint.training["data"]["train"]["sha256"]))
        # Two who ask at once wait for one reading.
        async with self._turn:
            source = self._read.pop(key, None)
            if source is None:
                try:
                    source = await asyncio.to_thread(_read, folder, checkpoint)
                except (CheckpointError, OSError, ValueError, KeyError) as error:
                    raise NotHereError(checkpoint) from error
            self._read[key] = source
            while len(self._read) > KEPT:
                del self._read[next(iter(self._read))]
            return source

    async def searched(self, loaded: Loaded) -> ReferenceText | RunHashes:
        """What words can be held against: the text, or where it is not here the hashes of its runs
        that lie beside the model.

        Raises:
            NotYoursError, TooLongError: See `get`.
            NotHereError: Neither is on this machine.
            CheckpointError: The hashes are damaged, or another text's.
        """
        try:
            return await self.get(loaded)
        except NotHereError:
            if loaded.checkpoint is None:
                raise
            return await self._hashes_of(loaded.checkpoint)

    async def _hashes_of(self, checkpoint: Checkpoint) -> RunHashes:
        async with self._turn:
            key = (checkpoint.folder, str(checkpoint.training.get("data")))
            hashes = self._hashes.pop(key, None)
            if hashes is None:
                hashes = await asyncio.to_thread(read_copied_runs, checkpoint)
            if hashes is None:
                raise NotHereError(checkpoint)
            self._hashes[key] = hashes
            while len(self._hashes) > KEPT:
                del self._hashes[next(iter(self._hashes))]
            return hashes


def _floor(folder: Path, training: Mapping[str, Any]) -> Floor | None:
    """Count the tables of a training text, and hold them against its validation text.

    Raises:
        CheckpointError, OSError, ValueError, KeyError: They cannot be read.
    """
    if next(token_folders(training, "valid", [folder]), None) is None:
        return None  # judged on another part than was kept back here
    data = training["data"]

    def tokens(split: str) -> npt.NDArray[np.unsignedinteger]:
        facts_of(folder, f"{split}.bin")  # a regular file of this folder, or none
        return open_tokens(folder / f"{split}.bin", data["dtype"])

    return floor_in(
        {
            "floor": floor_of(
                tokens("train"),
                tokens("valid"),
                vocab_size=data["vocab_size"],
                eos_id=data["eos_id"],
                valid_bytes=data["valid"]["bytes"],
                most_train=MOST_COUNTED,
            )
        }
    )


def _read(folder: Path, checkpoint: Checkpoint) -> ReferenceText:
    """Decode the training tokens, story by story.

    Raises:
        TooLongError: A search could not hold them in memory.
        CheckpointError, OSError, ValueError, KeyError: They cannot be read.
    """
    dtype = checkpoint.training["data"]["dtype"]
    size = facts_of(folder, "train.bin").st_size  # a regular file of this folder, or none
    if size > MOST_TOKENS * np.dtype(dtype).itemsize:
        raise TooLongError(f"{size:,} bytes of tokens")
    tokens = np.asarray(open_tokens(folder / "train.bin", dtype))
    pieces = checkpoint.tokenizer.pieces
    if tokens.max() >= len(pieces):
        raise ValueError("it was cut by another tokenizer")
    lengths = np.array([len(piece) for piece in pieces], np.int64)
    if (size := int(lengths @ np.bincount(tokens, minlength=len(pieces)))) > MOST_BYTES:
        raise TooLongError(f"{size:,} bytes")

    def parts() -> Iterator[str]:
        for part in documents(tokens, checkpoint.tokenizer.eos_id):
            yield from _parts(part, pieces)

    return ReferenceText(parts())


def _parts(tokens: npt.NDArray[np.unsignedinteger], pieces: Sequence[bytes]) -> Iterator[str]:
    """A document in parts that memory holds, none of which ends within a word."""
    rest = b""
    for at in range(0, len(tokens), PART_TOKENS):
        ids: list[int] = tokens[at : at + PART_TOKENS].tolist()
        rest += b"".join([pieces[id] for id in ids])
        cut = 1 + max(rest.rfind(b" "), rest.rfind(b"\n"))
        if not cut and len(rest) > MOST_WORD:  # no word at all
            cut = len(rest)
        yield rest[:cut].decode(errors="replace")
        rest = rest[cut:]
    yield rest.decode(errors="replace")


def text_command(checkpoint: Checkpoint) -> str:
    """What puts the training text into data/: as the card says, else with its own tokenizer."""
    if found := COMMAND.search(checkpoint.card[:MOST_CARD]):
        return " ".join(found[1].replace("\\\n", " ").split())[:2000]
    tokenizer, name = str(checkpoint.folder), called(checkpoint.folder)
    return prepare_command(checkpoint.training, tokenizer, f"data/{name}")
