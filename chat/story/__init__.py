"""The story as data: its tree, editing and undoing, its library on disk, files in and out."""

from chat.story.tree import (
    ENDINGS,
    Author,
    FinishReason,
    Passage,
    Story,
    StoryError,
    StoryToken,
    TokenChoice,
    new_id,
)

__all__ = [
    "ENDINGS",
    "Author",
    "FinishReason",
    "Passage",
    "Story",
    "StoryError",
    "StoryToken",
    "TokenChoice",
    "new_id",
]
