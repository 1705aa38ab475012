"""What is found in a book that is read: its paragraphs and headings, and what is left out of it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from chat.story.books.headings import LONGEST_MARKED, level_of
from chat.story.books.manuscript import Block, xml_text
from chat.story.books.unzipped import BookError

SCENE = "* * *"
APART = 9
"""Characters between two blocks, and of the marks of a heading, at most."""
FIRST = 8
"""Blocks in which the first words are that a story may be called by."""
HIDDEN = str.maketrans("", "", "\u00ad\u200b\ufeff")
"""Where a word may be broken, for a program that sets pages."""


class Found:
    """The blocks of a book, filled one after the other.

    Args:
        most: Characters that may be found.
    """

    def __init__(self, most: int) -> None:
        self.title = ""
        self.left_out: Counter[str] = Counter()
        """How many of each kind, by its name: "picture", "note"."""
        self._blocks: list[Block] = []
        self._room = most

    def add(self, text: str, level: int | None = None) -> None:
        """A paragraph, or a heading of a level from 1 to 6; one without words is none.

        Raises:
            BookError: It is too long.
        """
        lines = (line.strip(" \t\xa0") for line in xml_text(text).translate(HIDDEN).split("\n"))
        whole = "\n".join(lines).strip("\n")
        if level is not None:
            whole = " ".join(whole.split())
        if not whole:
            return
        self._room -= len(whole) + APART
        if self._room < 0:
            raise BookError("is longer than a story can begin with: open a part of it")
        self._blocks.append(Block(whole, level))

    def text(self) -> str:
        """All of it, an empty line between two blocks."""
        return "\n\n".join(self._told())

    def _told(self) -> Iterator[str]:
        first, *rest = self._blocks or [Block("")]
        if not (first.level == 1 and first.text == self.title and _are_first(self.title, rest)):
            yield _heading(first.text, first.level) if first.level else first.text
        for block in rest:
            yield _heading(block.text, block.level) if block.level else block.text


def _are_first(title: str, blocks: Sequence[Block]) -> bool:
    """Whether a title is but the first words, as that of a story without a name is here."""
    called = _plain(title.removesuffix("…"))
    text = _plain(" ".join(block.text for block in blocks[: FIRST + 1]))
    return text.startswith(called) if title.endswith("…") else text == called


def _plain(text: str) -> str:
    """The words, without Markdown's marks of headings."""
    return " ".join(word for word in text.split() if word.strip("#"))


def _heading(line: str, level: int) -> str:
    known = level_of(line, apart=True)
    if known or len(line) + level >= LONGEST_MARKED:
        return line
    return f"{'#' * level} {line}"
