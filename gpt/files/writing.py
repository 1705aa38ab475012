"""Files written whole or not at all, and on the disk on return."""

import hashlib
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal


def sha256(data: bytes | bytearray | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def write_whole(path: Path, data: bytes | str, *, mode: int | Literal["usual"] = "usual") -> None:
    """Write a file whole or not at all; see `drafted`."""
    with drafted(path, mode=mode) as draft:
        draft.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)


@contextmanager
def drafted(path: Path, *, mode: int | Literal["usual"] = "usual") -> Generator[Path]:
    """An empty file beside `path` to write to; it takes that name, on the disk, once it is whole.

    Whatever interrupts the writing, `path` is as it was, and the draft is gone.

    Args:
        mode: Its permissions at the end; "usual" are those of any new file (0666 less the umask).
            Until then it is its user's alone.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        with suppress(PermissionError):  # not every disk knows modes
            draft.chmod(usual_mode() if mode == "usual" else mode)
        put_in_place(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def put_in_place(draft: Path, path: Path) -> None:
    """Give a file that is whole its name, in the same folder; both are on the disk on return."""
    flush(draft)
    draft.replace(path)
    flush(path.parent)


def usual_mode() -> int:
    """The permissions of any new file: 0666 less the umask of this process."""
    return 0o666 & ~_umask()


def _umask() -> int:
    """The mask of this process, read where it can be without setting it for a moment."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").split("\n")
        return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    flags = os.O_RDONLY
    if os.name == "nt":  # it opens no folder, and flushes only what may be written to
        if path.is_dir():
            return
        flags = os.O_RDWR
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
