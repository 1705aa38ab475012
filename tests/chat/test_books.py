"""A story as a .docx and an .epub: what it says is in them, and no text breaks them."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZIP_STORED, ZipFile

import docx
import pytest
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.errors import RefusedError
from chat.story import Passage, Story
from chat.story.books import MAX_CHARACTERS, manuscript_of, to_docx, to_epub
from chat.story.books.headings import BREAK, counted, level_of
from chat.story.books.manuscript import Block, language_of, xml_text
from chat.view import story_data

OPF = "{http://www.idpf.org/2007/opf}"
DC = "{http://purl.org/dc/elements/1.1/}"
XHTML = "{http://www.w3.org/1999/xhtml}"
TALE = (
    "# The Harbour\n\nChapter 1\n\nIt rained on the boats.\nThe end of the pier\twas wet.\n\n"
    "* * *\n\nAnna & <script>alert(1)</script>\n\nChapter 2: The Boat\n\nשלום לכולם"
)
BEGAN = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
HARD = "Once\0 up\x0bon\ud83d\ude00 a\ud800 ti\ufffeme\x85 there\u2028was\u2029a\x9f fox\x1b"


def told(text: str) -> Story:
    return Story(id="tale").append(Passage(author="writer", text=text))


def blocks_of(text: str) -> list[tuple[str, int | None]]:
    return [(block.text, block.level) for block in manuscript_of(told(text)).blocks()]


def chapters_of(data: bytes) -> dict[str, ET.Element]:
    """The chapters of an .epub in the order in which they are read."""
    with ZipFile(BytesIO(data)) as archive:
        package = ET.fromstring(archive.read("EPUB/package.opf"))
        hrefs = {each.get("id"): each.get("href") or "" for each in package.iter(f"{OPF}item")}
        order = [hrefs[each.get("idref")] for each in package.iter(f"{OPF}itemref")]
        return {href: ET.fromstring(archive.read(f"EPUB/{href}")) for href in order}


def read_out(root: ET.Element) -> list[str]:
    """The text of each element of a page's body."""
    body = root.find(f"{XHTML}body")
    assert body is not None
    for line_break in body.iter(f"{XHTML}br"):
        line_break.text = "\n"
    return ["".join(each.itertext()) for each in body]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        *((line, 1) for line in ("# The Harbour", "Part Two", "PART I", "Book 1: Fire", "第二部")),
        *((line, 2) for line in ("Chapter 3", "CHAPTER THREE", "Chapter Twenty-One", "Kapitel 7")),
        *((line, 2) for line in ("Chapter XIV.", "Chapter 3 The Boat", "Chapter the Last")),
        *((line, 2) for line in ("Epilogue", "Глава 5", "第三章", "第十二回 風の音", "제3장")),
        *((line, 3) for line in ("### Deep ###", "Act IV", "Scene 2")),
        *((line, BREAK) for line in ("***", "* * *", "---", "- - -", "#", "⁂", "~", "⸻", "___")),
        *((line, None) for line in ("Part 3 of the plan was simple.", "Chapter I went to bed")),
        *((line, None) for line in ("#hashtag", "“Chapter 3,” she said.", "I", "1984", "...")),
        *((line, None) for line in ("ROMEO:", "Chapter 3. The end was near.", "—Yes.", "- a list")),
        *((line, None) for line in ("Chapter closed.", "第一次见面", "Act one thing, think")),
        (f"Chapter 2: {'x' * 100}", None),
        *((line, None) for line in (f"# x{'#' * 100_000}y", "* " * 50_000, "1" * 100_000)),
    ],
)
def test_a_heading_and_a_scene_break_are_told_where_a_line_is_certain(line, level):
    assert level_of(line.strip(), apart=True) == level


def test_numbers_alone_are_headings_where_they_count_on_from_one():
    def found(*numbers: str) -> list[int]:
        return sorted(each // 2 for each in counted([each for n in numbers for each in (n, "")]))

    assert found("I", "II", "III", "IV") == [0, 1, 2, 3]
    assert found("1.", "2.", "1.", "2.") == [0, 1, 2, 3]
    assert found("I", "12", "1984") == found("2", "3") == []


def test_an_empty_line_parts_paragraphs_and_a_line_end_does_not():
    assert blocks_of(" One\ntwo \n\n \n\nthree\nChapter 4\nfour\n***\n") == [
        (" One\ntwo ", None),
        ("three", None),
        ("Chapter 4", 2),
        ("four", None),
        ("***", BREAK),
    ]


@settings(deadline=None)
@given(st.text(st.sampled_from("a# *1I.\n\t\r\u2028\x0c") | st.characters()))
def test_no_word_of_a_story_is_left_out_of_its_document(text):
    words = "".join(block.text for block in manuscript_of(told(text)).blocks())

    def bare(text: str) -> str:
        return "".join(text.split()).replace("#", "")

    assert bare(words) == bare(xml_text(text))


def test_a_docx_has_the_title_headings_paragraphs_and_scene_breaks_of_the_story():
    document = docx.Document(BytesIO(to_docx(manuscript_of(told(TALE), began_s=1e9))))
    assert [(each.text, each.style and each.style.name) for each in document.paragraphs] == [
        ("The Harbour", "Title"),
        ("Chapter 1", "Heading 2"),
        ("It rained on the boats.\nThe end of the pier\twas wet.", "Normal"),
        ("* * *", "Normal"),
        ("Anna & <script>alert(1)</script>", "Normal"),
        ("Chapter 2: The Boat", "Heading 2"),
        ("שלום לכולם", "Normal"),
    ]
    assert document.paragraphs[3].alignment == WD_ALIGN_PARAGRAPH.CENTER
    rtl = [each._p.find(".//" + qn("w:bidi")) is not None for each in document.paragraphs]
    assert rtl == [False] * 6 + [True]
    assert document.paragraphs[6].runs[0].font.rtl
    about = document.core_properties
    assert (about.title, about.author, about.last_modified_by) == ("The Harbour", "", "")
    assert (about.language, about.comments, about.created) == ("en", "", BEGAN)
    languages = {each.get(qn("w:val")) for each in document.styles.element.iter(qn("w:lang"))}
    assert languages == {"en"}


def test_an_epub_is_a_container_with_a_package_contents_and_a_chapter_for_each_heading():
    with ZipFile(BytesIO(to_epub(manuscript_of(told(TALE))))) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", ZIP_STORED)
        assert archive.read(first) == b"application/epub+zip"
        # Where a file's type is read without unpacking (OCF, 4.3).
        assert not first.extra
        pages = {
            name: ET.fromstring(archive.read(name))
            for name in archive.namelist()
            if name.endswith((".xml", ".opf", ".xhtml"))
        }
        (root,) = pages["META-INF/container.xml"].iter(
            "{urn:oasis:names:tc:opendocument:xmlns:container}rootfile"
        )
        package = pages[root.get("full-path") or ""]
        items = [each.get("href") for each in package.iter(f"{OPF}item")]
        assert {f"EPUB/{href}" for href in items} == set(archive.namelist()) - {
            *("mimetype", "META-INF/container.xml", "EPUB/package.opf")
        }
    said = [package.findtext(f".//{DC}{name}") for name in ("title", "language")]
    assert said == ["The Harbour", "en"]
    links = pages["EPUB/nav.xhtml"].findall(f".//{XHTML}nav//{XHTML}a")
    assert [link.text for link in links] == ["The Harbour", "Chapter 1", "Chapter 2: The Boat"]
    assert {link.get("href") for link in links} <= set(items)


def test_the_pages_of_an_epub_say_what_the_story_says_and_no_more():
    pages = [*chapters_of(to_epub(manuscript_of(told(TALE)))).values()]
    assert [read_out(page) for page in pages] == [
        ["The Harbour"],
        [
            "Chapter 1",
            "It rained on the boats.\nThe end of the pier\twas wet.",
            "* * *",
            "Anna & <script>alert(1)</script>",
        ],
        ["Chapter 2: The Boat", "שלום לכולם"],
    ]
    assert not any(page.findall(f".//{XHTML}script") for page in pages)
    assert [each.get("dir") for each in pages[2].iter(f"{XHTML}p")] == ["rtl"]


def test_a_story_without_headings_is_one_chapter_and_an_empty_one_too():
    for text, read in (
        ("Once upon\n\na time", ["Once upon a time", "Once upon", "a time"]),
        ("", ["A blank page"]),
    ):
        (page,) = chapters_of(to_epub(manuscript_of(told(text)))).values()
        assert read_out(page) == read


def test_headings_beyond_what_readers_hold_stand_in_the_last_chapter(monkeypatch):
    monkeypatch.setattr("chat.story.books.epub_file.MOST_CHAPTERS", 2)
    pages = chapters_of(to_epub(manuscript_of(told("".join(f"# {n}\n\nx\n\n" for n in range(5))))))
    assert [read_out(page)[0::2] for page in pages.values()] == [["0"], ["1", "2", "3", "4"]]


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters() | st.sampled_from("\0\ud800\udc00\ufffe\n\n\t#]>&<'\"")))
def test_no_character_of_a_story_breaks_its_documents(text):
    book = manuscript_of(told(text), name=text)
    document = docx.Document(BytesIO(to_docx(book)))
    pages = [each for page in chapters_of(to_epub(book)).values() for each in read_out(page)]
    words = [block.text for block in book.blocks()]
    opening = pages if words == pages else pages[1:]
    assert opening == words
    paragraphs = [each.text for each in document.paragraphs]
    assert paragraphs[0] == book.title
    assert paragraphs[1:] in (words, words[1:])


def test_what_xml_cannot_carry_goes_or_is_replaced_and_halves_are_made_whole():
    assert xml_text(HARD) == "Once up\non😀 a\ufffd ti\ufffdme\n there\nwas\n\na fox"


@pytest.mark.parametrize("make", [to_docx, to_epub])
def test_the_same_story_is_the_same_file_whenever_it_is_saved(make, monkeypatch):
    book = manuscript_of(told(TALE), began_s=1.7e9)
    before = make(book)
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 1, 1, 0, 0, 0, 0, 1, 0))
    assert make(book) == before
    assert make(manuscript_of(told(TALE + " more"), began_s=1.7e9)) != before


def test_a_document_goes_by_the_name_its_writer_gave_the_story_else_by_its_own():
    assert manuscript_of(told(TALE), name=" The\nbird ").title == "The bird"
    assert manuscript_of(told(TALE)).title == "The Harbour"
    assert (
        manuscript_of(told("Once upon a time there was a fox")).title
        == "Once upon a time there was…"
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The fox saw the heron.", "en"),
        ("Le renard vit un héron.", "und"),
        ("Der Fuchs sah den Reiher.", "und"),
        ("昔々、森に狐がいました。", "ja"),
        ("从前有一只狐狸。", "zh"),
        ("여우가 있었다.", "ko"),
        ("שועל אחד", "he"),
        ("روباهی بود", "und"),
        ("12", "und"),
        ("", "und"),
    ],
)
def test_a_language_is_said_where_script_or_words_tell_it(text, language):
    assert language_of(text) == language
    shown = story_data(told(text))["language"]
    assert shown == ("" if language == "und" else language)


def test_a_story_too_long_for_a_document_is_refused_with_what_to_do():
    with pytest.raises(RefusedError, match=r"5,000,001 characters.* save it as \.txt"):
        manuscript_of(told("a" * (MAX_CHARACTERS + 1)))


def test_which_way_a_block_is_read_is_told_by_its_first_letter():
    assert [Block(text).rtl for text in ("… שלום Anna", "Anna שלום", "42", "مرحبا")] == [
        *(True, False, False, True)
    ]
