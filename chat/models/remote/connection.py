"""A request to a server, and its answer as it comes. Every fault of the way is said in words.

Nothing is followed to another address, no proxy of the environment is asked, and an answer that
comes packed is refused: it could unpack to anything. Leaving the block closes the connection, so
the server hears at once that nobody reads on.
"""

import asyncio
import json
import logging
import re
import ssl
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from chat.errors import one_line
from chat.models.remote.answers import AnswerError, GaveUpError, counts_in, in_short, said_in
from chat.models.remote.errors import LaterError, RemoteError, TooLongError
from chat.models.remote.events import TooMuchError, Turns
from chat.models.remote.servers import Server

log = logging.getLogger(__name__)

CONNECT_S = 5.0
MOST_ERROR = 20_000
"""Bytes of an error that are read."""
LONGEST_WAIT_S = 60.0
"""The longest pause that a server may ask for."""
LATER = (429, 502, 503, 504)
STAYS = "What was written until then stays: Continue goes on from there."
TRY = "Try again, or pick another model."


@asynccontextmanager
async def answer(
    server: Server, path: str, body: Mapping[str, Any] | None = None, patience_s: float = 0
) -> AsyncGenerator[httpx.Response]:
    """The answer of a server that takes the request, its body still to be read by `chunks`.

    Args:
        body: Sent as JSON; None asks with GET.
        patience_s: For its first byte; 0 is the server's own.

    Raises:
        RemoteError: It cannot be reached, does not answer, or refuses.
    """
    headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
    if server.key:
        headers["Authorization"] = f"Bearer {server.key}"
    # As ASCII, for half a character is no UTF-8.
    content = None if body is None else json.dumps(body).encode()
    async with httpx.AsyncClient(
        verify=_tls() if server.url.startswith("https:") else False,
        timeout=httpx.Timeout(None, connect=CONNECT_S),
        trust_env=False,
        headers=headers,
    ) as client:
        method = "GET" if body is None else "POST"
        with faults_said(server), _address_minded(server):
            request = client.build_request(method, server.url + path, content=content)
            async with asyncio.timeout(patience_s or server.patience_s):
                response = await client.send(request, stream=True)
        try:
            if response.status_code != 200:
                with faults_said(server):
                    async with asyncio.timeout(server.patience_s):
                        data = await _beginning(response)
                raise _refused(server, response, data)
            if response.headers.get("content-encoding", "identity") != "identity":
                raise RemoteError(f"“{server.name}” sends packed answers, which are not read.")
            yield response
        finally:
            await response.aclose()


async def chunks(server: Server, response: httpx.Response) -> AsyncGenerator[bytes]:
    """The bytes of an answer as they come.

    Raises:
        RemoteError: Nothing comes for too long, or the connection breaks.
    """
    coming, turns = response.aiter_raw(), Turns()
    while True:
        with faults_said(server, begun=True):
            async with asyncio.timeout(server.patience_s):
                chunk = await anext(coming, None)
        if chunk is None:
            return
        await turns.spend(len(chunk))
        yield chunk


async def whole(server: Server, response: httpx.Response, most: int) -> bytes:
    """All of an answer that is short.

    Raises:
        RemoteError: It is longer than `most` bytes; or as `chunks`.
    """
    came: list[bytes] = []
    size = 0
    async with aclosing(chunks(server, response)) as coming:
        with faults_said(server):
            async for chunk in coming:
                came.append(chunk)
                size += len(chunk)
                if size > most:
                    raise TooMuchError(f"more than {most:,} bytes")
    return b"".join(came)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@contextmanager
def faults_said(server: Server, *, begun: bool = False) -> Generator[None]:
    """Say in words what goes wrong on the way; the log has the rest, without address or key.

    Args:
        begun: The answer has begun to come.
    """
    name, after = f"“{server.name}”", STAYS if begun else TRY
    try:
        yield
    except TimeoutError as error:
        seconds = f"{server.patience_s:g} second{'' if server.patience_s == 1 else 's'}"
        raise RemoteError(
            f"{name} has sent nothing for {seconds}, so it was given up. {after}"
        ) from error
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        log.info("server %s cannot be reached: %s", one_line(server.name), type(error).__name__)
        raise LaterError(
            f"{name} cannot be reached: it does not run, or its address in the configuration of "
            f"this page is another. {TRY}"
        ) from None
    except (httpx.HTTPError, httpx.StreamError) as error:
        log.warning("server %s: %s", one_line(server.name), type(error).__name__)
        raise RemoteError(f"{name} broke the connection off in the middle. {after}") from None
    except (TooMuchError, AnswerError) as error:
        said = in_short(without(server, str(error)))
        log.warning("server %s sent no answer: %s", one_line(server.name), said)
        raise RemoteError(
            f"{name} sent what is no answer of the completions API: {said}. {after}"
        ) from None
    except GaveUpError as error:
        said = _quoted(server, str(error))
        log.warning("server %s gave up.%s", one_line(server.name), said)
        raise RemoteError(f"{name} gave up in the middle.{said} {after}") from None


@contextmanager
def _address_minded(server: Server) -> Generator[None]:
    """Say so where nothing can be sent to the address: `httpx` and `idna` have errors of their own
    for it."""
    try:
        yield
    except (httpx.InvalidURL, UnicodeError) as error:
        log.warning("server %s has no address: %s", one_line(server.name), type(error).__name__)
        raise RemoteError(
            f"“{server.name}” cannot be reached: its address in the configuration of this page "
            "names no machine. Pick another model."
        ) from None


async def _beginning(response: httpx.Response) -> bytes:
    came, turns = b"", Turns()
    async for chunk in response.aiter_raw():
        await turns.spend(len(chunk))
        came += chunk
        if len(came) > MOST_ERROR:
            break
    return came[:MOST_ERROR]


def _refused(server: Server, response: httpx.Response, data: bytes) -> RemoteError:
    """What a status other than 200 means, in words."""
    status, name = response.status_code, f"“{server.name}”"
    quoted = _quoted(server, said_in(data))
    if status == 400 and (counts := counts_in(data)) is not None:
        return TooLongError(f"The story is too long for {name}.{quoted}", *counts)
    log.warning("server %s answered %s.%s", one_line(server.name), status, quoted)
    if status in (401, 403):
        return RemoteError(
            f"{name} does not let this page in ({status}): whoever runs it must check the key. "
            "Pick another model meanwhile."
        )
    if status == 404:
        return RemoteError(f"{name} has no such model any more (404).{quoted} Pick another one.")
    if status in LATER:
        busy = "is busy" if status in (429, 503) else "is out of reach behind its proxy"
        return LaterError(f"{name} {busy} ({status}).{quoted} {TRY}", _pause(response))
    if status >= 500:
        return RemoteError(f"{name} failed ({status}).{quoted} {TRY}")
    if status < 400:
        return RemoteError(f"{name} sends elsewhere ({status}), where nobody follows.")
    return RemoteError(f"{name} refuses this ({status}).{quoted}")


def _pause(response: httpx.Response) -> float | None:
    said = response.headers.get("retry-after", "")
    return min(LONGEST_WAIT_S, float(said)) if said.isascii() and said.isdigit() else None


def _quoted(server: Server, said: str) -> str:
    short = in_short(without(server, said))
    return f" It says: “{short}”." if short else ""


def without(server: Server, said: str) -> str:
    """A server's words without the key and the address, should it repeat them.

    Args:
        said: All of it: of a key that was cut in two, the first half would not be found.
    """
    if server.key:
        said = said.replace(server.key, "…")
    parts = urlsplit(server.url)
    # A name of a host may be as short as a word's beginning.
    for address in (server.url, parts.netloc, parts.hostname or parts.netloc):
        said = re.sub(rf"(?<![\w.-]){re.escape(address)}(?![\w-])", "…", said, flags=re.I)
    return said
