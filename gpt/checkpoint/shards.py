"""Which files the weights of a folder are in: one, or several shards that an index names."""

import re
from pathlib import Path
from typing import Any, cast

from gpt.checkpoint.training_json import WEIGHTS
from gpt.files import CheckpointError, is_there, read_json, said

INDEX = "model.safetensors.index.json"
"""Says which of several files holds which tensor, where a model is in several."""
MAX_SHARDS = 1000
SHARD = re.compile(r"[\w-][\w.-]*\.safetensors")


def weight_files(folder: Path) -> tuple[str, ...]:
    """The names of the files that the weights are in, or belong in: one, or as an index says.

    Raises:
        CheckpointError: the index is none, or names files outside the folder.
    """
    if is_there(folder, WEIGHTS) or not is_there(folder, INDEX):
        return (WEIGHTS,)
    place_of: Any = read_json(folder, INDEX).get("weight_map")
    names = cast("dict[str, Any]", place_of).values() if isinstance(place_of, dict) else ()
    if wrong := [name for name in names if not _is_shard(name)]:
        raise CheckpointError(
            f"{said(folder / INDEX)} names a file that is no shard: {wrong[0]!r:.80}"
        )
    shards = sorted(set(names))
    if not 0 < len(shards) <= MAX_SHARDS:
        raise CheckpointError(
            f"expected 1 to {MAX_SHARDS} files in {said(folder / INDEX)}, got {len(shards)}"
        )
    return tuple(shards)


def _is_shard(name: object) -> bool:
    return isinstance(name, str) and len(name) <= 200 and SHARD.fullmatch(name) is not None
