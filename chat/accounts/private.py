"""Files that only their owner reads: passwords as hashes, the secret, the tokens that ended."""

import os
import secrets
import stat
from pathlib import Path

from gpt.files import write_whole

LARGEST = 2**20
"""More bytes than any of them ever has: what is larger was not written by us."""
OTHERS = 0o077


class PrivateFileError(ValueError):
    """A private file cannot be used as it lies; the message says why and what to do."""


def read_private(path: Path, largest: int = LARGEST) -> str:
    """The text of `path`; "" where there is none.

    Raises:
        PrivateFileError: It is a link, no plain file, too large, not UTF-8, or not to be read.
    """
    # Neither through a link out of the home, nor held up by a pipe that nobody writes to.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
                raise PrivateFileError(
                    f"{path} is no file of at most {largest:,} bytes: move it out of the way"
                )
            return file.read(largest).decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise PrivateFileError(f"{path} is not text in UTF-8: move it out of the way") from error
    except OSError as error:
        what = "is a link" if path.is_symlink() else f"cannot be read ({error.strerror})"
        raise PrivateFileError(
            f"{path} {what}: put a file there that Inkling may read and write, or none"
        ) from error


def lock_out_others(path: Path) -> bool:
    """Take from everybody else on the machine what they may do with `path`; whether they could."""
    if os.name != "posix" or not path.is_file() or path.is_symlink():
        return False
    exposed = bool(path.stat().st_mode & OTHERS)
    if exposed:
        path.chmod(0o600)
    return exposed


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, text, mode=0o600)


def write_private_once(path: Path, text: str) -> None:
    """Write such a file where there is none: of several that begin at once the first one does."""
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    write_private(made, text)
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        write_private(path, text)
    finally:
        made.unlink()


def append_private(path: Path, text: str) -> None:
    """Add to such a file; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def version_of(path: Path) -> tuple[int, ...]:
    """Another one whenever the file was written to or replaced; () where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
