"""`Autosave`: saves a story in the library (SQLite) after each change, off the event loop."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from chat.errors import in_one_line, reason
from chat.story.library import GoneError, Kept, Library
from chat.story.tree import Story

log = logging.getLogger(__name__)

GONE = (
    "This story was deleted, so what is written here now is not kept. "
    "Save it as a file if you want to keep it."
)


class Autosave:
    """Writes one story to the library, each time it changed.

    While one write runs only the latest state waits, so a slow disk is never more than one behind.

    Args:
        executor: Where the writes run.
        story_id: What the library knows the story by.
        tell: Says what went wrong to the writer.
        kept: Called after each write, with the story's title.
    """

    def __init__(
        self,
        library: Library,
        executor: Executor,
        story_id: str,
        owner: str,
        *,
        tell: Callable[[str], Awaitable[None]],
        kept: Callable[[str], Awaitable[None]],
    ) -> None:
        self.story_id = story_id
        self.owner = owner
        self._library = library
        self._executor = executor
        self._tell = tell
        self._kept = kept
        self._last: Kept | None = None
        self._wanted: Kept | None = None
        self._lost = False
        self._task: asyncio.Task[None] | None = None

    async def load(self) -> Kept:
        """The story as it was kept.

        Raises:
            GoneError, StoryError: There is none, or it cannot be read.
        """
        loop = asyncio.get_running_loop()
        args = (self.story_id, self.owner)
        kept = await loop.run_in_executor(self._executor, self._library.load, *args)
        self._last = kept
        return kept

    def keep(self, state: Kept) -> None:
        """Write this state soon. A story without a word is not kept."""
        before = self._last.story if self._last else Story()
        same = self._wanted is None and state == self._last
        if same or self._lost or not (state.story.passages or before.passages):
            return
        self._wanted = state
        if self._task is None:
            self._task = asyncio.create_task(self._write())

    async def saved(self) -> None:
        """Wait until all that was to be kept is."""
        while self._task is not None:
            await asyncio.wait({self._task})

    async def _write(self) -> None:
        try:
            while (state := self._wanted) is not None:
                self._wanted = None
                await self._save(state)
        finally:
            self._task = None

    async def _save(self, state: Kept) -> None:
        last = self._last

        def save() -> None:
            before = last.story if last else None
            self._library.save(self.story_id, self.owner, state, before=before, new=last is None)

        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, save)
        except GoneError:
            self._lost = True
            await self._tell(GONE)
        except (sqlite3.Error, OSError) as error:
            # The next change tries again, with all that is missing.
            log.error("a story could not be kept: %s", in_one_line(error))
            why = reason(error)
            await self._tell(f"The story could not be kept on disk: {why}. It is tried again.")
        else:
            self._last = state
            await self._kept(state.story.title)
