"""The story: a tree of passages, of which one path is read. It is the truth; a page only shows it.

A `Story` is never changed: every operation gives a new one, so that keeping the old one is all an
undo needs (chat/story/undo.py). Text, ids and settings of a passage stay as they were made, and
what the model reads next is exactly what it wrote before. What a writer does to words that stand
there already (edit them, cut them) is in chat/story/editing.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any

from chat.story.passage import Passage, StoryError, entry_of, new_id, passage_of, says_its_ids
from gpt.files import is_printable
from gpt.text.straight import encode_straight
from gpt.tokenizers import Tokenizer

FORMAT = 1
LONGEST_TITLE = 120
"""Characters: a text need have no spaces."""
LONGEST_NAME = 60
"""Characters of the name of a branch."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """Passages in the order they were written, and the one that the read path ends in.

    Attributes:
        passages: Every passage ever written; a parent always stands before its children.
        current: Id of the last passage of the path; None while nothing is written.
        read: For a passage, the one of its children through which the path went when it was last
            read; none where the path ended. So the way on from an alternative is found again.
        names: What the writer calls branches, by the passage that each begins with.
    """

    id: str = field(default_factory=new_id)
    passages: tuple[Passage, ...] = ()
    current: str | None = None
    read: Mapping[str, str] = field(default_factory=dict[str, str])
    names: Mapping[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def by_id(self) -> dict[str, Passage]:
        return {passage.id: passage for passage in self.passages}

    @cached_property
    def path(self) -> tuple[Passage, ...]:
        """The passages that make up the text, first to last."""
        return self.way_to(self.current)

    def way_to(self, passage_id: str | None) -> tuple[Passage, ...]:
        """All passages from the first word to `passage_id`, itself included.

        Raises:
            StoryError: There is no such passage.
        """
        way: list[Passage] = []
        while passage_id is not None:
            way.append(self.passage(passage_id))
            passage_id = way[-1].parent
        return tuple(reversed(way))

    def passage(self, passage_id: str) -> Passage:
        """The passage with this id; StoryError where there is none."""
        if passage_id not in self.by_id:
            raise StoryError(f"no passage {passage_id[:40]} in the story")
        return self.by_id[passage_id]

    @cached_property
    def _children(self) -> dict[str | None, tuple[Passage, ...]]:
        families = groupby(sorted(self.passages, key=_parent), key=_parent)
        return {parent or None: tuple(children) for parent, children in families}

    def alternatives(self, passage_id: str) -> tuple[Passage, ...]:
        """The passages that stand in the same place, itself among them, oldest first."""
        return self._children[self.passage(passage_id).parent]

    def after(self, passage_id: str | None) -> tuple[Passage, ...]:
        """The passages that were written right after this one, oldest first; None: at the start."""
        return self._children.get(passage_id, ())

    @property
    def following(self) -> tuple[Passage, ...]:
        """The passages that were written where the path ends now."""
        return self.after(self.current)

    @cached_property
    def text(self) -> str:
        return "".join(passage.text for passage in self.path)

    @property
    def last(self) -> Passage | None:
        return self.path[-1] if self.path else None

    @property
    def ended(self) -> bool:
        """Whether the model itself closed the story, and nobody has gone on since."""
        return self.last is not None and self.last.finish_reason == "end"

    @property
    def title(self) -> str:
        """The first words, for a list of stories."""
        words = self.text.split(maxsplit=6)
        first = " ".join(words[:6])
        cut = len(words) > 6 or len(first) > LONGEST_TITLE
        return first[:LONGEST_TITLE] + ("…" if cut else "") or "A blank page"

    def append(self, passage: Passage) -> "Story":
        """The story with `passage` after the current one; it becomes the current one."""
        if passage.id in self.by_id:
            raise StoryError(
                f"passage {passage.id} is already in the story: give the new one an id of its own"
            )
        passage = replace(passage, parent=self.current)
        return replace(self, passages=(*self.passages, passage)).at(passage.id)

    def at(self, passage_id: str | None) -> "Story":
        """The same tree, read up to `passage_id` (None: before the first word).

        Nothing is lost: what came after it stays in the tree, one of its children or alternatives.
        """
        way = [passage.id for passage in self.way_to(passage_id)]
        read = {**self.read, **dict(pairwise(way))}
        if way:
            read.pop(way[-1], None)
        if (passage_id, read) == (self.current, self.read):
            return self
        return replace(self, current=passage_id, read=read)

    def choose(self, passage_id: str) -> "Story":
        """Read through `passage_id`, and on from there the way it was last read."""
        self.passage(passage_id)
        while passage_id in self.read:
            passage_id = self.read[passage_id]
        return self.at(passage_id)

    def step(self, passage_id: str, by: int) -> "Story":
        """Read an alternative `by` places after `passage_id`; itself where there is none."""
        ids = [passage.id for passage in self.alternatives(passage_id)]
        place = ids.index(passage_id) + by
        return self.choose(ids[place]) if 0 <= place < len(ids) else self

    def prompt_ids(self, model: str, tokenizer: Tokenizer) -> list[int]:
        """What `model` reads: what a story begins after, then this story as ids; see `ids_of`."""
        return [tokenizer.bos_id, *ids_of(self.path, model, tokenizer)]

    def to_dict(self) -> dict[str, Any]:
        """The whole tree, ready for JSON; `from_dict` gives the same story back."""
        passages = [entry_of(passage) for passage in self.passages]
        # Older versions know no names, and read over them.
        names = {"names": dict(self.names)} if self.names else {}
        return {
            "format": FORMAT,
            "id": self.id,
            "current": self.current,
            "read": dict(self.read),
            **names,
            "passages": passages,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> "Story":
        """Read what `to_dict` wrote.

        Raises:
            StoryError: It is no story, or its tree does not hold together.
        """
        try:
            if data["format"] != FORMAT:
                raise StoryError(
                    f"story format {data['format']} is not known; this version reads {FORMAT}"
                )
            passages = tuple(passage_of(entry) for entry in data["passages"])
            story = Story(
                id=str(data["id"]),
                passages=passages,
                current=data["current"],
                read=dict(data["read"]),
                names=dict(data.get("names", {})),
            )
            _hold_together(story)
        except StoryError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            # What Python says of it would tell a writer nothing.
            raise StoryError("this is not a story that was exported here") from error
        # The path itself is read, whatever the file says of it.
        return story.at(story.current)


def ids_of(passages: Iterable[Passage], model: str, tokenizer: Tokenizer) -> list[int]:
    """Passages that follow each other, as the ids that `model` reads.

    One whose ids are the model's own, and still say its text (a model may have been trained anew
    under its name), is read with just those. What others wrote is encoded again, neighbours
    together, as one text, typographic marks as the model knows them.

    Raises:
        UnknownCharacterError: The tokenizer never saw a character of theirs.
    """

    def is_own(passage: Passage) -> bool:
        return passage.model == model and says_its_ids(tokenizer, passage)

    ids: list[int] = []
    for own, group in groupby(passages, key=is_own):
        if own:
            ids += (id for passage in group for id in passage.ids)
        else:
            ids += encode_straight("".join(passage.text for passage in group), tokenizer)
    return ids


def _hold_together(story: Story) -> None:
    """Raise StoryError for a tree that is none, TypeError for ids that can be none."""
    known: set[str | None] = {None}
    for passage in story.passages:
        if passage.parent not in known or passage.id in known:
            raise StoryError(f"passage {str(passage.id)[:40]} has no place in the tree")
        known.add(passage.id)
    if story.current not in known:
        raise StoryError(f"the story ends in passage {str(story.current)[:40]}, which is not in it")
    for parent, child in story.read.items():
        if child not in story.by_id or story.by_id[child].parent != parent:
            raise StoryError(f"passage {str(parent)[:40]} was not read on to {str(child)[:40]}")
    for passage_id, name in story.names.items():
        if passage_id not in story.by_id or not is_name(name):
            raise StoryError(f"the name of the branch at passage {str(passage_id)[:40]} is none")


def is_name(name: object) -> bool:
    """Whether a branch can be called so: one line of text that can be shown."""
    return isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and is_printable(name)


def _parent(passage: Passage) -> str:
    return passage.parent or ""
