"""Who may talk to the app: pages of its own origin.

Chainlit's socket takes any origin, whatever its settings say.
"""

import os
import re
from typing import Any
from urllib.parse import urlsplit

FRAMED_BY_VARIABLE = "INKLING_FRAMED_BY"
"""The one other site that may show the page in a frame, as https://huggingface.co does a Space."""

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


def security_headers(framed_by: str = "") -> list[tuple[bytes, bytes]]:
    """What every answer carries.

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


class OriginGuard:
    """Refuses a request whose Origin is neither our own host nor allowed; adds headers to the rest.

    A request without an Origin comes from no foreign page, for there a browser always sends one.
    """

    def __init__(self, app: Any, allowed: frozenset[str] = frozenset()) -> None:
        self.app = app
        self.allowed = allowed
        self.headers = security_headers(os.environ.get(FRAMED_BY_VARIABLE, ""))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = {
            key.decode("latin1").lower(): value.decode("latin1") for key, value in scope["headers"]
        }
        origin = headers.get("origin")
        if origin and origin not in self.allowed and urlsplit(origin).netloc != headers.get("host"):
            return await _refuse(scope, receive, send)

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *self.headers]}
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": 1008})
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"This page belongs to another origin.\n"})
