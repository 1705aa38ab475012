"""Three socket events of our own: "story_act", "story_query" and "story_command".

They are not sent through Chainlit's `on_window_message`, to which any other window can post; these
events only our own view can send.
"""

from collections.abc import Mapping
from typing import Any

from chainlit.session import WebsocketSession

from chat.generate.request import OTHER_PAGE
from chat.panels.dispatch import answer_query, run_command
from chat.panels.settings import SETTING_ACTS, act_on_settings
from chat.session import Session


def serve_story_events(sio: Any, sessions: Mapping[str, Session]) -> None:
    """Register the handlers of the three events.

    "story_act" {act, …} has no answer, its effect is sent as "story_state": edit, branch, undo,
    pick … (`chat.acts`), or presets and settings (`chat.panels.settings`). "story_query"
    {query, …} and "story_command" {command, …} are answered with JSON, {"error": sentence} where
    they fail. A query changes nothing; a command changes what lies beside the story, so it must not
    be repeated blindly. Either event refuses the other's names.

    Args:
        sessions: The writer's session by the id of the Chainlit session.
    """

    def session_of(sid: str) -> Session | None:
        page = WebsocketSession.get(sid)
        return sessions.get(page.id) if page else None

    async def story_act(sid: str, data: object) -> None:
        if (session := session_of(sid)) is None or not isinstance(data, dict):
            return
        if data.get("act") in SETTING_ACTS:
            await act_on_settings(session, data)
        else:
            await session.act(data)

    async def story_query(sid: str, data: object) -> dict[str, Any]:
        if (session := session_of(sid)) is None or not isinstance(data, dict):
            return {"error": OTHER_PAGE}
        return await answer_query(session, data)

    async def story_command(sid: str, data: object) -> dict[str, Any]:
        if (session := session_of(sid)) is None or not isinstance(data, dict):
            return {"error": OTHER_PAGE}
        return await run_command(session, data)

    sio.on("story_act", handler=story_act)
    sio.on("story_query", handler=story_query)
    sio.on("story_command", handler=story_command)
