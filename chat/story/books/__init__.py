"""A story as a document for other programs: .docx for a word processor, .epub for a reader."""

from collections.abc import Callable

from chat.story.books.epub_file import to_epub
from chat.story.books.manuscript import (
    MAX_CHARACTERS,
    Manuscript,
    manuscript_of,
    story_language,
)
from chat.story.books.word_file import to_docx

BOOKS: dict[str, tuple[Callable[[Manuscript], bytes], str]] = {
    "docx": (to_docx, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "epub": (to_epub, "application/epub+zip"),
}
"""What a manuscript can be saved as: its bytes and its type, by the file's ending."""

__all__ = [
    "BOOKS",
    "MAX_CHARACTERS",
    "Manuscript",
    "manuscript_of",
    "story_language",
    "to_docx",
    "to_epub",
]
