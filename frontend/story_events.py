"""Changes of the story, and looks at it, that a page asks for, on socket events of our own.

Chainlit hands on to `on_window_message` whatever any other window posts to its page; this event
only our own view can send.
"""

from collections.abc import Mapping
from typing import Any

from chainlit.session import WebsocketSession

from chat.generate.request import OTHER_PAGE
from chat.panels.dispatch import look
from chat.panels.settings import TURNS, turn
from chat.session import Session


def serve_acts(sio: Any, desks: Mapping[str, Session]) -> None:
    """Do what a page asks for with "story_act": edit, branch, undo, pick …; see `chat.acts`.

    "story_look" changes nothing and is answered to whoever asked; see `chat.panels.dispatch`.
    """

    def at(sid: str) -> Session | None:
        session = WebsocketSession.get(sid)
        return desks.get(session.id) if session else None

    async def story_act(sid: str, data: object) -> None:
        if (place := at(sid)) is None or not isinstance(data, dict):
            return
        if data.get("act") in TURNS:
            await turn(place, data)
        else:
            await place.act(data)

    async def story_look(sid: str, data: object) -> dict[str, Any]:
        if (place := at(sid)) is None or not isinstance(data, dict):
            return {"error": OTHER_PAGE}
        return await look(place, data)

    sio.on("story_act", handler=story_act)
    sio.on("story_look", handler=story_look)
