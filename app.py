"""The chat: `chainlit run app.py`. An event comes in, its desk is asked, its view is told."""

import asyncio
from pathlib import Path
from typing import Any, cast

import chainlit as cl
import chainlit.server
from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession

from chat.desk import Desk
from chat.engines import Engines
from chat.models import find_models
from frontend.guard import OriginGuard
from frontend.offline import follow_system_theme, serve_offline
from frontend.page import SocketPage
from frontend.status import serve_status
from frontend.tasks import Tasks, reap, stop_quietly, sweep
from frontend.widgets import MODEL_PICKER, model_picker, setting_widgets

ROOT = Path(__file__).parent
ENGINES = Engines()
DESKS: dict[str, Desk] = {}
"""The desk of each session. A session outlives a lost connection."""
WRITING = Tasks()
TASKS: set[asyncio.Task[None]] = set()
"""What runs beside the chats; a task that nobody holds may vanish."""

serve_offline(chainlit.server)
serve_status(chainlit.server, ENGINES)
chainlit.server.app.add_middleware(OriginGuard)
stop_quietly(sio)
follow_system_theme(config)


def run_beside(coroutine: Any) -> None:
    task = asyncio.create_task(coroutine)
    TASKS.add(task)
    task.add_done_callback(TASKS.discard)


def current_session() -> WebsocketSession:
    """The session of the chat that this event belongs to."""
    return cast(WebsocketSession, cl.context.session)


def desk() -> Desk:
    """The desk of that chat."""
    session = current_session()
    if session.id not in DESKS:
        DESKS[session.id] = Desk(SocketPage(session), ENGINES, lambda: find_models(ROOT))
    return DESKS[session.id]


async def offer(place: Desk) -> None:
    """Send the models and the settings dialog as they are now."""
    await cl.context.emitter.set_modes([model_picker(place.models, place.model)])
    await cl.ChatSettings(setting_widgets(place.values)).send()


@cl.on_app_startup
async def on_app_startup() -> None:
    run_beside(sweep(DESKS))


@cl.on_chat_start
async def on_chat_start() -> None:
    place = desk()
    await cl.Message(content="", elements=[cl.CustomElement(name="StoryView", props={})]).send()
    await offer(place)
    await place.show()
    run_beside(place.warm_up())


@cl.on_message
async def on_message(message: cl.Message) -> None:
    place = desk()
    if not WRITING.claim(current_session()):
        return await place.page.tell("Still writing: stop it first.", "warning")
    # A button sends a message too, for only a message has a Stop; what it wants is beside it.
    words = "" if (message.metadata or {}).get("ask") == "continue" else message.content
    await place.write(words, model=(message.modes or {}).get(MODEL_PICKER))


@cl.on_settings_update
async def on_settings_update(values: dict[str, Any]) -> None:
    place = desk()
    if not await place.change_settings(values):
        await offer(place)


@cl.on_window_message
async def on_window_message(data: Any) -> None:
    """What the view asks for. Any page may send it, so only what harms nothing is done."""
    match data:
        case {"type": "story_sync", "revision": int(revision), "have": int(have)}:
            place = desk()
            if place.writing:
                # After a lost connection Chainlit's page thinks that nothing runs, and has no Stop.
                await cl.context.emitter.task_start()
            await place.sync(revision, have)
        case {"type": "story_new"}:
            await desk().start_anew()
        case {"type": "story_open", "story": str(story_id)}:
            await desk().open(story_id)


@cl.on_chat_end
async def on_chat_end() -> None:
    run_beside(reap(current_session()))
