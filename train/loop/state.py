"""The states of a training on disk: safetensors and JSON with their hashes, no pickle.

    RUN/state/000120/model.safetensors, optimizer-0.safetensors, …   tensors by name
                     shard-00001-….safetensors, …                    the parts of a process each,
                                                                     where the model is cut up
                     progress.json                                   all that is no tensor
                     manifest.json                                   sizes and SHA-256 of the others

A state is written beside the others under another name, flushed to the disk, its manifest last,
and then renamed: what has its name is whole. The last two are kept, and what is read back is held
against the hashes first, so that a disk that lost or turned a bit costs one state, not the run.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as to_bytes
from torch import Tensor

from gpt.files import flush, write_whole
from gpt.files.strict_json import is_list, is_object, parsed

FOLDER = "state"
MANIFEST = "manifest.json"
PROGRESS = "progress.json"
PARTS = "shard-*.safetensors"
FORMAT = 1
KEPT = 2


_PROGRESS = {
    "step": True,
    "elapsed_s": False,
    "best_loss": False,
    "best_step": True,
    "skipped_in_row": True,
}
"""Numbers in progress.json, and whether they are whole."""


class StateError(Exception):
    """A training state that cannot be resumed, with what to do instead."""


@dataclass(frozen=True, slots=True)
class State:
    """One moment of a training."""

    tensors: dict[str, dict[str, Tensor]]
    """By kind ("model", "optimizer-0", …), then by name."""
    progress: dict[str, Any]
    """JSON; its "step" names the state."""

    @property
    def step(self) -> int:
        return self.progress["step"]


def save_state(run: Path, state: State) -> None:
    """Write `state` into the folder of a run, and drop all but the last two whole ones.

    A state of this step that is whole already is left alone: it is the same.

    Raises:
        OSError: it could not be written; the states before it are as they were.
    """
    new = begin_state(run, state.step)
    if new is None:
        return
    try:
        hashes: dict[str, dict[str, Any]] = {}
        for kind, tensors in state.tensors.items():
            whole = {key: tensor.detach().contiguous().cpu() for key, tensor in tensors.items()}
            _write(new / f"{kind}.safetensors", to_bytes(whole), hashes)
        seal_state(new, state.progress, hashes)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise


def begin_state(run: Path, step: int) -> Path | None:
    """An empty folder for the files of a state; None where a whole one of `step` is there."""
    states, name = run / FOLDER, f"{step:06}"
    states.mkdir(exist_ok=True)
    if (states / name).exists() and not damage(states / name):
        return None
    new = unsealed(run, step)
    shutil.rmtree(new, ignore_errors=True)  # what a crash left
    new.mkdir()
    return new


def unsealed(run: Path, step: int) -> Path:
    """The folder of a state that is being written."""
    return run / FOLDER / f".{step:06}"


def seal_state(new: Path, progress: dict[str, Any], hashes: dict[str, dict[str, Any]]) -> None:
    """Give a state, whose tensors are on the disk, its name, and drop the old ones.

    Args:
        hashes: Size and hash of each file of tensors, as `hashed` returns them.
    """
    states, name = new.parent, new.name.removeprefix(".")
    _write(new / PROGRESS, json.dumps(progress).encode(), hashes)
    _write(new / MANIFEST, manifest(int(name), hashes), {})
    flush(new)
    shutil.rmtree(states / name, ignore_errors=True)  # found damaged above
    new.rename(states / name)
    flush(states)
    _prune(states, int(name))


def load_state(run: Path, say: Callable[[str], None]) -> State:
    """The newest state of a run that is whole; `say` hears of each newer one that is not.

    Raises:
        StateError: there is none.
    """
    for folder in whole_states(run, say):
        try:
            return State(_tensors(folder), read_progress(folder))
        except (SafetensorError, ValueError, RecursionError) as error:
            say(f"skipped the state of step {int(folder.name)}: {' '.join(str(error).split())}")
    raise none_whole(run)


def whole_states(run: Path, say: Callable[[str], None]) -> Generator[Path]:
    """The states of a run whose bytes are as they were written, from the newest on.

    Raises:
        StateError: there is no state, whole or not.
    """
    found = saved(run / FOLDER)
    if not found:
        raise StateError(f"no training state in {run}")
    for folder in reversed(found):
        if why := damage(folder):
            say(f"skipped the state of step {int(folder.name)}: {why}")
        else:
            yield folder


def none_whole(run: Path) -> StateError:
    return StateError(
        f"none of the {len(saved(run / FOLDER))} states in {run / FOLDER} is whole: train again "
        "into another --out, or copy them back from a backup"
    )


def _tensors(folder: Path) -> dict[str, dict[str, Tensor]]:
    """By kind, then by name, whole. Raises: SafetensorError or ValueError, where they are not."""
    if is_cut_up(folder):
        return read_parts(folder, lambda _, size, dtype: torch.empty(size, dtype=dtype), alone=True)
    files = sorted(folder.glob("*.safetensors"))
    return {path.stem: load_tensors(path.read_bytes()) for path in files}


def is_cut_up(folder: Path) -> bool:
    """Whether each process saved its parts of this state (`read_parts`)."""
    return any(folder.glob(PARTS))


def read_parts(
    folder: Path, room: Callable[[str, torch.Size, torch.dtype], Tensor], *, alone: bool
) -> dict[str, dict[str, Tensor]]:
    """Tensors by kind, then by name, of a state that was saved in parts, by however many.

    Args:
        room: Where to put a tensor, by KIND/NAME, size and dtype: an empty one, whole or a DTensor,
            of which each process reads its part.
        alone: This process alone reads; else all of them do.

    Raises:
        SafetensorError, ValueError: a file holds something else.
    """
    # Half a second of imports, for whoever cuts a model up.
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load  # pyright: ignore[reportUnknownVariableType]

    reader = HuggingFaceStorageReader(str(folder))
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # that it reads alone
        try:
            known: dict[str, Any] = reader.read_metadata().state_dict_metadata
            flat = {each: room(each, at.size, at.properties.dtype) for each, at in known.items()}
            load(flat, storage_reader=reader, no_dist=alone)
        except (CheckpointException, KeyError, TypeError, AssertionError) as error:
            raise ValueError(f"its parts do not fit together: {error}") from error
    tensors: dict[str, dict[str, Tensor]] = {}
    for each, tensor in flat.items():
        kind, _, name = each.partition("/")
        tensors.setdefault(kind, {})[name] = tensor
    return tensors


def read_progress(folder: Path) -> dict[str, Any]:
    """What progress.json of a state says, which may have been written by another program.

    Raises:
        ValueError, RecursionError: it holds something else.
    """
    progress = parsed((folder / PROGRESS).read_bytes(), finite=False)  # the best loss begins at inf
    if not is_object(progress):
        raise ValueError(f"{PROGRESS} holds no object")
    for name, whole in _PROGRESS.items():
        value = progress.get(name, 0)  # an earlier version may have told less
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ValueError(f"{PROGRESS} has {str(value)[:40]!r} as {name}: expected a number")
    recent = progress.get("recent", [])
    if not is_list(recent) or not all(isinstance(each, int | float) for each in recent):
        raise ValueError(f"{PROGRESS} has no list of numbers as recent")
    if progress.get("step") != int(folder.name):
        raise ValueError(f"{PROGRESS} is of step {str(progress.get('step'))[:40]}")
    return progress


def forget_states(run: Path) -> None:
    """Remove the states of a run that begins anew."""
    if (run / FOLDER).exists():
        shutil.rmtree(run / FOLDER)


def saved(states: Path) -> list[Path]:
    """The states in a folder by step, whole or not; what was being written is none."""
    if not states.is_dir():
        return []
    found = [path for path in states.iterdir() if path.name.isdecimal()]
    return sorted(found, key=lambda path: int(path.name))


def damage(folder: Path) -> str:
    """What is wrong with a state, in a few words; "" when every byte is as it was written."""
    try:
        raw = (folder / MANIFEST).read_bytes()
        listed = parsed(raw)
        if listed["format"] != FORMAT:
            return f"{MANIFEST} is of format {listed['format']}, this version reads {FORMAT}"
        if raw != manifest(listed["step"], listed["files"]) or listed["step"] != int(folder.name):
            return f"{MANIFEST} is damaged"
        for name, about in listed["files"].items():
            found = hashed(folder / name)
            if found["bytes"] != about["bytes"]:
                return f"{name} has {found['bytes']} bytes instead of {about['bytes']}"
            if found["sha256"] != about["sha256"]:
                return f"{name} is damaged (its SHA-256 is another)"
    except OSError as error:
        return f"{Path(error.filename or folder).name}: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return f"{MANIFEST} is damaged"
    return ""


def manifest(step: int, files: dict[str, dict[str, Any]]) -> bytes:
    """manifest.json, which ends with the hash of what stands before it in it."""
    values = {"format": FORMAT, "step": step, "files": files}
    own = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    return (json.dumps({**values, "sha256": own}, indent=2) + "\n").encode()


def hashed(path: Path) -> dict[str, Any]:
    """Size and hash of a file, for the manifest."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"bytes": file.tell(), "sha256": digest}


def _write(path: Path, data: bytes, hashes: dict[str, dict[str, Any]]) -> None:
    """Write a file through to the disk and note its size and hash."""
    write_whole(path, data)
    hashes[path.name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _prune(states: Path, step: int) -> None:
    """Keep the state of `step` and the whole ones just before it."""
    older = [path for path in saved(states) if int(path.name) < step and not damage(path)]
    kept = {f"{step:06}", *(path.name for path in older[-(KEPT - 1) :])}
    for path in list(states.iterdir()):
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
