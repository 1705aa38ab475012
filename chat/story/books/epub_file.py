"""A manuscript as an .epub: a zip of XHTML.

Source: W3C, EPUB 3.3 (the container, the package, the navigation).
"""

import uuid
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from xml.sax.saxutils import escape

from chat.story.books.headings import BREAK
from chat.story.books.manuscript import Block, Manuscript
from chat.story.books.zipped import Entry, zipped

MOST_CHAPTERS = 1000
"""Files of an .epub: further headings stand in the last of them."""
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
CONTAINER = f"""{HEAD}<container version="1.0" \
xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>
"""
STYLE = """h1, h2, h3, h4, h5, h6, .break { text-align: center; }
p { margin: 0 0 1em; white-space: pre-wrap; }
"""
PACKAGE = """{head}<package xmlns="http://www.idpf.org/2007/opf" version="3.0" \
unique-identifier="id" xml:lang="{language}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">{id}</dc:identifier>
<dc:title>{title}</dc:title>
<dc:language>{language}</dc:language>
<meta property="dcterms:modified">{began:%Y-%m-%dT%H:%M:%SZ}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/>
{items}
</manifest>
<spine{way}>
{order}
</spine>
</package>
"""
PAGE = """{head}<html xmlns="http://www.w3.org/1999/xhtml" \
xmlns:epub="http://www.idpf.org/2007/ops" lang="{language}" xml:lang="{language}">
<head>
<title>{title}</title>
<link rel="stylesheet" type="text/css" href="style.css"/>
</head>
<body>
"""
PAGE_END = b"</body>\n</html>\n"


def to_epub(book: Manuscript) -> bytes:
    """The whole .epub."""
    return zipped(_files(book), stored="mimetype")


def _files(book: Manuscript) -> Iterator[Entry]:
    yield "mimetype", [b"application/epub+zip"]
    yield "META-INF/container.xml", [CONTAINER.encode()]
    yield "EPUB/style.css", [STYLE.encode()]
    titles: list[str] = []
    for title, blocks in _chapters(book):
        titles.append(title)
        yield f"EPUB/{_name(len(titles))}", _chapter(book, title, blocks)
    yield "EPUB/nav.xhtml", [_contents(book, titles)]
    yield "EPUB/package.opf", [_package(book, len(titles))]


def _chapters(book: Manuscript) -> Iterator[tuple[str, Iterable[Block]]]:
    """The chapters, each with its title; each is read before the next is asked for."""
    headings = 0

    def chapter_of(block: Block) -> int:
        nonlocal headings
        headings += bool(block.level)
        return min(headings, MOST_CHAPTERS)

    begun = False
    for number, group in groupby(book.blocks(), key=chapter_of):
        begun, blocks = True, iter(group)
        # What stands before the first heading goes by the name of the story.
        first = next(blocks) if number else Block(book.title, 1)
        yield first.text, chain([first], blocks)
    if not begun:
        yield book.title, [Block(book.title, 1)]


def _name(number: int) -> str:
    return f"chapter-{number:04d}.xhtml"


def _page(book: Manuscript, title: str) -> bytes:
    """The beginning of a page."""
    return PAGE.format(head=HEAD, language=book.language, title=escape(title)).encode()


def _chapter(book: Manuscript, title: str, blocks: Iterable[Block]) -> Iterator[bytes]:
    yield _page(book, title)
    for block in blocks:
        tag = f"h{block.level}" if block.level else "p"
        about = ' class="break"' if block.level == BREAK else ""
        about += ' dir="rtl"' if block.rtl else ""
        yield f"<{tag}{about}>".encode()
        for number, line in enumerate(block.lines()):
            yield (b"<br/>" if number else b"") + escape(line).encode()
        yield f"</{tag}>\n".encode()
    yield PAGE_END


def _contents(book: Manuscript, titles: list[str]) -> bytes:
    entries = "".join(
        f'<li><a href="{_name(number)}">{escape(title)}</a></li>\n'
        for number, title in enumerate(titles, 1)
    )
    way = ' dir="rtl"' if book.rtl else ""
    nav = (
        f'<nav epub:type="toc"{way}>\n<h1>{escape(book.title)}</h1>\n<ol>\n{entries}</ol>\n</nav>\n'
    )
    return _page(book, book.title) + nav.encode() + PAGE_END


def _package(book: Manuscript, count: int) -> bytes:
    chapters = [(f"chapter-{number}", _name(number)) for number in range(1, count + 1)]
    return PACKAGE.format(
        head=HEAD,
        # The same story is the same book, whenever it is saved.
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"urn:inkling:story:{book.id}").urn,
        title=escape(book.title),
        language=book.language,
        began=book.began,
        items="\n".join(
            f'<item id="{id}" href="{href}" media-type="application/xhtml+xml"/>'
            for id, href in chapters
        ),
        order="\n".join(f'<itemref idref="{id}"/>' for id, _ in chapters),
        way=' page-progression-direction="rtl"' if book.rtl else "",
    ).encode()
