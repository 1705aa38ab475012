"""What a text is made of: characters, words, documents, counted in one pass."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from gpt.dataset import read_chunks
from gpt.text.scripts import SPELT
from gpt.tokenizers import Tokenizer, load_tokenizer
from train.data.duplicates import Duplicates
from train.data.folder import load_data
from train.data.texts import text_files

# UTF-8 that was read as Windows-1252 and saved again: é → Ã©, ’ → â€™.
_MOJIBAKE = re.compile(r"[ÂÃ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€[\u0080-\u00bf™œž¦“”˜¢]")
OPENING_WORDS = 4
Document = TypeVar("Document")


@dataclass(frozen=True, slots=True)
class Odd:
    """A character that is seldom meant: how often it stands there, and where first."""

    character: str
    count: int
    document: int
    """Counted from 1."""

    @property
    def name(self) -> str:
        usual = "control character" if unicodedata.category(self.character) == "Cc" else "no name"
        return unicodedata.name(self.character, usual)


@dataclass(slots=True)
class Statistics:
    """Counts of a text, filled a document at a time by `add`."""

    characters: Counter[str] = field(default_factory=Counter[str])
    words: Counter[str] = field(default_factory=Counter[str])
    openings: Counter[str] = field(default_factory=Counter[str])
    """The first words of documents, in lower case."""
    lengths: list[int] = field(default_factory=list[int])
    """Of each document, in characters."""
    bytes: int = 0
    lines: int = 0
    mojibake: int = 0
    """Places that look like UTF-8 once read in another encoding."""
    first_seen: dict[str, int] = field(default_factory=dict[str, int])
    duplicates: Duplicates = field(default_factory=Duplicates)
    tokens: Counter[int] = field(default_factory=Counter[int])
    token_lengths: list[int] = field(default_factory=list[int])
    """Of each document, in tokens; empty without a tokenizer."""

    def add(self, text: str, ids: npt.NDArray[np.unsignedinteger] | None) -> None:
        """Count one document, and its tokens where there are any."""
        self.lengths.append(len(text))
        self.bytes += len(text.encode())
        self.lines += text.count("\n") + (not text.endswith("\n"))
        found = Counter(text)
        for character in found.keys() - self.first_seen.keys():
            self.first_seen[character] = len(self.lengths)
        self.characters.update(found)
        words = [word.lower() for word in SPELT.findall(text)]
        self.words.update(words)
        if words:
            self.openings[" ".join(words[:OPENING_WORDS])] += 1
        self.mojibake += len(_MOJIBAKE.findall(text))
        self.duplicates.add(text)
        if ids is not None:
            self.token_lengths.append(len(ids))
            values, counts = np.unique(ids, return_counts=True)
            self.tokens.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))

    def odd(self) -> list[Odd]:
        """Control characters, invisible ones, unusual spaces, replacement characters."""
        found = [
            Odd(character, count, self.first_seen[character])
            for character, count in self.characters.items()
            if is_odd(character)
        ]
        return sorted(found, key=lambda odd: (-odd.count, odd.character))


def is_odd(character: str) -> bool:
    """Whether a character is seldom meant in a story: nothing to see, or no character at all."""
    if character in "\n ":
        return False
    return character == "�" or unicodedata.category(character) in (
        *("Cc", "Cf", "Cn", "Co", "Cs"),  # control, invisible, unassigned, private, half a pair
        *("Zl", "Zp", "Zs"),  # separators other than the space and the line end
    )


def documents_of_files(paths: Iterable[Path]) -> Iterator[str]:
    """The documents of text files, one after another."""
    for path in paths:
        parts: list[str] = []
        for chunk in read_chunks(path):
            parts.append(chunk.text)
            if chunk.ends_document:
                yield "".join(parts)
                parts = []
        if parts:
            yield "".join(parts)


def documents_of_tokens(
    tokens: npt.NDArray[np.unsignedinteger], tokenizer: Tokenizer
) -> Iterator[tuple[str, npt.NDArray[np.unsignedinteger]]]:
    """The documents of a token file, each as text and as ids without the end-of-story token."""
    ends = np.flatnonzero(tokens == tokenizer.eos_id).tolist()
    for start, stop in zip([-1, *ends], [*ends, len(tokens)], strict=True):
        if stop - start > 1:
            ids = np.asarray(tokens[start + 1 : stop])
            yield tokenizer.decode(ids.tolist()), ids


def _counted(documents: Iterator[Document]) -> Iterator[Document]:
    """`documents`, with a bar in a terminal and nowhere else."""
    return iter(tqdm(documents, unit=" documents", disable=None))


def read_place(
    place: Path, tokenizer_folder: Path | None
) -> tuple[Statistics, Statistics | None, Tokenizer | None]:
    """Statistics of the training text, of the validation text if it is apart, and the tokenizer.

    Args:
        place: A text file, a folder of them, or a folder that `train.prepare` made.
        tokenizer_folder: Whose tokenizer counts tokens, where `place` brings none.
    """
    if (place / "data.json").exists():
        data = load_data(place)
        splits: list[Statistics] = []
        for tokens in (data.train, data.valid):
            statistics = Statistics()
            for text, ids in _counted(documents_of_tokens(tokens, data.tokenizer)):
                statistics.add(text, ids)
            splits.append(statistics)
        return splits[0], splits[1], data.tokenizer
    tokenizer = load_tokenizer(tokenizer_folder) if tokenizer_folder else None
    statistics = Statistics()
    for text in _counted(documents_of_files(text_files(place))):
        ids = np.array(tokenizer.encode(text), np.uint32) if tokenizer else None
        statistics.add(text, ids)
    return statistics, None, tokenizer


def text_of(place: Path) -> Iterator[str]:
    """The documents of a text file, of a folder of them, or of the training text of a folder that
    `train.prepare` made."""
    if (place / "data.json").exists():
        data = load_data(place)
        return (text for text, _ in documents_of_tokens(data.train, data.tokenizer))
    return documents_of_files(text_files(place))
