"""The stories that are open: each has one `Session` and one `Autosave`, however many windows show
it.

A story is known by its owner and by the id of its thread, so that nobody joins what is another's.
It is let go when its last window is; what the disk did not take until then stays in memory and is
tried again.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path

from chainlit.session import WebsocketSession, ws_sessions_id

from chat.session import Session
from chat.story import StoryError
from chat.story.autosave import Autosave
from chat.story.library import GoneError, Title
from chat.story.rescue import rescue
from frontend.memory import Key, Memory, key_of
from frontend.tasks import Tasks, cancel
from frontend.windows import Windows, asking

GRACE_S = 15.0
"""How long no window may be there (a lost connection, a reload) before what is written is
stopped."""
MOST_UNSAVED = 256
"""Stories in memory that no window shows, because the disk does not take them. Beyond that the one
that waits longest goes into a rescue file."""

Make = Callable[[WebsocketSession, Windows, Autosave], Session]


@dataclass(slots=True)
class OpenStory:
    """A story that is open, and all that is held for it."""

    session: Session
    windows: Windows
    keeper: Autosave
    loading: asyncio.Task[None] | None
    """Reads it from the library, if that is not done."""
    absence: asyncio.TimerHandle | None = None
    """Runs since the last page went away the last time, and then looks whether one is back."""

    def forget_absence(self) -> None:
        if self.absence is not None:
            self.absence.cancel()


class OpenStories:
    """Who is at which story.

    Args:
        writing: The tasks that write, by story.
        make: Makes the session of a story for its first window.
    """

    def __init__(self, memory: Memory, writing: Tasks, make: Make) -> None:
        self.sessions: dict[str, Session] = {}
        """By the id of Chainlit's session, each that joined a story."""
        self._memory = memory
        self._writing = writing
        writing.idle = self._let_go_if_left
        self._make = make
        self._open: dict[Key, OpenStory] = {}
        self._at: dict[str, Key] = {}
        self._keepers: dict[Key, Autosave] = {}
        self._rescuing: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> Mapping[Key, OpenStory]:
        """The stories that are open."""
        return self._open

    # Windows come and go

    async def join(self, websocket: WebsocketSession) -> Session:
        """The session of the window's story: the one that is open, else a new one, which has been
        read from the library.

        Raises:
            sqlite3.Error, OSError: It cannot be read now.
        """
        if websocket.id in self.sessions:
            return self.sessions[websocket.id]
        key = key_of(websocket)
        story = self._open.get(key) or self._begin(key, websocket)
        story.windows.join(websocket)
        self._at[websocket.id] = key
        if story.loading is not None:
            try:
                await asyncio.shield(story.loading)
            except Exception:
                self.leave(websocket.id)
                raise
            story.loading = None
        if websocket.id in story.windows:
            self.sessions[websocket.id] = story.session
        return story.session

    def windows_of(self, websocket: WebsocketSession) -> Windows | None:
        """All windows of the story that this one is at; None where that is not open."""
        story = self._open.get(key_of(websocket))
        return story and story.windows

    def went_away(self, websocket: WebsocketSession) -> None:
        """The page of a window went away: what is written for its story is stopped if no window
        comes back in `GRACE_S`."""
        key = key_of(websocket)
        if (story := self._open.get(key)) is None:
            return
        story.windows.went_away(websocket)
        if story.windows.present:
            return
        story.forget_absence()
        # Without the context of the event at hand, which holds its session for as long.
        story.absence = asyncio.get_running_loop().call_later(
            GRACE_S, self._stop_if_left, key, context=Context()
        )

    def writes(self, websocket: WebsocketSession) -> bool:
        """Whether something that was asked for is being done."""
        return key_of(websocket) in self._writing.writing

    def leave(self, window: str) -> Key | None:
        """Take a window out for good; its story, where it was the last one. That is let go, now or
        as soon as nothing is in hand for it."""
        self.sessions.pop(window, None)
        key = self._at.pop(window, None)
        if key is None or (story := self._open.get(key)) is None:
            return None
        story.windows.leave(window)
        if story.windows:
            return None
        if story.loading is not None:
            self._let_go(key)
        self._let_go_if_left(key)
        return key

    async def close(self, key: Key) -> None:
        """End a story that no window shows: stop what is written, keep what is there."""
        if (story := self._open.get(key)) is None or story.windows:
            return
        if (task := self._writing.writing.get(key)) is not None:
            cancel(task)
            await asyncio.wait({task})
        await story.keeper.saved()

    def sweep(self) -> None:
        """Drop the windows that Chainlit has dropped, and keepers that have nothing to save."""
        for window in [each for each in self._at if each not in ws_sessions_id]:
            self.leave(window)
        for key in list(self._keepers):
            self._drop_done(key)

    # What is not in the library

    def find(self, thread: str) -> Title | None:
        """Whose story it is, where one that is open, or waits to be saved, goes by this id: that of
        the one who asks, if two do."""
        found: dict[str, Title] = {}
        for owner, id in {**self._keepers}:
            if id == thread and (title := self._title((owner, id))) is not None:
                found[owner] = title
        asker = asking()
        return found.get(asker.owner if asker else "") or next(iter(found.values()), None)

    def deleted(self, thread: str, owner: str) -> None:
        """A story was taken out of the library: what waits to be saved of it is not."""
        if (keeper := self._keepers.get((owner, thread))) is not None:
            keeper.forget()

    async def close_down(self) -> None:
        """Stop all that is written, and try once more to save what is not saved; what the disk does
        not take then is written to a rescue file elsewhere, and the terminal says where."""
        await self._writing.stop_all()
        keepers = list(self._keepers.values())
        kept = await asyncio.gather(*(keeper.try_last() for keeper in keepers))
        unsaved = [keeper for keeper, well in zip(keepers, kept, strict=True) if not well]
        if unsaved:
            await self._rescue(unsaved)

    # How it is done

    def _stop_if_left(self, key: Key) -> None:
        if not self._open[key].windows.present:
            self._writing.stop(key)

    def _begin(self, key: Key, websocket: WebsocketSession) -> OpenStory:
        windows = Windows()
        keeper = self._keepers.get(key) or self._keeper(key)
        self._keepers[key] = keeper
        session = self._make(websocket, windows, keeper)
        session.unsaved = keeper.why
        story = self._open[key] = OpenStory(session, windows, keeper, loading=None)
        if websocket.thread_id_to_resume or keeper.unsaved:
            story.loading = asyncio.create_task(self._load(story))
        return story

    async def _load(self, story: OpenStory) -> None:
        # A page may come back to the address of a story that nothing was written in.
        with suppress(GoneError):
            try:
                await story.session.take(await story.keeper.load())
            except StoryError as error:
                await story.windows.tell_all(f"This story cannot be opened: {error}", "error")

    def _keeper(self, key: Key) -> Autosave:
        """Tells the windows that there are then: there may be none, or others."""

        async def tell(message: str) -> None:
            if (story := self._open.get(key)) is not None:
                await story.windows.tell_all(message, "error")

        async def sign(why: str) -> None:
            if (story := self._open.get(key)) is not None:
                await story.session.mark_saved(why)
            self._drop_done(key)

        async def kept(title: str) -> None:
            if (story := self._open.get(key)) is not None:
                await story.windows.name_thread(title)
            self._drop_done(key)

        owner, thread = key
        memory = self._memory
        return Autosave(
            memory.library, memory.executor, thread, owner, tell=tell, kept=kept, sign=sign
        )

    def _let_go_if_left(self, key: Key) -> None:
        story = self._open.get(key)
        if story is not None and not story.windows and not self._writing.busy(key):
            self._let_go(key)

    def _let_go(self, key: Key) -> None:
        self._open.pop(key).forget_absence()
        self._writing.forget(key)
        self._drop_done(key)
        # One whose write is only in hand needs no rescue: the disk has not refused it.
        alone = [each for each, it in self._keepers.items() if each not in self._open and it.why]
        for each in alone[: max(0, len(alone) - MOST_UNSAVED)]:
            keeper = self._keepers.pop(each)
            keeper.stop()
            rescuing = asyncio.create_task(self._rescue([keeper]))
            self._rescuing.add(rescuing)
            rescuing.add_done_callback(self._rescuing.discard)

    def _drop_done(self, key: Key) -> None:
        """Drop the keeper of a story that no window shows, if nothing of it waits to be saved."""
        keeper = self._keepers.get(key)
        if keeper is not None and key not in self._open and keeper.unsaved is None:
            del self._keepers[key]

    def _title(self, key: Key) -> Title | None:
        keeper, story = self._keepers[key], self._open.get(key)
        if keeper.deleted:
            return None
        state = keeper.unsaved
        words = story.session.story if story else state.story if state else None
        if words is None or not words.passages:
            return None
        return Title(id=key[1], owner=key[0], title=words.title, began_s=time.time())

    async def _rescue(self, keepers: Sequence[Autosave]) -> None:
        why = keepers[0].cause or "the disk does not answer"
        stories = [state for keeper in keepers if (state := keeper.unsaved)]
        if not stories:
            return
        places = (self._memory.folder, Path.home(), Path(tempfile.gettempdir()))
        folders, lost = await asyncio.to_thread(rescue, stories, [*places, Path.cwd()])
        said: list[str] = []
        if folders:
            where = " and ".join(map(str, folders))
            said.append(
                f"{_many(len(stories) - len(lost))} in {where}: open each with “Open a file…”"
            )
        if lost:
            titles = ", ".join(f"“{each.story.title}”" for each in lost)
            said.append(f"{_many(len(lost))} NOT SAVED ANYWHERE: {titles}. No folder takes more")
        print(f"Not saved in the library: {why}. {'. '.join(said)}.", file=sys.stderr, flush=True)


def _many(count: int) -> str:
    return "One story is" if count == 1 else f"{count} stories are"
