"""A .docx or an .epub is opened for its words; what is locked, damaged or a trap is refused."""

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.story.books import manuscript_of, to_docx, to_epub
from chat.story.books import unzipped as bounds
from chat.story.books.opened import Opened, opened_book
from chat.story.pieces import FileError
from tests.chat.test_books import TALE, told

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
)


def zipped(files: Mapping[str, str | bytes], kind: int = ZIP_DEFLATED) -> bytes:
    held = BytesIO()
    with ZipFile(held, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


def word(body: str, **files: str | bytes) -> bytes:
    """A .docx whose body has this markup."""
    text = f"<w:document {W}><w:body>{body}</w:body></w:document>"
    return zipped({"word/document.xml": text, **files})


def epub(*pages: str | bytes, order: str = "", **files: str | bytes) -> bytes:
    """An .epub of these pages, whose spine is that order or theirs."""
    names = [f"{number}.xhtml" for number in range(len(pages))]
    items = "".join(
        f'<item id="i{number}" href="text/{name}" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(names)
    )
    order = order or "".join(f'<itemref idref="i{number}"/>' for number in range(len(names)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>A  Tale</dc:title>'
        f"<dc:title>Another</dc:title></metadata><manifest>{items}"
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        '<item id="pic" href="a.png" media-type="image/png"/>'
        f"</manifest><spine>{order}</spine></package>"
    )
    texts = {f"OEBPS/text/{name}": page for name, page in zip(names, pages, strict=True)}
    return zipped(
        {"META-INF/container.xml": CONTAINER, "OEBPS/book.opf": package, **texts, **files}
    )


def page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
        f"<head><title/><style>p {{}}</style></head><body>{body}</body></html>"
    )


def opened_word(body: str, **files: str | bytes) -> Opened:
    return opened_book("a.docx", word(body, **files))


def opened_epub(*pages: str | bytes, order: str = "", **files: str | bytes) -> Opened:
    return opened_book("a.EPUB", epub(*pages, order=order, **files))


def why_not(name: str, data: bytes) -> str:
    with pytest.raises(FileError) as refused:
        opened_book(name, data)
    return str(refused.value)


# What we save


@pytest.mark.parametrize(("ending", "save"), [("docx", to_docx), ("epub", to_epub)])
def test_a_story_that_was_saved_here_is_the_same_text_and_as_many_passages(ending, save):
    opened = opened_book(f"a.{ending}", save(manuscript_of(told(TALE))))
    assert opened.story.text.replace("\t", " ") == TALE.replace("\t", " ")
    assert (opened.title, opened.left_out) == ("The Harbour", "")
    assert len(opened.story.path) == 7
    # A name of its own is the story's name, and the first line.
    named = opened_book(f"a.{ending}", save(manuscript_of(told("It rained.\n\nOn."), "The Rain")))
    assert (named.story.text, named.title) == ("# The Rain\n\nIt rained.\n\nOn.", "The Rain")


WORDS = st.text(st.sampled_from("ab.,é“語🦊<&'\""), min_size=1, max_size=8)
LINES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
PARAGRAPHS = st.lists(LINES, min_size=1, max_size=3).map("\n".join)
HEADINGS = st.sampled_from(["Chapter 1", "# Of the Sea", "### Night", "Prologue", "* * *"])


@settings(max_examples=60, deadline=None)
@given(st.lists(PARAGRAPHS | HEADINGS, min_size=1, max_size=8))
def test_any_story_comes_back_with_its_words_headings_and_scenes(blocks):
    text = "\n\n".join(blocks)
    before = [(each.text, each.level) for each in manuscript_of(told(text)).blocks()]
    for ending, save in (("docx", to_docx), ("epub", to_epub)):
        story = opened_book(f"a.{ending}", save(manuscript_of(told(text)))).story
        after = [(each.text, each.level) for each in manuscript_of(story).blocks()]
        # The name that its first words give it is not in the text, unless they are a heading.
        if len(after) > len(before):
            assert after[0][1] == 1
            after = after[1:]
        assert after == before


# What Word saves


def test_of_a_word_document_the_words_are_read_as_they_stand():
    document = docx.Document()
    document.add_heading("The Sea", level=0)
    document.add_heading("Morning", level=2)
    wet = document.add_paragraph("It was ")
    wet.add_run("very").bold = True
    wet.add_run(" wet.\nAnd cold.")
    document.add_paragraph("")
    document.add_paragraph("* * *")
    cells = document.add_table(1, 2).rows[0].cells
    cells[0].text, cells[1].text = "left", "right"
    held = BytesIO()
    document.save(held)
    opened = opened_book("sea.docx", held.getvalue())
    assert opened.title == "The Sea"
    assert opened.story.text == (
        "# The Sea\n\n## Morning\n\nIt was very wet.\nAnd cold.\n\n* * *\n\nleft\n\nright"
    )


def test_tracked_changes_hidden_words_fields_and_boxes_are_read_as_they_look():
    run = "<w:r><w:t>{}</w:t></w:r>"
    kept = opened_word(
        "<w:p>"
        + run.format("A ")
        + "<w:del><w:r><w:delText>bad</w:delText></w:r></w:del>"
        + f"<w:moveFrom>{run.format('far')}</w:moveFrom><w:ins>{run.format('good')}</w:ins>"
        + "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r>"
        + '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t xml:space="preserve"> day</w:t></w:r>'
        + '<w:r><w:instrText>PAGEREF x</w:instrText></w:r><w:r><w:br w:type="page"/></w:r>'
        + "<w:r><w:noBreakHyphen/><w:tab/><w:t>s\u00ado</w:t><w:cr/><w:t>on</w:t></w:r>"
        + "<w:r><w:footnoteReference/></w:r>"
        + f"<w:r><w:pict><w:txbxContent><w:p>{run.format('box')}</w:p></w:txbxContent></w:pict>"
        + "</w:r>"
        + "<w:r><w:drawing/></w:r></w:p>"
        + '<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr>'
        + run.format("End.")
        + "</w:p>"
    )
    assert kept.story.text == "A good day\u2011\tso\non\n\nEnd."
    assert kept.left_out == "1 note, 1 picture and 1 boxed text"


def test_headings_are_known_by_their_style_in_any_language_or_by_the_outline():
    styles = (
        f"<w:styles {W}>"
        '<w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>'
        '<w:style w:styleId="Own"><w:name w:val="Own"/><w:basedOn w:val="berschrift2"/></w:style>'
        '<w:style w:styleId="Out"><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
        f'<w:style w:styleId="Far"><w:name w:val="heading {"9" * 5000}"/></w:style>'
        '<w:style w:styleId="Ring"><w:basedOn w:val="Ring"/></w:style>'
        '<w:style w:styleId="V1"><w:name w:val="TOC 1"/></w:style>'
        "</w:styles>"
    )
    paragraph = '<w:p><w:pPr><w:pStyle w:val="{}"/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'
    ids = ("V1", "berschrift2", "Own", "Out", "Ring", "None", "Heading1", "Far")
    body = "".join(paragraph.format(id, f"Of {id}") for id in ids)
    body += '<w:p><w:pPr><w:outlineLvl w:val="9"/></w:pPr><w:r><w:t>Plain</w:t></w:r></w:p>'
    opened = opened_word(body, **{"word/styles.xml": styles})
    assert opened.story.text.split("\n\n") == [
        *("## Of berschrift2", "## Of Own", "### Of Out", "Of Ring", "Of None", "Of Heading1"),
        *("Of Far", "Plain"),
    ]


def test_the_document_is_found_by_its_relation_and_in_the_strict_form():
    relations = (
        "<Relationships><Relationship Type='http://x/relationships/officeDocument' "
        "Target='/word/document2.xml'/></Relationships>"
    )
    strict = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    text = f'<d xmlns="{strict}"><p><r><t>Once</t></r></p></d>'
    data = zipped({"_rels/.rels": relations, "word/document2.xml": text})
    assert opened_book("a.docx", data).story.text == "Once"


# E-books


def test_the_pages_of_a_book_are_read_in_their_order_and_the_contents_are_not():
    pages = (page("<h1>Two</h1><p>b</p>"), page("<h2 id='x'>One</h2><p>a</p>"), page("<p>no</p>"))
    order = (
        '<itemref idref="nav"/><itemref idref="i1"/><itemref idref="i0"/><itemref idref="i1"/>'
        '<itemref idref="i2" linear="no"/><itemref idref="pic"/><itemref idref="gone"/>'
    )
    opened = opened_epub(*pages, order=order)
    assert opened.story.text == "## One\n\na\n\n# Two\n\nb"
    assert opened.title == "A Tale"


def test_the_markup_of_a_page_is_read_as_it_looks():
    opened = opened_epub(
        page(
            "<div>It&nbsp;was  <i>so</i>\n dark&hellip;<br/>Very.</div><hr/>"
            "<script>evil()</script><nav><p>menu</p></nav>"
            "<blockquote><p>A\u00adlas<a epub:type='noteref' href='#n'>1</a>,</p></blockquote>"
            "<aside epub:type='footnote'><p>The note.</p></aside>"
            "<p><ruby>語<rp>(</rp><rt>ご</rt><rp>)</rp></ruby><img src='a.png'/></p>"
            "<h2><div>Inner</div></h2><svg><text>map</text></svg><p> </p>"
            "<ul><li>one</li><li>two</li></ul>"
            "<pre>a\n  b</pre>loose"
        )
    )
    assert opened.story.text == (
        "It\u00a0was so dark…\nVery.\n\n* * *\n\nAlas,\n\n語\n\n## Inner\n\n"
        "one\n\ntwo\n\na\nb\n\nloose"
    )
    assert opened.left_out == "1 note and 2 pictures"


@pytest.mark.parametrize(
    "data",
    [
        "<html><body><p>Once<br>upon</p><p>a<b>t</p></body>",
        page("<p>Once<br/>upon</p><p>at</p>").encode("utf-16"),
        page("<p>Once<br/>upon</p><p>at</p>").replace("utf-8", "UTF-16").encode("utf-16"),
        page("<p>Once<br/>upon</p><p>at</p>").encode("utf-8-sig"),
        page("<p>Once<br/>upon</p><p>at</p>").replace("utf-8", "windows-1252").encode("cp1252"),
    ],
)
def test_a_page_may_be_html_and_in_an_encoding_that_it_says(data):
    assert opened_epub(data).story.text == "Once\nupon\n\nat"


# Strangers


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><w:document '
    + W
    + "><w:body><w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:body></w:document>"
)
FILE = (
    '<!DOCTYPE html [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    "<html><body><p>&f;</p></body></html>"
)


@pytest.mark.parametrize("text", [LAUGHS, FILE, LAUGHS.replace("ENTITY", "entity")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_text_that_the_markup_names_is_not_looked_up(text, encoding):
    data = text.encode(encoding)
    assert "of its own" in why_not("a.docx", zipped({"word/document.xml": data}))
    assert "of its own" in why_not("a.epub", epub(data))


@pytest.mark.parametrize("empty", ["", " ", '<?xml version="1.0"?>', "<!-- -->", "\ufeff"])
def test_a_page_on_which_nothing_stands_is_passed_over(empty):
    assert opened_epub(page("<p>a</p>"), empty, page("<p>b</p>")).story.text == "a\n\nb"
    assert why_not("a.epub", epub(empty)) == "“a.epub” has no words in it."


def test_a_name_that_nobody_declared_stands_for_nothing():
    assert opened_epub(page("<p>a&unknown;b &amp;c &LT;d</p>")).story.text == "a&unknown;b &c <d"


def test_a_file_that_unpacks_into_very_much_is_given_up_early(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_UNPACKED", 100_000)
    data = word("<w:p/>" * 100_000)
    assert len(data) < 10_000
    assert "has too much in it" in why_not("a.docx", data)
    assert "has too much in it" in why_not("a.epub", epub(page("x"), page(" " * 10**6)))
    monkeypatch.undo()
    assert "has too much in it" in why_not("a.epub", epub(page(" " * bounds.MOST_OF_PAGE)))
    monkeypatch.setattr(bounds.Target, "_left", 50)
    assert "has too much in it" in why_not("a.docx", word("<w:p/>" * 50))


def test_a_list_of_very_many_files_is_not_read(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_LISTED", 2000)
    many = {f"{number}.txt": b"" for number in range(100)}
    assert "too many files" in why_not("a.epub", zipped(many, ZIP_STORED))
    whole = epub(page("<p>a</p>"))
    end = whole.rfind(b"PK\x05\x06")
    huge = whole[: end + 12] + struct.pack("<II", 46, 0xFFFFFFFF) + whole[end + 20 :]
    assert "too many files" in why_not("a.epub", huge)


def test_what_cannot_be_unpacked_piece_by_piece_is_not_unpacked():
    body = f"<w:document {W}><w:p><w:r><w:t>a</w:t></w:r></w:p></w:document>"
    for kind in (ZIP_BZIP2, ZIP_LZMA):
        assert "is damaged" in why_not("a.docx", zipped({"word/document.xml": body}, kind))


def test_a_list_of_files_of_another_length_than_is_said_is_not_read():
    whole = epub(page("<p>a</p>"))
    end = whole.rfind(b"PK\x05\x06")
    large = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    assert "too many files" in why_not("a.epub", whole[:end] + large + whole[end:])


def test_places_and_names_that_lead_nowhere_are_damage():
    whole = word("<w:p><w:r><w:t>a</w:t></w:r></w:p>")
    end = whole.rfind(b"PK\x05\x06")
    (start,) = struct.unpack_from("<I", whole, end + 16)
    off = whole[: end + 16] + struct.pack("<I", start + 10) + whole[end + 20 :]
    assert "is damaged" in why_not("a.docx", off)
    flagged = bytearray(whole)
    flagged[7] |= 0x08  # the name in front of the file is UTF-8, and it is not
    flagged[30] = 0xFF
    assert "is damaged" in why_not("a.docx", bytes(flagged))


def test_a_path_that_leads_out_of_the_book_leads_nowhere():
    package = (
        "<package><manifest><item id='a' href='../../../../etc/hostname' "
        "media-type='text/html'/></manifest><spine><itemref idref='a'/></spine></package>"
    )
    data = zipped({"META-INF/container.xml": CONTAINER, "OEBPS/book.opf": package})
    assert "is damaged" in why_not("a.epub", data)


def test_a_book_that_is_longer_than_a_story_is_refused_before_it_is_whole():
    paragraph = f"<w:p><w:r><w:t>{'word ' * 200}</w:t></w:r></w:p>"
    assert "longer than a story can begin with" in why_not("a.docx", word(paragraph * 700))


LOCK = (
    "<encryption xmlns:enc='http://www.w3.org/2001/04/xmlenc#'><enc:EncryptedData>"
    "<enc:EncryptionMethod Algorithm='{}'/></enc:EncryptedData></encryption>"
)


def test_a_locked_book_is_called_locked_and_one_with_hidden_fonts_is_read():
    aes, fonts = "http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.idpf.org/2008/embedding"
    for name, text in (
        ("META-INF/rights.xml", "<x/>"),
        ("META-INF/encryption.xml", LOCK.format(aes)),
    ):
        assert "is locked" in why_not("a.epub", epub(page("<p>a</p>"), **{name: text}))
    files = {"META-INF/encryption.xml": LOCK.format(fonts)}
    assert opened_epub(page("<p>a</p>"), **files).story.text == "a"
    data = bytearray(word("<w:p><w:r><w:t>a</w:t></w:r></w:p>"))
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1  # as a zip with a password says
    assert "is locked" in why_not("a.docx", bytes(data))


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Word, or has a password"),
        ("a.docx", b"%PDF-1.7", "is no .docx: it is a PDF"),
        ("a.epub", b"Once upon a time", "is no .epub, or damaged"),
        ("a.epub", b"", "is no .epub, or damaged"),
        ("a.docx", b"PK\x03\x04", "is damaged"),
        ("a.docx", word("<w:p/>")[:-30], "is damaged"),
        ("a.docx", word("<w:p>"), "is damaged"),
        ("a.docx", zipped({"a.txt": "x"}), "no Word document is"),
        ("a.epub", zipped({"a.txt": "x"}), "without a list of what is in it"),
        ("a.epub", zipped({"META-INF/container.xml": "<x/>"}), "is damaged"),
        ("a.epub", zipped({"META-INF/container.xml": CONTAINER}), "is damaged"),
        ("a.epub", epub(page("")), "has no words in it"),
        ("a.docx", word(""), "has no words in it"),
        ("a.epub", epub(b"<?xml version='1.0' encoding='zip'?><p>a</p>"), "is damaged"),
        ("a.epub", epub(b"<p>\xff</p>"), "is damaged"),
    ],
)
def test_what_is_no_book_is_refused_with_what_to_do(name, data, why):
    said = why_not(name, data)
    assert why in said
    assert said.startswith(f"“{name}” ")
    assert said.endswith(".")


def test_damage_anywhere_is_a_refusal_or_a_story(tmp_path):
    for name, whole in (
        ("a.docx", to_docx(manuscript_of(told(TALE)))),
        ("a.epub", to_epub(manuscript_of(told(TALE)))),
    ):
        for at in range(0, len(whole), max(1, len(whole) // 150)):
            data = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
            try:
                opened = opened_book(name, data)
            except FileError:
                continue
            assert opened.story.path


def test_a_deep_nest_and_a_stored_checksum_that_is_wrong_end_in_words():
    deep = page("<div>" * 5000 + "a" + "</div>" * 5000)
    assert opened_epub(deep).story.text == "a"
    assert why_not("a.docx", word("<w:x>" * 5000 + "</w:x>" * 5000))
    data = zipped({"word/document.xml": "<a>abcabc</a>"}, ZIP_STORED).replace(b"abcabc", b"abcabd")
    assert zlib.crc32(b"<a>abcabc</a>") != zlib.crc32(b"<a>abcabd</a>")
    assert "is damaged" in why_not("a.docx", data)
