"""Undo and redo as the library keeps them: what differs from one state of a story to the next.

Each state is told by the one that stands nearer to the story: how many of its passages are the
same, which follow them, which places of the path were read otherwise, and which branches had
another name. A passage that is in the story is named by its id; only one that is not (it was undone
or deleted) is kept with its words. Where a branch was deleted in between, the passages that both
states end with are but counted.
"""

import json
import logging
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chat.errors import in_one_line
from chat.story.passage import Passage, StoryError, passage_json, passage_of, with_tokens
from chat.story.tree import Story, is_name
from gpt.files.strict_json import is_list

log = logging.getLogger(__name__)

STEPS = 100
"""The most changes that can be undone, and done again, once a story is opened anew."""
MOST_CHARACTERS = 4_000_000
"""Of the passages that are not in the story, as JSON; beyond, they are kept without the tokens that
might have stood there, which are nearly all of it."""
MOST_WORDS = 1_000_000
"""Of those without, as JSON. The changes that would need more, and those beyond, are not kept."""

Stories = Sequence[Story]


def undo_json(story: Story, past: Stories, future: Stories) -> str:
    """The JSON that `read_undo` reads.

    Args:
        past: Oldest first.
        future: Next one first.
    """
    pool = _Pool(story)
    steps = {
        "past": _steps(story, past[: -STEPS - 1 : -1], pool),
        "future": _steps(story, future[:STEPS], pool),
    }
    head = json.dumps({"of": _order(story), **steps, "passages": []})
    return head.removesuffix("]}") + ", ".join(pool.entries) + "]}"


def read_undo(story: Story, data: object) -> tuple[tuple[Story, ...], tuple[Story, ...]]:
    """Past and future of a story, from what `undo_json` wrote of it.

    What does not hold together, or is of another state of the story, is none: a line in the log
    says so.
    """
    if data is None:
        return (), ()
    try:
        return _read(story, data)
    except (StoryError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        log.warning("what could be undone in a story is damaged: %s", in_one_line(error))
        return (), ()


class _Pool:
    """The passages that the steps need and the story does not have, each once."""

    def __init__(self, story: Story) -> None:
        self.entries: list[str] = []
        self._known = story.by_id
        self._places: dict[str, int] = {}
        self._characters = 0
        self._words = 0

    def refer(self, passages: Iterable[Passage]) -> list[Any] | None:
        """How the passages are named; None where there is no room for them."""
        names: list[Any] = []
        for passage in passages:
            if self._known.get(passage.id) == passage:
                names.append(passage.id)
                continue
            if passage.id not in self._places:
                entry = self._entry(passage)
                if entry is None:
                    return None
                self._places[passage.id] = len(self.entries)
                self.entries.append(entry)
            names.append(self._places[passage.id])
        return names

    def _entry(self, passage: Passage) -> str | None:
        # One at a time: nothing else runs while `json` is at a text.
        if self._characters <= MOST_CHARACTERS:
            entry = passage_json(passage)
            self._characters += len(entry)
            if self._characters <= MOST_CHARACTERS:
                return entry
        entry = passage_json(replace(passage, tokens=()))
        self._words += len(entry)
        return entry if self._words <= MOST_WORDS else None


def _steps(story: Story, states: Iterable[Story], pool: _Pool) -> list[dict[str, Any]]:
    """The states, nearest first, each by the one before it."""
    steps: list[dict[str, Any]] = []
    for state in states:
        same = _same(story.passages, state.passages)
        tail = _same(story.passages[same:][::-1], state.passages[same:][::-1])
        put = pool.refer(state.passages[same : len(state.passages) - tail])
        if put is None:
            break
        read, names = _changed(story.read, state.read), _changed(story.names, state.names)
        put = [*put, [tail]] if tail else put
        step = {"same": same, "put": put, "current": state.current, "read": read}
        steps.append({**step, "names": names} if names else step)
        story = state
    return steps


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str | None]:
    """What `after` says otherwise; None for what it does not have."""
    changed: dict[str, str | None] = dict(after.items() - before.items())
    return changed | dict.fromkeys(before.keys() - after.keys())


def _same(one: Sequence[Passage], other: Sequence[Passage]) -> int:
    """How many passages both begin with."""
    shorter = min(len(one), len(other))
    if one[:shorter] == other[:shorter]:
        return shorter
    return next(at for at in range(shorter) if one[at] != other[at])


def _order(story: Story) -> list[int]:
    """Tells whether a story has just these passages in this order."""
    ids = " ".join(passage.id for passage in story.passages)
    return [len(story.passages), zlib.crc32(ids.encode("utf-8", "replace"))]


def _read(story: Story, data: Any) -> tuple[tuple[Story, ...], tuple[Story, ...]]:
    if data["of"] != _order(story):
        raise StoryError("it is of another state of the story")
    pool = [passage_of(with_tokens(entry)) for entry in data["passages"]]
    past = _states(story, data["past"], pool)
    return tuple(reversed(past)), tuple(_states(story, data["future"], pool))


def _states(story: Story, steps: Any, pool: Sequence[Passage]) -> list[Story]:
    """Raises what `read_undo` catches."""
    if not is_list(steps) or len(steps) > STEPS:
        raise StoryError(f"up to {STEPS} changes were expected")
    known, states = story.by_id, list[Story]()
    for step in steps:
        same: int = step["same"]
        changed: dict[str, str | None] = step["read"]
        names: dict[str, str | None] = step.get("names", {})
        if not 0 <= same <= len(story.passages):
            raise StoryError(f"the state before has no {str(same)[:20]} passages")
        put = _put(story.passages[same:], step["put"], known, pool)
        story = Story(
            id=story.id,
            passages=(*story.passages[:same], *put),
            current=step["current"],
            read=_with(story.read, changed),
            names=_with(story.names, names),
        )
        _hold_together(story, put, changed, names)
        states.append(story)
    return states


def _put(
    rest: Sequence[Passage],
    told: Sequence[Any],
    known: Mapping[str, Passage],
    pool: Sequence[Passage],
) -> list[Passage]:
    """The passages of a state behind the first ones; `rest` are those of the state before it."""
    tail = 0
    if told and is_list(told[-1]):
        *told, (tail,) = told
        if not 0 < _index(tail) <= len(rest):
            raise StoryError("the state before has no such end")
    put = [known[name] if isinstance(name, str) else pool[_index(name)] for name in told]
    return [*put, *rest[len(rest) - tail :]]


def _with(before: Mapping[str, str], changed: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in {**before, **changed}.items() if value is not None}


def _index(name: object) -> int:
    if not isinstance(name, int) or name < 0:
        raise StoryError("a passage is named by no number")
    return name


def _hold_together(
    story: Story,
    put: Sequence[Passage],
    read: Mapping[str, str | None],
    names: Mapping[str, str | None],
) -> None:
    """Raise StoryError for a tree that is none. What it has of a sound one need not be looked at
    again: there may be thousands of passages, and a hundred states."""
    ids = {passage.id for passage in story.passages}
    before = {passage.id for passage in story.passages[: len(story.passages) - len(put)]}
    for passage in put:
        if passage.id in before or not (passage.parent is None or passage.parent in before):
            raise StoryError(f"passage {passage.id[:40]} has no place in the tree")
        before.add(passage.id)
    if story.current is not None and story.current not in ids:
        raise StoryError("a state ends in a passage that is not in it")
    if not ids.issuperset(story.read.values()):
        raise StoryError("a state was read on to a passage that is not in it")
    parents = {passage.id: passage.parent for passage in story.passages} if read else {}
    if any(child is not None and parents[child] != parent for parent, child in read.items()):
        raise StoryError("a state was read on in a way that the tree does not have")
    if not ids.issuperset(story.names) or not all(
        name is None or is_name(name) for name in names.values()
    ):
        raise StoryError("a state has a name of a branch that is none")
