"""Who is answered: pages of our own, under our own names, with bodies of a decent size."""

import asyncio
import json
from typing import Any

import pytest

from frontend.guard import MOST_BYTES, MOST_SOCKET_BYTES, Guard
from frontend.hosts import is_ours, is_own_page, own_names

LOCAL_NAMES = ("127.0.0.1:8000", "localhost", "LOCALHOST:8000", "tales.localhost:1", "[::1]:8000")
OTHER_NAMES = (
    *("evil.example", "evil.example:8000", "localhost.evil.example", "evil-localhost", ""),
    *("127.0.0.1.evil.example", "127.0.0.1@evil.example", "localhost:80:80", "localhost:", " "),
    *("[::1", "[::1]evil", "http://localhost", "localhost/", "8.8.8.8", "[2001:db8::1]", "0x7f.1"),
    *("localhost, evil.example", "localhost\x00", "localhost\n", "2130706433", "а.localhost"),
)


@pytest.mark.parametrize("host", LOCAL_NAMES)
def test_the_local_names_are_ours(host):
    assert is_ours(host, frozenset(), "127.0.0.1")


@pytest.mark.parametrize("host", OTHER_NAMES)
def test_another_name_is_not_ours_wherever_it_leads(host):
    assert not is_ours(host, frozenset(), "127.0.0.1")


def test_the_address_that_a_request_came_in_at_is_ours_and_no_other():
    assert is_ours("192.168.1.20:8000", frozenset(), "192.168.1.20")
    assert is_ours("192.168.1.20", frozenset(), "::ffff:192.168.1.20")
    assert not is_ours("192.168.1.21", frozenset(), "192.168.1.20")
    assert not is_ours("192.168.1.20", frozenset(), None)


def test_more_names_are_given_by_a_variable_a_space_and_what_the_server_is_bound_to():
    names = own_names(
        {"INKLING_HOSTS": " Tales.example.org,10.0.0.7 ,", "SPACE_HOST": "a-b.hf.space"}
    )
    for host in ("tales.example.org", "TALES.example.org.:443", "10.0.0.7:80", "a-b.hf.space"):
        assert is_ours(host, names, "127.0.0.1")
    assert not is_ours("example.org", names, "127.0.0.1")
    assert not is_ours("x.tales.example.org", names, "127.0.0.1")
    assert is_ours("mybox:8000", own_names({}, bound="mybox"), "192.168.1.20")


@pytest.mark.parametrize("said", ["https://tales.example.org", "a:80", "*", "a b", "a/b"])
def test_a_name_that_is_none_ends_the_start_in_a_sentence(said):
    with pytest.raises(ValueError, match=r"INKLING_HOSTS: .* is no host name\. Write names alone"):
        own_names({"INKLING_HOSTS": said})


def test_what_no_host_name_is_stands_in_the_message_as_far_as_it_can():
    with pytest.raises(ValueError) as error:
        own_names({"INKLING_HOSTS": f"good.example, {'/' * 99}"})
    assert str(error.value) == (
        f"INKLING_HOSTS: “{'/' * 60}” is no host name. Write names alone, without https:// and "
        "port, as in tales.example.org,192.168.1.20"
    )
    assert own_names({}) == own_names({"INKLING_HOSTS": " , "}) == frozenset()


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8000", "localhost:8000"),
        ("http://localhost", "localhost:80"),
        ("https://tales.example.org", "tales.example.org"),
        ("https://tales.example.org", "TALES.example.org:443"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_a_page_of_the_same_host_and_port_is_our_own(origin, host):
    assert is_own_page(origin, host)


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "http://[", "http://]", "http://localhost:8001", "http://evil.example"),
        *("http://localhost:8000.evil.example", "http://evil@localhost:8000", "//localhost:8000"),
        *(
            "http://localhost:8000/",
            "file://localhost:8000",
            "http://localhost:99999999",
            "http://",
        ),
        *("http://localhost:8000, http://evil.example", "http://localhost:8000\n", "http://[::1]"),
    ],
)
def test_every_other_page_is_foreign(origin):
    assert not is_own_page(origin, "localhost:8000")


class Asked:
    """One request to a guard before an app that says what it read."""

    def __init__(
        self,
        headers: dict[str, str] | list[tuple[str, str]],
        pieces: list[bytes] = [],  # noqa: B006 - it is only read
        *,
        path: str = "/set-session-cookie",
        kind: str = "http",
        breaks: Exception | None = None,
        silent: bool = False,
    ) -> None:
        pairs = headers.items() if isinstance(headers, dict) else headers
        self.scope = {
            "type": kind,
            "method": "POST",
            "path": path,
            "server": ("127.0.0.1", 8000),
            "headers": [(key.encode(), value.encode("latin1")) for key, value in pairs],
        }
        self.pieces = pieces
        self.read = 0
        self.sent: list[dict[str, Any]] = []
        self.breaks = breaks
        self.silent = silent
        self.body = b""
        asyncio.run(Guard(self.app, socket="/ws/socket.io")(self.scope, self.receive, self.send))

    async def receive(self) -> dict[str, Any]:
        if self.scope["type"] == "websocket":
            return {"type": "websocket.connect"}
        if self.read >= len(self.pieces):
            return {"type": "http.disconnect"}
        self.read += 1
        more = self.read < len(self.pieces)
        return {"type": "http.request", "body": self.pieces[self.read - 1], "more_body": more}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        if self.breaks:
            raise self.breaks
        if self.silent:
            return
        more = bool(self.pieces)
        while more:
            message = await receive()
            self.body += message["body"]
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})

    @property
    def status(self) -> int:
        return self.sent[0].get("status", 0)


HOME = {"host": "127.0.0.1:8000"}


def test_a_request_under_our_name_comes_through_with_its_body_and_our_headers():
    asked = Asked({**HOME, "content-length": "4"}, [b"ab", b"cd"])
    assert (asked.status, asked.body) == (200, b"abcd")
    names = [name for name, _ in asked.sent[0]["headers"]]
    assert {b"x-content-type-options", b"content-security-policy"} <= set(names)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example", "origin": "http://evil.example"},  # DNS rebinding
        {"host": "", "origin": "null"},
        {**HOME, "origin": "null"},
        {**HOME, "origin": "http://["},
        {},
        [("host", "127.0.0.1:8000"), ("host", "evil.example")],
        [*HOME.items(), ("origin", "http://127.0.0.1:8000"), ("origin", "http://evil.example")],
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_host_or_origin_is_refused_by_http_and_by_websocket(headers, kind):
    asked = Asked(headers, kind=kind)
    if kind == "http":
        assert asked.status == 403
        assert json.loads(asked.sent[1]["body"])["detail"]
    else:
        assert asked.sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    ("path", "most"), [("/set-session-cookie", MOST_BYTES), ("/ws/socket.io/", MOST_SOCKET_BYTES)]
)
def test_a_body_that_says_it_is_too_large_is_refused_unread(path, most):
    asked = Asked({**HOME, "content-length": str(most + 1)}, [b"a"] * 9, path=path)
    assert (asked.status, asked.read) == (413, 0)
    assert (b"connection", b"close") in asked.sent[0]["headers"]
    assert Asked({**HOME, "content-length": str(most)}, [b"a" * most], path=path).status == 200


@pytest.mark.parametrize(
    ("path", "most"), [("/set-session-cookie", MOST_BYTES), ("/ws/socket.io/", MOST_SOCKET_BYTES)]
)
def test_a_body_that_does_not_say_how_large_it_is_is_read_no_further_than_it_may_be(path, most):
    pieces = [b"a" * 50_000] * 4_000  # 200 MB
    asked = Asked({**HOME, "transfer-encoding": "chunked"}, pieces, path=path)
    assert asked.status == 413
    assert asked.read <= most // 50_000 + 1


def test_what_breaks_below_is_one_line_in_the_log_and_a_quiet_answer(caplog):
    asked = Asked(HOME, breaks=KeyError("a secret\nTraceback"))
    assert asked.status == 400
    (record,) = caplog.records
    said = record.getMessage()
    assert said.isprintable()
    assert "KeyError" in said
    assert record.exc_info is None
    mark = said.split()[1].strip(":")
    told = json.loads(asked.sent[1]["body"])["detail"]
    assert mark in told
    assert "KeyError" not in told
    assert "secret" not in told


@pytest.mark.parametrize("broken", [{"silent": True}, {"breaks": ValueError("a packet")}])
def test_a_request_to_which_the_socket_says_nothing_is_answered_all_the_same(broken):
    asked = Asked(HOME, path="/ws/socket.io/", **broken)
    assert asked.status == 400
    assert json.loads(asked.sent[1]["body"])["detail"]
