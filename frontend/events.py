"""The events of the socket: which are served, and the schema that each payload must have.

Everything a page sends over the socket passes here. An event that is not in `SERVED` is dropped:
Inkling has no use for Chainlit's others (edits of bubbles, favourites, sound).
"""

import functools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import chainlit as cl
from chainlit.auth.cookie import get_token_from_cookies
from chainlit.session import WebsocketSession
from chainlit.socket import _authenticate_connection
from fastapi.requests import HTTPConnection
from pydantic import ValidationError
from socketio.exceptions import ConnectionRefusedError as Refused

from chat.errors import fault
from chat.generate.request import OTHER_PAGE
from frontend import payloads
from frontend.memory import Memory
from frontend.payloads import Handshake
from frontend.windows import Asker, asked_by

log = logging.getLogger(__name__)
_in_hand: Counter[str] = Counter()
"""Events by session."""

SERVED: dict[str, Callable[[object], dict[str, Any]] | None] = {
    "connection_successful": None,
    "clear_session": None,
    "stop": None,
    "client_message": payloads.sent,
    "chat_settings_change": payloads.chat_settings,
    "window_message": payloads.window_message,
    "story_act": payloads.page_request,
    "story_query": payloads.page_request,
    "story_command": payloads.page_request,
    "story_save": payloads.save_request,
    "story_piece": payloads.file_piece,
    "machine_write": payloads.steps,
    "machine_stop": None,
}
"""By event the function that validates its payload or raises ValidationError; None where an event
has no payload. "story_…" and "machine_…" are handled in frontend/ (story_events.py, memory.py,
time_machine.py), the others by Chainlit, which calls app.py."""
ANSWERED = ("story_query", "story_command")
"""The events whose sender waits for an answer, so their errors are answers too."""
KEPT_BY_PAGE = "client_message"
"""A line, which its page keeps until it hears that the line was taken."""
FROM_ANY_WINDOW = "window_message"
"""Chainlit hands on whatever another window posts to the page: what is none of ours is no news."""
NOT_SIGNED_IN = "authentication failed"
MOST_AT_ONCE = 100
"""So many events of one page are in hand at once: an honest one has a few."""
TOO_MUCH = "This page asks for too much at once: wait until some of it is done."


def guard_events(sio: Any, begin: Callable[[str], None]) -> None:
    """Replace socketio's dispatch: only served events with a valid payload reach a handler.

    Args:
        sio: The socketio server of Chainlit.
        begin: Called with the id of a session that is new: what is left of an earlier one by that
            id, which may have been another writer's, is to be forgotten.
    """
    serve = sio._trigger_event
    deliver = sio._handle_event
    protocol = sio.eio.handlers["message"]

    async def trigger(event: object, namespace: str, *args: Any) -> Any:
        match event, args:
            case "connect", (sid, environ, *auth):
                return await _connect(serve, begin, namespace, sid, environ, *auth)
            case "disconnect", _:
                return await _quietly(event, serve("disconnect", namespace, *args))
            case str(name), (sid, *data) if name in SERVED:
                return await _serve(serve, name, namespace, sid, data[0] if data else None)
        return sio.not_handled

    async def event(eio_sid: str, namespace: str, id: int | None, data: list[object]) -> None:
        # A page could call an event "connect", and bring a request of its own making along.
        if isinstance(data[0], str) and data[0] in SERVED:
            await deliver(eio_sid, namespace, id, data)

    async def message(eio_sid: str, data: object) -> None:
        # What is no packet at all raises here, and nothing else does: handlers run beside it.
        with suppress(Exception):
            await protocol(eio_sid, data)

    sio._trigger_event = trigger
    sio._handle_event = event
    sio.eio.on("message", message)


def answered(handler: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Decorate a handler of app.py: an exception is logged, and the page gets a plain sentence.

    Chainlit, which calls it, would show the page the text of the exception.
    """

    @functools.wraps(handler)
    async def answering(*args: Any, **more: Any) -> None:
        try:
            await handler(*args, **more)
        except Exception as error:  # noqa: BLE001 - `fault` logs it
            await _tell(cl.context.session, fault(log, handler.__name__, error))

    return answering


async def _connect(
    serve: Any,
    begin: Callable[[str], None],
    namespace: str,
    sid: str,
    environ: dict[str, Any],
    auth: object = None,
) -> Any:
    """Let a page in that is signed in and names itself properly; else tell it why not.

    Raises:
        Refused: Who is not let in; socketio hands its words to the page, which it does not do
            with those of Python's own `ConnectionRefusedError`.
    """
    try:
        shown = Handshake.model_validate(auth)
    except ValidationError:
        raise Refused(OTHER_PAGE) from None
    try:
        user, _ = await _authenticate_connection(environ)
    except Exception:  # noqa: BLE001 - a token can be wrong in any way
        user = None
    if user is None:
        raise Refused(NOT_SIGNED_IN)
    if WebsocketSession.get_by_id(shown.session) is None:
        begin(shown.session)
    try:
        with asked_by(Asker(shown.session, user.identifier)):
            return await serve("connect", namespace, sid, environ, shown.auth())
    except ConnectionRefusedError:  # Chainlit's: another's session or story
        raise
    except Exception as error:  # noqa: BLE001 - `fault` logs it
        raise Refused(fault(log, "connect", error)) from None


def others(sio: Any) -> Callable[[Any], bool]:
    """Whether a request goes on with a connection that another began: who polls, or changes to a
    WebSocket, names the connection, and Engine.IO asks for no more than that name."""

    def is_anothers(scope: Any) -> bool:
        query = parse_qs(scope.get("query_string", b"").decode("latin1"))
        # JSONP is read by any page as a script, which a browser fetches without an Origin.
        if "j" in query:
            return True
        began = [sio.environ[sid] for sid in query.get("sid", ()) if sid in sio.environ]
        token = get_token_from_cookies(HTTPConnection(scope).cookies)
        return any(_token(environ) != token for environ in began)

    return is_anothers


def _token(environ: dict[str, Any]) -> str | None:
    cookies = environ.get("HTTP_COOKIE", "").encode("latin1", "replace")
    page = HTTPConnection({"type": "http", "headers": [(b"cookie", cookies)]})
    return get_token_from_cookies(page.cookies)


async def _serve(serve: Any, event: str, namespace: str, sid: str, data: object) -> Any:
    """Hand an event on if its page is connected and what it brings is in form."""
    websocket = WebsocketSession.get(sid)
    if websocket is None:
        return _answer(event, OTHER_PAGE)
    if _in_hand[websocket.id] >= MOST_AT_ONCE:
        if event not in ANSWERED:
            await _tell(websocket, TOO_MUCH)
        return _answer(event, TOO_MUCH)
    read = SERVED[event]
    try:
        payload = () if read is None else (read(data),)
    except (ValidationError, RecursionError):
        if event not in (*ANSWERED, FROM_ANY_WINDOW):
            await _tell(websocket, OTHER_PAGE)
        return _answer(event, OTHER_PAGE)
    _in_hand[websocket.id] += 1
    try:
        with asked_by(Asker(websocket.id, Memory.owner(websocket))):
            return await serve(event, namespace, sid, *payload)
    except Exception as error:  # noqa: BLE001 - `fault` logs it
        said = fault(log, event, error)
        if event not in ANSWERED:
            await _tell(websocket, said)
        return _answer(event, said)
    finally:
        _in_hand[websocket.id] -= 1
        if not _in_hand[websocket.id]:
            del _in_hand[websocket.id]


async def _quietly(event: object, serving: Any) -> Any:
    try:
        return await serving
    except Exception as error:  # noqa: BLE001 - `fault` logs it
        fault(log, str(event), error)


def _answer(event: str, said: str) -> dict[str, Any] | None:
    return {"error": said} if event in (*ANSWERED, KEPT_BY_PAGE) else None


async def _tell(websocket: Any, said: str) -> None:
    await websocket.emit("toast", {"message": said, "type": "error"})
