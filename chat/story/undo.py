"""Undo and redo: the stories that were, kept as they were."""

from dataclasses import dataclass, replace

from chat.story.tree import Story

STEPS = 200
"""The most changes that can be undone. Stories share their passages, so a step costs little."""


@dataclass(frozen=True, slots=True)
class History:
    """A story, what it was before each change, and what was taken back.

    Attributes:
        past: Oldest first.
        future: What `redo` brings, next one first.
    """

    story: Story
    past: tuple[Story, ...] = ()
    future: tuple[Story, ...] = ()

    def change(self, story: Story) -> "History":
        """Go on with `story`; what was taken back before is gone. The same story is no change."""
        if story is self.story:
            return self
        return History(story, (*self.past, _light(self.story))[-STEPS:])

    def undo(self, count: int = 1) -> "History":
        """Take the last changes back, as many as there are; with none, itself."""
        if not self.past or count < 1:
            return self
        back = History(self.past[-1], self.past[:-1], (_light(self.story), *self.future))
        return back.undo(count - 1)

    def redo(self, count: int = 1) -> "History":
        """Do again what was taken back last, as much as there is; with nothing, itself."""
        if not self.future or count < 1:
            return self
        on = History(self.future[0], (*self.past, _light(self.story)), self.future[1:])
        return on.redo(count - 1)


def _light(story: Story) -> Story:
    """The story without its text and tables, which a Story keeps once they were asked for."""
    return replace(story)
