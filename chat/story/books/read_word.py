"""The words of a .docx (Office Open XML, ECMA-376 part 1, 17 WordprocessingML).

python-docx reads a whole document into a tree, some hundred bytes for each of its own; here it is
heard piece by piece.
"""

import posixpath
from collections.abc import Mapping

from chat.story.books.found import Found
from chat.story.books.unzipped import BookError, Target, Unzipped, parse

WORD = (
    "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}",
    "{http://purl.oclc.org/ooxml/wordprocessingml/main}",
)
"""The namespace as Word writes it, and that of the strict form."""
SKIPPED = (
    *("del", "moveFrom", "delText", "pPrChange", "rPrChange"),
    *("tabs", "sectPr", "instrText", "rt", "txbxContent"),
)
"""What was, before changes that are tracked; where tabs are, how large a page is, what a field is
made by, readings above words, text boxes."""
LEFT_OUT = {
    "drawing": "picture",
    "pict": "picture",
    "object": "object",
    "footnoteReference": "note",
    "endnoteReference": "note",
    "commentReference": "comment",
    "sym": "symbol",
}
SIGNS = {"tab": "\t", "cr": "\n", "noBreakHyphen": "\u2011"}
OFF = ("0", "false", "off", "none")
MOST_BASED = 20
"""Styles that are based on each other."""


def read_docx(archive: Unzipped, found: Found) -> None:
    """Fill `found` with the document.

    Raises:
        BookError: It is none, or damaged.
    """
    main = _main(archive)
    styles = Styles()
    beside = posixpath.join(posixpath.dirname(main), "styles.xml")
    if beside in archive.names:
        parse(archive.read(beside), styles)
    parse(archive.read(main), Document(found, styles))


def _main(archive: Unzipped) -> str:
    """The name of the file that holds the text."""
    relations = Relations()
    if "_rels/.rels" in archive.names:
        parse(archive.read("_rels/.rels"), relations)
    if relations.main not in archive.names:
        raise BookError("is no .docx: a zip archive in which no Word document is")
    return relations.main


def _name(tag: str) -> str:
    """The name of an element of WordprocessingML; "" for one of another language."""
    space, brace, name = tag.rpartition("}")
    return name if space + brace in WORD else ""


def _value(attributes: Mapping[str, str], name: str = "val") -> str:
    return next((attributes[space + name] for space in WORD if space + name in attributes), "")


class Relations(Target):
    """Which file is the document."""

    main = "word/document.xml"

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        super().start(tag, attrib)
        if attrib.get("Type", "").endswith("/officeDocument"):
            self.main = posixpath.normpath(attrib.get("Target", "")).lstrip("/")


class Styles(Target):
    """What the styles of paragraphs are called, and which are headings."""

    def __init__(self) -> None:
        self._id = ""
        self._names: dict[str, str] = {}
        self._levels: dict[str, int] = {}
        self._based: dict[str, str] = {}

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        super().start(tag, attrib)
        match _name(tag):
            case "style":
                self._id = _value(attrib, "styleId")
            case "name":
                self._names[self._id] = _value(attrib).lower()
            case "basedOn":
                self._based[self._id] = _value(attrib)
            case "outlineLvl":
                self._levels[self._id] = outline(_value(attrib))
            case _:
                pass

    def level(self, id: str) -> int:
        """1 to 6 for a heading, 0 for what is none."""
        for _ in range(MOST_BASED):
            called = self.name(id)
            if called == "title":
                return 1
            kind, _, number = called.rpartition(" ")
            if kind == "heading" and number.isdecimal() and len(number) < 3:
                return min(max(int(number), 1), 6)
            if level := self._levels.get(id):
                return level
            if id not in self._based:
                break
            id = self._based[id]
        return 0

    def name(self, id: str) -> str:
        return self._names.get(id, id.lower())


def outline(value: str) -> int:
    """The level of a heading by its place in the outline, from 0 on; 9 is no heading."""
    return min(int(value) + 1, 6) if value.isdecimal() and len(value) < 3 and value != "9" else 0


class Document(Target):
    """The paragraphs of the document."""

    def __init__(self, found: Found, styles: Styles) -> None:
        self._found, self._styles = found, styles
        self._skipped = 0
        """Elements that are open since one began that is not read."""
        self._said: list[str] = []
        self._style, self._level = "", 0
        self._in_text = self._hidden = self._pictured = False

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        super().start(tag, attrib)
        name = _name(tag)
        if self._skipped or name in SKIPPED or tag.endswith("}Fallback"):
            if not self._skipped and name == "txbxContent":
                self._count_box()
            self._skipped += 1
            return
        match name:
            case "p":
                self._end_paragraph()
            case "pStyle":
                self._style = _value(attrib)
            case "outlineLvl":
                self._level = outline(_value(attrib))
            case "r":
                self._hidden = False
            case "vanish":
                self._hidden = _value(attrib) not in OFF
            case "t":
                self._in_text = True
            case "br" if _value(attrib, "type") not in ("page", "column"):
                self._say("\n")
            case _ if name in SIGNS:
                self._say(SIGNS[name])
            case _ if name in LEFT_OUT:
                self._found.left_out[LEFT_OUT[name]] += 1
                self._pictured = LEFT_OUT[name] == "picture"
            case _:
                pass

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        match _name(tag):
            case "t":
                self._in_text = False
            case "p":
                self._end_paragraph()
            case _:
                pass

    def data(self, text: str) -> None:
        if self._in_text and not self._skipped:
            self._say(text)

    def close(self) -> None:
        self._end_paragraph()

    def _count_box(self) -> None:
        """Words in a drawing: it was counted as a picture when it began, and is none."""
        self._found.left_out["picture"] -= self._pictured
        self._found.left_out["boxed text"] += 1
        self._pictured = False

    def _say(self, text: str) -> None:
        if not self._hidden:
            self._said.append(text)

    def _end_paragraph(self) -> None:
        said, style = "".join(self._said), self._style
        level = self._level or (self._styles.level(style) if style else 0)
        self._said, self._style, self._level = [], "", 0
        self._hidden = False
        # The contents are the headings again.
        if self._styles.name(style).startswith("toc "):
            return
        if self._styles.name(style) == "title" and not self._found.title:
            self._found.title = " ".join(said.split())
        self._found.add(said, level or None)
