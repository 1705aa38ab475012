"""The chat: `chainlit run app.py`. An event comes in, its desk is asked, its view is told."""

import asyncio
import os
import sys
from contextvars import Context
from pathlib import Path
from typing import Any, cast

import chainlit as cl
import chainlit.server
from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.types import ThreadDict

from chat.accounts import PASSWORD_VARIABLE, read_accounts, read_secret
from chat.composer import say
from chat.desk import STILL_WRITING, Desk
from chat.dials import pick
from chat.engines import Engines
from chat.home import home
from chat.library import Kept
from chat.models import find_models
from chat.sources import Sources
from chat.workbench import Workbench
from chat.workshop import Workshop
from frontend.acts import serve_acts
from frontend.files import own_files
from frontend.guard import OriginGuard
from frontend.login import keep_door
from frontend.machine import Machines
from frontend.memory import SHOWN_BY, Memory, writer_of
from frontend.offline import follow_system_theme, serve_offline
from frontend.page import SocketPage
from frontend.sessions import Sessions
from frontend.status import serve_status
from frontend.tasks import Tasks, reap, stop_all, stop_quietly, sweep
from frontend.widgets import MODEL_PICKER, PRESET_PICKER

ROOT = Path(__file__).parent
HOME = home(ROOT)
ENGINES = Engines()
MEMORY = Memory(HOME)
SOURCES = Sources(ROOT / "data")
WORKSHOP = Workshop(ROOT)
MACHINES = Machines(lambda: find_models(ROOT), SOURCES)
DESKS: dict[str, Desk] = {}
"""The desk of each session. A session outlives a lost connection."""
WRITING = Tasks()
TASKS: set[asyncio.Task[None]] = set()
"""What runs beside the chats; a task that nobody holds may vanish."""

HELD = (DESKS, WRITING.turns, MEMORY.keepers, MEMORY.pieces, MACHINES.by_session)
"""What is held for each session."""
SESSIONS = Sessions(MEMORY, lambda id: id in DESKS and bool(DESKS[id].story.passages), *HELD)
FILES = own_files(sys.modules["chainlit.config"], chainlit.server)
"""Held until the process ends."""

serve_offline(chainlit.server)
serve_status(chainlit.server, ENGINES, MACHINES.engines)
chainlit.server.app.add_middleware(OriginGuard)
stop_quietly(sio)
SESSIONS.serve(sio)
serve_acts(sio, DESKS)
MACHINES.serve(sio)
MEMORY.serve_files(sio, DESKS)
cl.data_layer(MEMORY.layer)
keep_door(read_accounts(HOME, os.environ.get(PASSWORD_VARIABLE)), read_secret(HOME))
follow_system_theme(config)


def run_beside(coroutine: Any) -> None:
    # Without the context of the event at hand, which holds its session for as long as it runs.
    empty = Context()
    task = asyncio.create_task(coroutine, context=empty)
    TASKS.add(task)
    task.add_done_callback(TASKS.discard, context=empty)


def current_session() -> WebsocketSession:
    """The session of the chat that this event belongs to."""
    return cast(WebsocketSession, cl.context.session)


def desk() -> Desk:
    """The desk of that chat."""
    session = current_session()
    if session.id not in DESKS:
        page = SocketPage(session)
        keep = MEMORY.keep_for(session, page)
        DESKS[session.id] = Desk(
            page,
            ENGINES,
            lambda: find_models(ROOT),
            keep,
            SOURCES,
            MEMORY.votes_of(session),
            MEMORY.presets_of(session),
            Workbench(WORKSHOP, MEMORY.owner(session), writer_of(session), MEMORY.room),
            writer_of(session),
        )
    return DESKS[session.id]


@cl.on_app_startup
async def on_app_startup() -> None:
    run_beside(SESSIONS.watch())
    run_beside(sweep(*HELD))


@cl.on_app_shutdown
async def on_app_shutdown() -> None:
    await stop_all()
    await MEMORY.settle()


@cl.on_chat_start
async def on_chat_start() -> None:
    place = desk()
    elements = [cl.CustomElement(name=name, props={}) for name in SHOWN_BY]
    await cl.Message(content="", elements=elements).send()
    await place.offer()
    await place.show()
    run_beside(place.warm_up())


@cl.on_chat_resume
async def on_chat_resume(thread: ThreadDict) -> None:
    """Open a story from the list; also run when the page of one lost its connection."""
    new, place = current_session().id not in DESKS, desk()
    if new:
        await MEMORY.resume(current_session(), place)
    await place.offer()
    run_beside(place.warm_up())


@cl.on_message
async def on_message(message: cl.Message) -> None:
    place = desk()
    if not await WRITING.claim(current_session(), lambda: place.writing):
        return await place.page.tell(STILL_WRITING, "warning")
    picks = message.modes or {}
    model = picks.get(MODEL_PICKER)
    if not await pick(place, picks.get(PRESET_PICKER), message.content):
        return
    # A button sends a message too, for only a message has a Stop; what it wants is beside it.
    if (message.metadata or {}).get("ask"):
        await place.ask_for(message.metadata or {}, model=model)
    else:
        await say(place, message.content, model=model)


@cl.on_settings_update
async def on_settings_update(values: dict[str, Any]) -> None:
    place = desk()
    await place.change_settings(values)
    # What was refused or left empty, and by whom each value is set, shows in the dialog and beside.
    await place.offer()
    await place.show()


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
        case {"type": "story_like", "settings": dict(values), "model": str(model), **more}:
            # A new page goes on with the settings and the picks of the one it was opened from.
            place = desk()
            if not (place.story.passages or place.writing or place.awaits_vote):
                preset = str(more.get("preset", ""))[:100] or None
                kept = Kept(story=place.story, settings=values, model=model, preset=preset)
                await place.take(kept)
                await place.offer()
        case {"type": "story_model", "model": str(model)}:
            place = desk()
            place.models = await asyncio.to_thread(place.find_models)
            if model not in place.models:
                return await place.page.tell(f"“{model[:60]}” is no longer there.", "warning")
            place.model = model
            await place.offer()
            await place.show()
            run_beside(place.warm_up())


@cl.on_chat_end
async def on_chat_end() -> None:
    session = current_session()
    MACHINES.stop(session)
    if session.id in DESKS:
        DESKS[session.id].leave()
    run_beside(reap(session.id))
