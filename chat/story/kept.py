"""A story with what its chat was set to, and how a row of the library says it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chat.settings import Value
from chat.story.context import Context
from chat.story.kept_undo import read_undo, undo_json
from chat.story.passage import with_tokens
from chat.story.tree import Story

PRESET = "preset"
CONTEST = "contest"
"""Among the settings of a story stand the preset that was picked for it, and a blind contest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A story with what its chat was set to.

    Attributes:
        settings: By name, as `chat.settings.layer` gives them.
        model: The key of the model that was picked.
        preset: The name of the preset that was picked; None for none.
        contest: Of a blind contest that waits for its vote, what brings it back; else None.
        context: What is read beside the story.
        past: What can be undone, oldest first, and `future`, what can be done again, next one
            first; of both the nearest (`chat.story.kept_undo`).
        partial: A model writes on: it is kept in case the app is killed before it is done.
        changed_s: When it was changed last, where it was read from the library; see
            `chat.story.library.Saved`.
    """

    story: Story
    settings: Mapping[str, Value]
    model: str | None
    preset: str | None = None
    contest: Mapping[str, object] | None = None
    context: Context = field(default_factory=Context)
    past: tuple[Story, ...] = ()
    future: tuple[Story, ...] = ()
    partial: bool = False
    changed_s: float | None = field(default=None, compare=False)


def kept_of(row: Sequence[Any], data: Sequence[str]) -> Kept:
    """A story from its row (head, settings, model, changed_s) and those of its passages.

    Raises:
        ValueError, TypeError, KeyError, AttributeError, RecursionError: They are damaged.
    """
    head, settings, model = json.loads(row[0]), json.loads(row[1]), row[2]
    preset, contest = settings.pop(PRESET, None), settings.pop(CONTEST, None)
    passages = [with_tokens(json.loads(each)) for each in data]
    # A window that was behind may have kept a place that another one took out.
    ids = {each["id"] for each in passages}
    if head["current"] not in ids:
        head["current"] = passages[-1]["id"] if passages and head["current"] else None
    read = head.get("read", {})
    head["read"] = {key: child for key, child in read.items() if {key, child} <= ids}
    head["names"] = {key: name for key, name in head.get("names", {}).items() if key in ids}
    story = Story.from_dict({**head, "passages": passages})
    past, future = read_undo(story, head.get("undo"))
    return Kept(
        story=story,
        settings=settings,
        model=model,
        preset=preset,
        contest=contest,
        context=Context.of(head["context"]) if "context" in head else Context(),
        past=past,
        future=future,
        changed_s=row[3],
    )


def head_json(kept: Kept) -> str:
    """All of a story but its passages, with what older versions do not look at: what is read beside
    it, and what can be undone in it."""
    head = replace(kept.story, passages=()).to_dict()
    del head["passages"]
    if kept.context:
        head["context"] = kept.context.to_dict()
    if not (kept.past or kept.future):
        return json.dumps(head)
    undo = undo_json(kept.story, kept.past, kept.future)
    return f'{json.dumps(head).removesuffix("}")}, "undo": {undo}}}'


def settings_json(kept: Kept) -> str:
    return json.dumps({**kept.settings, PRESET: kept.preset, CONTEST: kept.contest})
