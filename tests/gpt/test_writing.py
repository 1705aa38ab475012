"""A file is written whole or not at all, with its permissions; a log is read line by line."""

import os
import stat
from pathlib import Path

import pytest

from gpt.files import drafted, put_in_place, usual_mode, write_whole
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
