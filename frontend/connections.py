"""How much one connection may bring, and how many one address may have.

Chainlit makes uvicorn's settings itself, and gives no way to these.
"""

import asyncio
from typing import Any

import uvicorn

MOST_MESSAGE_BYTES = 4_000_000
"""Of a message on a socket, refused while it comes: a million characters, of four bytes at most.
Engine.IO, which counts characters, takes no more, but looks only once it has the whole."""
MOST_EACH = 400
"""Connections of one address, those of its open pages among them. Behind a proxy that is not
trusted (FORWARDED_ALLOW_IPS) all visitors have one; a process has 1,024 files by default."""
REFUSED = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def bound_connections() -> None:
    """Have every server that is begun from now on keep these bounds."""
    uvicorn.Config = Bounded  # type: ignore[misc]


class Bounded(uvicorn.Config):
    """uvicorn's settings, within our bounds."""

    def __init__(self, *args: Any, **more: Any) -> None:
        # What is packed grows a thousandfold when it is unpacked, before anybody can count it.
        bounds = {"ws_max_size": MOST_MESSAGE_BYTES, "ws_per_message_deflate": False}
        super().__init__(*args, **{**more, **bounds})

    def load(self) -> None:
        super().load()
        self.http_protocol_class = _few(self.http_protocol_class)
        if self.ws_protocol_class is not None:
            self.ws_protocol_class = _calm(self.ws_protocol_class)


def _few(protocol: Any) -> Any:
    """The protocol, of which one address has only so many connections."""

    class Few(protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            address = _address(self)
            if sum(_address(each) == address for each in self.connections) > MOST_EACH:
                transport.abort()

    return Few


def _calm(protocol: Any) -> Any:
    """The protocol, which refuses what it cannot read in place of raising."""

    class Calm(protocol):
        def data_received(self, data: bytes) -> None:
            try:
                super().data_received(data)
            except (ValueError, LookupError, TypeError):
                if not getattr(self, "handshake_complete", True):
                    self.transport.write(REFUSED)
                self.transport.close()

    return Calm


def _address(protocol: Any) -> str:
    return protocol.client[0] if protocol.client else ""
