"""`Upload`: a writer's text on its way from the page to a training."""

import asyncio
import re
from collections.abc import Container
from pathlib import Path
from typing import Any

from chat.errors import RefusedError
from chat.jobs.training_jobs import PlannedTraining, TrainingJobs
from chat.story.pieces import FileError, FilePieces, Room, joined
from chat.turns import Say
from gpt.engine.fair_queue import Path as WriterKey
from gpt.files import count_controls, plain_text
from gpt.files.text import LOOKED_AT, no_prose
from gpt.text.scripts import WORD

MOST_BYTES = 5_000_000
LITTLE_BYTES = 1_000_000
"""A model that learns a shorter text from nothing writes gibberish (docs/finetuning.md).
`train.reports.text_report` has the same figure, which a test holds."""
LEAST_CHARACTERS = 2000
"""A validation part of a tenth of it must still say something."""
GIVEN_UP = "This estimate was given up for a newer one."
NO_TEXT = "Bring a text first: drop a .txt into the panel, or choose one."


class Upload:
    """The text that a writer uploaded last, the estimate of a training on it, and its start.

    Args:
        writer: (owner, page); see `chat.turns.Turns.turn`.
        room: For texts that are still on their way; see `chat.story.pieces.Room`.
        others: There are other writers than this one, with whom a model could be shared.
    """

    def __init__(
        self,
        jobs: TrainingJobs,
        owner: str,
        writer: WriterKey = (),
        room: Room | None = None,
        *,
        others: bool = True,
    ) -> None:
        self.jobs = jobs
        self.owner = owner
        self.writer = writer or (owner,)
        self.others = others
        self.pieces = FilePieces(MOST_BYTES, room=room, owner=owner)
        self.brought: tuple[str, str] | None = None
        self.planned: PlannedTraining | None = None
        self._planning: asyncio.Task[dict[str, Any]] | None = None

    def bring(self, name: str, part: int, of: int, text: str) -> list[str] | None:
        """Take in a piece of a file; with the last one, all of them, for `open`.

        Raises:
            RefusedError: It did not arrive whole.
        """
        self.brought = self.planned = None
        try:
            return self.pieces.add(name, part, of, text)
        except FileError as error:
            raise RefusedError(str(error)) from error

    def open(self, name: str, parts: list[str]) -> dict[str, Any]:
        """Let a file that came whole be the text. It takes a while: not for an event loop.

        Returns:
            What it holds: name, bytes, words, characters (different ones).

        Raises:
            RefusedError: Nothing can be learnt from it.
        """
        text = plain_text(joined(parts))
        check(name, text)
        self.brought = (name, text)
        return {
            "name": name,
            "bytes": len(text.encode("utf-8", "replace")),
            "words": sum(1 for _ in WORD.finditer(text)),
            "characters": len(set(text)),
        }

    @property
    def little(self) -> bool:
        """The text is so short that a model which knows its language should go on from there."""
        if self.brought is None:
            return False
        return len(self.brought[1].encode("utf-8", "replace")) < LITTLE_BYTES

    async def plan(self, checkpoint: Path | None, say: Say | None = None) -> PlannedTraining:
        """How long a training on the text would take, and how large its model would be.

        One at a time: an estimate that is still being made is given up for a new one.

        Args:
            say: Called with how many estimates are ahead of this one.

        Raises:
            RefusedError: There is no text, it cannot be trained on, or a newer estimate was asked.
        """
        if self.brought is None:
            raise RefusedError(NO_TEXT)
        self.leave()
        name, text = self.brought
        task = asyncio.create_task(self.jobs.plan(text, checkpoint, self.writer, say))
        self._planning = task
        try:
            # It may be given up from elsewhere, which is no end of whoever asked.
            await asyncio.wait({task})
        finally:
            task.cancel()
        if task.cancelled():
            raise RefusedError(GIVEN_UP)
        self.planned = PlannedTraining(
            name=name, text=text, plan=task.result(), checkpoint=checkpoint
        )
        return self.planned

    def leave(self) -> None:
        """Give up the estimate that is being made: the page went away, or asks for another."""
        if self._planning is not None:
            self._planning.cancel()

    def start(self, taken: Container[str] = ()) -> str:
        """Begin what was planned last; its name.

        Args:
            taken: Names that other models have.

        Raises:
            RefusedError: Nothing was planned, or another training runs.
        """
        if self.planned is None:
            raise RefusedError(NO_TEXT)
        return self.jobs.start(self.owner, self.planned, taken)


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
    if why := no_prose(text[:LOOKED_AT].encode("utf-8", "replace")):
        raise RefusedError(f"“{name[:60]}” {why}.")
    if re.search("[\ud800-\udfff]", text):
        raise RefusedError(f"“{name[:60]}” holds halves of characters: save it as UTF-8 text anew.")
    if "\0" in text or count_controls(text) > len(text) / 100:
        raise RefusedError(f"“{name[:60]}” is no plain text: it is full of control characters.")
