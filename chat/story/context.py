"""Memory and author's note: what a model reads beside the story, of which they are no part.

Memory stands first in the window, the note some paragraphs before the story's end. Both stay there
when the window slides (`gpt.text.prompt.Keep`). They are the chat's, as its settings are, and a
passage keeps those it was written with, so that it can come again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gpt.files import plain_text
from gpt.tokenizers.pieces import whole_characters

LONGEST_MEMORY = 10_000
LONGEST_NOTE = 2_000
"""Characters."""
DEPTHS = range(1, 21)
USUAL_DEPTH = 3
"""Of a note, in paragraphs."""


class ContextError(ValueError):
    """It is no memory or note; the message says why, for a writer."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a model reads beside the story; false where there is nothing.

    Attributes:
        memory: Stands first, on lines of its own.
        note: The author's note, on lines of its own before the last `depth` paragraphs.
    """

    memory: str = ""
    note: str = ""
    depth: int = USUAL_DEPTH

    def __bool__(self) -> bool:
        return bool(self.memory or self.note)

    @staticmethod
    def of(data: Mapping[str, object]) -> "Context":
        """The one that a page, a file or the library tells of; nobody is trusted.

        Raises:
            ContextError: It is none; the message says why, for a writer.
        """
        match data:
            case {"memory": str(memory), "note": str(note), "depth": int(depth)} if (
                depth in DEPTHS and not isinstance(depth, bool)
            ):
                pass
            case _:
                raise ContextError(
                    "memory and note are texts, and the note's place is a number of paragraphs, "
                    f"{DEPTHS[0]} to {DEPTHS[-1]}"
                )
        memory, note = (plain_text(whole_characters(each)).strip() for each in (memory, note))
        for text, most, what in ((memory, LONGEST_MEMORY, "memory"), (note, LONGEST_NOTE, "note")):
            if len(text) > most:
                raise ContextError(
                    f"the {what} has {len(text):,} characters, and {most:,} are the most: "
                    "shorten it"
                )
        return Context(memory, note, depth)

    def to_dict(self) -> dict[str, str | int]:
        """Ready for JSON; `of` gives the same back."""
        return {"memory": self.memory, "note": self.note, "depth": self.depth}

    @property
    def parts(self) -> str:
        """Which of the two there are, in words."""
        named = (("memory", self.memory), ("author’s note", self.note))
        return ", ".join(name for name, text in named if text)


NO_CONTEXT = Context()
