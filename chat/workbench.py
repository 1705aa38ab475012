"""A writer's own place in the workshop: a text is brought, looked at, and trained on."""

import re
from collections.abc import Container
from pathlib import Path

from chat.asking import RefusedError
from chat.export import FileError, Pieces
from chat.workshop import Lesson, Workshop

MOST_BYTES = 5_000_000
LEAST_CHARACTERS = 2000
"""A validation part of a tenth of it must still say something."""
NO_TEXT = "Bring a text first: drop a .txt into the panel, or choose one."


class Workbench:
    """A writer's own place in the workshop, with the text that was brought to it last.

    Args:
        others: There are other writers than this one, with whom a model could be shared.
    """

    def __init__(self, workshop: Workshop, owner: str, *, others: bool = True) -> None:
        self.workshop = workshop
        self.owner = owner
        self.others = others
        self.pieces = Pieces()
        self.brought: tuple[str, str] | None = None
        self.lesson: Lesson | None = None

    def bring(self, name: str, part: int, of: int, text: str) -> bool:
        """Take in a piece of a file; True with the last one.

        Raises:
            RefusedError: It did not arrive whole, or nothing can be learnt from it.
        """
        self.brought = self.lesson = None
        try:
            whole = self.pieces.add(name, part, of, text)
        except FileError as error:
            raise RefusedError(str(error)) from error
        if whole is None:
            return False
        name, text = whole
        text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        check(name, text)
        self.brought = (name, text)
        return True

    async def plan(self, checkpoint: Path | None) -> Lesson:
        """How long a training on the text would take, and how large its model would be.

        Raises:
            RefusedError: There is no text, or it cannot be trained on.
        """
        if self.brought is None:
            raise RefusedError(NO_TEXT)
        name, text = self.brought
        plan = await self.workshop.plan(text, checkpoint)
        lesson = Lesson(name=name, text=text, plan=plan, checkpoint=checkpoint)
        self.lesson = lesson
        return lesson

    def start(self, taken: Container[str] = ()) -> str:
        """Begin what was planned last; its name.

        Args:
            taken: Names that other models have.

        Raises:
            RefusedError: Nothing was planned, or another training runs.
        """
        if self.lesson is None:
            raise RefusedError(NO_TEXT)
        return self.workshop.start(self.owner, self.lesson, taken)


def check(name: str, text: str) -> None:
    """Raise RefusedError, saying why, for a text that nothing can be learnt from."""
    size = len(text.encode("utf-8", "replace"))
    if size > MOST_BYTES:
        raise RefusedError(
            f"“{name[:60]}” has {size / 1e6:.1f} MB; here up to {MOST_BYTES / 1e6:.0f} MB can be "
            "trained on. For more, see “Train your own” in the README."
        )
    if len(text.strip()) < LEAST_CHARACTERS:
        raise RefusedError(
            f"“{name[:60]}” has {len(text.strip()):,} characters; with fewer than "
            f"{LEAST_CHARACTERS:,} there is nothing to learn from."
        )
    if re.search("[\ud800-\udfff]", text):
        raise RefusedError(f"“{name[:60]}” holds halves of characters: save it as UTF-8 text anew.")
    odd = sum(not (c.isprintable() or c in "\n\r\t\f\u2028") for c in text)
    if "\0" in text or odd > len(text) / 100:
        raise RefusedError(f"“{name[:60]}” is no plain text: it is full of control characters.")
