"""A file of a folder from elsewhere: at each bound what is just read, and what is not."""

import os
from pathlib import Path

import pytest

from gpt.files import reading, strict_json
from gpt.files.reading import (
    MOST_BYTES,
    OTHERWISE,
    CheckpointError,
    MissingFileError,
    facts_of,
    is_there,
    json_object,
    opened,
    read_bytes,
    read_json,
    read_json_lines,
    read_text,
    said,
)
from gpt.files.strict_json import (
    MOST_DEPTH,
    MOST_DIGITS,
    MOST_LINE,
    json_lines,
    parsed,
)
from gpt.files.text import LFS, LOOKED_AT


def refused(folder: Path, name: str, **how: int | bool) -> str:
    with pytest.raises(CheckpointError) as error:
        read_bytes(folder, name, **how)  # type: ignore[arg-type]
    return str(error.value)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "spiece.model", "other"])
def test_a_file_may_be_as_large_as_its_kind_ever_is_and_no_byte_larger(
    tmp_path: Path, name: str
) -> None:
    most = {"tokenizer.json": 32_000_000, "spiece.model": 4_000_000}.get(name, 1_000_000)
    assert MOST_BYTES.get(name, OTHERWISE) == most
    (tmp_path / name).touch()
    os.truncate(tmp_path / name, most)
    assert len(read_bytes(tmp_path, name)) == most
    os.truncate(tmp_path / name, most + 1)
    kind = "tokenizer" if name in ("tokenizer.json", "spiece.model") else "file of its kind"
    assert refused(tmp_path, name) == (
        f"{tmp_path / name} is too large for a {kind}: it has {most + 1:,} bytes, "
        f"{most:,} is the most"
    )
    assert len(read_bytes(tmp_path, name, most=most + 1)) == most + 1
    # Of a larger one the beginning, where that is all that is asked for.
    assert len(read_bytes(tmp_path, name, first=True)) == most
    with opened(tmp_path, name, most=most + 1) as file:
        assert file.read(3) == b"\0\0\0"


def test_a_bound_of_the_callers_own_counts_in_place_of_the_kinds(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert read_bytes(tmp_path, "a", most=3) == b"abc"
    assert "it has 3 bytes, 2 is the most" in refused(tmp_path, "a", most=2)
    assert read_bytes(tmp_path, "a", most=2, first=True) == b"ab"
    assert read_text(tmp_path, "a", most=3) == "abc"
    for read in (read_text, read_json):
        with pytest.raises(CheckpointError, match="2 is the most"):
            read(tmp_path, "a", most=2)


def test_what_is_no_file_in_its_place_is_refused_by_what_it_is(tmp_path: Path) -> None:
    folder, outside = tmp_path / "model", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("secret")
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "out").symlink_to(outside)
    (folder / "nowhere").symlink_to(folder / "gone")
    (folder / "loop").symlink_to(folder / "loop")
    no_file = "is no regular file: expected one, not a folder, a pipe or a device"
    for name, why in (
        ("sub", no_file),
        ("pipe", no_file),
        ("out", "is a link out of its folder: expected the file itself, copy it there"),
        ("nowhere", "is a link to a file that is not there: copy the file itself"),
        ("loop", "cannot be read: it leads round in a circle"),
        ("none", "is missing"),
        ("n" * 300, "cannot be read: File name too long"),
    ):
        assert refused(folder, name) == f"{said(folder / name)} {why}"
        with pytest.raises(CheckpointError, match=why):
            facts_of(folder, name)
    with pytest.raises(MissingFileError):
        read_bytes(folder, "none")
    assert [is_there(folder, name) for name in ("nowhere", "sub", "none")] == [True, True, False]


def test_a_link_within_its_folder_is_read_and_has_the_facts_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("words")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert read_text(tmp_path, "link") == "words"
    assert facts_of(tmp_path, "link").st_size == 5


def test_of_the_hubs_cache_the_blobs_count_as_inside_and_nothing_beside_them(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "models--a" / "snapshots" / "revision"
    blobs = tmp_path / "models--a" / "blobs"
    for each in (folder / "onnx", blobs):
        each.mkdir(parents=True)
    (blobs / "hash").write_text("weights")
    (tmp_path / "models--a" / "refs").write_text("secret")
    (folder / "a").symlink_to(blobs / "hash")
    (folder / "onnx" / "b").symlink_to(blobs / "hash")
    (folder / "c").symlink_to(tmp_path / "models--a" / "refs")
    assert read_text(folder, "a") == read_text(folder / "onnx", "b") == "weights"
    assert "is a link out of its folder" in refused(folder, "c")


def test_a_pointer_of_git_lfs_is_named_however_much_follows_up_to_a_page(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LFS.ljust(LOOKED_AT))
    why = "is a git-lfs pointer, not the file itself: run `git lfs pull` in its folder"
    assert refused(tmp_path, "a") == f"{tmp_path / 'a'} {why}"
    (tmp_path / "a").write_bytes(LFS.ljust(LOOKED_AT + 1))
    assert len(read_bytes(tmp_path, "a")) == LOOKED_AT + 1


def test_a_file_that_grows_while_it_is_read_is_refused_unless_that_is_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"ab")
    fstat, looked = os.fstat, list[int]()

    def growing(handle: int) -> os.stat_result:
        looked.append(handle)
        if len(looked) == 3:  # when it was read
            with path.open("ab") as file:
                file.write(b"c")
        return fstat(handle)

    monkeypatch.setattr(reading.os, "fstat", growing)
    assert refused(tmp_path, "a") == f"{path} changed while it was read: try again"
    looked.clear()
    assert read_bytes(tmp_path, "a", grows=True) == b"abc"
    looked.clear()
    path.write_bytes(b'{"a": 1}\n')
    assert read_json_lines(tmp_path, "a") == [{"a": 1}]  # a log is always written to


@pytest.mark.parametrize(
    ("becomes", "why"),
    [
        ("pipe", "is no regular file: expected one, not a folder, a pipe or a device"),
        ("link", "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_what_becomes_a_pipe_or_a_link_while_it_is_opened_is_refused_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: str, why: str
) -> None:
    (tmp_path / "a").write_text("words")
    found = reading._inside

    def and_then(folder: Path, name: str) -> tuple[Path, os.stat_result]:
        place, facts = found(folder, name)
        place.rename(tmp_path / "before")
        if becomes == "pipe":
            os.mkfifo(place)
        else:
            place.symlink_to(tmp_path / "before")
        return place, facts

    monkeypatch.setattr(reading, "_inside", and_then)
    assert refused(tmp_path, "a") == f"{tmp_path / 'a'} {why}"


def test_a_path_in_a_message_is_one_line_of_at_most_300_characters_and_its_end() -> None:
    assert said(Path("a\nb")) == "a\ufffdb"
    assert said(Path("x" + "a" * 299)) == "x" + "a" * 299
    assert said(Path("x" + "a" * 300)) == "…" + "a" * 300


def test_a_file_that_is_no_utf_8_or_no_json_object_is_said_by_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"caf\xe9 ")
    with pytest.raises(CheckpointError, match=r"^expected UTF-8 in .*/a: 'utf-8' codec"):
        read_text(tmp_path, "a")
    path = Path("m/config.json")
    for data, said_of_it in (
        (b"[1]", "expected a JSON object in m/config.json, got list"),
        (b"%PDF-", "expected JSON in m/config.json, which is a PDF: save it as plain text (.txt)"),
        (b"{", "expected JSON in m/config.json: Expecting property name enclosed in double"),
        (b'{"a": NaN}', "expected JSON in m/config.json: a number that is not finite: NaN"),
        (b"{\xff}", "expected JSON in m/config.json: 'utf-8' codec can't decode byte 0xff"),
    ):
        with pytest.raises(CheckpointError) as error:
            json_object(data, path)
        assert str(error.value).startswith(said_of_it)
    assert str(json_object(b'{"a": NaN}', path, finite=False)) == "{'a': nan}"
    (tmp_path / "b").write_text('{"a": NaN}')
    assert str(read_json(tmp_path, "b", finite=False)) == "{'a': nan}"
    with pytest.raises(CheckpointError, match=r"^expected JSON in .*/b: a number that is"):
        read_json(tmp_path, "b")
    (tmp_path / "b").write_text('{"a": 1}')
    assert read_json(tmp_path, "b") == {"a": 1}


def test_why_a_file_is_no_json_is_said_in_one_line_of_200_characters_at_most() -> None:
    twice = '{"%s": 1, "%s": 2}' % (("a  \\n b" * 30,) * 2)
    with pytest.raises(CheckpointError) as error:
        json_object(twice.encode(), Path("c"))
    why = str(error.value).removeprefix("expected JSON in c: ")
    assert why.startswith("the name 'a \\n ba \\n b")
    assert len(why) <= 200


def nested(depth: int) -> bytes:
    return (
        b'{"a":' * (depth // 2)
        + b"[" * (depth - depth // 2)
        + (b"]" * (depth - depth // 2) + b"}" * (depth // 2))
    )


@pytest.mark.parametrize(
    ("last", "beyond", "said"),
    [
        (nested(MOST_DEPTH), nested(MOST_DEPTH + 1), "it is nested deeper than 32 levels"),
        (
            b"9" * MOST_DIGITS,
            b"9" * (MOST_DIGITS + 1),
            "a whole number of 101 digits: expected 100 at most",
        ),
        (b"1e308", b"1e309", "a number that is not finite: 1e309"),
        (b"-1e308", b"-Infinity", "a number that is not finite: -Infinity"),
        (
            b'{"a": {"b": 1}, "b": {"a": 1}}',
            b'{"a": {"c": 1, "b": 2, "b": 3}}',
            "the name 'b' stands twice in one object",
        ),
        (b"[]", b"\xef\xbb\xbf[]", "it begins with a byte order mark: save it as plain UTF-8"),
    ],
    ids=["depth", "digits", "finite", "infinity", "twice", "mark"],
)
def test_json_is_read_up_to_each_bound_and_refused_beyond(
    last: bytes, beyond: bytes, said: str
) -> None:
    parsed(last)
    with pytest.raises(ValueError) as error:
        parsed(beyond)
    assert str(error.value) == said


def test_every_comma_and_bracket_is_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "MOST_ENTRIES", 7)
    assert parsed(b'[{}, [], {"a": {}}]') == [{}, [], {"a": {}}]
    with pytest.raises(ValueError) as error:
        parsed(b'[{}, [], {"a": [0, 1]}]')
    assert str(error.value) == "it has 8 entries, more than any file of a model"


def test_a_long_name_or_number_is_cut_in_what_is_said_of_it() -> None:
    with pytest.raises(ValueError) as error:
        parsed(b'{"%s": 1, "%s": 2}' % ((b"a" * 61,) * 2))
    assert str(error.value) == f"the name '{'a' * 60}' stands twice in one object"
    with pytest.raises(ValueError) as error:
        parsed(b"1" * 50 + b"e999")
    assert str(error.value) == f"a number that is not finite: {'1' * 40}"


def test_a_log_may_have_as_many_entries_as_any_file_and_its_lines_their_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_ENTRIES", 6)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'[,\n[,\n{"a":[]}')
    assert read_json_lines(tmp_path, "metrics.jsonl") == [{"a": []}]
    path.write_bytes(b'{"a":0}\n' * 4 + b'{"a":0,"b":[]}')
    with pytest.raises(CheckpointError) as error:
        read_json_lines(tmp_path, "metrics.jsonl")
    assert str(error.value) == f"{path} has 7 entries, 6 are the most of a log"
    line = b'{"a": "%s"}' % (b"x" * (MOST_LINE - 9))
    assert len(line) == MOST_LINE
    assert len(json_lines(line)) == 1
    assert json_lines(line[:-2] + b'x"}') == []


def test_a_line_that_no_reader_can_follow_is_left_out_and_what_is_no_number_counts() -> None:
    deep = b'{"a":' + b"[" * 100_000
    found = json_lines(b'{"step": 1}\n%b\n{"step": NaN}' % deep)
    assert [str(each) for each in found] == ["{'step': 1}", "{'step': nan}"]
