"""Words and phrases that are never written, found in text and not in token ids.

A phrase counts wherever it stands as whole words: in capitals or not, whatever the form of its
accents, quotes and apostrophes, however wide the white space between its words, and however it is
cut into tokens. "cat" is in "The Cat's" and in "cat.", not in "catalog" nor in "cät". A word is a
run of letters, marks and digits; where a script has no spaces between words, as Chinese or Thai,
each letter is one. A phrase that the prompt began and new text ends counts; one that stands in the
prompt alone is the writer's own.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from gpt.text.scripts import UNSPACED, compiled

_WORD = compiled(rf"[[\p{{L}}\p{{N}}]--{UNSPACED}]")
_QUOTES = str.maketrans("‘’ʼ“”„«»", '\'\'\'"""""')


class Open(NamedTuple):
    """A phrase of which the beginning stands at the end of the text, or all but what shows that its
    last word ends there."""

    phrase: int
    matched: int
    start: int
    """Where it begins, in characters of new text; below 0 in the prompt."""


class Seen(NamedTuple):
    """What a text comes to, as far as the next character needs it."""

    in_word: bool = False
    opened: tuple[Open, ...] = ()


@lru_cache(maxsize=4096)
def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return "".join(" " if each.isspace() else each for each in folded.translate(_QUOTES))


@lru_cache(maxsize=4096)
def _in_word(folded: str, before: bool) -> bool:
    """Whether a word goes on with a character, or begins; a mark belongs to what is before it."""
    if unicodedata.category(folded)[0] == "M":
        return before
    return _WORD.fullmatch(folded) is not None


class BannedPhrases:
    """Finds phrases in a text that comes one character at a time.

    Args:
        phrases: Each with at least one character that is no white space.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        self._phrases = list(dict.fromkeys(" ".join(_folded(each).split()) for each in phrases))
        self._ends_in_word: list[bool] = []
        self._by_first: dict[str, list[int]] = {}
        for at, phrase in enumerate(self._phrases):
            self._by_first.setdefault(phrase[0], []).append(at)
            in_word = False
            for each in phrase:
                in_word = _in_word(each, in_word)
            self._ends_in_word.append(in_word)
        self._longest = max(map(len, self._phrases), default=0)

    def after(self, prompt: str) -> Seen:
        """What the end of a prompt comes to; what stands in it alone is nobody's business."""
        seen = Seen()
        tail = prompt[-4 * self._longest - 1 :]
        for at, character in enumerate(tail):
            seen, _ = self.add(seen, character, at - len(tail))
        opened = [each for each in seen.opened if not self._is_whole(each)]
        return Seen(seen.in_word, tuple(opened))

    def add(self, seen: Seen, character: str, at: int) -> tuple[Seen, int | None]:
        """Go on by one character, the new text's `at`: what it comes to, and where the phrase
        begins that is there now; None where there is none. Of several the earliest counts."""
        found: list[int] = []
        for folded in _folded(character):
            seen = self._add(seen, folded, at, found)
        return seen, min(found, default=None)

    def ended(self, seen: Seen) -> int | None:
        """Where the phrase begins that is there if no more text comes; None where there is none."""
        return min((each.start for each in seen.opened if self._is_whole(each)), default=None)

    def _add(self, seen: Seen, folded: str, at: int, found: list[int]) -> Seen:
        in_word = _in_word(folded, seen.in_word)
        going = [*seen.opened]
        going += (
            Open(phrase, 0, at)
            for phrase in self._by_first.get(folded, ())
            if not (in_word and seen.in_word)
        )
        opened: list[Open] = []
        for phrase, matched, start in going:
            text = self._phrases[phrase]
            if matched == len(text):
                if not in_word:
                    found.append(start)
                continue
            if text[matched] == folded:
                matched += 1
            elif not (folded == " " and matched and text[matched - 1] == " "):
                continue
            if matched == len(text) and not self._ends_in_word[phrase]:
                found.append(start)
            else:
                opened.append(Open(phrase, matched, start))
        return Seen(in_word, tuple(opened))

    def _is_whole(self, opened: Open) -> bool:
        return opened.matched == len(self._phrases[opened.phrase])
