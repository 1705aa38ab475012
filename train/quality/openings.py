"""Openings of a validation text for a model to go on from, each with how a person went on."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gpt.text.scripts import WORD
from gpt.text.sentences import sentence_end

LEAST_WORDS, MOST_WORDS = 20, 60
"""An opening ends with the first sentence that ends from LEAST_WORDS on, and at MOST_WORDS."""
LEAST_LEFT = 40
"""The fewest words that must be left of a text, for the person's own continuation."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a text begins, and all that follows in it."""

    text: str
    rest: str


def openings(documents: Iterable[str], count: int) -> list[Opening]:
    """`count` openings, evenly spaced: the beginnings of documents.

    A text of fewer documents gives beginnings of paragraphs (after an empty line, or else after
    any line end), without its first, which may begin in the middle.

    Raises:
        ValueError: the text has fewer than `count`.
    """
    whole = [document for document in documents if document.strip()]
    most = 0
    for texts in (whole, _after("\n\n", whole), _after("\n", whole)):
        found = [opening for text in texts if (opening := cut(text))]
        if len(found) >= count:
            return [found[at * len(found) // count] for at in range(count)]
        most = max(most, len(found))
    raise ValueError(
        f"expected {count} openings with {LEAST_WORDS + LEAST_LEFT} words or more in the "
        f"validation text, it has {most}: give a longer text, or a smaller --openings"
    )


def cut(text: str) -> Opening | None:
    """The first sentences of `text`, and the rest of it; None for a text that is too short."""
    text = text.lstrip()
    spans = [found.span() for found in _first_words(text, MOST_WORDS + LEAST_LEFT)]
    if len(spans) < LEAST_WORDS + LEAST_LEFT:
        return None
    ends = [end for _, end in spans]
    at = ends[min(MOST_WORDS, len(ends) - LEAST_LEFT) - 1]
    at = sentence_end(text[:at], after=ends[LEAST_WORDS - 1] - 1, complete=True) or at
    return Opening(text[:at], text[at:])


def _first_words(text: str, most: int) -> list[re.Match[str]]:
    found: list[re.Match[str]] = []
    for match in WORD.finditer(text):
        found.append(match)
        if len(found) == most:
            break
    return found


def _after(boundary: str, documents: Sequence[str]) -> list[str]:
    """What follows each boundary, to the end of its document."""
    return [
        document[found.end() :]
        for document in documents
        for found in re.finditer(re.escape(boundary), document)
    ]
