"""Text in one line, as a terminal and a page can show it, in every script."""

import regex

_UNSEEN = regex.compile(
    r"[[\p{C}\p{Zl}\p{Zp}]--[\p{Join_Control}[\p{Bidi_Control}--[\u202a-\u202e\u2066-\u2069]]]]",
    regex.VERSION1,
)
"""Control characters, halves of a pair, invisible and unassigned ones, what ends or turns a line.
Spaces of any width are seen by what they part, joiners (Persian, Hindi) and direction marks
(Hebrew, Arabic) by what they do to the letters beside them."""
_CONTROL = regex.compile(r"[[\p{Cc}\p{Cn}]--[\n\r\t\f\v\x85]]", regex.VERSION1)


def printable(text: str, instead: str = "\ufffd") -> str:
    """The text in one line; what could not be shown as it is becomes `instead`."""
    return text if text.isprintable() else str(_UNSEEN.sub(instead, text))


def is_printable(text: str) -> bool:
    """Whether all of a text can be shown, in one line."""
    return text.isprintable() or _UNSEEN.search(text) is None


def count_controls(text: str) -> int:
    """How many characters no text has: control characters other than white space, unassigned."""
    return sum(1 for _ in _CONTROL.finditer(text))
