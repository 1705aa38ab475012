"""Files of a folder that others may have written, each read with a bound.

A file is read where it is a regular one (never a pipe or a device, which could block for ever),
where it lies in its folder (a link out of it is refused), and where it is no larger than its kind
ever is. JSON has a bound on its depth, its digits and its entries, and says each name once. What
does not fit is a CheckpointError in one sentence.

The boundary for links is the folder itself, whatever links lead to it. The cache of the Hub lays
the files of `…/snapshots/REVISION/` as links into `…/blobs/` beside them: these count as inside.
"""

import os
import stat
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from gpt.files.strict_json import MOST_ENTRIES, is_object, json_lines, parsed
from gpt.files.text import LFS, LOOKED_AT, printable, shape_of

MB = 1_000_000
MOST_BYTES: Mapping[str, int] = {
    "config.json": MB,
    "generation_config.json": MB,
    "tokenizer_config.json": 8 * MB,  # some list every added token
    "tokenizer.json": 32 * MB,  # 128,000 pieces with their merges are 17
    "vocab.json": 16 * MB,
    "merges.txt": 16 * MB,
    "tokenizer.model": 4 * MB,  # of 64,000 pieces it is one and a half
    "spiece.model": 4 * MB,
    "training.json": MB,
    "model.safetensors.index.json": 4 * MB,
    "README.md": 2 * MB,
    "loss.png": 2 * MB,
    "copied.runs": 24 * MB,
    "metrics.jsonl": 64 * MB,
    "samples.jsonl": 64 * MB,
    "log.txt": 64 * MB,
}
_OF_TOKENIZERS = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer.model", "spiece.model")
OTHERWISE = MB
"""What a file of any other name may have."""


class CheckpointError(Exception):
    """A folder that is no checkpoint we can open, with what was expected and what to do: one line,
    whatever names and values of the folder it quotes."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class MissingFileError(CheckpointError):
    """There is no file of that name; it may have no need to be there."""


def _kind(name: str) -> str:
    """What a file of this name holds, in a word."""
    return "tokenizer" if name in _OF_TOKENIZERS else "file of its kind"


def is_there(folder: Path, name: str) -> bool:
    """Whether anything lies under this name, even what cannot be read."""
    return os.path.lexists(folder / name)


@contextmanager
def opened(folder: Path, name: str, *, most: int | None = None) -> Generator[BufferedReader]:
    """A file of a folder, open for reading; not larger than `most` bytes, by default its kind's.

    Raises:
        MissingFileError: there is none.
        CheckpointError: it is no regular file, lies elsewhere, is too large or cannot be read.
    """
    path = folder / name
    limit = MOST_BYTES.get(name, OTHERWISE) if most is None else most
    handle = _handle(folder, name)
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise CheckpointError(_no_file(path))
        if facts.st_size > limit:
            raise CheckpointError(
                f"{said(path)} is too large for a {_kind(name)}: it has {facts.st_size:,} bytes, "
                f"{limit:,} is the most"
            )
        if facts.st_size <= LOOKED_AT and file.peek(len(LFS)).startswith(LFS):
            raise CheckpointError(f"{said(path)} {shape_of(LFS)}")
        try:
            yield file
        except OSError as error:
            raise CheckpointError(f"{said(path)} cannot be read: {error.strerror}") from error


def facts_of(folder: Path, name: str) -> os.stat_result:
    """Size and times of a file, by the same rules as `opened`; nothing of it is read.

    Raises:
        CheckpointError: as in `opened`, size aside.
    """
    return _inside(folder, name)[1]


def _inside(folder: Path, name: str) -> tuple[Path, os.stat_result]:
    """Where a file really lies, with its facts, once it is known to be a regular one in place."""
    path = folder / name
    try:
        root = folder.resolve(strict=True)
        place = path.resolve(strict=True)
        facts = place.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            raise CheckpointError(
                f"{said(path)} is a link to a file that is not there: copy the file itself"
            ) from error
        raise MissingFileError(f"{said(path)} is missing") from error
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name no file has
        why = error.strerror if isinstance(error, OSError) else "it leads round in a circle"
        raise CheckpointError(f"{said(path)} cannot be read: {why}") from error
    if not any(place.is_relative_to(each) for each in (root, *_blobs(root))):
        raise CheckpointError(
            f"{said(path)} is a link out of its folder: expected the file itself, copy it there"
        )
    if not stat.S_ISREG(facts.st_mode):
        raise CheckpointError(_no_file(path))
    return place, facts


def _handle(folder: Path, name: str) -> int:
    place, _ = _inside(folder, name)
    # Never a wait for who writes to a pipe, should the file have become one since.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        return os.open(place, flags)
    except OSError as error:
        raise CheckpointError(f"{said(folder / name)} cannot be read: {error.strerror}") from error


def _blobs(root: Path) -> Iterator[Path]:
    """Where the cache of the Hub keeps what the files of a snapshot are links to."""
    for each in (root, *root.parents):
        if each.parent.name == "snapshots":
            yield each.parent.parent / "blobs"
            return


def said(path: Path) -> str:
    """A path as a message names it: one line of printable characters."""
    text = printable(str(path))
    return text if len(text) <= 300 else f"…{text[-300:]}"


def _no_file(path: Path) -> str:
    return f"{said(path)} is no regular file: expected one, not a folder, a pipe or a device"


def read_bytes(
    folder: Path, name: str, *, most: int | None = None, grows: bool = False, first: bool = False
) -> bytes:
    """What a file of a folder holds; see `opened`.

    Args:
        grows: It may be written to at the moment; what it held at the beginning is read.
        first: Of one that is larger than `most`, its beginning.
    """
    limit = MOST_BYTES.get(name, OTHERWISE) if most is None else most
    with opened(folder, name, most=1 << 62 if first else limit) as file:
        before = os.fstat(file.fileno())
        data = file.read(min(before.st_size, limit))
        after = os.fstat(file.fileno())
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    if not grows and (changed or len(data) != min(before.st_size, limit)):
        raise CheckpointError(f"{said(folder / name)} changed while it was read: try again")
    return data


def read_text(folder: Path, name: str, *, most: int | None = None) -> str:
    """A file of UTF-8; see `read_bytes`."""
    try:
        return read_bytes(folder, name, most=most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"expected UTF-8 in {said(folder / name)}: {error}") from error


def read_json(
    folder: Path, name: str, *, most: int | None = None, finite: bool = True
) -> dict[str, Any]:
    """A file that holds one JSON object.

    Args:
        finite: NaN and Infinity, which are no JSON, are refused; else they are floats, to be
            checked one by one.
    """
    return json_object(read_bytes(folder, name, most=most), folder / name, finite=finite)


def json_object(data: bytes, path: Path, *, finite: bool = True) -> dict[str, Any]:
    """One JSON object, with bounds; see `read_json`.

    Args:
        path: What a message calls it.

    Raises:
        CheckpointError: it is none, or beyond the bounds.
    """
    try:
        values = parsed(data, finite=finite)
    except (ValueError, RecursionError) as error:
        if what := shape_of(data[:LOOKED_AT]):
            raise CheckpointError(f"expected JSON in {said(path)}, which {what}") from error
        why = " ".join(str(error).split())[:200]
        raise CheckpointError(f"expected JSON in {said(path)}: {why}") from error
    if not is_object(values):
        raise CheckpointError(
            f"expected a JSON object in {said(path)}, got {type(values).__name__}"
        )
    return values


def read_json_lines(folder: Path, name: str) -> list[dict[str, Any]]:
    """The JSON objects of a log in a folder that others may have written; see `json_lines`.

    Raises:
        CheckpointError: there is no such file, or none that can be read.
    """
    data = read_bytes(folder, name, grows=True)
    entries = sum(map(data.count, (b",", b"[", b"{")))
    if entries > MOST_ENTRIES:
        raise CheckpointError(
            f"{said(folder / name)} has {entries:,} entries, {MOST_ENTRIES:,} are the most of a log"
        )
    return json_lines(data)


def changed_since(path: Path) -> CheckpointError:
    """A file whose SHA-256 is not the one that training.json noted when it was written."""
    return CheckpointError(
        f"{said(path)} is not the file that was saved here: its SHA-256 differs from the one in "
        "training.json. Copy the folder anew, or, if you changed this file on purpose, remove its "
        "line there"
    )
