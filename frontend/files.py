"""A folder for the files of this process alone.

Chainlit keeps the files of all sessions in `.files`, and removes that whole folder when it stops:
of two Inklings in one place, the first to stop would take the other's away.
"""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None


def own_files(config: Any, server: Any) -> IO[str]:
    """Give this process a folder of its own in Chainlit's, and remove those of dead ones.

    A folder belongs to whoever holds the lock on the file beside it; the system lets go of that
    when a process ends, however it ends.

    Args:
        config, server: Chainlit's modules of these names; each has the folder's name for itself.

    Returns:
        The lock; to be held until the process ends.
    """
    above: Path = config.FILES_DIRECTORY
    above.mkdir(exist_ok=True, mode=0o700)
    remove_leftovers(above)
    name = f"{os.getpid()}-{secrets.token_hex(8)}"
    lock = (above / f"{name}.lock").open("w")
    if fcntl is not None:
        fcntl.flock(lock, fcntl.LOCK_EX)
    folder = above / name
    folder.mkdir(mode=0o700)
    config.FILES_DIRECTORY = server.FILES_DIRECTORY = folder
    return lock


def remove_leftovers(above: Path) -> None:
    """Remove the folders in `above` whose process has ended."""
    if fcntl is None:
        return
    for path in above.glob("*.lock"):
        try:
            with path.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink(missing_ok=True)
        except OSError:
            continue  # it is held, or another process sweeps as well


def remove_session(folder: Path) -> None:
    """Remove the folder of a session, if it has one. A file may be written there at this moment,
    which Chainlit stumbles over: from under another name it finds no way in."""
    gone = folder.with_name(f"{folder.name}.gone")
    with suppress(FileNotFoundError):
        folder.rename(gone)
        shutil.rmtree(gone)
