"""What a text teaches of its own words: which are names, which are things, which things are alike.

Everything is counted, so that no dictionary has to be kept; `train.quality.english` has the few
words of grammar that must be known beforehand.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import cast

import numpy as np
import numpy.typing as npt

from gpt.text.memorization import ReferenceText
from train.quality.english import (
    GENDERED,
    KNOWN,
    NEW,
    POSSESSIVE,
    SAID,
    SEX,
    WORD_OR_MARK,
    article,
    title,
)

READ = 3_000_000
"""Characters of a text that are read for it, some ten seconds' work."""
LEAST_SEEN = 10
"""How often a word must stand in the text, for its company to tell anything."""
LEAST_SAID = 2
"""How often a being says something."""
LEAST_DETERMINED = 0.2
"""The share of a being's places behind “the”, “his” …, unless it is called by a name."""
SURE_SEX = 0.9
FREQUENT = 60
"""So many words are the grammar of a language: what stands before one after a noun phrase."""
LEAST_NOUN = 0.6
"""The share of a noun's places behind an article at which the noun phrase is over."""
COMPANY = 1000
"""How many words, the most frequent, tell by standing beside a thing what kind it is."""
BESIDE = (-2, -1, 1, 2)
LIKE = 5
"""How many things are held to be of the same kind as one."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A noun.

    Attributes:
        like: The things that are most alike in the company they keep, the most alike first.
        documents: How many of the documents have it.
        known: In how many of those it stands first behind “the”, as if it had been told of before.
    """

    like: tuple[str, ...]
    documents: int
    known: int


class Lexicon:
    """What the words of some documents are. All words are in small letters.

    Args:
        documents: Of which READ characters are read.
    """

    def __init__(self, documents: Iterable[str]) -> None:
        self._documents = list(_first(documents))

    @cached_property
    def names(self) -> frozenset[str]:
        """See `ReferenceText.names`."""
        return ReferenceText(self._documents).names

    @cached_property
    def beings(self) -> frozenset[str]:
        """Who says something, called by a name or not: “said the fox”, “his mom said”."""
        said, seen, noun = Counter[str](), Counter[str](), Counter[str]()
        for words in self._words:
            for at, (before, word) in enumerate(zip(["", *words], words, strict=False)):
                seen[word] += 1
                noun[word] += before in NEW or before == KNOWN or before in POSSESSIVE
                if word == SAID:
                    behind = words[at + 1 : at + 3]
                    said.update(
                        [before, behind[-1] if behind[:1] == [KNOWN] else "".join(behind[:1])]
                    )
        return frozenset(
            word
            for word, count in said.items()
            if count >= LEAST_SAID
            and word.isalpha()
            and (word in self.names or noun[word] >= LEAST_DETERMINED * seen[word])
        )

    @cached_property
    def sexes(self) -> Mapping[str, str]:
        """“he” or “she” for the names that are nearly always one of them: by the next “he” or “she”
        after the name, up to the next being, and by what stands before it, as “brother” does."""
        found: dict[str, Counter[str]] = {}
        for words in self._words:
            who = ""
            for at, word in enumerate(words):
                sex = ""
                if word in self.names:
                    who, sex = word, GENDERED.get(title(words, at), "")
                elif word in self.beings or word in GENDERED:
                    who = ""
                elif who:
                    sex = SEX.get(word, "")
                if sex:
                    found.setdefault(who, Counter())[sex] += 1
        return {
            who: sex
            for who, counts in found.items()
            for sex, most in counts.most_common(1)
            if counts.total() >= LEAST_SEEN and most >= SURE_SEX * counts.total()
        }

    @cached_property
    def things(self) -> Mapping[str, Thing]:
        """By their words."""
        words = [word for document in self._words for word in ["", *document]]
        nouns = _nouns(words)
        there, known = _first_met(self._words, set(nouns))
        return {
            noun: Thing(like, there[noun], known[noun])
            for noun, like in _alike(words, nouns).items()
        }

    @cached_property
    def _words(self) -> list[list[str]]:
        return [WORD_OR_MARK.findall(document.lower()) for document in self._documents]


def _first(documents: Iterable[str]) -> Iterator[str]:
    """The documents up to READ characters in all."""
    left = READ
    for document in documents:
        if left <= 0:
            return
        yield document[:left]
        left -= len(document)


def _nouns(words: list[str]) -> list[str]:
    """The words that stand behind “a” and “the” with nothing of the noun phrase behind them, in the
    order of the alphabet."""
    counts = Counter(words)
    grammar = {word for word, _ in counts.most_common(FREQUENT)} | {""}
    new, known, ends = Counter[str](), Counter[str](), Counter[str]()
    triples = zip(words, islice(words, 1, None), islice(words, 2, None), strict=False)
    for before, word, after in triples:
        if before in NEW or before == KNOWN:
            (known if before == KNOWN else new)[word] += 1
            ends[word] += after in grammar or not after[:1].isalpha()
    return sorted(
        word
        for word in new & known
        if counts[word] >= LEAST_SEEN
        and word.isalpha()
        and word not in grammar
        and ends[word] >= LEAST_NOUN * (new[word] + known[word])
    )


def _first_met(
    documents: Iterable[Sequence[str]], nouns: Set[str]
) -> tuple[Counter[str], Counter[str]]:
    """In how many documents a noun is, and in how many of them it stands first behind “the”."""
    there, known = Counter[str](), Counter[str]()
    for document in documents:
        met: set[str] = set()
        for at, word in enumerate(document):
            if word in nouns and word not in met:
                met.add(word)
                there[word] += 1
                known[word] += article(document, at) == KNOWN
    return there, known


def _alike(words: list[str], nouns: list[str]) -> dict[str, tuple[str, ...]]:
    """For each noun those that keep the same company: the cosine of their positive pointwise mutual
    information with the words at two places to each side (Levy et al. 2015)."""
    if len(nouns) < 2:
        return dict.fromkeys(nouns, ())
    company = {word: at for at, (word, _) in enumerate(Counter(words).most_common(COMPANY))}
    rows = {noun: at for at, noun in enumerate(nouns)}
    counted = np.zeros((len(nouns), len(BESIDE) * COMPANY))
    for at, word in enumerate(words):
        if (row := rows.get(word)) is None:
            continue
        for place, offset in enumerate(BESIDE):
            beside = words[at + offset] if 0 <= at + offset < len(words) else ""
            if (column := company.get(beside)) is not None:
                counted[row, place * COMPANY + column] += 1
    alike = _cosines(counted)
    return {
        noun: tuple(
            nouns[other]
            for other in cast("list[int]", np.argsort(-alike[row], kind="stable").tolist())
            if not same_word(noun, nouns[other])
        )[:LIKE]
        for noun, row in rows.items()
    }


def _cosines(counted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N, F) counts → (N, N) cosines of their positive pointwise mutual information."""
    expected = counted.sum(1, keepdims=True) * counted.sum(0, keepdims=True) / counted.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = np.where(counted > 0, np.maximum(np.log(counted / expected), 0), 0)
    length = np.linalg.norm(shared, axis=1, keepdims=True)
    shared = shared / np.where(length > 0, length, 1)
    # Sums differ in their last bits from one machine to another, and must not decide the order.
    return np.round(shared @ shared.T, 9)


def same_word(one: str, other: str) -> bool:
    """Whether two may be one word in two forms.

    >>> same_word("flower", "flowers")
    True
    """
    return one.startswith(other) or other.startswith(one)
