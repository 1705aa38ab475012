"""A .docx or an .epub as a story to go on with.

A heading that says so by itself ("Chapter 1") stays as it is, another one gets Markdown's marks, so
that the story knows it (chat/story/books/headings.py), and saved again it is a heading again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chat.story.books.found import Found
from chat.story.books.manuscript import LONGEST_NAME
from chat.story.books.read_epub import read_epub
from chat.story.books.read_word import read_docx
from chat.story.books.unzipped import BookError, Unzipped
from chat.story.context import NO_CONTEXT, Context
from chat.story.export import MAX_TEXT, begun
from chat.story.pieces import FileError
from chat.story.tree import Story
from gpt.files.text import LOOKED_AT, known_as

READERS = {"docx": read_docx, "epub": read_epub}
"""What can be opened, by the file's ending."""
ZIP = b"PK\x03\x04"
OF_WORD = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a file.

    Attributes:
        context: What is read beside the story.
        title: What a book is called, "" where it does not say.
        left_out: What of it is no text, as in "3 pictures and 1 note"; "" for nothing.
    """

    story: Story
    context: Context = NO_CONTEXT
    title: str = ""
    left_out: str = ""


def opened_book(name: str, data: bytes) -> Opened:
    """The story in a book.

    Args:
        name: Of the file, with an ending of `READERS`.

    Raises:
        FileError: It is none, it is damaged, locked or too long; the message says which.
    """
    ending = name.rpartition(".")[2].lower()
    found = Found(MAX_TEXT)
    try:
        if not data.startswith(ZIP):
            raise BookError(_other_kind(data, ending))
        READERS[ending](Unzipped(data), found)
        if not (text := found.text()):
            raise BookError("has no words in it")
    except BookError as error:
        raise FileError(f"“{name}” {error}.") from error
    return Opened(begun(text), title=found.title[:LONGEST_NAME], left_out=told(found.left_out))


def _other_kind(data: bytes, ending: str) -> str:
    if data.startswith(OF_WORD):
        return "is a document of old Word, or has a password: save it in Word as .docx, without one"
    known = known_as(data[:LOOKED_AT])
    return f"is no .{ending}: it is {': '.join(known)}" if known else f"is no .{ending}, or damaged"


def told(left_out: Mapping[str, int]) -> str:
    """How many of what, in words."""
    counts = [f"{count:,} {kind}{'s' * (count > 1)}" for kind, count in left_out.items() if count]
    return " and ".join(filter(None, (", ".join(counts[:-1]), *counts[-1:])))
