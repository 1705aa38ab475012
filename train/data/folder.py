"""A data folder as `train.prepare` leaves it, opened for training."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpt.checkpoint.provenance import command_words, token_folders
from gpt.dataset import open_tokens
from gpt.tokenizers import Tokenizer, load_tokenizer
from train.data.prepare import prepare
from train.data.texts import Text


class DataError(Exception):
    """A data folder that cannot be trained on, with what to do instead."""


@dataclass(frozen=True, slots=True)
class Data:
    """Token files, memory-mapped, with the tokenizer that made them."""

    folder: Path
    facts: dict[str, Any]
    """data.json."""
    train: NDArray[np.unsignedinteger]
    valid: NDArray[np.unsignedinteger]
    tokenizer: Tokenizer


def load_data(folder: Path) -> Data:
    """Open a folder that `train.prepare` made.

    Raises:
        DataError: there is none, or it is not whole.
    """
    path = folder / "data.json"
    if not path.exists():
        raise DataError(
            f"no data in {folder}: make it with `python -m train.prepare YOUR.txt --out {folder}`"
        )
    facts = json.loads(path.read_text(encoding="utf-8"))
    splits: dict[str, NDArray[np.unsignedinteger]] = {}
    for split in ("train", "valid"):
        tokens = open_tokens(folder / f"{split}.bin", facts["dtype"])
        if len(tokens) != facts[split]["tokens"]:
            raise DataError(
                f"{folder}/{split}.bin holds {len(tokens)} tokens where data.json says "
                f"{facts[split]['tokens']}: prepare the text again"
            )
        splits[split] = tokens
    return Data(folder, facts, splits["train"], splits["valid"], load_tokenizer(folder, tried=True))


def find_data(
    about: Mapping[str, Any], split: Literal["train", "valid"], places: Iterable[Path] = ()
) -> Data | None:
    """The data folder of a training, where it lies on this machine; None where it does not.

    It is looked for in `places`, then where the training's command says, then in data/; it is the
    one whose `split` has the fingerprint that the training noted.

    Args:
        about: training.json of a checkpoint, or config.json of a run.
    """
    words = command_words(about)
    named = [Path(after) for word, after in pairwise(words) if word == "--data"]
    usual = (path.parent for path in sorted(Path("data").glob("*/data.json")))
    for folder in token_folders(about, split, [*places, *named, *usual]):
        with suppress(DataError, OSError, ValueError):
            return load_data(folder)
    return None


def default_data(preset: str) -> Path:
    """The data folder of a preset that brings its own text.

    Raises:
        DataError: the preset needs --data.
    """
    text = Path("data/story.txt")
    if preset != "story" or not text.exists():
        raise DataError(
            "expected --data FOLDER: make one with `python -m train.prepare YOUR.txt --out FOLDER`"
        )
    folder = text.with_suffix("")
    if not (folder / "data.json").exists():
        prepare([Text(path=text)], folder, kind="char")
    return folder


def open_or_prepare(given: Path, out: Path) -> Data:
    """A folder of train.prepare, or a text that is prepared in out/data if it is not yet.

    Raises:
        DataError: there is nothing to train on.
    """
    if not given.is_file():
        return load_data(given)
    folder = out / "data"
    if not (folder / "data.json").exists():
        prepare([Text(path=given)], folder, kind="char")
    return load_data(folder)
