"""What can be counted in a story, to hold a model's text against a person's.

A word is what `gpt.text.scripts.SPELT` finds, in small letters: no punctuation, no digits.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gpt.text.memorization import ReferenceText, plain
from gpt.text.repetition import LONGEST, length_of_loop
from gpt.text.scripts import SPELT
from gpt.text.sentences import ends_sentence
from train.quality.lexicon import Lexicon
from train.quality.slips import KINDS, Pair, Slips, find_slips

STRAIGHT, CURLED = '"', ("“", "”")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One continuation, measured. Pairs are (how many hold, of how many).

    Attributes:
        words: How many.
        trigrams: Its three words in a row, for `distinct_3`.
        repeated_4: Share of its four words in a row that came in it before, the rep-n of Welleck
            et al. 2019 (arXiv 1908.04319, section 6.1) over words; None below four words.
        known: Words that the training text has too.
        quotes: Paragraphs whose quotation marks all close, of those that have any.
        names: Names of the opening that come again in the continuation.
        ended: It stops where the story or a sentence does.
        loop: What it says over and over; "" where it does not.
        copied: The longest run of words that stands in the training text to the letter, in words
            of `gpt.text.memorization`: with their punctuation and case.
        quote: That run.
        slips: Slips against sense; None where they were not looked for.
        bits, bytes: The model's cross-entropy on it, summed, in bits (None where it was not
            measured), and its length in UTF-8.
    """

    words: int
    trigrams: tuple[tuple[str, ...], ...]
    repeated_4: float | None
    known: tuple[int, int]
    quotes: tuple[int, int]
    names: tuple[int, int]
    ended: bool
    loop: str
    copied: int
    quote: str
    slips: Slips | None
    bits: float | None
    bytes: int


def measure(
    opening: str,
    text: str,
    source: ReferenceText,
    *,
    over: bool,
    bits: float | None,
    compared: int,
    lexicon: Lexicon | None = None,
) -> Quality:
    """All measures of `text`, which goes on from `opening`.

    Args:
        source: The training text.
        over: The story is over at the end of `text`.
        bits: The model's cross-entropy on `text`, summed, in bits; None where not measured.
        compared: How many of its first words count for `trigrams` and `repeated_4`, which grow
            with the length: the length in words of the shorter of the two texts compared.
        lexicon: What the words of stories are, to look for slips against sense.
    """
    ended = over or ends_sentence(text)
    found = words(text)
    if not ended and text[-1:].isalnum():
        del found[-1:]  # what was cut off is no word
    fours = grams(found[:compared], 4)
    run = source.overlap(text).longest
    known = sum(word in source.spellings for word in found)
    return Quality(
        words=len(found),
        trigrams=tuple(grams(found[:compared], 3)),
        repeated_4=1 - len(set(fours)) / len(fours) if fours else None,
        known=(known, len(found)),
        quotes=balanced_quotes(opening + text, whole=ended),
        names=names_kept(opening, text, source),
        ended=ended,
        loop=loop(text),
        copied=run.words if run else 0,
        quote=source.quote(run.at, run.words) if run else "",
        slips=find_slips(opening, text, lexicon) if lexicon else None,
        bits=bits,
        bytes=len(text.encode()),
    )


def words(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return SPELT.findall(text.lower())


def grams(found: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All n words in a row, in order.

    >>> grams(["a", "b", "c"], 2)
    [('a', 'b'), ('b', 'c')]
    """
    return [tuple(found[at : at + n]) for at in range(len(found) - n + 1)]


def distinct_3(texts: Sequence[Quality]) -> float | None:
    """Different three words in a row, as a share of all, over a set of texts together.

    Li et al. 2016 (arXiv 1510.03055, section 5) with n = 3, over trigrams: it falls where texts
    repeat themselves or each other. Sets can be compared only where they are equally long.
    """
    found = [gram for text in texts for gram in text.trigrams]
    return len(set(found)) / len(found) if found else None


def balanced_quotes(text: str, *, whole: bool) -> tuple[int, int]:
    """Paragraphs (lines) whose double quotation marks all close, of those that have any.

    Args:
        whole: The text stops where a sentence does; in the last paragraph of one that breaks off
            a quote may be open for good reason, so it does not count.
    """
    lines = text.rstrip().split("\n")
    lines = [line for line in (lines if whole else lines[:-1]) if re.search('["“”]', line)]
    good = sum(
        line.count(STRAIGHT) % 2 == 0 and line.count(CURLED[0]) == line.count(CURLED[1])
        for line in lines
    )
    return good, len(lines)


def names_kept(opening: str, text: str, source: ReferenceText) -> tuple[int, int]:
    """Names of the opening that come again in `text`, of all the different ones.

    A name is a word with a capital that the training text knows as one (`Source.names`); so the
    first word of a sentence is not taken for a name. Whether a figure stays in its story is seen
    by it: after another story's opening, a person's text has few of the names.
    """
    called = {plain(word) for word in SPELT.findall(opening) if word[0].isupper()}
    called = {
        word for word in called & source.names if len(word) > 1 and word[:2] not in ("i'", "i’")
    }
    there = {plain(word) for word in SPELT.findall(text)}
    return len(called & there), len(called)


def loop(text: str) -> str:
    """What `text` repeats somewhere, a loop by `gpt.text.repetition`, once; "" where it is in
    none."""
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    for period in range(1, LONGEST + 1):
        span = length_of_loop(period)
        if span > len(letters):
            break
        # Between two of these places every letter is the one a period before it.
        breaks = np.flatnonzero(letters[period:] != letters[:-period])
        edges = np.concatenate([[-1], breaks, [len(letters) - period]])
        runs = np.diff(edges) - 1
        if runs.max() >= span - period:
            start = int(edges[runs.argmax()]) + 1
            return text[start : start + period]
    return ""


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table.

    Attributes:
        of: The figure of a set of texts; None where none of them has anything to measure.
        percent: Digits after the point, for a share that is shown in percent; None for a figure
            that is no share.
        enough: More of it than a person's text has is no fault.
    """

    name: str
    of: Callable[[Sequence[Quality]], float | None]
    percent: int | None = None
    enough: bool = False

    def shown(self, figure: float | None) -> str:
        """The figure as the table has it."""
        if figure is None:
            return "none to measure"
        return f"{figure:.3f}" if self.percent is None else f"{figure:.{self.percent}%}"


def _share(pairs: Iterable[tuple[float, int]]) -> float | None:
    found = list(pairs)
    of = sum(of for _, of in found)
    return sum(holds for holds, _ in found) / of if of else None


def _repeated(texts: Sequence[Quality]) -> float | None:
    return _share((text.repeated_4 or 0.0, text.repeated_4 is not None) for text in texts)


def _bits_per_byte(texts: Sequence[Quality]) -> float | None:
    return _share((text.bits, text.bytes) for text in texts if text.bits is not None)


SURPRISE = Measure("bits per byte under this model", _bits_per_byte)
"""Far below that of human text where a model plays safe. It cannot tell good sampling
settings from bad ones: on text that a model draws at temperature 1 its loss is its own entropy."""
MEASURES = (
    Measure("distinct-3", distinct_3),
    Measure("repeated 4-grams", _repeated, percent=1),
    Measure(
        "words in the dictionary",
        lambda texts: _share(text.known for text in texts),
        percent=2,
        enough=True,
    ),
    Measure(
        "quote balance",
        lambda texts: _share(text.quotes for text in texts),
        percent=1,
        enough=True,
    ),
    Measure(
        "names kept", lambda texts: _share(text.names for text in texts), percent=1, enough=True
    ),
)
"""What a model's text shares with a person's, more or less; each is a share or a mean."""


def _slips(pair: Callable[[Slips], Pair]) -> Callable[[Sequence[Quality]], float | None]:
    return lambda texts: _share(pair(text.slips) for text in texts if text.slips)


SLIPS = tuple(
    Measure(name, _slips(pair), percent=decimals)
    for (name, pair), decimals in zip(KINDS.items(), (1, 1, 1, 2), strict=True)
)
"""Slips against sense, `train.quality.slips`: each a share of what can be judged."""


def jackknife(measure: Measure, texts: Sequence[Quality]) -> float | None:
    """The standard error of a figure: how far it moves as each text is left out in turn.

    Efron and Tibshirani 1993, section 11.2. None for fewer than two texts, or where a figure
    cannot be had.
    """
    left = [measure.of([*texts[:at], *texts[at + 1 :]]) for at in range(len(texts))]
    found = [figure for figure in left if figure is not None]
    if len(found) < 2 or len(found) < len(left):
        return None
    mean = sum(found) / len(found)
    return math.sqrt(sum((x - mean) ** 2 for x in found) * (len(found) - 1) / len(found))
