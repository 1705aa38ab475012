"""Where words stand in a text, whatever their spelling: "über" in "Über", in time linear in both.

Two spellings are the same where `gpt.text.scripts.folded` says so, letter by letter with its marks.
A match begins and ends between letters: "e" is no part of "é", and "s" none of "ß".
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gpt.text.scripts import UNSPACED, compiled, folded

_JOINING = compiled(
    r"[\p{M}\p{Join_Control}\p{RI}\p{Emoji_Modifier}\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]"
)
"""What may be a part of the letter before it."""
_IN_WORD = rf"[[\p{{L}}\p{{M}}\p{{N}}_\p{{Join_Control}}]--{UNSPACED}]"
"""A letter that would go on in a word; where no space parts words, each may begin one."""

Fold = Callable[[str], str]


def occurrences(
    text: str, words: str, *, match_case: bool = False, whole_words: bool = False
) -> Iterator[tuple[int, int]]:
    """Where `words` stand in `text`, each (start, end), first to last, none over another.

    Args:
        match_case: Only as they are written; a letter with an accent may still be two characters.
        whole_words: Only where no letter or digit goes on before or after them.
    """
    fold = _composed if match_case else folded
    wanted = fold(words)
    if not wanted:
        return
    read, pattern = _read(text, fold), _pattern(wanted, whole_words=whole_words)
    found = pattern.search(read.text)
    while found:
        start, end = read.place(found.start()), read.place(found.end())
        if start is None:
            found = pattern.search(read.text, read.next_unit(found.start()))
        elif end is None:
            found = pattern.search(read.text, found.start() + 1)
        else:
            yield start, end
            found = pattern.search(read.text, found.end())


def _pattern(wanted: str, *, whole_words: bool) -> Any:
    """Just these words; whole ones end where a letter that goes on in a word does not follow."""
    before = rf"(?<!{_IN_WORD})" if whole_words and compiled(_IN_WORD).match(wanted) else ""
    after = rf"(?!{_IN_WORD})" if whole_words and compiled(_IN_WORD).match(wanted[-1]) else ""
    return compiled(before + re.escape(wanted) + after)


@dataclass(frozen=True, slots=True)
class _Read:
    """A text as it is compared, and where its characters come from.

    Attributes:
        units: Of each run of letters that keep their length, and of each letter that does not:
            where it begins in `text`.
        sources: Where it begins in the text itself.
        whole: Whether it is one letter, which cannot be cut.
    """

    text: str
    units: list[int] = field(default_factory=list[int])
    sources: list[int] = field(default_factory=list[int])
    whole: list[bool] = field(default_factory=list[bool])

    def place(self, at: int) -> int | None:
        """The place in the text itself; None inside of a letter."""
        if not self.units:
            return at
        unit = bisect_right(self.units, at) - 1
        beyond = at - self.units[unit]
        return None if beyond and self.whole[unit] else self.sources[unit] + beyond

    def next_unit(self, at: int) -> int:
        """Where what comes after the letter that `at` is in begins."""
        return self.units[bisect_right(self.units, at)]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _read(text: str, fold: Fold) -> _Read:
    """The text folded. Most have few letters, each as long as it was: those are translated."""
    table: dict[int, str] = {}
    odd: list[str] = []
    for letter in set(text):
        same = fold(letter)
        if len(same) == 1 and not _JOINING.match(letter):
            table[ord(letter)] = same
        else:
            odd.append(letter)
    if not odd:
        return _Read(text.translate(table))
    read, parts, length = _Read(""), list[str](), 0
    known: dict[str, str] = {}
    for source, piece, is_letter in _pieces(text, odd):
        if is_letter and piece not in known:
            known[piece] = fold(piece)
        part = known[piece] if is_letter else piece.translate(table)
        read.units.append(length)
        read.sources.append(source)
        read.whole.append(is_letter)
        parts.append(part)
        length += len(part)
    read.units.append(length)
    read.sources.append(len(text))
    read.whole.append(False)
    return _Read("".join(parts), read.units, read.sources, read.whole)


def _pieces(text: str, odd: list[str]) -> Iterator[tuple[int, str, bool]]:
    """Runs of letters that none of the `odd` ones belongs to, and single letters between them:
    (start, piece, whether it is a letter)."""
    others = "".join(f"\\U{ord(letter):08x}" for letter in odd)
    # The letter before an odd one may have it as a mark.
    pieces = compiled(rf"(?P<run>[^{others}]+(?![{others}]))|\X")
    for found in pieces.finditer(text):
        yield found.start(), found[0], found["run"] is None
