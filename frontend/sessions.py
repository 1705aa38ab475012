"""The end of a session: when a page does not come back, all that was held for it is let go.

Chainlit keeps the session of a page that went away for a fixed time, and a timer of its own holds
on to it even where it ended before.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from chainlit.chat_context import chat_contexts
from chainlit.config import config
from chainlit.context import init_ws_context
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.user_session import user_sessions

from frontend.files import remove_session
from frontend.memory import Memory
from frontend.stories import OpenStories

EMPTY_S = 120.0
"""How long a page may be away on which nothing was written; others as the config file says."""
MOST_AWAY = 256
"""The most sessions that are kept whose page is away; the one away longest goes first.
A story is in the library all the same. One in which a model writes is not counted:
`OpenStories.went_away` gives its pages some time."""
MOST_AWAY_EACH = 64
"""Of those, one writer's."""
POLL_S = 5.0


class AwaySessions:
    """Which sessions have no page at the moment, and since when.

    Args:
        stories: Those that are open; each is let go with its last window.
        held: What is held for each session, by its id.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        stories: OpenStories,
        *held: dict[str, Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stories = stories
        self._held = held
        self._clock = clock
        self._away: dict[str, tuple[str, float]] = {}
        """Of each session whose page went away, the socket that it had and since when."""

    def serve(self, sio: Any) -> None:
        """Answer "disconnect" in Chainlit's place."""

        async def disconnect(sid: str, *_: object) -> None:
            if (websocket := WebsocketSession.get(sid)) is None:
                return
            init_ws_context(websocket)
            if config.code.on_chat_end:
                await config.code.on_chat_end()
            if websocket.to_clear:
                return await self.end(websocket)
            self._away.pop(websocket.id, None)  # so that the dictionary is in the order they left
            self._away[websocket.id] = (sid, self._clock())
            await self.end_those_long_away()

        sio.on("disconnect", handler=disconnect)

    async def watch(self) -> None:
        """End, now and then, the sessions whose pages do not come back."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.end_those_long_away()

    async def end_those_long_away(self) -> None:
        """End the sessions whose pages are away too long, and the oldest of too many."""
        away = [websocket for id in list(self._away) if (websocket := self._still_away(id))]
        away = [websocket for websocket in away if not self._stories.writes(websocket)]
        by_owner: dict[str, int] = {}
        gone: list[WebsocketSession] = []
        for rank, websocket in enumerate(reversed(away)):  # the latest first
            owner = Memory.owner(websocket)
            by_owner[owner] = by_owner.get(owner, 0) + 1
            too_many = rank >= MOST_AWAY or by_owner[owner] > MOST_AWAY_EACH
            if too_many or self._clock() - self._away[websocket.id][1] > self._patience_s(
                websocket
            ):
                gone.append(websocket)
        for websocket in gone:
            # While another was ended, its page may have come back.
            if websocket.id in self._away and self._still_away(websocket.id) is websocket:
                await self.end(websocket)

    def _still_away(self, session_id: str) -> WebsocketSession | None:
        """The session, if its page did not come back; else it is away no more."""
        websocket = ws_sessions_id.get(session_id)
        if websocket is not None and websocket.socket_id == self._away[session_id][0]:
            return websocket
        del self._away[session_id]
        return None

    def _patience_s(self, websocket: WebsocketSession) -> float:
        longest = float(config.project.session_timeout)
        session = self._stories.sessions.get(websocket.id)
        return longest if session and session.story.passages else min(EMPTY_S, longest)

    async def end(self, websocket: WebsocketSession) -> None:
        """Let go of all that is held for a session, and of its story if no other window is at it:
        what is written stops, and what is there is kept."""
        self._away.pop(websocket.id, None)
        try:
            remove_session(websocket.files_dir)
            await websocket.delete()
        finally:
            websocket.current_task = None  # each would keep the other until a collection
            left = self._stories.leave(websocket.id)
            for each in (*self._held, user_sessions, chat_contexts):
                each.pop(websocket.id, None)
        if left is not None:
            await self._stories.close(left)
