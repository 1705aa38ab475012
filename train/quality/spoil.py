"""Copies of a story that are spoilt in one respect, to ask a model which of the two is true.

Pure functions of a story, what its text teaches of its words, and chance. A story in which nothing
can be spoilt in a respect gives None. Names need capital letters, things and “he” and “she” need
English; the order of the sentences and the ending can be spoilt in any script that ends sentences.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from random import Random

from gpt.text.memorization import plain
from gpt.text.scripts import SPELT
from gpt.text.sentences import sentence_end
from train.quality.english import KNOWN, WORD_OR_MARK
from train.quality.lexicon import Lexicon, same_word

ENDING = 2
"""Sentences of an ending."""
LEAST_SENTENCES = 6
"""A shorter story has no beginning, middle and end."""
LEAST_FORM = 3
"""A shorter word begins many that are no forms of it."""
HE_SHE = re.compile(r"\b(?:[Hh]e|[Ss]he|HE|SHE)\b")
OTHER = {"he": "she", "He": "She", "HE": "SHE", "she": "he", "She": "He", "SHE": "HE"}
SPEECH = re.compile('["“”„«»「」『』]')
Span = tuple[int, int]


@dataclass(frozen=True)
class Story:
    """A story, and where things stand in it, in characters."""

    text: str

    @cached_property
    def sentences(self) -> list[Span]:
        """Each from its first character to the one behind its last; white space belongs to none."""
        spans: list[Span] = []
        start, text = 0, self.text
        while (begin := re.compile(r"\S").search(text, start)) is not None:
            start = begin.start()
            end = sentence_end(text, after=start, complete=True) or len(text.rstrip())
            spans.append((start, end))
            start = end
        return spans

    @cached_property
    def last_third(self) -> int:
        """Where the first sentence begins of which all stands in the last third; the end of the
        text where none does."""
        most = 2 * len(self.text) / 3
        return next((start for start, _ in self.sentences if start >= most), len(self.text))

    def named(self, names: frozenset[str]) -> list[tuple[Span, str]]:
        """Where names stand, and which, in small letters; an 's does not belong to one."""
        found: list[tuple[Span, str]] = []
        for match in SPELT.finditer(self.text):
            name = plain(match[0])
            if match[0][0].isupper() and name in names:
                found.append(((match.start(), match.start() + len(name)), name))
        return found


@dataclass(frozen=True, slots=True)
class Spoiling:
    """One respect in which a story can be spoilt.

    Attributes:
        name: In one word.
        does: What happens to the story.
        needs: What a story must have for it.
        spoilt: The copy: of a story, the words of its text, another story, chance.
        per_token: The two are not of equal length, so that likelihoods are those of a token.
    """

    name: str
    does: str
    needs: str
    spoilt: Callable[[Story, Lexicon, Story, Random], str | None]
    per_token: bool = False


def swap_names(story: Story, lexicon: Lexicon, other: Story, chance: Random) -> str | None:
    """The two names that stand most often change places in the last third."""
    named = story.named(lexicon.names)
    third = story.last_third
    before = Counter(name for (start, _), name in named if start < third)
    both = [name for name, _ in Counter(name for _, name in named).most_common(2)]
    later = [(span, name) for span, name in named if span[0] >= third and name in both]
    if len(both) < 2 or not later or not all(before[name] for name in both):
        return None
    ends = [(span, name) for span, name in named if name in both]
    for ((_, end), one), ((start, _), two) in pairwise(ends):
        if one != two and story.text[end:start].strip(". ") == "":
            return None  # Mr. Fox is one name
    written = {name: story.text[start:end] for (start, end), name in reversed(ends)}
    changed = {both[0]: written[both[1]], both[1]: written[both[0]]}
    return _replaced(story.text, [(span, changed[name]) for span, name in later])


def foreign_ending(story: Story, lexicon: Lexicon, other: Story, chance: Random) -> str | None:
    """The last two sentences are those of another story."""
    if min(len(story.sentences), len(other.sentences)) < LEAST_SENTENCES:
        return None
    start, end = story.sentences[-ENDING][0], story.sentences[-1][1]
    ending = other.text[other.sentences[-ENDING][0] : other.sentences[-1][1]]
    return None if story.text[start:end] == ending else story.text[:start] + ending


def swap_sentences(story: Story, lexicon: Lexicon, other: Story, chance: Random) -> str | None:
    """Two neighbouring sentences of the middle change places: those nearest to it that are no
    speech, which would fall apart."""
    text, sentences = story.text, story.sentences
    if len(sentences) < LEAST_SENTENCES:
        return None
    low, high = len(text) / 3, 2 * len(text) / 3
    pairs = [
        (one, two)
        for one, two in pairwise(sentences)
        if low <= one[0] and two[1] <= high and not SPEECH.search(text, one[0], two[1])
    ]
    if not pairs:
        return None
    one, two = min(pairs, key=lambda pair: abs(pair[0][1] - len(text) / 2))
    first, second = text[slice(*one)], text[slice(*two)]
    return None if first == second else _replaced(text, [(one, second), (two, first)])


def change_thing(story: Story, lexicon: Lexicon, other: Story, chance: Random) -> str | None:
    """A thing that was named before and stands behind “the” becomes another of its kind, which is
    nowhere in the story."""
    found = list(WORD_OR_MARK.finditer(story.text))
    words = [match[0].lower() for match in found]
    there = [word for word in set(words) if len(word) >= LEAST_FORM]
    again: list[tuple[Span, list[str]]] = []
    for at, word in enumerate(words):
        thing = lexicon.things.get(word)
        before = words[:at]
        if thing and before[-1:] == [KNOWN] and word in before and found[at][0].islower():
            others = [
                like for like in thing.like if not any(same_word(like, each) for each in there)
            ]
            if others:
                again.append((found[at].span(), others))
    if not again:
        return None
    span, others = chance.choice(again)
    return _replaced(story.text, [(span, chance.choice(others))])


def swap_he_and_she(story: Story, lexicon: Lexicon, other: Story, chance: Random) -> str | None:
    """Every “he” of the last third is “she” and every “she” is “he”, where the story has one of
    them before."""
    found = list(HE_SHE.finditer(story.text))
    later = [match for match in found if match.start() >= story.last_third]
    if not later or len(later) == len(found):
        return None
    return _replaced(story.text, [(match.span(), OTHER[match[0]]) for match in later])


SPOILINGS = (
    Spoiling(
        "names",
        "the two main names change places in the last third",
        "two names that are written with capital letters",
        swap_names,
    ),
    Spoiling(
        "ending",
        "the last two sentences come from another story (per token)",
        f"{LEAST_SENTENCES} sentences, and another story with as many",
        foreign_ending,
        per_token=True,
    ),
    Spoiling(
        "order",
        "two neighbouring sentences of the middle change places",
        f"{LEAST_SENTENCES} sentences, two of the middle without speech",
        swap_sentences,
    ),
    Spoiling(
        "things",
        "a thing named before is replaced by another of its kind",
        "an English thing with “the” that was named before",
        change_thing,
    ),
    Spoiling(
        "he, she",
        "“he” and “she” change in the last third",
        "“he” or “she” in the last third and before it",
        swap_he_and_she,
    ),
)


def _replaced(text: str, changes: list[tuple[Span, str]]) -> str:
    """The text with others in the place of some spans, which are in order and do not overlap."""
    parts: list[str] = []
    done = 0
    for (start, end), new in changes:
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])
