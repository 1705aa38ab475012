"""The page of one story, in all the windows that show it.

What belongs to the story is the same in all of them, and is sent to all: its words, what can be
undone, the settings, the model and the preset of its chat, and what is set for the next message
alone, which every window shows and whichever sends that message uses. What belongs to a window is
sent to the one that asked: why something was refused, words that are given back, help, a file, the
way to another story. Which panel is open, what is typed and what the time machine writes never
leave a window.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chainlit.session import WebsocketSession

from chat.models import Listing
from chat.page import ToldAs
from chat.settings.presets import Preset
from frontend.socket_page import SocketPage

T = TypeVar("T")

OF_WHO_ASKED = ("story_refused", "story_help", "story_leave", "story_file", "story_opened")
"""Events that only the window hears which asked for what they tell."""
OF_ANY = ("story_refused", "story_help")
"""Of those, the ones that another window may show instead: words are not to be lost, help harms
nobody. A file would be saved there, and the others lead away from what its writer is at."""
MOST_KEPT = 20
"""Words given back that nobody was there to take wait for the next window; so many of them."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose request is at hand: the id of Chainlit's session, its owner, and whether nobody else
    needs to hear what comes of it."""

    window: str
    owner: str
    alone: bool = False


_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)


@contextmanager
def asked_by(asker: Asker) -> Generator[None]:
    """What is sent meanwhile is an answer to this window."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


def asking() -> Asker | None:
    """Whose request is at hand; None where it did not come by a socket."""
    return _asker.get()


class OfEachWindow(Generic[T]):
    """What each window has for itself, made when it first asks for it."""

    def __init__(self, make: Callable[[Asker], T]) -> None:
        self.by_session: dict[str, T] = {}
        self._make = make

    def of_who_asks(self) -> T:
        """That of the window whose request is at hand.

        Raises:
            LookupError: None is: a fault of the caller's.
        """
        asker = asking()
        if asker is None:
            raise LookupError("no window's request is at hand, so nothing here is its own")
        if asker.window not in self.by_session:
            self.by_session[asker.window] = self._make(asker)
        return self.by_session[asker.window]


class Windows:
    """Chainlit's sessions that show one story, as one `chat.page.Page`."""

    def __init__(self) -> None:
        self._pages: dict[str, SocketPage] = {}
        """By the id of the session, in the order they came."""
        self._away: dict[str, str] = {}
        """Of those whose page went away, the socket that it had."""
        self._writing = False
        self._undelivered: list[tuple[str, Mapping[str, Any]]] = []

    def __len__(self) -> int:
        return len(self._pages)

    def __contains__(self, window: str) -> bool:
        return window in self._pages

    def join(self, websocket: WebsocketSession) -> None:
        """Show the story in this window too: it is sent what comes from now on."""
        self._pages[websocket.id] = SocketPage(websocket)

    def leave(self, window: str) -> None:
        """Take a window out for good, by the id of its session, if it is one of them."""
        self._pages.pop(window, None)
        self._away.pop(window, None)

    def went_away(self, websocket: WebsocketSession) -> None:
        """Its page is gone, for now or for good; it is back once it has another socket."""
        self._away[websocket.id] = websocket.socket_id

    @property
    def present(self) -> list[str]:
        """The ids of those that have a page."""
        return [
            id for id, page in self._pages.items() if self._away.get(id) != page.websocket.socket_id
        ]

    # As a page

    async def emit(self, event: str, data: Mapping[str, Any]) -> None:
        if event in OF_WHO_ASKED:
            return await self._answer(event, data)
        for page in self._hearers():
            await page.emit(event, data)
        if event in ("story_state", "story_status") and len(self._hearers()) == len(self._pages):
            await self._show_stop(bool(data["writing"]))

    async def tell(self, message: str, kind: ToldAs = "info") -> None:
        for page in self._asking() or self._hearers():
            await page.tell(message, kind)

    async def tell_all(self, message: str, kind: ToldAs = "info") -> None:
        for page in list(self._pages.values()):
            await page.tell(message, kind)

    async def offer(
        self,
        models: Mapping[str, Listing],
        model: str | None,
        presets: Mapping[str, Preset],
        preset: str,
        dials: Sequence[Mapping[str, Any]],
    ) -> None:
        for page in self._hearers():
            await page.offer(models, model, presets, preset, dials)

    async def name_thread(self, title: str) -> None:
        """Have every window fetch its list of stories anew, with this story by that title."""
        for page in list(self._pages.values()):
            await page.name_thread(title)

    async def deliver(self) -> None:
        """Give the window that asks what was given back while nobody was there."""
        waiting, self._undelivered = self._undelivered, []
        for event, data in waiting:
            await self._answer(event, data)

    def _asking(self) -> list[SocketPage]:
        """The window that asked, if its page is still there."""
        asker = _asker.get()
        here = asker is not None and asker.window in self.present
        return [self._pages[asker.window]] if asker and here else []

    def _hearers(self) -> list[SocketPage]:
        asker = _asker.get()
        if asker is not None and asker.alone and asker.window in self._pages:
            return [self._pages[asker.window]]
        return list(self._pages.values())

    async def _answer(self, event: str, data: Mapping[str, Any]) -> None:
        # Who asked may have reloaded its page since: then the one that came last is it.
        last = [self._pages[id] for id in self.present][-1:] if event in OF_ANY else []
        for page in self._asking() or last:
            return await page.emit(event, data)
        if event == "story_refused" and data["words"]:
            self._undelivered = [*self._undelivered, (event, data)][-MOST_KEPT:]

    async def _show_stop(self, writing: bool) -> None:
        """Chainlit shows Stop to the window alone whose message is answered."""
        if writing == self._writing:
            return
        self._writing = writing
        for page in list(self._pages.values()):
            await page.emit("task_start" if writing else "task_end", {})
