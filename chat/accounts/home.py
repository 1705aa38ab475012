"""Where stories, accounts and the secret that signs sessions lie, read by nobody else."""

import logging
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

HOME_VARIABLE = "INKLING_HOME"
PRIVATE = 0o077
"""The umask under which whatever is made is its user's alone."""
FILES = ("stories.sqlite", "users", "secret")
BESIDE = ("stories.sqlite-", ".secret-", ".secret.", ".users-", ".users.", ".room-")
"""So begin the names of what comes and goes beside them, or was left by an earlier version."""
LEAST_BYTES = 2**20
"""With less room than this no library can be begun, nor a passage kept."""
ELSEWHERE = f"or name another folder with {HOME_VARIABLE}"


class HomeError(ValueError):
    """The home cannot be used; the message says why, and what would do."""


def home(root: Path) -> Path:
    """INKLING_HOME where it is set, else the folder `stories` beside the app.

    Args:
        root: The app's folder.

    Raises:
        HomeError: It begins with the home of a user who does not exist.
    """
    said = os.environ.get(HOME_VARIABLE)
    if not said:
        return root / "stories"
    try:
        return Path(said).expanduser().absolute()
    except RuntimeError as error:
        raise HomeError(
            f"there is no user of whom {said} could be the home: name a folder with {HOME_VARIABLE}"
        ) from error


def open_home(folder: Path) -> Path:
    """Make a home, or make sure of one: it is a folder of this user's, there is room in it, and
    nobody else on this machine can look into it. Where others can, and it is not ours to shut, a
    line in the log says so.

    Raises:
        HomeError: It cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        pass
    except (OSError, ValueError) as error:
        raise HomeError(
            f"{folder} cannot be made ({_why(error)}): make it yourself, {ELSEWHERE}"
        ) from error
    about = folder.lstat()
    if stat.S_ISLNK(about.st_mode):
        raise HomeError(
            f"{folder} is a link, and whoever may change it could put another folder in its place: "
            f"set {HOME_VARIABLE} to the folder itself, {folder.readlink()}"
        )
    if not stat.S_ISDIR(about.st_mode):
        raise HomeError(f"{folder} is no folder: move that file away, {ELSEWHERE}")
    if about.st_uid != os.geteuid():
        raise HomeError(
            f"{folder} belongs to another user (number {about.st_uid}), who could read all that is "
            f"written here: make it your own with chown, {ELSEWHERE}"
        )
    _try(folder)
    for path in (folder / name for name in FILES):
        # A door whose list of names is not read would stand open.
        if os.path.lexists(path) and not path.is_file():
            raise HomeError(f"{path} is no file: move it away, {ELSEWHERE}")
    _shut_home(folder)
    return folder


def _try(folder: Path) -> None:
    """Raise HomeError where nothing can be kept in it."""
    path = folder / f".room-{secrets.token_hex(8)}"
    try:
        try:
            with open(path, "xb", opener=private) as file:
                file.write(bytes(LEAST_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            with suppress(FileNotFoundError):
                path.unlink()
    except OSError as error:
        raise HomeError(
            f"nothing can be kept in {folder} ({_why(error)}): free some room there and let "
            f"yourself write in it, {ELSEWHERE}"
        ) from error


def _shut_home(folder: Path) -> None:
    """Shut it and what lies in it where it is ours alone: to shut /tmp would be no favour."""
    for path in folder.iterdir():
        if _is_ours(path) and not path.is_symlink() and path.is_file():
            with suppress(PermissionError):
                path.chmod(0o600)
    mode = folder.stat().st_mode
    ours = all(_is_ours(each) for each in folder.iterdir())
    if mode & PRIVATE and ours and not mode & stat.S_ISVTX:
        with suppress(PermissionError):
            folder.chmod(0o700)
    if folder.stat().st_mode & PRIVATE:
        log.warning(
            "Others on this machine can look into %s, where stories lie; it holds other things, "
            "or cannot be shut: give Inkling a folder of its own with %s, or shut this one with "
            "chmod 700.",
            folder,
            HOME_VARIABLE,
        )


def _is_ours(path: Path) -> bool:
    return path.name in FILES or path.name.startswith(BESIDE)


def private(path: str | os.PathLike[str], flags: int) -> int:
    """For `open(…, opener=private)`: what is made is its user's alone, whatever the umask."""
    return os.open(path, flags, 0o600)


def shut(folder: Path) -> None:
    """Take a folder, and all that lies in it, out of the hands of everybody else. One that is shut
    already is let be, and so is what a link leads to."""
    if folder.is_symlink() or not folder.stat().st_mode & PRIVATE:
        return
    folder.chmod(0o700)
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files)):
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)


def make_private(path: Path) -> None:
    """Make a SQLite file that only its user can read, or shut one that is there, before it is
    opened: what SQLite lays beside it (-wal, -shm, -journal) has the mode of the file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # One that is there is not opened: to close it would take SQLite's locks from it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    for each in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        # Not every disk knows modes; a home that stays open was complained of.
        with suppress(FileNotFoundError, PermissionError):
            each.chmod(0o600)


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
