"""The folder that stories lie in: made, shut, and refused in a sentence where it cannot be used."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chat.accounts.database import SqliteFile
from chat.accounts.home import HomeError, home, open_home
from chat.compare.votes import Votes
from chat.settings.presets import OwnPresets
from chat.story import Passage, Story
from chat.story.library import Kept, Library, LibraryError
from frontend.opening import start_privately

WORDS = Passage(author="writer", text="Once")
NOT_ROOT = os.geteuid() != 0
ROOT = Path(__file__).parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def begin(folder: Path, name: str) -> sqlite3.Connection:
    """What is kept in a home, written to: the -wal stays while the connection does."""
    path = folder / "stories.sqlite"
    if name == "library":
        library = Library(path)
        library.save(
            "s", "ada", Kept(story=Story().append(WORDS), settings={}, model=None), new=True
        )
    elif name == "votes":
        Votes(path)
    else:
        OwnPresets(SqliteFile(path), "ada").save("Mine", {"temperature": 1.0})
    rows = sqlite3.connect(path)
    rows.execute("PRAGMA journal_mode = WAL")
    rows.execute("CREATE TABLE IF NOT EXISTS more (x)")
    return rows


@pytest.mark.parametrize("first", ["library", "votes", "presets"])
@pytest.mark.parametrize("before", ["nothing", "an empty file", "all three, open to others"])
def test_whoever_opens_the_file_first_all_that_lies_beside_it_is_private(tmp_path, first, before):
    tmp_path.chmod(0o755)
    if before != "nothing":
        (tmp_path / "stories.sqlite").touch()
    with umask(0), closing(begin(tmp_path, first)):
        if before == "all three, open to others":
            for each in tmp_path.iterdir():
                each.chmod(0o666)
            begin(tmp_path, "presets").close()
        names = {each.name: mode(each) for each in tmp_path.iterdir()}
    assert names.keys() >= {"stories.sqlite", "stories.sqlite-wal", "stories.sqlite-shm"}
    assert set(names.values()) == {0o600}


def test_a_home_is_made_with_all_above_it_and_is_its_users_alone(tmp_path):
    with umask(0o022):
        assert open_home(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert mode(tmp_path / "a" / "b") == 0o700
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_home_of_ours_that_others_can_read_is_shut_with_what_lies_in_it(tmp_path, caplog):
    for name in ("stories.sqlite", "users", "secret", "stories.sqlite-wal"):
        (tmp_path / name).touch(0o644)
    tmp_path.chmod(0o755)
    open_home(tmp_path)
    assert {mode(each) for each in tmp_path.iterdir()} == {0o600}
    assert mode(tmp_path) == 0o700
    assert caplog.messages == []


@pytest.mark.parametrize("how", ["other things lie in it", "it is everybody's, as /tmp is"])
def test_a_home_that_is_not_ours_to_shut_is_complained_of_in_one_line(tmp_path, caplog, how):
    (tmp_path / "secret").touch(0o644)
    if how == "other things lie in it":
        (tmp_path / "letters.txt").touch()
        tmp_path.chmod(0o755)
    else:
        tmp_path.chmod(0o1777)
    before = mode(tmp_path)
    open_home(tmp_path)
    assert mode(tmp_path) == before
    # What is ours in it is shut all the same.
    assert mode(tmp_path / "secret") == 0o600
    (line,) = caplog.messages
    assert f"can look into {tmp_path}" in line
    assert "chmod 700" in line
    assert "\n" not in line


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> Path:
    """Homes that cannot be used, by what is wrong with them."""
    bad = tmp_path_factory.mktemp("bad")
    (bad / "file").touch()
    (bad / "real").mkdir()
    (bad / "link").symlink_to(bad / "real")
    (bad / "nowhere").symlink_to(bad / "gone")
    for name in ("users", "secret", "stories.sqlite"):
        (bad / f"odd {name}" / name).mkdir(parents=True)
    os.mkfifo(bad / "odd users" / "pipe")
    (bad / "linked users").mkdir()
    (bad / "linked users" / "users").symlink_to(bad / "gone")
    (bad / "no library").mkdir()
    (bad / "no library" / "stories.sqlite").write_bytes(b"no database " * 100)
    return bad


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("file", "is no folder: move that file away"),
        ("file/below", "cannot be made (Not a directory)"),
        ("x" * 300, "cannot be made (File name too long)"),
        ("link", "is a link"),
        ("nowhere", "is a link"),
        ("odd users", "users is no file"),
        ("odd secret", "secret is no file"),
        ("odd stories.sqlite", "stories.sqlite is no file"),
        ("linked users", "users is no file"),
    ],
)
def test_a_home_that_cannot_be_used_is_refused_with_what_would_do(bad, name, why):
    with pytest.raises(HomeError) as refused:
        open_home(bad / name)
    assert why in str(refused.value)
    assert "INKLING_HOME" in str(refused.value)


@pytest.mark.skipif(NOT_ROOT, reason="only root may give a folder away")
def test_a_home_of_another_users_is_refused(tmp_path):
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(HomeError, match=r"belongs to another user .number 12345.*chown"):
        open_home(tmp_path)


@pytest.mark.parametrize(
    ("options", "why"),
    [("ro", "Read-only file system"), ("size=256k", "No space left on device")],
)
def test_a_home_where_nothing_can_be_kept_is_refused(tmp_path, options, why):
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(tmp_path)]
    if NOT_ROOT or not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with pytest.raises(HomeError, match=f"nothing can be kept in .*{why}.*INKLING_HOME"):
            open_home(tmp_path)
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


SOMEBODY = """
import os, sys
from pathlib import Path
from chat.accounts.home import open_home
os.setuid(int(sys.argv[1]))
open_home(Path(sys.argv[2]))
"""


def test_a_home_that_its_user_may_not_write_in_is_refused():
    # As somebody who is not root, whom no mode holds, and in a folder that they can come to.
    user = os.geteuid() or 65534
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "shut")
        folder.mkdir(mode=0o500)
        if not NOT_ROOT:
            os.chown(folder, user, -1)
            Path(place).chmod(0o711)
        command = [sys.executable, "-c", SOMEBODY, str(user), str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "HomeError: nothing can be kept in" in done.stderr
    assert "Permission denied" in done.stderr


@pytest.mark.parametrize(
    ("said", "folder"),
    [
        (None, "ROOT/stories"),
        ("", "ROOT/stories"),
        ("~", "HOME"),
        ("~/here", "HOME/here"),
        ("here/too", "CWD/here/too"),
        ("/a/b/", "/a/b"),
    ],
)
def test_the_home_is_where_it_was_said_to_be(tmp_path, monkeypatch, said, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("INKLING_HOME", raising=False)
    if said is not None:
        monkeypatch.setenv("INKLING_HOME", said)
    places = {"ROOT": "/app", "HOME": "/home/ada", "CWD": str(tmp_path)}
    for name, place in places.items():
        folder = folder.replace(name, place)
    assert home(Path("/app")) == Path(folder)


def test_the_home_of_nobody_is_refused(monkeypatch):
    monkeypatch.setenv("INKLING_HOME", "~nobody-of-that-name/stories")
    with pytest.raises(HomeError, match="there is no user of whom"):
        home(Path("/app"))


@pytest.mark.parametrize("fault", ["home", "library", "accounts", "disk"])
def test_what_cannot_be_opened_ends_the_app_with_one_sentence(bad, fault):
    def opens() -> None:
        match fault:
            case "home":
                open_home(bad / "file")
            case "library":
                Library(bad / "no library" / "stories.sqlite")
            case "accounts":
                raise ValueError("users: “x” is no account: write it anew")
            case "disk":
                raise OSError(28, "No space left on device")

    with umask(0o022), pytest.raises(SystemExit) as ended, start_privately():
        opens()
    said = str(ended.value.code)
    assert said.startswith("Inkling cannot start: ")
    assert (said.count(". "), said.count("\n"), said[-1]) == (0, 0, ".")


def test_all_that_is_made_after_the_start_is_private(tmp_path):
    with umask(0o022):
        with start_privately():
            pass
        (tmp_path / "file").touch()
        (tmp_path / "folder").mkdir()
    assert (mode(tmp_path / "file"), mode(tmp_path / "folder")) == (0o600, 0o700)


def test_a_file_that_cannot_be_written_is_not_called_no_library(bad):
    with pytest.raises(LibraryError, match="is no library"):
        Library(bad / "no library" / "stories.sqlite")
    with pytest.raises(LibraryError, match="cannot be used"):
        Library(bad / "odd stories.sqlite" / "stories.sqlite")
