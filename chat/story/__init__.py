"""The story as data: its tree, editing and undoing, its library on disk, files in and out."""

from chat.story.tree import (
    ENDINGS,
    Author,
    Choice,
    FinishReason,
    Passage,
    Story,
    StoryError,
    StoryToken,
    new_id,
)

__all__ = [
    "ENDINGS",
    "Author",
    "Choice",
    "FinishReason",
    "Passage",
    "Story",
    "StoryError",
    "StoryToken",
    "new_id",
]
