"""The chat: `chainlit run app.py`. Chainlit's handlers: each calls the writer's `Session`.

What happens then is in chat/session.py. Events of our own come in by frontend/story_events.py.
"""

import asyncio
import os
import sqlite3
import sys
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import chainlit as cl
import chainlit.server
from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.types import ThreadDict

from chat.accounts import PASSWORD_VARIABLE
from chat.accounts.database import open_database
from chat.accounts.home import home, open_home
from chat.jobs.training_jobs import TrainingJobs
from chat.models import default_model, find_models
from chat.models.engines import Engines
from chat.models.remote.directory import Directory
from chat.models.remote.servers import servers_in
from chat.models.training_texts import TrainingTexts
from chat.page import Page
from chat.panels.composer import handle_line
from chat.panels.settings import pick
from chat.panels.time_machine import FindModels
from chat.session import STILL_WRITING, Session
from chat.story.autosave import Autosave
from frontend.beside import run_beside
from frontend.connections import bound_connections
from frontend.events import answered, guard_events, others
from frontend.files import own_files
from frontend.ghosts import Ghosts
from frontend.guard import Guard
from frontend.history import BUBBLE, element_id
from frontend.log import log_in_lines
from frontend.login import open_door
from frontend.memory import SHOWN_BY, Memory, key_of
from frontend.offline import follow_system_theme, serve_offline
from frontend.opening import start_privately
from frontend.others import Others
from frontend.routes import serve_routes
from frontend.sessions import AwaySessions
from frontend.socket_page import SocketPage
from frontend.status import serve_status
from frontend.stories import OpenStories
from frontend.story_events import serve_story_events
from frontend.tasks import Tasks, forget, stop_quietly, sweep, unless_it_left
from frontend.time_machine import TimeMachines
from frontend.uploads import Uploads
from frontend.widgets import MODEL_PICKER, PRESET_PICKER
from frontend.windows import Asker, asked_by
from gpt.decode.choose import wanted

ROOT = Path(__file__).parent
with start_privately():
    HOME = open_home(home(ROOT))
    MEMORY = Memory(HOME, open_database(HOME))
    TRAINING_JOBS = TrainingJobs(ROOT)
    wanted()
    SERVERS = Directory(servers_in(), lambda: run_beside(offer_anew()))
    DOOR = open_door(chainlit.server, HOME, os.environ.get(PASSWORD_VARIABLE))
ENGINES = Engines()
SOURCES = TrainingTexts(ROOT / "data")


def models_of(websocket: WebsocketSession) -> FindModels:
    """What finds the models that a session's writer may see."""
    return partial(
        find_models,
        ROOT,
        owner=MEMORY.owner(websocket),
        alone=DOOR.alone,
        others=SERVERS.listings,
    )


MACHINES = TimeMachines(models_of, SOURCES)
GHOSTS = Ghosts(is_busy=lambda: not MACHINES.engines.at_rest)
UPLOADS = Uploads(TRAINING_JOBS, MEMORY.room, others=not DOOR.alone)


def new_session(websocket: WebsocketSession, page: Page, keeper: Autosave) -> Session:
    """The `Session` of a story, for its first window."""
    return Session(
        page,
        ENGINES,
        models_of(websocket),
        keeper.keep,
        SOURCES,
        MEMORY.votes_of(websocket),
        MEMORY.presets_of(websocket),
        UPLOADS.of_who_asks,
        key_of(websocket),
        GHOSTS.of_who_asks,
    )


WRITING = Tasks()
STORIES = OpenStories(MEMORY, WRITING, new_session)
BY_SESSION = (MEMORY.pieces, *(each.by_session for each in (MACHINES, UPLOADS, GHOSTS)))
"""What is kept by the id of a session of Chainlit's, which outlives a lost connection."""

log_in_lines()
bound_connections()
AWAY = AwaySessions(STORIES, *BY_SESSION)
FILES = own_files(sys.modules["chainlit.config"], chainlit.server)
"""Held until the process ends."""
serve_offline(chainlit.server)
serve_routes(chainlit.server)
serve_status(chainlit.server, ENGINES, MACHINES.engines)
stop_quietly(sio, WRITING)
AWAY.serve(sio)
serve_story_events(sio, STORIES.sessions)
MACHINES.serve(sio)
MEMORY.serve_files(sio, STORIES.sessions)
guard_events(sio, begin=lambda session_id: forget(session_id, STORIES.leave, *BY_SESSION))
cl.data_layer(lambda: MEMORY.layer(STORIES))
follow_system_theme(config)
# The last one that is added is the first that a request meets.
chainlit.server.app.add_middleware(
    Guard,
    socket=chainlit.server.SOCKET_IO_PATH,
    bound=config.run.host,
    is_anothers=others(sio),
)


async def offer_anew() -> None:
    """Offer every page the models there are now: a server was found, or went away."""
    for session in set(STORIES.sessions.values()):
        session.models = await asyncio.to_thread(session.find_models)
        session.model = session.model or default_model(session.models)
        await session.offer()
        if not session.writing:
            await session.show()


def current_websocket() -> WebsocketSession:
    """Chainlit's session, of the chat that this event belongs to."""
    return cast(WebsocketSession, cl.context.session)


async def own_session() -> Session:
    """Our `Session` of the story that this chat is at, which other windows may be at too."""
    return await STORIES.join(current_websocket())


def to_it_alone() -> AbstractContextManager[None]:
    """What is sent meanwhile is for the window of this event alone."""
    websocket = current_websocket()
    return asked_by(Asker(websocket.id, MEMORY.owner(websocket), alone=True))


async def warm_up() -> None:
    """Read the model that a new page writes with, while that page is still on its way."""
    models = await asyncio.to_thread(find_models, ROOT)
    await ENGINES.warm_up(models.get(default_model(models) or ""))


@cl.on_app_startup
async def on_app_startup() -> None:
    run_beside(warm_up())
    run_beside(DOOR.watch(sio))
    run_beside(SERVERS.watch())
    run_beside(AWAY.watch())
    run_beside(Others(MEMORY, STORIES, WRITING).watch())
    run_beside(sweep(STORIES.sweep, *BY_SESSION))


@cl.on_app_shutdown
async def on_app_shutdown() -> None:
    await STORIES.close_down()


@cl.on_chat_start
@answered
async def on_chat_start() -> None:
    await asyncio.to_thread(find_models, ROOT)  # so that its folders are read off the event loop
    session = await own_session()
    elements = [cl.CustomElement(id=element_id(name), name=name, props={}) for name in SHOWN_BY]
    with unless_it_left(current_websocket()):
        await cl.Message(id=str(BUBBLE), content="", elements=elements).send()
    with to_it_alone():
        await session.offer()
        await session.sync(-1, 0)
    run_beside(session.warm_up())


@cl.on_chat_resume
@answered
async def on_chat_resume(thread: ThreadDict) -> None:
    """Open a story from the list; also run when the page of one lost its connection."""
    await asyncio.to_thread(find_models, ROOT)
    session = await own_session()
    with to_it_alone():
        await session.offer()
    run_beside(session.warm_up())


@cl.on_message
@answered
async def on_message(message: cl.Message) -> None:
    """Text from the composer, or a button that has a model write (`metadata`); one at a time."""
    words = (message.metadata or {}).get("words") or ""
    if not (message.metadata or {}).get("ask"):
        words = message.content
    try:
        session = await own_session()
    except (sqlite3.Error, OSError):
        refused = {"words": words, "why": "The story cannot be read from the disk at this moment."}
        await SocketPage(current_websocket()).emit("story_refused", refused)
        raise
    if not await WRITING.claim(key_of(current_websocket()), lambda: session.writing):
        return await refuse_another(session, words)
    picks = message.modes or {}
    model = picks.get(MODEL_PICKER)
    if not await pick(session, picks.get(PRESET_PICKER), message.content):
        return
    # A button sends a message too, for only a message has a Stop; what it wants is beside it.
    if (message.metadata or {}).get("ask"):
        await session.ask_for(message.metadata or {}, model=model)
    else:
        await handle_line(session, message.content, model=model)


async def refuse_another(session: Session, words: str) -> None:
    """Give a message back that came while a model writes, maybe for another window."""
    await session.refuse(words, STILL_WRITING)
    emitter, task = cl.context.emitter, asyncio.current_task()

    async def give_stop() -> None:
        # Chainlit takes Stop away once this message is done with.
        await asyncio.wait({task} if task else set())
        if session.writing:
            await emitter.task_start()

    run_beside(give_stop())


@cl.on_settings_update
@answered
async def on_settings_update(values: dict[str, Any]) -> None:
    session = await own_session()
    await session.change_settings(values)
    # What was refused or left empty, and by whom each value is set, shows in the dialog and beside.
    await session.show()
    await session.offer()


@cl.on_window_message
@answered
async def on_window_message(data: Any) -> None:
    """Events from the story view that any other window could forge, so they only do what is
    harmless: send the state again, pick a model, take over settings in an empty story."""
    match data:
        case {"type": "story_sync", "revision": int(revision), "have": int(have)}:
            session = await own_session()
            if session.writing:
                # After a lost connection Chainlit's page thinks that nothing runs, and has no Stop.
                await cl.context.emitter.task_start()
            with to_it_alone():
                await session.sync(revision, have)
            if (windows := STORIES.windows_of(current_websocket())) is not None:
                await windows.deliver()
        case {"type": "story_like", "settings": dict(values), "model": str(model), **more}:
            # A new page goes on with the settings and the picks of the one it was opened from.
            session = await own_session()
            if not (session.story.passages or session.writing or session.awaits_vote):
                preset = str(more.get("preset", ""))[:100] or None
                kept = session.kept(session.story)
                await session.take(replace(kept, settings=values, model=model, preset=preset))
                await session.offer()
        case {"type": "story_model", "model": str(model)}:
            session = await own_session()
            session.models = await asyncio.to_thread(session.find_models)
            if model not in session.models:
                return await session.page.tell(f"“{model[:60]}” is no longer there.", "warning")
            session.model = model
            await session.show()
            await session.offer()
            run_beside(session.warm_up())


@cl.on_chat_end
@answered
async def on_chat_end() -> None:
    websocket = current_websocket()
    MACHINES.stop(websocket)
    UPLOADS.stop(websocket)
    GHOSTS.stop(websocket)
    STORIES.went_away(websocket)
