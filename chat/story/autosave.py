"""`Autosave`: saves a story in the library (SQLite) after each change, off the event loop.

Where the disk does not take it, it is tried again by itself.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from chat.errors import fault, in_one_line, reason
from chat.story.library import GoneError, Kept, Library, Saved
from chat.story.tree import Story

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
"""Before a write that failed is tried again; twice as long after each that fails again."""
LONGEST_PAUSE_S = 60.0
LAST_TRY_S = 5.0
"""How long the last try may take, when the app ends: whoever ends it does not wait for ever."""
GONE = (
    "This story was deleted, so what is written here now is not kept. "
    "Save it as a file if you want to keep it."
)
WAS_DELETED = "this story was deleted."

Say = Callable[[str], Awaitable[None]]


class Autosave:
    """Writes one story to the library, each time it changed.

    While one write runs only the latest state waits, so a slow disk is never more than one behind.
    What a disk does not take stays in memory, and is tried again until it does: after a pause, and
    at once when there is something new.

    Args:
        executor: Where the writes run.
        story_id: What the library knows the story by.
        tell: Says what went wrong to the writer, once; that it goes on is for `sign`.
        kept: Called after each write, with the story's title; not while a model writes on.
        sign: Called with why the story is not saved, and what follows, in sentences, each time a
            write fails; with "" once it is saved.
    """

    def __init__(
        self,
        library: Library,
        executor: Executor,
        story_id: str,
        owner: str,
        *,
        tell: Say,
        kept: Say,
        sign: Say,
    ) -> None:
        self.story_id = story_id
        self.owner = owner
        self.gone = False
        """Whether the story was deleted: nothing is kept of it any more."""
        self.why = ""
        """What `sign` was called with last."""
        self.cause = ""
        """Why the last write failed that did."""
        self.changed_s: float | None = None
        """When the story was changed last, as far as this one has seen: if the library says
        another time, somebody else keeps it too."""
        self._library = library
        self._executor = executor
        self._tell = tell
        self._kept = kept
        self._sign = sign
        self._deleted = False
        self._last: Kept | None = None
        self._adopted: Story | None = None
        self._wanted: Kept | None = None
        self._trying: Kept | None = None
        self._task: asyncio.Task[None] | None = None
        self._now = asyncio.Event()
        """Ends the pause before the next try."""
        self._settled = asyncio.Event()
        """While no write is in hand: all is kept, or it waits for the next try."""
        self._settled.set()

    @property
    def unsaved(self) -> Kept | None:
        """The state that is not in the library yet; None where all is."""
        return self._wanted or self._trying

    @property
    def deleted(self) -> bool:
        """Whether the story was deleted, which its writer may not have heard yet."""
        return self.gone or self._deleted

    async def load(self) -> Kept:
        """The story as it was kept, or as it will be.

        Raises:
            GoneError, StoryError: There is none, or it cannot be read.
        """
        if (state := self.unsaved) is not None:
            return state
        kept = await self.read()
        self._last, self.changed_s = kept, kept.changed_s
        return kept

    async def read(self) -> Kept:
        """The story as it is in the library, where somebody else may have kept it; see `adopt`.

        Raises:
            GoneError, StoryError: There is none, or it cannot be read.
        """
        loop = asyncio.get_running_loop()
        args = (self.story_id, self.owner)
        return await loop.run_in_executor(self._executor, self._library.load, *args)

    def adopt(self, kept: Kept) -> None:
        """From here on the story is what was `read`; to show it is no change that is to be kept,
        or two that share a story would answer each other for ever."""
        self._last, self.changed_s, self._adopted = kept, kept.changed_s, kept.story

    def keep(self, state: Kept) -> None:
        """Write this state soon. A story without a word is not kept."""
        adopted, self._adopted = self._adopted, None
        if adopted is not None and state.story == adopted:
            self._last = state
            return
        before = self._last.story if self._last else Story()
        waits = self.unsaved
        same = state == (waits or self._last)
        if same or self.gone or not (waits or state.story.passages or before.passages):
            return
        self._wanted = state
        self._try_now()

    def forget(self) -> None:
        """The story was deleted: what waits is not written, and does not bring it back."""
        self._deleted = True
        if self.unsaved is not None:
            self._try_now()

    def stop(self) -> None:
        """Try no more, whatever waits."""
        if self._task is not None:
            self._task.cancel()

    async def saved(self) -> bool:
        """Wait until no write is in hand; whether all is kept, and none waits for another try."""
        while not self._settled.is_set():
            await self._settled.wait()
        return self.unsaved is None

    async def try_last(self) -> bool:
        """Try once more, at once, in a bounded time; whether all is kept."""
        if self.unsaved is not None:
            self._try_now()
        try:
            async with asyncio.timeout(LAST_TRY_S):
                return await self.saved()
        except TimeoutError:
            return False

    def _try_now(self) -> None:
        self._settled.clear()
        self._now.set()
        if self._task is None:
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        pause_s = FIRST_PAUSE_S
        try:
            while (state := self._wanted) is not None:
                self._now.clear()
                self._wanted, self._trying = None, state
                if await self._save(state):
                    pause_s = FIRST_PAUSE_S
                    continue
                self._wanted, self._trying = self._wanted or state, None
                if not self._now.is_set():
                    self._settled.set()
                try:
                    # Not wait_for: Python 3.11's forgets a `stop` that comes with a change.
                    async with asyncio.timeout(pause_s):
                        await self._now.wait()
                except TimeoutError:
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                self._settled.clear()
        finally:
            self._task = None
            self._settled.set()

    async def _save(self, state: Kept) -> bool:
        """Write it; False where it is to be tried again."""
        last = self._last
        new = last is None and not self._deleted

        def save() -> Saved:
            before = last.story if last else None
            return self._library.save(self.story_id, self.owner, state, before=before, new=new)

        try:
            saved = await asyncio.get_running_loop().run_in_executor(self._executor, save)
        except GoneError:
            self.gone, self._wanted, self._trying, self.why = True, None, None, WAS_DELETED
            await self._sign(self.why)
            await self._tell(GONE)
            return True
        except (sqlite3.Error, OSError) as error:
            log.error("a story could not be kept: %s", in_one_line(error))
            await self._failed(reason(error))
            return False
        except Exception as error:  # noqa: BLE001 - `fault` logs it
            await self._failed(fault(log, "keeping a story", error))
            return False
        # Before anybody is told: it waits no longer, however long that takes.
        self._last, self._trying = state, None
        if saved.before_s == self.changed_s:
            self.changed_s = saved.now_s
        if self.why:
            self.why = ""
            await self._sign("")
        if not state.partial:
            await self._kept(state.story.title)
        return True

    async def _failed(self, why: str) -> None:
        first, self.cause = not self.why, why.rstrip(".")
        self.why = f"{self.cause}. It is tried again by itself."
        await self._sign(self.why)
        if first:
            await self._tell(f"The story could not be kept: {self.why}")
