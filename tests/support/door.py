"""Strangers at the door of the real app: how they come in, and what they must never be told."""

import json
import re
import socket
import ssl
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import socketio
from socketio.exceptions import ConnectionError

RAW_ERROR = re.compile(
    r"Traceback|\b[A-Z]\w*(?:Error|Exception|Warning)\b|object has no attribute"
    r"|is not subscriptable|object is not |unsupported operand|unhashable|positional argument"
    r"|\[Errno|File \"/|codec can't|recursion depth|expected str|list index|No such file"
)
"""What Python says of an error, in the words that a page has no use for."""
IN_THE_LOG = re.compile(
    r"Traceback|fault [0-9a-f]{6}|never retrieved|Exception in ASGI|Unhandled|async handler error"
    r"|Fatal error|ASGI callable"
)
"""What the log holds only where something of ours broke."""
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
PASSWORDS = {"ada": "correct horse 1", "bob": "battery staple 2"}
PATIENCE_S = 30
NO_TLS = ssl.create_default_context()
"""Made once: httpx would make one for every request, which takes longer than the request."""


def faults_in(log: Path) -> list[str]:
    """The lines of the server's log that speak of a fault."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if IN_THE_LOG.search(line)]


def sign_in(base: str, name: str) -> str:
    """The cookie of somebody with an account."""
    form = {"username": name, "password": PASSWORDS[name]}
    return cookie_of(httpx.post(base + "/login", data=form, timeout=PATIENCE_S, verify=NO_TLS))


def come_as_guest(base: str) -> str:
    """The cookie of a browser that nobody knows: a guest's, or the local writer's."""
    return cookie_of(httpx.post(base + "/auth/header", timeout=PATIENCE_S, verify=NO_TLS))


def cookie_of(answer: httpx.Response) -> str:
    answer.raise_for_status()
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


def ask(base: str, request: bytes, body: bytes = b"", *, patience_s: float = PATIENCE_S) -> bytes:
    """Send bytes as they are; all that is answered until the server closes or is done."""
    address = urlsplit(base)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), timeout=patience_s) as line:
        line.sendall(request + body)
        answer = b""
        while not whole(answer):
            try:
                piece = line.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            answer = (answer + piece).removeprefix(GO_ON)
    return answer


def whole(answer: bytes) -> bool:
    """Whether an answer of a known length is there, or one in pieces to its last."""
    head, end, rest = answer.partition(b"\r\n\r\n")
    if re.search(rb"transfer-encoding: chunked", head, re.I):
        return rest.endswith(b"0\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head, re.I)
    return bool(end and found) and len(rest) >= int(found[1] if found else 0)


def status_of(answer: bytes) -> int:
    """0 where there was no answer."""
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else 0


@dataclass
class Visitor:
    """One page, or what pretends to be one.

    Attributes:
        told: Every event it heard, with its data.
    """

    base: str
    cookie: str = ""
    session: Any = field(default_factory=lambda: str(uuid.uuid4()))
    thread: Any = ""
    more: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    told: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = socketio.AsyncClient(reconnection=False)
        self.socket.on("*", self._heard)

    async def _heard(self, event: str, *data: Any) -> None:
        self.told.append((event, data[0] if data else None))

    async def connect(self) -> bool:
        """Whether it was let in."""
        auth = {
            "sessionId": self.session,
            "threadId": self.thread,
            "clientType": "webapp",
            "userEnv": "{}",
            "chatProfile": "",
            **self.more,
        }
        try:
            await self.socket.connect(
                self.base,
                headers={"Cookie": self.cookie, **self.headers},
                transports=["websocket"],
                socketio_path="/ws/socket.io",
                auth=auth,
                wait_timeout=PATIENCE_S,
            )
        except ConnectionError:
            return False
        await self.socket.emit("connection_successful")
        return True

    async def query(self, request: object) -> dict[str, Any]:
        answer = await self.socket.call("story_query", request, timeout=PATIENCE_S)
        assert isinstance(answer, dict)
        return answer

    async def close(self) -> None:
        await self.socket.disconnect()

    @property
    def state(self) -> dict[str, Any]:
        """The story as it was told last."""
        told = [data for event, data in self.told if event == "story_state"]
        return told[-1] if told else {}

    @property
    def heard(self) -> str:
        """All that it was told, as text."""
        return json.dumps(self.told, default=str)


def message(words: str, **more: Any) -> dict[str, Any]:
    """A line from the composer, as Chainlit's page sends it."""
    said = {
        "id": str(uuid.uuid4()),
        "threadId": "",
        "name": "User",
        "type": "user_message",
        "output": words,
        "createdAt": "2026-01-01T00:00:00Z",
        "metadata": {},
        **more,
    }
    return {"message": said, "fileReferences": []}


def wait_until_idle(base: str) -> None:
    """Return once the server answers quickly again."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if httpx.get(base + "/health", timeout=PATIENCE_S, verify=NO_TLS).status_code == 200:
            return
    raise AssertionError("the server answers no more")
