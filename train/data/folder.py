"""A data folder as `train.prepare` leaves it, opened for training."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpt.checkpoint.provenance import command_words, token_folders
from gpt.checkpoint.schema import SplitValues, data_values
from gpt.dataset import open_tokens
from gpt.files import CheckpointError, MissingFileError, facts_of, read_json, said
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
        DataError: there is none, or a token file has not the length that data.json says.
        TokenizerError, ValueError, OSError: a file is damaged or cannot be read.
    """
    try:
        facts = read_json(folder, "data.json")
        told = data_values(facts)
        tokenizer = load_tokenizer(folder, tried=_is_ours(folder))
    except MissingFileError as error:
        raise DataError(
            f"no data in {said(folder)}: make it with `python -m train.prepare YOUR.txt --out "
            f"{said(folder)}`"
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
    except CheckpointError as error:
        raise DataError(str(error)) from error
    tokens = open_tokens(folder / name, dtype)
    if len(tokens) != told.tokens:
        raise DataError(
            f"{said(folder / name)} holds {len(tokens)} tokens where data.json says "
            f"{told.tokens}: prepare the text again"
        )
    blocks = range(0, len(tokens), LOOKED_AT_ONCE)
    largest = max(int(tokens[at : at + LOOKED_AT_ONCE].max()) for at in blocks)
    if largest >= tokenizer.vocab_size:
        raise DataError(
            f"{said(folder / name)} holds the token {largest}, and the tokenizer beside it has "
            f"{tokenizer.vocab_size}: prepare the text again"
        )
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
