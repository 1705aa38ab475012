"""Where words stand in a text, whatever their spelling: "über" in "Über", in time linear in both.

Two spellings are the same where `gpt.text.scripts.folded` says so, letter by letter with its marks.
A match begins and ends between letters: "e" is no part of "é", and "s" none of "ß".
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gpt.text.scripts import UNSPACED, compiled, folded

_JOINING = compiled(
    r"[\p{M}\p{Join_Control}\p{RI}\p{Emoji_Modifier}\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]"
)
"""What may be a part of the letter before it."""
_IN_WORD = compiled(rf"[[\p{{L}}\p{{M}}\p{{N}}_\p{{Join_Control}}]--{UNSPACED}]")
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
    read = _read(text, fold)
    at = read.text.find(wanted)
    while at >= 0:
        start, end = read.place(at), read.place(at + len(wanted))
        if start is None or end is None or (whole_words and _is_inside(text, start, end)):
            at = read.text.find(wanted, at + 1)
        else:
            yield start, end
            at = read.text.find(wanted, at + len(wanted))


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


def _is_inside(text: str, start: int, end: int) -> bool:
    """Whether a word goes on over either end of what was found."""

    def goes_on(at: int) -> bool:
        return 0 < at < len(text) and bool(
            _IN_WORD.match(text[at - 1]) and _IN_WORD.match(text[at])
        )

    return goes_on(start) or goes_on(end)
