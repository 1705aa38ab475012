"""Text as it comes from other programs, and as a line can show it.

What a file is that was taken for text is known by how it begins, and said with what to do about it.
"""

from collections.abc import Iterable
from pathlib import Path

import regex

_TURNS = r"\u202a-\u202e\u2066-\u2069"
_SEEN = (
    rf"[\p{{Join_Control}}\p{{LB=ZW}}\p{{Prepended_Concatenation_Mark}}\u00ad"
    rf"[\p{{Bidi_Control}}--[{_TURNS}]]]"
)
_OF_FLAG = r"(?<=\U0001f3f4[\U000e0030-\U000e007a]{0,6})[\U000e0030-\U000e007f]"
_UNSEEN = regex.compile(
    rf"(?!{_OF_FLAG})[[\p{{C}}\p{{Zl}}\p{{Zp}}]--{_SEEN}]",
    regex.VERSION1,
)
"""Control characters, halves of a pair, invisible and unassigned ones, what ends or turns a line.
Spaces of any width are seen by what they part, also of none (Khmer, Thai) and where a word may
break; joiners (Persian, Hindi) and direction marks (Hebrew, Arabic) by what they do to the letters
beside them; tags behind a black flag, of England or Wales, by the flag."""
_CONTROL = regex.compile(r"[[\p{Cc}\p{Cn}]--[\n\r\t\f\v\x85]]", regex.VERSION1)


def printable(text: str, instead: str = "\ufffd") -> str:
    """The text in one line; what could not be shown as it is becomes `instead`."""
    return text if text.isprintable() else str(_UNSEEN.sub(instead, text))


def is_printable(text: str) -> bool:
    """Whether all of a text can be shown, in one line."""
    return text.isprintable() or _UNSEEN.search(text) is None


def count_controls(text: str) -> int:
    """How many characters no text has: control characters other than white space, unassigned."""
    return sum(1 for _ in _CONTROL.finditer(text))


LOOKED_AT = 4096
"""Bytes from the beginning that are enough to know a file by."""
LFS = b"version https://git-lfs.github.com/spec/"
_TO_UTF8 = "save it as UTF-8, or `iconv -f {} -t UTF-8 OLD > NEW`"
_OLDER = (
    "`iconv -f NAME -t UTF-8 OLD > NEW`, where NAME is WINDOWS-1252 in the West, WINDOWS-1251 for "
    "Cyrillic, CP932 for Japanese, GB18030 for Chinese, CP949 for Korean"
)
_UNPACK = "unpack it first"
_AS_TEXT = "save it as plain text (.txt) in UTF-8"
_AS_TEXT_FILE = "write its text to a .txt first"
_SHAPES = (
    (LFS, "a git-lfs pointer, not the file itself", "run `git lfs pull` in its folder"),
    (b"\xff\xfe\0\0", "UTF-32", _TO_UTF8.format("UTF-32")),
    (b"\0\0\xfe\xff", "UTF-32", _TO_UTF8.format("UTF-32")),
    (b"\xff\xfe", "UTF-16", _TO_UTF8.format("UTF-16")),
    (b"\xfe\xff", "UTF-16", _TO_UTF8.format("UTF-16")),
    (b"PK\x03\x04", "a zip archive, as .docx, .odt and .epub are", _AS_TEXT),
    (b"\xd0\xcf\x11\xe0", "a document of old Word", _AS_TEXT),
    (b"\x1f\x8b", "gzip", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd", _UNPACK),
    (b"BZh", "bzip2", _UNPACK),
    (b"\xfd7zXZ", "xz", _UNPACK),
    (b"7z\xbc\xaf", "7z", _UNPACK),
    (b"PAR1", "Parquet", _AS_TEXT_FILE),
    (b"SQLite format 3\0", "an SQLite database", _AS_TEXT_FILE),
    (b"GGUF", "a GGUF model of llama.cpp", "give the folder of the model that it was made from"),
)
_MARKUP = (
    (b"{\\rtf", "RTF", _AS_TEXT),
    (b"%pdf-", "a PDF", _AS_TEXT),
)
"""What programs find behind a byte order mark and white space too, in capitals or not."""
_PAGES = (
    (b"<!doctype html", "HTML", _AS_TEXT),
    (b"<html", "HTML", _AS_TEXT),
    (b"<?xml", "XML, as .fb2 and .xhtml are", _AS_TEXT),
)
"""The same, and it can be read as text, as JSON can."""
_JSON = regex.compile(rb'\s*(?:\[\s*)?\{\s*"(?:[^"\\\n]|\\.){0,100}"\s*:')


def known_as(head: bytes, *, pages: bool = True) -> tuple[str, str] | None:
    """What a file is that begins so, and what to do; None where that does not tell.

    Args:
        pages: Whether HTML and XML are told of, which can be read as text.
    """
    return _found(head, _SHAPES) or _found(_bare(head), _MARKUP + (_PAGES if pages else ()))


def text_known_as(text: str) -> tuple[str, str] | None:
    """The same of what was read as text: a story may begin with the letters of a magic number."""
    head = text[:LOOKED_AT].encode("utf-8", "replace")
    zip_or_pointer = tuple(each for each in _SHAPES if each[0] in (b"PK\x03\x04", LFS))
    return _found(head, zip_or_pointer) or _found(_bare(head), _MARKUP + _PAGES)


def _bare(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:20].lower()


def _found(head: bytes, shapes: Iterable[tuple[bytes, str, str]]) -> tuple[str, str] | None:
    return next(((what, do) for begins, what, do in shapes if head.startswith(begins)), None)


def shape_of(head: bytes, *, pages: bool = True) -> str:
    """What a file is that begins so, and what to do, as the end of a sentence; "" for what may be
    UTF-8. See `known_as`."""
    if known := known_as(head, pages=pages):
        return f"is {': '.join(known)}"
    if b"\x1b$" in head:
        return f"is ISO-2022-JP: {_TO_UTF8.format('ISO-2022-JP')}"
    if b"\0" in head:
        for kind in ("UTF-16LE", "UTF-16BE"):
            text = head[: len(head) // 2 * 2].decode(kind, "ignore")
            if set(" \n") & set(text) and not count_controls(text):
                return f"is UTF-16 without a byte order mark: {_TO_UTF8.format(kind)}"
        return f"is no text, it holds NUL: {_AS_TEXT}"
    return ""


def no_prose(head: bytes) -> str:
    """The same of a file to learn from: it is no JSON either, which could be opened as text."""
    if shape := shape_of(head):
        return shape
    if _JSON.match(head.removeprefix(b"\xef\xbb\xbf")):
        return (
            f"is JSON, which a model would learn to write: {_AS_TEXT_FILE}, a line <|endoftext|> "
            "between two documents"
        )
    return ""


def plain_text(text: str) -> str:
    r"""Text of any system: without a byte order mark, its line ends \n."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def decoded(data: bytes, name: str) -> str:
    """The text in bytes of UTF-8, whatever system wrote it.

    Args:
        name: What a message calls it.

    Raises:
        ValueError: it is another encoding, or no text.
    """
    if why := shape_of(data[:LOOKED_AT]):
        raise ValueError(f"{name} {why}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(no_utf8(name, error)) from error
    if "\0" in text:
        raise ValueError(f"{name} {shape_of(bytes(2))}")
    return plain_text(text)


def no_utf8(name: str, error: UnicodeDecodeError) -> str:
    """What is said of bytes that are no UTF-8."""
    if error.reason == "unexpected end of data":
        return (
            f"{name} ends within a letter of UTF-8: where a part of it is missing, copy it again; "
            f"of an older system, {_OLDER}"
        )
    return (
        f"{name} is not UTF-8 text ({error.reason}): save it as UTF-8; of an older system, {_OLDER}"
    )


def check_text(path: Path) -> None:
    """Raise a ValueError that names what it is for a file that is no text in UTF-8. Pages and JSON,
    which are text but none to learn from, pass.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: expected a text file")
    if path.exists() and not path.is_file():  # a pipe would be waited for, and is read but once
        raise ValueError(f"{path} is a pipe or a device: expected a text file")
    if why := shape_of(_head(path), pages=False):
        raise ValueError(f"{path} {why}")


def check_prose(path: Path) -> None:
    """The same for one that is not to be learnt from either: see `no_prose`."""
    if why := no_prose(_head(path)):
        raise ValueError(f"{path} {why}")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LOOKED_AT)
