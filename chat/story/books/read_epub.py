"""The words of an .epub.

Sources: W3C, EPUB 3.3 (the container, the package, its spine); OPF 2.0.1 for older ones.
"""

import posixpath
import re
from collections.abc import Mapping
from urllib.parse import unquote

from chat.story.books.found import SCENE, Found
from chat.story.books.unzipped import LOCKED, BookError, Target, Unzipped, parse

CONTAINER = "META-INF/container.xml"
LOCKS = ("META-INF/rights.xml", "META-INF/sinf.xml")
ENCRYPTION = "META-INF/encryption.xml"
OF_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""How fonts are hidden, which locks no words."""
PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
SKIPPED = frozenset(("head", "script", "style", "template", "nav", "rt", "rp", "svg", "math"))
BLOCKS = frozenset(
    (
        *("p", "div", "section", "article", "aside", "header", "footer", "main", "body", "figure"),
        *("figcaption", "blockquote", "pre", "address", "ul", "ol", "li", "dl", "dt", "dd"),
        *("table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th"),
    )
)
PICTURES = frozenset(("img", "image", "svg", "object", "video", "audio"))
NOTES = ("noteref", "footnote", "endnote", "rearnote", "footnotes", "endnotes", "rearnotes")
_WHITE = re.compile(r"[ \t\r\n\f]+")
_SPACES = re.compile(" {2,}")


def read_epub(archive: Unzipped, found: Found) -> None:
    """Fill `found` with the pages of the book, in the order in which they are read.

    Raises:
        BookError: It is none, damaged or locked.
    """
    _check_unlocked(archive)
    container = Container()
    if CONTAINER not in archive.names:
        raise BookError("is no .epub: a zip archive without a list of what is in it")
    parse(archive.read(CONTAINER), container)
    package = Package()
    parse(archive.read(container.package), package)
    found.title = " ".join("".join(package.title).split())
    folder = posixpath.dirname(container.package)
    reader = Page(found)
    for href in package.pages():
        name = posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))
        parse(archive.read(name), reader, page=True)


def _check_unlocked(archive: Unzipped) -> None:
    if not archive.names.isdisjoint(LOCKS):
        raise BookError(LOCKED)
    if ENCRYPTION in archive.names:
        locks = Encryption()
        parse(archive.read(ENCRYPTION), locks)
        if not locks.algorithms <= {*OF_FONTS}:
            raise BookError(LOCKED)


def _name(tag: str) -> str:
    return tag.rpartition("}")[2].lower()


class Encryption(Target):
    """By what the files are locked that are."""

    def __init__(self) -> None:
        self.algorithms: set[str] = set()
        self._of_data = False

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        super().start(tag, attrib)
        name = _name(tag)
        self._of_data = name == "encrypteddata" or (self._of_data and name != "encryptedkey")
        if name == "encryptionmethod" and self._of_data:
            self.algorithms.add(attrib.get("Algorithm", ""))


class Container(Target):
    """Where the package is."""

    package = ""

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        super().start(tag, attrib)
        if _name(tag) == "rootfile" and not self.package:
            self.package = attrib.get("full-path", "")


class Package(Target):
    """What the book is called, its files, and the order in which they are read."""

    def __init__(self) -> None:
        self.title: list[str] = []
        self._titled = 0
        self._items: dict[str, tuple[str, str, str]] = {}
        self._order: list[str] = []

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        super().start(tag, attrib)
        match _name(tag):
            case "title":
                self._titled += 1
            case "item":
                kind, about = attrib.get("media-type", ""), attrib.get("properties", "")
                self._items[attrib.get("id", "")] = (attrib.get("href", ""), kind, about)
            case "itemref" if attrib.get("linear", "yes") != "no":
                self._order.append(attrib.get("idref", ""))
            case _:
                pass

    def end(self, tag: str) -> None:
        if _name(tag) == "title":
            self._titled += 1

    def data(self, text: str) -> None:
        if self._titled == 1:  # within the first one
            self.title.append(text)

    def pages(self) -> list[str]:
        """The addresses of the pages, each once, without the contents."""
        found: dict[str, None] = {}
        for id in self._order:
            href, kind, about = self._items.get(id, ("", "", ""))
            if kind.lower() in PAGES and "nav" not in about.split():
                found[href] = None
        return list(found)


class Page(Target):
    """The paragraphs of pages, one page after the other."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._skipped = 0
        """Elements that are open since one began that is not read."""
        self._kept = 0
        """Open elements in which each space counts."""
        self._level = 0
        self._said: list[str] = []

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        super().start(tag, attrib)
        name = _name(tag)
        if not self._skipped and name in PICTURES:
            self._found.left_out["picture"] += 1
        if self._skipped or name in SKIPPED or self._is_note(attrib):
            self._skipped += 1
        elif name in BLOCKS:
            self._end_block()
            self._kept += name == "pre"
        elif len(name) == 2 and name[0] == "h" and name[1] in "123456":
            self._end_block()
            self._level = int(name[1])
        elif name == "br":
            self._said.append("\n")
        elif name == "hr":
            self._end_block()
            self._found.add(SCENE)

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        name = _name(tag)
        if name in BLOCKS or (self._level and name == f"h{self._level}"):
            self._end_block()
            self._kept -= name == "pre"
            self._level = self._level if name in BLOCKS else 0

    def data(self, text: str) -> None:
        if not self._skipped:
            self._said.append(text if self._kept else _WHITE.sub(" ", text))

    def close(self) -> None:
        self._skipped = self._kept = 0
        self._end_block()
        self._level = 0

    def _is_note(self, attrib: Mapping[str, str]) -> bool:
        kinds = next((each for name, each in attrib.items() if _of_kind(name)), "").split()
        note = any(kind in NOTES for kind in kinds)
        self._found.left_out["note"] += note and "noteref" in kinds
        return note

    def _end_block(self) -> None:
        said = "".join(self._said)
        self._found.add(said if self._kept else _SPACES.sub(" ", said), self._level or None)
        self._said = []


def _of_kind(name: str) -> bool:
    return name == "epub:type" or name.endswith("}type")
