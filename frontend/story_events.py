"""Two socket events of our own: "story_act" changes the story, "story_look" answers a request.

They are not sent through Chainlit's `on_window_message`, to which any other window can post; these
events only our own view can send. "look" does not mean read-only: see `chat.panels.dispatch`.
"""

from collections.abc import Mapping
from typing import Any

from chainlit.session import WebsocketSession

from chat.generate.request import OTHER_PAGE
from chat.panels.dispatch import look
from chat.panels.settings import TURNS, turn
from chat.session import Session


def serve_acts(sio: Any, desks: Mapping[str, Session]) -> None:
    """Register the handlers of both events.

    "story_act" {act, …} has no answer, its effect is sent as "story_state": edit, branch, undo,
    pick … (`chat.acts`), or presets and settings (`chat.panels.settings.turn`). "story_look"
    {look, …} is answered with JSON, {"error": sentence} where it fails. It never changes the story,
    but some looks change what lies beside it: trainings are started, stopped and shared, votes
    deleted. So it must not be repeated blindly.

    Args:
        desks: The writer's session by the id of the Chainlit session.
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
