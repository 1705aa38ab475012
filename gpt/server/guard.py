"""`Guard`: the ASGI middleware that each request meets first. Name, page, key and size are checked.

A page elsewhere can have its own name lead to this machine (DNS rebinding); without a key, only the
name that a request was sent to tells that it was meant for another.
"""

import hmac
import re
from collections.abc import Callable, Collection
from ipaddress import ip_address
from typing import Any

from gpt.server.errors import ApiError, response_of

MOST_BYTES = 1_000_000
"""The largest body: a prompt is part of it."""
OPEN = ("/health",)
"""What is answered without the key."""
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?", re.A)


class Guard:
    """Refuses a request for another host, from a page that was not named, without the key or with
    too large a body.

    Args:
        app: The ASGI application behind it.
        key: What a client must send as `Authorization: Bearer KEY`; "" where nobody is asked.
        origins: The pages that may ask, as `--origin` names them; "*" is all.
        host: The name that the server listens at.
        refused: Told of the path and the status of each refusal.
    """

    def __init__(
        self,
        app: Any,
        key: str,
        origins: Collection[str],
        host: str,
        refused: Callable[[str, int], None],
    ) -> None:
        self._app = app
        self._key = key.encode()
        self._origins = origins
        self._host = host
        self._refused = refused

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        try:
            self._check(scope)
        except ApiError as error:
            self._refused(scope["path"], error.status_code)
            return await response_of(error)(scope, receive, send)
        await self._app(scope, _bounded(receive), send)

    def _check(self, scope: Any) -> None:
        """Raise ApiError for what may not come in."""
        hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
        if not self._key and (len(hosts) != 1 or not is_local(hosts[0], self._host)):
            raise ApiError(
                403,
                "this server does not go by the name that it was asked for: ask for it by its "
                "address, or start it with a key",
            )
        if "*" not in self._origins and not all(each in self._origins for each in origins):
            raise ApiError(
                403, f"pages of {origins[0]} may not ask this server: start it with --origin"
            )
        if self._key and scope["path"] not in OPEN:
            self._check_key(_headers(scope, b"authorization"))
        for said in _headers(scope, b"content-length"):
            if not re.fullmatch(r"[0-9]{1,12}", said) or int(said) > MOST_BYTES:
                raise _too_large()

    def _check_key(self, given: list[str]) -> None:
        kind, _, key = (given[0] if len(given) == 1 else "").partition(" ")
        if kind.lower() != "bearer":
            raise ApiError(
                401,
                "this server asks for a key: send Authorization: Bearer KEY",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not hmac.compare_digest(key.strip().encode("latin1"), self._key):
            raise ApiError(
                401,
                "the key is not this server's",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )


def is_local(host: str, own: str) -> bool:
    """Whether a Host header is none that a foreign name can have led here: a local name, the
    server's own, or an address, for a browser sends that only where it was opened itself."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found[1].strip("[]").lower().removesuffix(".")
    if name in ("localhost", own.lower()) or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _bounded(receive: Any) -> Any:
    """What reads a body, and raises ApiError once it is too large."""
    size = 0

    async def read() -> Any:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BYTES:
            raise _too_large()
        return message

    return read


def _too_large() -> ApiError:
    return ApiError(413, f"a request has {MOST_BYTES:,} bytes at most: send a shorter prompt")


def _headers(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin1") for key, value in scope["headers"] if key.lower() == name]
