"""A story as the blocks of a document: paragraphs, headings, scene breaks, in characters that XML
can carry.

Sources: XML 1.0, 2.2 (which characters a document may have); UAX 9, P2 and P3 (which way a
paragraph is read).
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import StringIO

from chat.errors import RefusedError
from chat.story.books.headings import BREAK, counted, level_of, title_of
from chat.story.tree import Story
from gpt.files import plain_text
from gpt.text.scripts import compiled

MAX_CHARACTERS = 5_000_000
"""Of a story that becomes a document: ten long novels."""
LONGEST_NAME = 200
"""Characters of a title: Word takes no longer one than 255."""
OLDEST = datetime(1980, 1, 1, tzinfo=UTC)
"""What a document says of a story whose beginning is not known: the first day of a zip's dates."""
UNKNOWN = "und"
"""BCP 47 for a language that is not known."""

_LINE_END = compiled(r"[\v\f\x85\u2028]")
_DROPPED = compiled(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff]")
_NONE = compiled(r"[\ud800-\udfff\p{Noncharacter_Code_Point}]")
"""Halves of a pair, and what no character is."""
_LETTER = compiled(r"\p{L}")
_LANGUAGES = {
    "ja": compiled(r"[\p{Hiragana}\p{Katakana}]"),
    "ko": compiled(r"\p{Hangul}"),
    "zh": compiled(r"\p{Han}"),
    "th": compiled(r"\p{Thai}"),
    "el": compiled(r"\p{Greek}"),
    "he": compiled(r"\p{Hebrew}"),
    "hy": compiled(r"\p{Armenian}"),
    "ka": compiled(r"\p{Georgian}"),
    "ta": compiled(r"\p{Tamil}"),
    "te": compiled(r"\p{Telugu}"),
    "kn": compiled(r"\p{Kannada}"),
    "ml": compiled(r"\p{Malayalam}"),
}
"""Languages that a script tells, for hardly another one is written in it."""
_WORD = compiled(r"[\p{L}\p{M}'’]+")
LOOKED_AT = 20_000
"""Characters from the beginning that tell the language."""
KANA = 0.1
"""Of the letters of a Japanese text, at least: the rest may be Chinese ones."""
THE = 0.02
"""Of the words of an English text that are "the", at least: it is 5 or 6 in a hundred, and hardly
a word of another language."""


@dataclass(frozen=True, slots=True)
class Manuscript:
    """What a document is made of.

    Attributes:
        id: The story's.
        title: In one line.
        text: Only with characters that XML can carry, its lines ended by a line feed.
        language: A tag of BCP 47.
        began: When the story was begun.
    """

    id: str
    title: str
    text: str
    language: str
    began: datetime

    @property
    def rtl(self) -> bool:
        """Whether it is read from right to left."""
        return is_rtl(self.text)

    def blocks(self) -> Iterator["Block"]:
        """What it is made of, one after the other; an empty line parts two paragraphs."""
        return _blocks(self.text)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (`level` None), a heading (1 to 6) or what parts two scenes (BREAK)."""

    text: str
    level: int | None = None

    @property
    def rtl(self) -> bool:
        return is_rtl(self.text)

    def lines(self) -> Iterator[str]:
        for line in StringIO(self.text, newline="\n"):
            yield line.removesuffix("\n")


def manuscript_of(story: Story, name: str = "", began_s: float | None = None) -> Manuscript:
    """The words of a story as they are read, ready for a document.

    Args:
        name: What its writer calls it; "" where it goes by its first words. Then a first line that
            is Markdown's title is its name.
        began_s: When it was begun, in seconds since 1970.

    Raises:
        RefusedError: It is too long.
    """
    if len(story.text) > MAX_CHARACTERS:
        raise RefusedError(
            f"The story has {len(story.text):,} characters, and a document can have "
            f"{MAX_CHARACTERS:,}: save it as .txt."
        )
    text = xml_text(story.text)
    title = " ".join(xml_text(name).split()) or _first_title(text)
    title = title or " ".join(xml_text(story.title).split())
    began = OLDEST
    # No file of ours says another time than one of these.
    if began_s is not None and 0 < began_s < 2**32:
        began = datetime.fromtimestamp(int(began_s), UTC)
    return Manuscript(story.id, title[:LONGEST_NAME], text, language_of(text), began)


def xml_text(text: str) -> str:
    """The text in characters that XML can carry: control characters go, whatever ends a line is a
    line feed, two halves of a character are one, and what is none becomes U+FFFD."""
    text = plain_text(text)
    if _NONE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = _NONE.sub("\ufffd", text)
    text = _LINE_END.sub("\n", text).replace("\u2029", "\n\n")
    return _DROPPED.sub("", text)


def is_rtl(text: str) -> bool:
    """Whether a text is read from right to left: its first letter is."""
    ways = (unicodedata.bidirectional(character) for character in text)
    return next((way for way in ways if way in ("L", "R", "AL")), "L") != "L"


def language_of(text: str) -> str:
    """The language of a text where its script tells it, or the commonest word of English."""
    return _language_of(text[:LOOKED_AT])


def story_language(text: str) -> str:
    """As `language_of`; "" where it is not known, as HTML has it."""
    language = language_of(text)
    return "" if language == UNKNOWN else language


# A page is told of each change of its story, mostly behind what is looked at.
@lru_cache(maxsize=64)
def _language_of(text: str) -> str:
    letters = len(_LETTER.findall(text))
    for language, script in _LANGUAGES.items():
        share = len(script.findall(text)) / max(1, letters)
        if share > (KANA if language == "ja" else 0.5):
            return language
    words = [word.lower() for word in _WORD.findall(text)]
    return "en" if words.count("the") > THE * len(words) else UNKNOWN


def _first_title(text: str) -> str:
    """The title of a text that begins with one in Markdown."""
    first = text.lstrip()[:LONGEST_NAME].split("\n", 1)[0].rstrip()
    return title_of(first) if first.startswith("# ") and level_of(first, apart=True) == 1 else ""


def _blocks(text: str) -> Iterator[Block]:
    numbers = counted(StringIO(text, newline="\n"))
    apart, start, end, at = True, 0, 0, 0
    for place, whole in enumerate(StringIO(text, newline="\n")):
        line = whole.strip()
        level = level_of(line, apart=apart) if line else None
        if level is None and place in numbers:
            level = 2
        if (not line or level is not None) and end > start:
            yield Block(text[start:end])
        if level is not None:
            yield Block(line if level == BREAK else title_of(line), level)
        at += len(whole)
        if not line or level is not None:
            start = end = at
        else:
            end = at - whole.endswith("\n")
        apart = not line or level is not None
    if end > start:
        yield Block(text[start:end])
