"""training.json: what a checkpoint tells of its training, and the hashes of the files beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt.checkpoint.schema import usable_training
from gpt.files import (
    CheckpointError,
    MissingFileError,
    is_there,
    read_bytes,
    read_json,
    sha256,
    write_whole,
)
from gpt.tokenizers.files import SENTENCEPIECE_FILES

WEIGHTS = "model.safetensors"
HASHES = "sha256"
"""In training.json: the SHA-256 of the weights and the tokenizer, by file, as they were saved."""
HASHED = (WEIGHTS, "tokenizer.json", *SENTENCEPIECE_FILES.values())
TRAINING = "training.json"


def hashes_of(folder: Path) -> dict[str, str]:
    """The SHA-256 of the weights and the tokenizer in a folder, by file.

    Generation settings and the card are not among them: our own tools change these later.
    """
    files = [name for name in HASHED if is_there(folder, name)]
    return {name: sha256(read_bytes(folder, name, most=1 << 40)) for name in files}


def read_training(folder: str | Path) -> dict[str, Any]:
    """What training.json tells of the training; empty where there is none.

    A value that is not what its name promises is left out (`gpt.checkpoint.schema`).

    Raises:
        CheckpointError: it is no JSON object, or cannot be read.
    """
    values = _read_training(Path(folder))
    values.pop(HASHES, None)
    return values


def add_notes(folder: Path, notes: Mapping[str, Any]) -> None:
    """Write `notes` into the training.json of a checkpoint, and leave the rest of it as it is.

    Raises:
        CheckpointError: There is none, or it is no JSON object.
        OSError: It cannot be written.
    """
    values = {**read_json(folder, TRAINING, finite=False), **notes}
    if HASHES in values:
        values[HASHES] = values.pop(HASHES)  # it stays the last
    write_whole(folder / TRAINING, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def noted_hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of files that training.json noted; empty where it did not, or cannot be read."""
    try:
        return dict(_read_training(folder).get(HASHES, {}))
    except CheckpointError:
        return {}


def _read_training(folder: Path) -> dict[str, Any]:
    try:
        return usable_training(read_json(folder, TRAINING, finite=False))
    except MissingFileError:
        return {}
