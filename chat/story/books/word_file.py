"""A manuscript as a .docx (Office Open XML, ECMA-376), for Word, LibreOffice and their kin.

python-docx makes the document, its styles and its properties; the paragraphs are written here, one
after the other: its own take a time that grows with the square of their number, and 2 kB each.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZipFile

from chat.story.books.headings import BREAK
from chat.story.books.manuscript import UNKNOWN, Block, Manuscript
from chat.story.books.zipped import Entry, zipped

NO_LANGUAGE = "x-none"
"""Word's own name for text that is not to be checked in any language."""
OF_THE_EAST = ("ja", "ko", "zh")
TEXT = "word/document.xml"
LINE_BREAK = b"<w:br/>"


def to_docx(book: Manuscript) -> bytes:
    """The whole .docx."""
    with ZipFile(BytesIO(_shell(book))) as shell:
        return zipped(_parts(book, shell))


def _parts(book: Manuscript, shell: ZipFile) -> Iterator[Entry]:
    for name in shell.namelist():
        data = shell.read(name)
        yield name, _filled(book, data) if name == TEXT else [data]


def _filled(book: Manuscript, empty: bytes) -> Iterator[bytes]:
    """The document with its paragraphs, which stand before what says how large a page is."""
    before, mark, after = empty.partition(b"<w:sectPr")
    yield before
    yield from _paragraph(Block(book.title), "Title")
    for place, block in enumerate(book.blocks()):
        if block.level and not (place == 0 and block.text == book.title):
            yield from _paragraph(block, f"Heading{block.level}")
        elif not block.level:
            yield from _paragraph(block, "")
    yield mark + after


def _paragraph(block: Block, style: str) -> Iterator[bytes]:
    # The order of these is the schema's.
    about = f'<w:pStyle w:val="{style}"/>' if style else ""
    about += "<w:bidi/>" if block.rtl else ""
    about += '<w:jc w:val="center"/>' if block.level == BREAK else ""
    yield b"<w:p>" + (f"<w:pPr>{about}</w:pPr>".encode() if about else b"")
    yield b"<w:r>" + (b"<w:rPr><w:rtl/></w:rPr>" if block.rtl else b"")
    for number, line in enumerate(block.lines()):
        yield LINE_BREAK if number else b""
        for column, words in enumerate(line.split("\t")):
            yield b"<w:tab/>" if column else b""
            yield f'<w:t xml:space="preserve">{escape(words)}</w:t>'.encode()
    yield b"</w:r></w:p>"


def _shell(book: Manuscript) -> bytes:
    """A document without a paragraph."""
    import docx
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml.ns import qn

    document = docx.Document()
    about = document.core_properties
    about.title, about.identifier = book.title, book.id
    about.author = about.last_modified_by = about.comments = about.keywords = ""
    about.created = about.modified = book.began.replace(tzinfo=None)
    about.revision = 1
    about.language = "" if book.language == UNKNOWN else book.language
    language = book.language if about.language else NO_LANGUAGE
    styles: Any = document.styles.element
    for each in styles.iter(qn("w:lang")):
        each.set(qn("w:val"), language)
        if book.language in OF_THE_EAST:
            each.set(qn("w:eastAsia"), language)
        if book.rtl:
            each.set(qn("w:bidi"), language)
    # A picture of another document.
    package: Any = document.part.package
    for name, relation in list(package.rels.items()):
        if relation.reltype == RELATIONSHIP_TYPE.THUMBNAIL:
            del package.rels[name]
    shell = BytesIO()
    document.save(shell)
    return shell.getvalue()
