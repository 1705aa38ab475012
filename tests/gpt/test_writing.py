"""A file is written whole or not at all, with its permissions; a log is read line by line."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from gpt.files import drafted, flush, put_in_place, sha256, usual_mode, write_whole, writing
from gpt.files.strict_json import json_lines


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_over_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"before, and longer")
    write_whole(path, "ä\n")
    assert path.read_bytes() == "ä\n".encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("no room"), ValueError("no text"), KeyboardInterrupt()])
def test_whatever_interrupts_the_writing_leaves_the_file_as_it_was(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def interrupted() -> None:
        with drafted(path) as draft:
            draft.write_text("half of wh")
            raise error

    with pytest.raises(type(error)):
        interrupted()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_on_the_disk_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "a.txt", list[tuple[bool, str]]()

    def fsync(handle: int) -> None:
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        seen.append((folder, path.read_text() if path.exists() else ""))

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, "whole")
    assert seen == [(False, ""), (True, "whole")]


def test_a_draft_is_its_users_alone_until_it_has_its_name(tmp_path: Path) -> None:
    for wanted in (0o600, "usual"):
        with drafted(tmp_path / "a", mode=wanted) as draft:
            assert mode(draft) == 0o600
        assert mode(tmp_path / "a") == (usual_mode() if wanted == "usual" else wanted)


@pytest.fixture
def strict() -> Iterator[None]:
    """A mask that leaves a new file its user, and its group to read."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("told", ["", "none", "Name:\tpython\nUmask:\tx\n", "Umask:\t0027\n"])
def test_a_new_file_has_the_modes_that_the_mask_leaves_wherever_the_mask_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    def status(path: Path, **_: object) -> str:
        assert path == Path("/proc/self/status")
        if told == "none":
            raise FileNotFoundError
        return told

    if told:  # else what the system says
        monkeypatch.setattr(Path, "read_text", status)
    seen: list[int] = []
    umask = os.umask
    monkeypatch.setattr(os, "umask", lambda mask: seen.append(mask) or umask(mask))
    assert usual_mode() == 0o640
    write_whole(tmp_path / "a", "words")
    assert mode(tmp_path / "a") == 0o640
    write_whole(tmp_path / "a", "words", mode=0o644)
    assert mode(tmp_path / "a") == 0o644
    # Where it can be had only by setting it, that is to the strictest, and for a moment.
    assert seen == ([0o077, 0o027] * 2 if told in ("none", "Name:\tpython\nUmask:\tx\n") else [])
    assert umask(0o027) == 0o027


def test_a_mask_is_set_for_a_moment_where_no_line_tells_it(
    monkeypatch: pytest.MonkeyPatch, strict: None
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "Name:\tpython\n")
    assert usual_mode() == 0o640


def test_on_windows_a_file_is_flushed_as_one_that_may_be_written_to_and_a_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []

    def opened(path: Path, flags: int) -> int:
        done.append((path.name, flags))
        return 7

    windows = SimpleNamespace(
        name="nt", O_RDONLY=0, O_RDWR=2, open=opened, fsync=done.append, close=done.append
    )
    monkeypatch.setattr(writing, "os", windows)
    (tmp_path / "a").touch()
    flush(tmp_path)
    flush(tmp_path / "a")
    assert done == [("a", 2), 7, 7]


def test_a_sum_is_that_of_the_bytes() -> None:
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"abc") == sha256(memoryview(b"abc")) == known


def test_a_disk_that_knows_no_modes_takes_the_file_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError("no modes here")

    monkeypatch.setattr(os, "chmod", refused)
    monkeypatch.setattr(Path, "chmod", refused)
    write_whole(tmp_path / "a", "words", mode=0o600)
    assert (tmp_path / "a").read_text() == "words"


def test_what_arrived_in_parts_takes_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_text("all of it")
    put_in_place(tmp_path / "a.part", tmp_path / "a")
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_line_that_is_cut_off_or_no_object_is_left_out_and_those_after_it_count() -> None:
    log = '{"step": 1}\n{"step": 2, "te\n[3]\n\n{"step": 4, "text": "a\u2028b"}\n'
    cut = '{"text": "ä'.encode()[:-1]  # in the middle of a character
    assert json_lines(log.encode() + cut) == [{"step": 1}, {"step": 4, "text": "a\u2028b"}]


def test_a_log_of_our_own_has_lines_of_any_length() -> None:
    line = b'{"text": "' + b"x" * 2_000_000 + b'"}'
    assert json_lines(line) == []
    assert len(json_lines(line, longest=None)) == 1
