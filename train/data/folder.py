"""A data folder as `train.prepare` leaves it, opened for training."""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpt.checkpoint.provenance import command_words, token_folders
from gpt.checkpoint.schema import SplitValues, data_values
from gpt.dataset import open_tokens
from gpt.files import (
    CheckpointError,
    MissingFileError,
    facts_of,
    is_there,
    read_bytes,
    read_json,
    said,
)
from gpt.files import sha256 as sha256_of
from gpt.files.strict_json import is_object
from gpt.tokenizers import Tokenizer, TokenizerError, load_tokenizer, read_spec
from train.data.command import option

LOOKED_AT_ONCE = 1 << 24
"""Tokens of a file that are in memory while it is looked through."""


class DataError(Exception):
    """A data folder cannot be trained on; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Data:
    """The training and validation tokens, (n_tokens,) each, memory-mapped, and their tokenizer."""

    folder: Path
    facts: dict[str, Any]
    """data.json."""
    train: NDArray[np.unsignedinteger]
    valid: NDArray[np.unsignedinteger]
    tokenizer: Tokenizer


def load_data(folder: Path) -> Data:
    """Open a folder that `train.prepare` made.

    Raises:
        DataError: there is none, or a file of it is not the one that data.json noted: half of the
            folder was copied, or its tokenizer exchanged.
        TokenizerError, ValueError, OSError: a file is damaged or cannot be read.
    """
    try:
        facts = read_json(folder, "data.json")
        told = data_values(facts)
        _check_tokenizer(folder, facts.get("tokenizer_sha256"))
        tokenizer = load_tokenizer(folder, tried=_is_ours(folder))
    except MissingFileError as error:
        if is_there(folder, "data.json"):
            raise DataError(_incomplete(error)) from error
        raise DataError(
            f"no data in {said(folder)}: make it with `python -m train.prepare YOUR.txt --out "
            f"{quote(said(folder))}`"
        ) from error
    except (CheckpointError, TokenizerError) as error:
        raise DataError(str(error)) from error
    except ValueError as error:
        raise DataError(f"{said(folder / 'data.json')} {error}") from error
    splits = {
        split: _tokens(folder, split, part, told.dtype, tokenizer)
        for split, part in (("train", told.train), ("valid", told.valid))
    }
    return Data(folder, facts, splits["train"], splits["valid"], tokenizer)


def _check_tokenizer(folder: Path, noted: object) -> None:
    """Raise a DataError where a tokenizer is not the one that cut the text: its ids would be other
    words. A folder of an older version noted none."""
    for name, digest in noted.items() if is_object(noted) else ():
        if Path(name).name == name and sha256_of(read_bytes(folder, name)) != digest:
            raise DataError(_exchanged(folder / name))


def _incomplete(error: MissingFileError) -> str:
    return f"{error}: copy the whole folder anew, or prepare the text again"


def _exchanged(path: Path) -> str:
    return (
        f"{said(path)} is not the file that data.json beside it tells of (its SHA-256 is another): "
        "copy the whole folder anew, or prepare the text again"
    )


def _is_ours(folder: Path) -> bool:
    """Ours need no trial; one of another program's may have come with the folder."""
    try:
        return read_spec(folder).kind != "fast"
    except (CheckpointError, TokenizerError):
        return False


def _tokens(
    folder: Path, split: str, told: SplitValues, dtype: str, tokenizer: Tokenizer
) -> NDArray[np.unsignedinteger]:
    """The tokens of a split, held against what data.json tells of them."""
    name = f"{split}.bin"
    try:
        facts_of(folder, name)  # a regular file in its place, or none
    except MissingFileError as error:
        raise DataError(_incomplete(error)) from error
    except CheckpointError as error:
        raise DataError(str(error)) from error
    tokens = open_tokens(folder / name, dtype)
    if len(tokens) != told.tokens:
        raise DataError(
            f"{said(folder / name)} holds {len(tokens)} tokens where data.json says "
            f"{told.tokens}: prepare the text again"
        )
    digest, largest = hashlib.sha256(), 0
    for at in range(0, len(tokens), LOOKED_AT_ONCE):
        block = tokens[at : at + LOOKED_AT_ONCE]
        digest.update(block.data)
        largest = max(largest, int(block.max()))
    if largest >= tokenizer.vocab_size:
        raise DataError(
            f"{said(folder / name)} holds the token {largest}, and the tokenizer beside it has "
            f"{tokenizer.vocab_size}: prepare the text again"
        )
    if digest.hexdigest() != told.sha256:
        raise DataError(_exchanged(folder / name))
    return tokens


def find_data(
    about: Mapping[str, Any], split: Literal["train", "valid"], places: Iterable[Path] = ()
) -> Data | None:
    """The data folder of a training, where it lies on this machine; None where it does not.

    It is looked for in `places`, then where the training's command says, then in data/; it is the
    one whose `split` has the fingerprint that the training noted.

    Args:
        about: training.json of a checkpoint, or config.json of a run.
    """
    given = option(command_words(about), "--data")
    named = [Path(given)] if given else []
    usual = (path.parent for path in sorted(Path("data").glob("*/data.json")))
    for folder in token_folders(about, split, [*places, *named, *usual]):
        with suppress(DataError, OSError, ValueError):
            return load_data(folder)
    return None
