"""Changes of the story that a page asks for, on a socket event of our own.

Chainlit hands on to `on_window_message` whatever any other window posts to its page; this event
only our own view can send.
"""

from collections.abc import Mapping
from typing import Any

from chainlit.session import WebsocketSession

from chat.desk import Desk


def serve_acts(sio: Any, desks: Mapping[str, Desk]) -> None:
    """Do what a page asks for with "story_act": edit, branch, undo, pick …; see `chat.acts`."""

    async def story_act(sid: str, data: object) -> None:
        session = WebsocketSession.get(sid)
        place = desks.get(session.id) if session else None
        if place is not None and isinstance(data, dict):
            await place.act(data)

    sio.on("story_act", handler=story_act)
