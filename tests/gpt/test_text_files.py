"""What a file is that was taken for text, and how text of any system is read."""

from pathlib import Path

import pytest

from gpt.files.reading import CheckpointError, changed_since
from gpt.files.text import (
    LOOKED_AT,
    check_prose,
    check_text,
    count_controls,
    decoded,
    is_printable,
    no_prose,
    plain_text,
    printable,
    shape_of,
    text_known_as,
)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"once", ""),
        (b"", ""),
        (b"\xff\xfea\0", "is UTF-16: save it as UTF-8, or `iconv -f UTF-16 -t UTF-8 OLD > NEW`"),
        (b"\xff\xfe\0\0", "is UTF-32: save it as UTF-8, or `iconv -f UTF-32 -t UTF-8 OLD > NEW`"),
        (b"%PDF-1.7", "is a PDF: save it as plain text (.txt) in UTF-8"),
        (b"\xef\xbb\xbf{\\rtf1", "is RTF: save it as plain text (.txt) in UTF-8"),
        (b"\n %PDF-1.7", "is a PDF: save it as plain text (.txt) in UTF-8"),
        (b"<!DOCTYPE html>\n<p>Once", "is HTML: save it as plain text (.txt) in UTF-8"),
        (b"<HTML><p>Once", "is HTML: save it as plain text (.txt) in UTF-8"),
        (
            b'<?xml version="1.0"?><FictionBook>',
            "is XML, as .fb2 and .xhtml are: save it as plain text (.txt) in UTF-8",
        ),
        (b"<|endoftext|>", ""),
        (
            "雨".encode("iso2022_jp"),
            "is ISO-2022-JP: save it as UTF-8, or `iconv -f ISO-2022-JP -t UTF-8 OLD > NEW`",
        ),
        (b"\x1f\x8b\x08", "is gzip: unpack it first"),
        (
            "a b".encode("utf-16-le"),
            "is UTF-16 without a byte order mark: "
            "save it as UTF-8, or `iconv -f UTF-16LE -t UTF-8 OLD > NEW`",
        ),
        (
            "a\n".encode("utf-16-be") + b"\0",  # cut in the middle of a character
            "is UTF-16 without a byte order mark: "
            "save it as UTF-8, or `iconv -f UTF-16BE -t UTF-8 OLD > NEW`",
        ),
        (b"a\0", "is no text, it holds NUL: save it as plain text (.txt) in UTF-8"),
        (b"\0\xd8b\0", "is no text, it holds NUL: save it as plain text (.txt) in UTF-8"),
        (b"X\0X\0", "is no text, it holds NUL: save it as plain text (.txt) in UTF-8"),
        (b"a \0\0b", "is no text, it holds NUL: save it as plain text (.txt) in UTF-8"),
    ],
)
def test_a_file_is_known_by_how_it_begins_and_it_is_said_what_to_do(head: bytes, said: str) -> None:
    assert shape_of(head) == said


def test_text_of_any_system_has_line_feeds_and_no_mark() -> None:
    assert plain_text("\ufeffa\r\nb\rc\nd\r\r\n") == "a\nb\nc\nd\n\n"
    assert decoded("\ufeffä\r\n".encode(), "a.txt") == "ä\n"
    assert plain_text("a\ufeff") == "a\ufeff"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-", "a.txt is a PDF: save it as plain text (.txt) in UTF-8"),
        (b"a" * LOOKED_AT + b"\0", "a.txt is no text, it holds NUL: save it as plain text"),
        (
            b"caf\xe9 ",
            "a.txt is not UTF-8 text (invalid continuation byte): save it as UTF-8; of an older "
            "system, `iconv -f NAME -t UTF-8 OLD > NEW`, where NAME is WINDOWS-1252 in the West",
        ),
    ],
)
def test_bytes_that_are_no_text_are_refused_by_name(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=r"^a\.txt is") as error:
        decoded(data, "a.txt")
    assert str(error.value).startswith(said)


def test_a_text_that_was_cut_off_is_no_other_encoding() -> None:
    said = r"^a\.txt ends within a letter.*copy it again; of an older system, `iconv"
    for data in ("éé".encode()[:-1], "Un café".encode("cp1252")):
        with pytest.raises(ValueError, match=said):
            decoded(data, "a.txt")


@pytest.mark.parametrize(
    ("head", "is_json"),
    [
        ('{"text": "Once upon a time"}\n{"text"', True),
        ('\ufeff[\n {"text": "Once"}', True),
        ('{"Stop!" she cried}', False),
        ("[Enter HAMLET]", False),
        ("{{name}}", False),
    ],
)
def test_json_is_no_prose(head: str, is_json: bool) -> None:
    assert no_prose(head.encode()).startswith("is JSON") == is_json
    assert shape_of(head.encode()) == ""


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("GGUF is a format.", ""),
        ("BZh", ""),
        ("PAR1", ""),
        ("PK\x03\x04", "a zip archive, as .docx, .odt and .epub are"),
        ("\ufeff <html>", "HTML"),
        ("{\\rtf1", "RTF"),
    ],
)
def test_a_text_is_known_by_its_marks_and_not_by_its_letters(text: str, known: str) -> None:
    assert (text_known_as(text) or ("", ""))[0] == known


@pytest.mark.parametrize("text", ['{"text": "Once"}', "<html>", "<?xml ?>"])
def test_what_can_be_read_need_not_be_prose(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text)
    check_text(tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"a\.txt is (JSON|HTML|XML)"):
        check_prose(tmp_path / "a.txt")


def test_a_path_that_is_no_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("Once.")
    check_text(tmp_path / "good.txt")
    (tmp_path / "late.txt").write_bytes(b"a" * LOOKED_AT + b"\0")
    check_text(tmp_path / "late.txt")  # whoever reads on will see
    (tmp_path / "bad.txt").write_bytes(b"BZh9")
    for path, said in (
        (tmp_path, f"{tmp_path} is a folder: expected a text file"),
        (Path("/dev/null"), "/dev/null is a pipe or a device: expected a text file"),
        (tmp_path / "bad.txt", f"{tmp_path / 'bad.txt'} is bzip2: unpack it first"),
    ):
        with pytest.raises(ValueError) as error:
            check_text(path)
        assert str(error.value) == said
    with pytest.raises(FileNotFoundError):
        check_text(tmp_path / "none.txt")


def test_what_cannot_be_shown_in_a_line_is_known() -> None:
    assert is_printable("Once, über\u3000\u200c\xa0שלום\u200f")
    # Khmer parts words by a space of no width; the number sign of Arabic; the flag of England.
    assert is_printable("ភាសា\u200bខ្មែរ, \u0600١٢, \U0001f3f4\U000e0067\U000e0062\U000e007f")
    assert not is_printable("a\U000e0067")
    for text in ("a\nb", "\x1b[2J", "\u202e", "\ud800", "\u2028", "\u2066"):
        assert not is_printable(text)
        assert not is_printable(f"a {text}")
    assert (printable("a\nb\x1b"), printable("a\nb", ""), printable("ab")) == ("a�b�", "ab", "ab")
    assert count_controls("a\tb\n\x0c\x85\x07\x00\u0378") == 3


def test_a_file_that_was_changed_is_said_with_the_way_out() -> None:
    error = changed_since(Path("models/best/model.safetensors"))
    assert isinstance(error, CheckpointError)
    assert str(error) == (
        "models/best/model.safetensors is not the file that was saved here: its SHA-256 differs "
        "from the one in training.json. Copy the folder anew, or, if you changed this file on "
        "purpose, remove its line there"
    )
