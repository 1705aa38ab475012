"""Slips against sense that can be seen in a text without understanding it.

Each measure is a pair, how many slip of how many; all know English alone, and of a text in another
language they find nothing to judge. They err: a person's text has some too, and stands beside.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gpt.text.memorization import plain
from gpt.text.scripts import SPELT
from train.quality.english import (
    GENDERED,
    INTRODUCES,
    KNOWN,
    SEX,
    WORD_OR_MARK,
    article,
    title,
)
from train.quality.lexicon import LEAST_SEEN, Lexicon
from train.quality.spoil import SPEECH, Story

NEAR = 5
"""How many words before a name are looked at."""
FIRST = 3
"""A sentence is about whom it names in its first words."""
SELDOM_KNOWN = 0.05
"""A thing that so few stories take for known at its first mention has to be introduced."""
LEAST_WORDS = 4
"""A shorter sentence may come twice."""
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Slips:
    """How many slip, of how many.

    Attributes:
        nowhere: People named in the text whom neither it nor the opening introduces.
        sex: People who are “he” and “she”, of those who are one.
        changed: Things that are “the” at their first mention though stories introduce them, where
            one of their kind was there before; of the things that are first mentioned and that
            stories introduce.
        twice: Sentences that stood there before.
    """

    nowhere: Pair
    sex: Pair
    changed: Pair
    twice: Pair


KINDS: Mapping[str, Callable[[Slips], Pair]] = {
    "people from nowhere": lambda slips: slips.nowhere,
    "people who change sex": lambda slips: slips.sex,
    "things that change into others": lambda slips: slips.changed,
    "the same sentence twice": lambda slips: slips.twice,
}
"""By what they are called wherever they are told."""


def find_slips(opening: str, text: str, lexicon: Lexicon) -> Slips:
    """What slips in `text`, which goes on from `opening`."""
    return Slips(
        nowhere=from_nowhere(opening, text, lexicon),
        sex=sex_changed(opening + text, lexicon),
        changed=thing_changed(opening, text, lexicon),
        twice=said_twice(opening, text),
    )


def from_nowhere(opening: str, text: str, lexicon: Lexicon) -> Pair:
    """Names in `text` that come up without a word that introduces them."""
    whole = Story(opening + text)
    named = whole.named(lexicon.names)
    met = {name for (start, _), name in named if start < len(opening)}
    new = 0
    nowhere = 0
    for start, end in whole.sentences:
        for (at, behind), name in named:
            if not start <= at < end or name in met:
                continue
            met.add(name)
            new += 1
            before = [word.lower() for word in WORD_OR_MARK.findall(whole.text[start:at])][-NEAR:]
            after = [word.lower() for word in WORD_OR_MARK.findall(whole.text[behind:end])[:2]]
            own = {word for word in before if word in INTRODUCES or word.endswith(("'s", "’s"))}
            told = after[:1] == [","] and after[1:] and after[1] in INTRODUCES | {KNOWN}
            nowhere += not own and not told
    return nowhere, new


def sex_changed(text: str, lexicon: Lexicon) -> Pair:
    """People who are “he” and “she”, of those of whom the text tells one."""
    found: dict[str, set[str]] = {}
    for who, sex in _sexes(Story(text), lexicon):
        found.setdefault(who, set()).add(sex)
    for who, sexes in found.items():
        if who in lexicon.sexes:
            sexes.add(lexicon.sexes[who])
    return sum(len(sexes) > 1 for sexes in found.values()), len(found)


def _sexes(story: Story, lexicon: Lexicon) -> Iterator[tuple[str, str]]:
    """Whom a text calls “he” or “she”, wherever it can be nobody else: names nobody and no being
    but one, at the beginning of the sentence or in the one before."""
    about = ""
    for start, end in story.sentences:
        found = WORD_OR_MARK.findall(story.text[start:end])
        words = [word.lower() for word in found]
        names = [
            plain(word) if word[0].isupper() and plain(word) in lexicon.names else ""
            for word in found
        ]
        for at, name in enumerate(names):
            if name and (sex := GENDERED.get(title(words, at))) is not None:
                yield name, sex
        others = any(
            word in GENDERED or word in lexicon.beings
            for word, name in zip(words, names, strict=True)
            if not name
        )
        here = set(filter(None, names))
        if others or SPEECH.search(story.text, start, end) or len(here) > 1:
            about = ""
        elif here and any(names[:FIRST]):
            (about,) = here
            first = next(at for at, name in enumerate(names) if name)
            yield from ((about, SEX[word]) for word in words[first:] if word in SEX)
        elif about and not here and words and words[0] in SEX:
            yield about, SEX[words[0]]
        else:
            about = ""


def thing_changed(opening: str, text: str, lexicon: Lexicon) -> Pair:
    """Things of `text` that are “the” from the first, where one of their kind was there before."""
    words = WORD_OR_MARK.findall((opening + text).lower())
    begun = len(WORD_OR_MARK.findall(opening.lower()))
    met: set[str] = set()
    changed = of = 0
    for at, word in enumerate(words):
        thing = lexicon.things.get(word)
        if thing is None or word in met:
            continue
        if (
            at >= begun
            and thing.documents >= LEAST_SEEN
            and thing.known <= SELDOM_KNOWN * thing.documents
        ):
            of += 1
            changed += article(words, at) == KNOWN and not met.isdisjoint(thing.like)
        met.add(word)
    return changed, of


def said_twice(opening: str, text: str) -> Pair:
    """Sentences of `text` that stood there before, to the word; short ones do not count."""
    whole = Story(opening + text)
    met: set[tuple[str, ...]] = set()
    twice = of = 0
    for start, end in whole.sentences:
        words = tuple(SPELT.findall(whole.text[start:end].lower()))
        if len(words) >= LEAST_WORDS and start >= len(opening.rstrip()):
            of += 1
            twice += words in met
        met.add(words)
    return twice, of
