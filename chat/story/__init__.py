"""The story as data: its tree, editing and undoing, its library on disk, files in and out."""

from chat.story.context import Context, ContextError
from chat.story.passage import (
    ENDINGS,
    OLDER_CORE,
    Author,
    FinishReason,
    Passage,
    StoryError,
    new_id,
)
from chat.story.tokens import StoryToken, TokenChoice
from chat.story.tree import Story

__all__ = [
    "ENDINGS",
    "OLDER_CORE",
    "Author",
    "Context",
    "ContextError",
    "FinishReason",
    "Passage",
    "Story",
    "StoryError",
    "StoryToken",
    "TokenChoice",
    "new_id",
]
