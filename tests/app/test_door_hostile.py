"""Whatever strangers send, by socket or by HTTP, they are answered or ignored, and nothing breaks.

The short forms run with the other tests; `make torture` runs the long ones.
"""

import asyncio
import contextlib
import json
import random
import socket
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest

from frontend.connections import MOST_EACH, MOST_MESSAGE_BYTES
from tests.support.app_server import running_app
from tests.support.door import (
    RAW_ERROR,
    Visitor,
    ask,
    come_as_guest,
    faults_in,
    message,
    status_of,
    wait_until_idle,
)
from tests.support.hostile import Hostile, http_request
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

SETTLES_S = 1.0
"""So long after the last event all that came of it is told and logged."""


@dataclass(frozen=True, slots=True)
class Place:
    """A running server, the log it writes, and a folder beside its files that must stay."""

    base: str
    log: Path
    canary: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    models, folder = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("app")
    save_characters(models / "letters", starters=["once upon"])
    canary = folder / "canary"
    canary.mkdir()
    (canary / "stays").write_text("here")
    with running_app(folder, models, INKLING_GUESTS="1") as base:
        yield Place(base, folder / "log", canary)


@pytest.fixture(autouse=True)
def nothing_broke(place: Place) -> Iterator[None]:
    """Whatever a test did, the server answers, its log knows no fault, and no folder is gone."""
    before = len(faults_in(place.log))
    yield
    wait_until_idle(place.base)
    assert faults_in(place.log)[before:] == []
    assert (place.canary / "stays").read_text() == "here"
    assert Path(place.log.parent / "stories" / "secret").exists()


def line_to(base: str) -> str:
    return f"{base}/ws/socket.io/?EIO=4&transport=websocket"


def raw_errors(told: object) -> list[str]:
    """What was told in Python's words."""
    return [found[0] for found in RAW_ERROR.finditer(json.dumps(told, default=str))]


def short(count: int) -> Any:
    return pytest.param(count)


def long(count: int) -> Any:
    return pytest.param(count, marks=pytest.mark.torture)


@pytest.mark.parametrize("count", [short(250), long(2000)])
def test_hostile_socket_events_break_nothing_and_are_told_no_error_of_pythons(place, count):
    async def run() -> Counter[str]:
        sent: Counter[str] = Counter()
        visitor = Visitor(place.base, come_as_guest(place.base))
        assert await visitor.connect()
        await visitor.socket.emit("client_message", message("/with max=9 once upon"))
        await asyncio.sleep(SETTLES_S)
        hostile = Hostile(15, [each["id"] for each in visitor.state["passages"]])
        for _ in range(count):
            name, payloads = hostile.event()
            with contextlib.suppress(UnicodeEncodeError, asyncio.TimeoutError):
                if name in ("story_query", "story_command"):
                    answer = await visitor.socket.call(name, payloads, timeout=20)
                    visitor.told.append((name, answer))
                else:
                    await visitor.socket.emit(name, payloads)
                sent[name] += 1
            if not visitor.socket.connected or name == "clear_session":
                await visitor.close()
                visitor = Visitor(place.base, visitor.cookie, told=visitor.told)
                assert await visitor.connect()
        await asyncio.sleep(SETTLES_S)
        assert raw_errors(visitor.told) == []
        await visitor.close()
        other = Visitor(place.base, come_as_guest(place.base))
        assert await other.connect()
        while not other.state:
            await asyncio.sleep(0.05)
        assert "models" in await other.query({"query": "models"})
        await other.close()
        return sent

    sent = asyncio.run(run())
    print(f"{sent.total()} events of {len(sent)} names: {dict(sent)}")


@pytest.mark.parametrize("count", [short(60), long(500)])
def test_frames_that_are_no_packets_break_nothing(place, count):
    async def run() -> int:
        hostile, sent = Hostile(16, []), 0
        url = f"{place.base}/ws/socket.io/?EIO=4&transport=websocket"
        hello = "40" + json.dumps({"sessionId": "x", "clientType": "webapp"})
        async with aiohttp.ClientSession() as client:
            for at in range(count):
                cookie = {"Cookie": come_as_guest(place.base)} if at % 5 == 0 else {}
                async with client.ws_connect(url, headers=cookie) as line:
                    for _ in range(3):
                        packet = hostile.packet()
                        try:
                            if at % 2:
                                await line.send_str(hello)
                            if isinstance(packet, bytes):
                                await line.send_bytes(packet)
                            else:
                                await line.send_str(packet)
                            sent += 1
                        except (ConnectionError, UnicodeEncodeError):
                            break
        return sent

    # Some end their line, and some are no text at all.
    assert asyncio.run(run()) > count


@pytest.mark.parametrize("count", [short(60), long(500)])
def test_no_handshake_of_a_page_becomes_a_path(place, count):
    async def run() -> int:
        cookie, hostile, came_in = come_as_guest(place.base), Hostile(17, []), 0
        for _ in range(count):
            said = hostile.handshake(str(place.canary))
            visitor = Visitor(place.base, cookie, more=said)
            if await visitor.connect():
                came_in += 1
                await visitor.socket.emit("clear_session")
                await visitor.query({"query": "models"})
            await visitor.close()
        await asyncio.sleep(SETTLES_S)
        return came_in

    came_in = asyncio.run(run())
    files = place.log.parent / ".files"
    assert came_in > 0
    # In the folder of the process lies one for each session; see frontend/files.py.
    assert all(len(each.name) == 36 for each in files.glob("*/*"))
    print(f"{count} handshakes, {came_in} of them let in")


@pytest.mark.parametrize("count", [short(150), long(500)])
def test_no_http_request_ends_in_a_500_or_in_an_error_of_pythons(place, count):
    draw, cookie = random.Random(18), come_as_guest(place.base)
    answers: Counter[int] = Counter()
    for _ in range(count):
        head, body = http_request(draw, cookie)
        answer = ask(place.base, head, body)
        answers[status_of(answer)] += 1
        said = answer[:4000].decode("latin1")
        assert status_of(answer) in range(200, 500) or b"websocket" in head, (head, body[:99], said)
        if b"text/html" not in answer[:1000] and b"javascript" not in answer[:1000]:
            assert not RAW_ERROR.search(said.partition("\r\n\r\n")[2]), (head, body[:99], said)
    print(f"{count} requests: {dict(sorted(answers.items()))}")


LISTED = [
    ("POST", "/set-session-cookie", "application/json", b'{"session_id": "\\ud800"}'),
    ("POST", "/set-session-cookie", "application/json", b'{"session_id": "\xff"}'),
    ("POST", "/set-session-cookie", "application/json", b"[]"),
    ("POST", "/set-session-cookie", "application/json", b"not json"),
    ("POST", "/set-session-cookie", "application/json", b"[" * 100_000),
    ("POST", "/project/threads", "application/json", b'{"pagination":{"first":"\\ud800"}}'),
    ("POST", "/project/threads", "application/json", b'{"pagination":{"first":1},"filter":9}'),
    ("POST", "/project/threads", "application/json", b"\xff"),
    ("PUT", "/project/thread", "application/json", b'{"threadId":"\\ud800","name":"\\ud800"}'),
    (
        "PUT",
        "/feedback",
        "application/json",
        b'{"feedback":{"forId":"x","value":1},"sessionId":"x"}',
    ),
    ("POST", "/project/action", "application/json", b'{"action":{},"sessionId":"x"}'),
    ("PUT", "/project/element", "application/json", b'{"element":{},"sessionId":"x"}'),
    ("DELETE", "/mcp", "application/json", b'{"sessionId":"x","name":"x"}'),
    ("GET", "/public/%00", "", b""),
    ("GET", "/assets/%00", "", b""),
    ("GET", "/public/elements/%00.jsx", "", b""),
    ("GET", "/public/" + "x" * 3000, "", b""),
    ("GET", "/copilot/%00", "", b""),
    ("GET", "/avatars/%0a", "", b""),
    ("GET", "/thread/%00", "", b""),
    ("GET", "/project/thread/%00", "", b""),
]
SIGNED_OUT_ALLOWED = (400, 401, 403, 404, 405, 413, 422)


@pytest.mark.parametrize(("method", "path", "kind", "body"), LISTED)
def test_a_request_that_no_page_sends_is_refused_in_a_line_of_json(place, method, path, kind, body):
    cookie = come_as_guest(place.base)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    answer = ask(place.base, head.encode(), body)
    assert status_of(answer) in SIGNED_OUT_ALLOWED
    assert isinstance(json.loads(answer.partition(b"\r\n\r\n")[2])["detail"], str)


@pytest.mark.parametrize(
    "headers",
    [
        "Host: evil.example\r\nOrigin: http://evil.example",
        "Host: \r\nOrigin: null",
        "Host: 127.0.0.1\r\nOrigin: http://[",
        "Host: 127.0.0.1\r\nOrigin: null",
    ],
)
def test_a_page_elsewhere_gets_no_session_by_any_name(place, headers):
    post = f"POST /auth/header HTTP/1.1\r\n{headers}\r\nContent-Length: 2\r\n\r\n"
    assert status_of(ask(place.base, post.encode(), b"{}")) == 403
    upgrade = (
        f"GET /ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n{headers}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert status_of(ask(place.base, upgrade.encode())) == 403


def test_200_megabytes_are_refused_before_they_are_sent(place):
    head = (
        "POST /set-session-cookie HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    )
    said = f"{head}Content-Length: 200000000\r\n\r\n"
    assert status_of(ask(place.base, said.encode())) == 413
    # One that does not say how much is coming is heard for as long as it may be large.
    pieces = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    answer = ask(place.base, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), pieces * 8)
    assert status_of(answer) == 413


def test_a_session_id_that_is_a_path_removes_no_folder(place):
    async def run() -> None:
        cookie = come_as_guest(place.base)
        for id in (str(place.canary), "../canary", "../../" + place.canary.parent.name + "/canary"):
            visitor = Visitor(place.base, cookie, session=id)
            if await visitor.connect():
                await visitor.socket.emit("clear_session")
                await asyncio.sleep(0.2)
            await visitor.close()
        await asyncio.sleep(SETTLES_S)

    asyncio.run(run())
    assert (place.canary / "stays").exists()


@pytest.mark.parametrize(
    "header",
    [
        "Connection: keep-alive\r\nUpgrade: websocket",
        "Connection: Upgrade\r\nUpgrade: h2c",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: \xff",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: \xff;=,",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12",
    ],
)
def test_an_upgrade_that_is_none_is_refused_and_breaks_nothing(place, header):
    request = (
        "GET /ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Sec-WebSocket-Key: {'A' * 22}==\r\n{header}\r\n"
    )
    if "Version" not in header:
        request += "Sec-WebSocket-Version: 13\r\n"
    answer = ask(place.base, f"{request}\r\n".encode("latin1"), patience_s=5)
    assert status_of(answer) in (400, 426)


def test_a_message_on_a_socket_that_is_too_large_is_refused_before_it_is_whole(place):
    async def send(size: int) -> Any:
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(line_to(place.base)) as line,
        ):
            await line.receive()
            await line.send_str("4" * size)
            return await line.receive(timeout=10)

    assert asyncio.run(send(MOST_MESSAGE_BYTES + 1)).data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    # Engine.IO's own bound, for what came whole.
    assert asyncio.run(send(1_000_001)).data == aiohttp.WSCloseCode.OK


def test_a_connection_that_polls_is_gone_on_with_by_whoever_began_it_alone(place):
    path = f"{place.base}/ws/socket.io/?EIO=4&transport=polling"
    ada, bob = ({"Cookie": come_as_guest(place.base)} for _ in range(2))
    begun = httpx.get(path, headers=ada).text
    path += f"&sid={json.loads(begun[1:])['sid']}"
    said = {"sessionId": str(uuid.uuid4()), "threadId": "", "clientType": "webapp"}
    assert httpx.post(path, content="40" + json.dumps(said), headers=ada).status_code == 200
    for stranger in (bob, {}, {"Cookie": "access_token=x"}):
        assert httpx.get(path, headers=stranger, timeout=5).status_code == 403
        assert httpx.post(path, content="41", headers=stranger).status_code == 403
        # Nor by a change to a WebSocket.
        assert not asyncio.run(upgrades(path.replace("polling", "websocket"), stranger))
    # What a browser carries beside the token may change.
    more = {"Cookie": f"other=1; {ada['Cookie']}"}
    assert httpx.get(path, headers=more).text.startswith("40")
    # JSONP: another's page could read it as a script.
    assert httpx.get(f"{path}&j=0", headers=ada).status_code == 403


async def upgrades(address: str, headers: dict[str, str]) -> bool:
    async with aiohttp.ClientSession(headers=headers) as client:
        try:
            async with client.ws_connect(address):
                return True
        except aiohttp.WSServerHandshakeError:
            return False


def test_a_socket_takes_nothing_that_is_packed(place):
    async def packs() -> int:
        address = line_to(place.base)
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(address, compress=15) as line,
        ):
            return line.compress

    assert asyncio.run(packs()) == 0


def test_one_address_has_so_many_connections_and_no_more_and_others_come_in(place):
    server = urlsplit(place.base)
    with contextlib.ExitStack() as stack:
        lines = [
            stack.enter_context(
                socket.create_connection(
                    (server.hostname, server.port), timeout=10, source_address=("127.0.0.77", 0)
                )
            )
            for _ in range(MOST_EACH + 1)
        ]
        with contextlib.suppress(ConnectionResetError):
            assert lines[-1].recv(1) == b""
        lines[0].sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert status_of(lines[0].recv(100)) == 200
        assert httpx.get(f"{place.base}/health").status_code == 200


def test_the_page_itself_is_still_served(place):
    assert "Inkling" in httpx.get(place.base + "/").text
    assert httpx.get(place.base + "/public/elements/StoryView.jsx").status_code == 200
    assert httpx.get(place.base + "/no/such/page").status_code == 404
