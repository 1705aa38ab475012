"""What of a text stands word for word in another: did the model write it, or remember it?

A word is what stands between white space, with its punctuation and its case; of a script that has
none, a letter (`gpt.text.scripts.WORD`). The comparison is exact: no hashing, no sampling.

Shapes: N words of the source, M of the text in question.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import cast

import numpy as np
import numpy.typing as npt

from gpt.text.scripts import SPELT, WORD, in_a_row

COPIED_WORDS = 8
"""The fewest words in a row that count as copied: shorter runs are how the language goes."""

ENDS = re.compile(r"[.!?…:\"“”’)]$|--$")
"""After such a word the next may begin a sentence."""
NO_NAME = re.compile(r"\w$|i['’]")


def plain(word: str) -> str:
    """A word in small letters, and without an 's.

    >>> plain("Tim's")
    'tim'
    """
    return re.sub("['’]s$", "", word.lower())


def stretches(inside: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where the true values lie: of each stretch the first, and the first after it."""
    edges: list[int] = np.flatnonzero(np.diff(inside, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Run:
    """Words in a row that stand in the source just so.

    Attributes:
        start, end: In the text in question, in characters.
        words: How many.
        at: The first of them in the source, in words.
    """

    start: int
    end: int
    words: int
    at: int


@dataclass(frozen=True, slots=True)
class Memorization:
    """What was found.

    Attributes:
        words: M.
        longest: The longest run, the first of equals; None where no word stands in the source.
        copied: Where every word belongs to a run of COPIED_WORDS or more, from one character to
            another, first to last; runs that meet or overlap are one such stretch.
        new: Share of the words that stand in none of those, 0 to 1; 1 for a text without words.
    """

    words: int
    longest: Run | None
    copied: tuple[tuple[int, int], ...]
    new: float


class ReferenceText:
    """A text that others are held against.

    Args:
        documents: Its parts; no run goes from one into the next. A part may come in pieces of a
            few million characters, so long as no piece ends within a word.
    """

    def __init__(self, documents: Iterable[str]) -> None:
        self._ids: dict[str, int] = {}
        """Of every different word, the number it is known by."""
        parts: list[npt.NDArray[np.int32]] = []
        border = np.array([-1], np.int32)
        for document in documents:
            words: list[str] = WORD.findall(document)
            ids = (self._ids.setdefault(word, len(self._ids)) for word in words)
            parts += [np.fromiter(ids, np.int32, len(words)), border]
        self._words = np.concatenate([border, *parts])
        """(N,), a -1 before, between and after the documents."""
        self._names = list(self._ids)
        # Sorted by word, and for each word by place: where a word stands is a slice of it.
        self._order: Places = np.argsort(self._words, kind="stable")
        self._firsts: Places = np.searchsorted(
            self._words[self._order], np.arange(len(self._ids) + 1)
        )

    def __len__(self) -> int:
        """How many words it has."""
        return int((self._words >= 0).sum())

    @cached_property
    def spellings(self) -> frozenset[str]:
        """Its different words in small letters, without the punctuation around them."""
        names = (name.lower() for name in self._names)
        return frozenset(word for name in names for word in SPELT.findall(name))

    @cached_property
    def names(self) -> frozenset[str]:
        """Its words that are names, in small letters and without an 's.

        A name has two places within sentences or more, and a capital in nine of ten of them. I,
        I'll and single letters are none.
        """
        begins = np.array([not SPELT.match(name) for name in self._names], np.bool_)
        ends = np.array([bool(ENDS.search(name)) for name in self._names] + [True], np.bool_)
        before, here = self._words[:-1], self._words[1:]
        # A border has the id -1, and is the last of `ends`.
        within = here[(here >= 0) & ~ends[before]]
        within = within[~begins[within]]
        counts = cast("list[int]", np.bincount(within, minlength=len(self._names)).tolist())
        capital: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for name, count in zip(self._names, counts, strict=True):
            if count and (word := SPELT.match(name)):
                total[plain(word[0])] += count
                capital[plain(word[0])] += count * word[0][0].isupper()
        return frozenset(
            word
            for word, count in total.items()
            if count > 1 and capital[word] >= 0.9 * count and not NO_NAME.match(word)
        )

    def quote(self, at: int, words: int) -> str:
        """The words from a place of the source on, as far as its document goes."""
        ids = cast("list[int]", self._words[at : at + words].tolist())
        return in_a_row(self._names[id] for id in takewhile(lambda id: id >= 0, ids))

    def before(self, at: int, words: int) -> str:
        """As many of the words before a place, as far as its document goes."""
        start = at
        while start > at - words and self._words[start - 1] >= 0:
            start -= 1
        return self.quote(start, at - start)

    def effort(self, text: str) -> int:
        """How many places of the source `overlap` would look at for `text`, one after another."""
        counts = np.diff(self._firsts)
        ids = (self._ids.get(word) for word in WORD.findall(text))
        return sum(int(counts[id]) for id in ids if id is not None)

    def overlap(self, text: str) -> Memorization:
        """Hold `text` against the source.

        Time grows with M times how often its words stand in the source; see `effort`.
        """
        found: list[re.Match[str]] = list(WORD.finditer(text))
        lengths, ends = self._runs([match[0] for match in found])
        longest: Run | None = None
        inside = np.zeros(len(found), np.bool_)
        for last, (length, end) in enumerate(zip(lengths, ends, strict=True)):
            first = last + 1 - length
            if length >= COPIED_WORDS:
                inside[first : last + 1] = True
            if length > (longest.words if longest else 0):
                longest = Run(found[first].start(), found[last].end(), length, end + 1 - length)
        copied = tuple(
            (found[first].start(), found[after - 1].end()) for first, after in stretches(inside)
        )
        new = 1 - float(inside.mean()) if found else 1.0
        return Memorization(words=len(found), longest=longest, copied=copied, new=new)

    def _runs(self, words: Sequence[str]) -> tuple[list[int], list[int]]:
        """For each word, the longest run that ends in it, and where that word stands."""
        lengths: list[int] = []
        ends: list[int] = []
        before, before_lengths = np.empty(0, np.int64), np.empty(0, np.int64)
        for word in words:
            id = self._ids.get(word)
            if id is None:
                before, before_lengths = np.empty(0, np.int64), np.empty(0, np.int64)
                lengths.append(0)
                ends.append(0)
                continue
            places = self._order[self._firsts[id] : self._firsts[id + 1]]
            length = np.ones(len(places), np.int64)
            if len(before):
                there = np.searchsorted(before, places - 1).clip(max=len(before) - 1)
                goes_on = before[there] == places - 1
                length[goes_on] += before_lengths[there[goes_on]]
            best = int(length.argmax())
            lengths.append(int(length[best]))
            ends.append(int(places[best]))
            before, before_lengths = places, length
        return lengths, ends
