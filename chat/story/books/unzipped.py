"""A book that a stranger made: the files of its zip, and their markup, within bounds.

A few bytes can be unpacked into gigabytes, a list of files can be longer than what is in them, and
XML can name a file of ours or a text that grows with each mention: none of it gets that far.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from html.entities import html5
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

MOST_LISTED = 4_000_000
"""Bytes of the list of files, which is read at once: some 40,000 files."""
MOST_UNPACKED = 32_000_000
"""Bytes of all that is read: a novel in Word's own XML has some 20 for each character."""
MOST_OF_PAGE = 4_000_000
"""Bytes of one page of an e-book, which may be no XML, so that it takes longer."""
MOST_ELEMENTS = 1_000_000
"""Of all that one reader hears: a novel that is formatted word by word has some 600,000."""
TOO_MUCH = "has too much in it: open a part of it, or save it as .txt"
_END, _END_BYTES = b"PK\x05\x06", 22
_LONGEST_COMMENT = 65_535
_ZIP64, _ZIP64_BYTES = b"PK\x06\x07", 20
_ENCRYPTED = 0x1
_DAMAGES = (BadZipFile, ValueError, OSError, NotImplementedError)
AT_ONCE = 100_000
"""Bytes that are parsed at once."""
DAMAGED = "is damaged: export it anew where it was made, or save it as .txt"
LOCKED = "is locked with a password or by a shop (DRM), so it cannot be read here"

_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w-]{1,20})["']""")
_KNOWN = re.compile(
    r"utf-?8|utf-?16|us-ascii|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|gb18030|gbk|gb2312|big5"
    r"|shift_jis|euc-(?:jp|kr)",
    re.I,
)
"""Other names would choose any codec of Python's."""
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,30};)")
_OF_XML = ("amp;", "lt;", "gt;", "quot;", "apos;")


class BookError(ValueError):
    """It cannot be read; the message is the end of a sentence that begins with its name."""


class Target:
    """What hears of markup, piece after piece, as `lxml.etree.XMLParser(target=)` calls it.

    This one only counts the elements, and raises BookError where there are too many.
    """

    _left = MOST_ELEMENTS

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        self._left -= 1
        if not self._left:
            raise BookError(TOO_MUCH)

    def end(self, tag: str) -> None: ...
    def data(self, text: str) -> None: ...
    def close(self) -> None: ...


class Unzipped:
    """The files of a zip.

    Raises:
        BookError: It is none, or too large a one.
    """

    def __init__(self, data: bytes) -> None:
        self._left = MOST_UNPACKED
        _check_list(data)
        try:
            self._zip = ZipFile(BytesIO(data))
            self.names = frozenset(self._zip.namelist())
        except _DAMAGES as error:
            raise BookError(DAMAGED) from error

    def read(self, name: str) -> bytes:
        """A file whole.

        Raises:
            BookError: It is not there or damaged, or all that was read is too much.
        """
        try:
            entry = self._zip.getinfo(name)
            if entry.flag_bits & _ENCRYPTED:
                raise BookError(LOCKED)
            # Of the other kinds a piece is unpacked whole, however large, before it can be counted.
            if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
                raise BookError(DAMAGED)
            with self._zip.open(entry) as file:
                data = file.read(self._left + 1)
        except BookError:
            raise
        except (*_DAMAGES, KeyError, zlib.error, EOFError, RuntimeError) as error:
            raise BookError(DAMAGED) from error
        self._left -= len(data)
        if self._left < 0:
            raise BookError(TOO_MUCH)
        return data


def _check_list(data: bytes) -> None:
    """Refuse a zip whose list of files is too long: `ZipFile` reads all of it."""
    at = len(data) - _END_BYTES
    if not data.startswith(_END, at) or not data.endswith(b"\0\0"):
        at = data.rfind(_END, max(0, at - _LONGEST_COMMENT))
    if at < 0 or at + _END_BYTES > len(data):
        raise BookError(DAMAGED)
    size, start = struct.unpack_from("<II", data, at + 12)
    # A list of another length may stand in the record of a large zip, which no book needs.
    is_large = data.startswith(_ZIP64, max(0, at - _ZIP64_BYTES))
    if size > MOST_LISTED or is_large or 0xFFFFFFFF in (size, start):
        raise BookError("has too many files in it: open a part of it, or save it as .txt")


def decoded(data: bytes) -> str:
    """The text of a file of XML or HTML.

    Raises:
        BookError: It is not in the encoding that it says, or says one that no book has.
    """
    declared = _ENCODING.match(data)
    name = declared[1].decode("ascii", "replace") if declared else "utf-8"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        name = "utf-16"
    elif data.startswith(b"\xef\xbb\xbf"):
        name = "utf-8-sig"
    elif not _KNOWN.fullmatch(name):
        raise BookError(DAMAGED)
    try:
        return data.decode(name)
    except (UnicodeDecodeError, LookupError) as error:
        raise BookError(DAMAGED) from error


def parse(data: bytes, target: Target, *, page: bool = False) -> None:
    """Tell `target` of the markup in a file.

    Args:
        page: It is a page of a book: HTML's names for characters are known, and what is no XML is
            read as HTML.

    Raises:
        BookError: It is neither; or whatever `target` raises.
    """
    if page and len(data) > MOST_OF_PAGE:
        raise BookError(TOO_MUCH)
    etree = _lxml()
    text = _DECLARATION.sub("", decoded(data).removeprefix("\ufeff"), count=1)
    if re.search("<!ENTITY", text, re.I):
        raise BookError("declares names for texts of its own, which no book needs")
    if page:
        text = _ENTITY.sub(_character, text)
    safe: dict[str, Any] = {"no_network": True, "huge_tree": False, "encoding": "utf-8"}
    strict: dict[str, Any] = {"resolve_entities": False, **safe}
    data = text.encode("utf-8", "replace")
    try:
        if page:
            _feed(etree.XMLParser(target=Target(), **strict), data)
        _feed(etree.XMLParser(target=target, **strict), data)
    except etree.XMLSyntaxError as error:
        if not page:
            raise BookError(DAMAGED) from error
        # Of no markup at all libxml2 makes an error even where it reads HTML.
        _feed(etree.HTMLParser(target=target, **safe), data or b"<html/>")


def _lxml() -> Any:
    """`lxml.etree`, which brings no types."""
    from lxml import etree  # pyright: ignore

    return etree  # pyright: ignore


def _feed(parser: Any, data: bytes) -> None:
    for at in range(0, len(data), AT_ONCE):
        parser.feed(data[at : at + AT_ONCE])
    parser.close()


def _character(found: re.Match[str]) -> str:
    name = found[1].lower()
    return f"&{name}" if name in _OF_XML else html5.get(found[1], found[0])
