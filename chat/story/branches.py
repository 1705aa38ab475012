"""The branches of a story: where it forks, what tells one way on from the others, their names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from chat.story.passage import Passage, StoryError
from chat.story.tree import LONGEST_NAME, Story
from gpt.files import printable
from gpt.text.differing import same_beginning

LOOKED_AT = 4000
"""Characters of a branch in which the first that differ are looked for."""
MOST_LOOKED_AT = 200
"""Passages that they may come from: a story may have thousands that are a letter long, or none."""
SHOWN = 70
"""Characters of it that are shown."""
LONGEST_WORD = 24
"""Characters back to the beginning of the word that differs; not every script has spaces."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One of the ways on from a fork.

    Attributes:
        passage: Id of its first passage; the branch is chosen, named and deleted by it.
        name: The writer's; "" for none.
        words: Its first words that no other branch here has, in one line; where there are none,
            its last ones.
        ends: It has no words of its own: another branch goes on where this one ends.
        length: Its words, to the end of the way that was last read in it.
        written_s: When its newest passage was written; None where that was not kept.
        shown: The path goes through it.
        fork: Where it forks on, the id of the last passage before that; None where it does not.
    """

    passage: str
    name: str
    words: str
    ends: bool
    length: int
    written_s: float | None
    shown: bool
    fork: str | None


@dataclass(frozen=True, slots=True)
class Fork:
    """A place where the story goes on in several ways.

    Attributes:
        at: Id of the passage before it; None where the story begins in several ways.
        after: The last words before it, in one line.
        on_path: The path comes by here.
        branches: Oldest first.
    """

    at: str | None
    after: str
    on_path: bool
    branches: tuple[Branch, ...]


def forks(story: Story) -> list[Fork]:
    """All forks, in the order that they are read in: a branch with all of its own before the next.

    It takes 20 ms for a thousand passages of a long novel; call it off the event loop.
    """
    lengths, newest, onward = _from_the_ends(story)
    path = {passage.id for passage in story.path}
    found: list[Fork] = []
    waiting: list[str | None] = [None]
    while waiting:
        at = waiting.pop()
        ways = story.after(at)
        waiting += [each.id for each in reversed(ways)]
        if len(ways) < 2:
            continue
        branches = [
            Branch(
                passage=way.id,
                name=story.names.get(way.id, ""),
                words=words,
                ends=ends,
                length=lengths[way.id],
                written_s=newest[way.id],
                shown=way.id in path,
                fork=onward[way.id],
            )
            for way, (words, ends) in zip(ways, first_words(story, ways), strict=True)
        ]
        after = _last_words(story.passage(at).text) if at else ""
        found.append(Fork(at, after, at is None or at in path, tuple(branches)))
    return found


def name_branch(story: Story, passage_id: str, name: str) -> Story:
    """Call the branch that begins with a passage by a name; an empty one takes the name away.

    Raises:
        StoryError: There is no such passage, or the name is too long.
    """
    story.passage(passage_id)
    name = printable(" ".join(name.split()))
    if len(name) > LONGEST_NAME:
        raise StoryError(
            f"The name of a branch has up to {LONGEST_NAME} characters, and this one {len(name):,}."
        )
    names = {id: known for id, known in story.names.items() if id != passage_id}
    if name:
        names[passage_id] = name
    return story if names == story.names else replace(story, names=names)


def delete_branch(story: Story, passage_id: str) -> Story:
    """Take a branch out of the tree: a passage with all that follows it. Where the path goes
    through it, it goes through the branch beside it from now on.

    Raises:
        StoryError: There is no such passage, or no other one in its place.
    """
    ways = [each.id for each in story.alternatives(passage_id)]
    if len(ways) < 2:
        raise StoryError("This is the only way on from here: there is no branch beside it.")
    gone = {passage_id}
    for each in story.passages:  # a parent stands before its children
        if each.parent in gone:
            gone.add(each.id)
    place = ways.index(passage_id)
    beside = ways[place + 1] if place + 1 < len(ways) else ways[place - 1]
    parent = story.passage(passage_id).parent
    if passage_id in {each.id for each in story.path}:
        story = story.choose(beside)
    read = {id: beside if child == passage_id else child for id, child in story.read.items()}
    return replace(
        story,
        passages=tuple(each for each in story.passages if each.id not in gone),
        read={id: child for id, child in read.items() if id == parent or id not in gone},
        names={id: name for id, name in story.names.items() if id not in gone},
    )


def first_words(story: Story, ways: Sequence[Passage]) -> list[tuple[str, bool]]:
    """For each of the ways on from one place its `Branch.words`, and whether it `Branch.ends`."""
    beginnings = [_beginning(story, way) for way in ways]
    texts = [text for text, _ in beginnings]
    # In order, the one that a text shares most with stands beside it.
    order = sorted(range(len(texts)), key=lambda at: texts[at])
    shared = [0] * len(texts)
    for one, other in pairwise(order):
        same = same_beginning(texts[one], texts[other])
        shared[one], shared[other] = max(shared[one], same), max(shared[other], same)
    return [
        _differing(text, same, whole=whole)
        for (text, whole), same in zip(beginnings, shared, strict=True)
    ]


def _from_the_ends(
    story: Story,
) -> tuple[dict[str, int], dict[str, float | None], dict[str, str | None]]:
    """By passage: the words from it on, its newest `written_s`, and where it forks on."""
    lengths: dict[str, int] = {}
    newest: dict[str, float | None] = {}
    onward: dict[str, str | None] = {}
    for passage in reversed(story.passages):  # children before their parent
        ways = story.after(passage.id)
        following = story.read.get(passage.id)
        lengths[passage.id] = len(passage.text.split())
        if following is not None:
            parts_word = _meet(passage.text, story.passage(following).text)
            lengths[passage.id] += lengths[following] - parts_word
        times = [passage.written_s, *(newest[way.id] for way in ways)]
        newest[passage.id] = max((each for each in times if each is not None), default=None)
        onward[passage.id] = passage.id if len(ways) > 1 else None
        if len(ways) == 1:
            onward[passage.id] = onward[ways[0].id]
    return lengths, newest, onward


def _meet(before: str, after: str) -> bool:
    """Whether a word begins in one text and ends in the other."""
    return bool(before and after) and not (before[-1].isspace() or after[0].isspace())


def _beginning(story: Story, way: Passage) -> tuple[str, bool]:
    """The first characters of a branch, the way it was last read, and whether they are all."""
    text, following, count = way.text, story.read.get(way.id), 1
    while len(text) < LOOKED_AT and following is not None and count < MOST_LOOKED_AT:
        text += story.passage(following).text
        following = story.read.get(following)
        count += 1
    return text[:LOOKED_AT], following is None and len(text) < LOOKED_AT


def _differing(text: str, same: int, *, whole: bool) -> tuple[str, bool]:
    """What stands in a text behind the first `same` characters, from the word that they end in."""
    if not text[same:].strip():
        return _last_words(text), whole
    at = same
    while at and same - at < LONGEST_WORD and not text[at - 1].isspace():
        at -= 1
    words = " ".join(text[at : at + 4 * SHOWN].split())
    if len(words) > SHOWN:
        end = words.rfind(" ", SHOWN // 2, SHOWN + 1)
        words = words[: end if end > 0 else SHOWN] + " …"
    return ("… " if text[:at].strip() else "") + words, False


def _last_words(text: str) -> str:
    words = " ".join(text[-4 * SHOWN :].split())
    if len(words) <= SHOWN:
        return words
    tail = words[-SHOWN:]
    return "… " + (tail.partition(" ")[2] or tail)
