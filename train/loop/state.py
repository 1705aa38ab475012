"""The states of a training on disk: safetensors and JSON with their hashes, no pickle.

    RUN/state/000120/model.safetensors, optimizer-0.safetensors, …   tensors by name
                     progress.json                                   all that is no tensor
                     manifest.json                                   sizes and SHA-256 of the others

A state is written beside the others under another name, flushed to the disk, its manifest last,
and then renamed: what has its name is whole. The last two are kept, and what is read back is held
against the hashes first, so that a disk that lost or turned a bit costs one state, not the run.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as to_bytes
from torch import Tensor

from gpt.files import flush, write_whole
from gpt.files.strict_json import is_list, is_object, parsed

FOLDER = "state"
MANIFEST = "manifest.json"
PROGRESS = "progress.json"
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
    states, name = run / FOLDER, f"{state.step:06}"
    states.mkdir(exist_ok=True)
    if (states / name).exists() and not damage(states / name):
        return
    new = states / f".{name}"
    shutil.rmtree(new, ignore_errors=True)  # what a crash left
    try:
        new.mkdir()
        hashes: dict[str, dict[str, Any]] = {}
        for kind, tensors in state.tensors.items():
            whole = {key: tensor.detach().contiguous().cpu() for key, tensor in tensors.items()}
            _write(new / f"{kind}.safetensors", to_bytes(whole), hashes)
        _write(new / PROGRESS, json.dumps(state.progress).encode(), hashes)
        _write(new / MANIFEST, manifest(state.step, hashes), {})
        flush(new)
        shutil.rmtree(states / name, ignore_errors=True)  # found damaged above
        new.rename(states / name)
        flush(states)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise
    _prune(states, state.step)


def load_state(run: Path, say: Callable[[str], None]) -> State:
    """The newest state of a run that is whole; `say` hears of each newer one that is not.

    Raises:
        StateError: there is none.
    """
    found = saved(run / FOLDER)
    if not found:
        raise StateError(f"no training state in {run}: start without --resume")
    for folder in reversed(found):
        if why := damage(folder):
            say(f"skipped the state of step {int(folder.name)}: {why}")
            continue
        try:
            return _read(folder)
        except (SafetensorError, ValueError, RecursionError) as error:
            say(f"skipped the state of step {int(folder.name)}: {' '.join(str(error).split())}")
    raise StateError(
        f"none of the {len(found)} states in {run / FOLDER} is whole: train again into another "
        "--out, or copy them back from a backup"
    )


def _read(folder: Path) -> State:
    """A state whose bytes are as they were written, which may have been by another program.

    Raises:
        SafetensorError, ValueError, RecursionError: a file holds something else.
    """
    files = sorted(folder.glob("*.safetensors"))
    tensors = {path.stem: load_tensors(path.read_bytes()) for path in files}
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
    return State(tensors, progress)


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
            data = (folder / name).read_bytes()
            if len(data) != about["bytes"]:
                return f"{name} has {len(data)} bytes instead of {about['bytes']}"
            if hashlib.sha256(data).hexdigest() != about["sha256"]:
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
