"""Rules for every script, by Unicode's own properties, so that none holds for English alone.

Sources: UAX 14 (line breaking: which letters need no space between words), UAX 11 (wide
punctuation brings its own space), UAX 44 (general categories, Sentence_Terminal).
"""

import unicodedata
from collections.abc import Iterable
from typing import Any

import regex

UNSPACED = r"[[\p{LB=ID}\p{LB=CJ}\p{LB=NS}\p{LB=SA}]&&[\p{L}\p{M}\p{Nl}]]"
"""A letter of a script without spaces between its words: Chinese, Japanese, Thai, Khmer …"""
WIDE = r"[[\p{EA=W}\p{EA=F}\p{EA=H}]&&\p{P}]"
"""Punctuation as wide as such a letter, with its own space in it."""
GLUE = r"[\p{LB=GL}&&\p{Zs}]"
"""A space that holds together what stands on both sides, as French has it before its marks."""


def compiled(pattern: str) -> Any:
    """A pattern in which `[a--b]` and `[a&&b]` are sets; used as one of `re`."""
    return regex.compile(pattern, regex.VERSION1)


_LETTER = rf"[[\p{{L}}\p{{M}}\p{{Join_Control}}]--{UNSPACED}]"
SPELT = compiled(rf"{UNSPACED}\p{{M}}*|{_LETTER}+(?:['’]{_LETTER}+)*")
"""A word without the punctuation around it, as a dictionary has it; where no space parts words, a
letter with its marks stands for one."""
WORD = compiled(rf"{UNSPACED}\p{{M}}*[[^\s]--{UNSPACED}]*|[[^\s]--{UNSPACED}]+")
"""The same with its punctuation: what stands between white space, for a script that has any."""
NOT_IN_NAMES = compiled(r"[^\w’' -]+|\p{Join_Control}(?!\w)|(?<![\p{L}\p{M}])\p{Join_Control}")
_CHARACTER = compiled(r"\X")
"""A letter with all its marks."""
LONGEST_CHARACTER = 64
"""Code points of one, as far as is looked: the longest family of emoji has eleven."""
_DEVICE = compiled(r"(?i:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])")
"""What Windows takes for a device, whatever the ending (Microsoft, "Naming Files, Paths")."""
_ENDS_UNSPACED = compiled(rf"(?:{UNSPACED}|{WIDE})\Z")
_BEGINS_UNSPACED = compiled(rf"{UNSPACED}|{WIDE}")


def needs_space(before: str, after: str) -> bool:
    """Whether a space parts two words that meet; both have a character."""
    return not (_ENDS_UNSPACED.match(before[-1]) or _BEGINS_UNSPACED.match(after[0]))


def in_a_row(words: Iterable[str]) -> str:
    """Words, as `WORD` found them, as one line, with spaces where their script has them."""
    said = ""
    for word in words:
        said += f" {word}" if said and needs_space(said, word) else word
    return said


def folded(text: str) -> str:
    """The same for two spellings of the same: in capitals or not, an accent as part of its letter
    or after it (compatibility caseless match, Unicode 3.13, D146)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def widened(text: str, start: int, end: int) -> tuple[int, int]:
    """A span with the whole of the characters, with all their marks, that it begins and ends in."""
    return _border(text, start)[0], _border(text, end)[1]


def _border(text: str, at: int) -> tuple[int, int]:
    """Where the character begins and ends that a place stands within; the place itself where it
    stands between two."""
    if not 0 < at < len(text) or text[at - 1 : at + 1].isascii():
        return at, at
    # Whatever stands before it, one begins at a plain letter or space; so few are looked at that
    # no chain of marks takes long.
    start = at - 1
    while start > max(0, at - LONGEST_CHARACTER) and not text[start].isascii():
        start -= 1
    for found in _CHARACTER.finditer(text, start, at + LONGEST_CHARACTER):
        if found.start() < at < found.end():
            return found.span()
        if found.end() >= at:
            break
    return at, at


def as_name(text: str, most: int = 60) -> str:
    """The name of a file or a folder that every system takes, from the letters of a text in any
    script; "" where it has none.

    Args:
        most: Characters; in bytes it is four times as many at most, of the 255 that a disk takes.
    """
    bare = str(NOT_IN_NAMES.sub("", unicodedata.normalize("NFC", text))).strip(" .-")
    name = ""
    for whole in _CHARACTER.findall(bare[: most + 1]):
        if len(name + whole) > most:
            break
        name += whole
    name = name.strip()
    return f"{name}_" if _DEVICE.fullmatch(name) else name
