"""`Guard`: the ASGI middleware that each request meets first. Host, origin and size are checked.

Chainlit's socket accepts any origin, whatever its settings say, and nothing below this checks the
Host header, or the size of a body before it is read.
"""

import json
import logging
import os
import re
from collections.abc import Callable
from typing import Any

from chat.errors import fault
from frontend.hosts import is_ours, is_own_page, own_names

FRAMED_BY_VARIABLE = "INKLING_FRAMED_BY"
"""The one other site that may show the page in a frame, as https://huggingface.co does a Space."""

MOST_BYTES = 256_000
"""The largest body of an HTTP request: a sign-in, or the name of a story."""
MOST_SOCKET_BYTES = 1_000_000
"""The same on the socket's path, where a page without WebSockets sends parts of files."""

# The story view is compiled in the page: 'unsafe-eval'. 'unsafe-inline' is for Chainlit's own.
CONTENT_POLICY = (
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' ws: wss:",
    "worker-src 'self' blob:",
    "base-uri 'self'",
)
OTHER_HOST = (
    "This server does not go by the name that it was asked for. If the name is its own, start it "
    "with INKLING_HOSTS=that-name."
)
OTHER_ORIGIN = "This page belongs to another origin."
NOT_YOURS = "This connection is another page's: reload this one."
NO_ANSWER = "This is not what a page of Inkling's sends."
TOO_LARGE = "That is more than can be sent here at once."

log = logging.getLogger(__name__)


def security_headers(framed_by: str = "") -> list[tuple[bytes, bytes]]:
    """The headers of every answer.

    Args:
        framed_by: An origin, https://HOST; anything else lets nobody show the page in a frame.
    """
    ancestors = framed_by if re.fullmatch(r"https://[\w.-]+(:\d+)?", framed_by) else "'none'"
    policy = "; ".join([*CONTENT_POLICY, f"frame-ancestors {ancestors}"])
    return [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"content-security-policy", policy.encode()),
    ]


class Guard:
    """Refuses a request with another Host (403), from a page of another origin (403) or with too
    large a body (413); adds `security_headers` to the rest, and answers 400 where a handler raised.

    A request without an Origin is let in: a browser always sends one from a page of another site.

    Args:
        app: The ASGI application behind it.
        socket: The URL path of the socket.
        bound: The host name or address the server listens on, an allowed name too.
        is_anothers: Whether a request below the socket's path goes on with what another began.
    """

    def __init__(
        self,
        app: Any,
        socket: str,
        bound: str = "",
        is_anothers: Callable[[Any], bool] = lambda scope: False,
    ) -> None:
        self.app = app
        self.is_anothers = is_anothers
        self.socket = socket
        self.names = own_names(os.environ, bound)
        self.headers = security_headers(os.environ.get(FRAMED_BY_VARIABLE, ""))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        answer = Answer(send, self.headers)
        try:
            refused = self._refuses(scope)
            if refused is None and scope["type"] == "http":
                most = MOST_SOCKET_BYTES if self._is_socket(scope) else MOST_BYTES
                refused, receive = await _body(scope, receive, most)
            if refused is not None:
                return await answer.refuse(scope, receive, *refused)
            await self.app(scope, receive, answer.send)
            if scope["type"] == "http":  # below the socket's path, one that should have been one
                await answer.refuse(scope, receive, 400, NO_ANSWER)
        except Exception as error:  # noqa: BLE001 - `fault` logs it
            # Below the socket's path nothing of ours runs: there it is a client's broken packet.
            if not self._is_socket(scope):
                said = fault(log, f"{scope.get('method', 'a socket')} {scope['path']!r}", error)
                await answer.refuse(scope, receive, 400, said)
            elif scope["type"] == "http":
                await answer.refuse(scope, receive, 400, NO_ANSWER)

    def _refuses(self, scope: Any) -> tuple[int, str] | None:
        """The status and the sentence for what may not come in; None for what may."""
        hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
        server = scope.get("server") or (None,)
        if len(hosts) != 1 or not is_ours(hosts[0], self.names, server[0]):
            return 403, OTHER_HOST
        if len(origins) > 1 or not all(is_own_page(each, hosts[0]) for each in origins):
            return 403, OTHER_ORIGIN
        if self._is_socket(scope) and self.is_anothers(scope):
            return 403, NOT_YOURS
        return None

    def _is_socket(self, scope: Any) -> bool:
        return scope["path"].startswith(self.socket)


class Answer:
    """The answer to one request: with our headers, and begun only once."""

    def __init__(self, send: Any, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self._begun = False

    async def send(self, message: Any) -> None:
        """ASGI's `send`, with our headers added to the first message."""
        self._begun = True
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *self._headers]}
        await self._send(message)

    async def refuse(self, scope: Any, receive: Any, status: int, said: str) -> None:
        """Answer with a sentence, whatever is still to come, unless an answer has begun."""
        if self._begun:
            return
        if scope["type"] == "websocket":
            await receive()
            return await self.send({"type": "websocket.close", "code": 1008})
        # What comes after it is not read, so the connection cannot be used again.
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": _detail(said)})


def _detail(said: str) -> bytes:
    """A refusal as Chainlit's page reads one."""
    return json.dumps({"detail": said}).encode()


async def _body(scope: Any, receive: Any, most: int) -> tuple[tuple[int, str] | None, Any]:
    """Read a body that is no larger than it may be: what to refuse, and where to read it again."""
    if not (_headers(scope, b"content-length") or _headers(scope, b"transfer-encoding")):
        return None, receive
    for said in _headers(scope, b"content-length"):
        if not re.fullmatch(r"[0-9]{1,12}", said) or int(said) > most:
            return (413, TOO_LARGE), receive
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":  # the client went away
            return (400, TOO_LARGE), receive
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > most:
            return (413, TOO_LARGE), receive
    whole: list[Any] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Any:
        return whole.pop() if whole else await receive()

    return None, again


def _headers(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin1") for key, value in scope["headers"] if key.lower() == name]
