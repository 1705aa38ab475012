"""The guard, word for word: what it says no with, what it hands on, and that it answers once."""

import asyncio
import json
from typing import Any

import pytest

from frontend.guard import (
    MOST_BYTES,
    NO_ANSWER,
    NOT_YOURS,
    OTHER_HOST,
    OTHER_ORIGIN,
    TOO_LARGE,
    Guard,
    security_headers,
)
from tests.app.test_door_hosts import HOME

SOCKET = "/ws/socket.io"
START = {"type": "http.response.start", "status": 200}


def scope_of(**values: Any) -> dict[str, Any]:
    headers = values.pop("headers", HOME)
    pairs = headers.items() if isinstance(headers, dict) else headers
    return {
        "type": "http",
        "method": "GET",
        "path": "/",
        "server": ("127.0.0.1", 8000),
        "headers": [(key.encode(), value.encode()) for key, value in pairs],
        **values,
    }


class App:
    """What stands behind the guard: it reads as often as it is told, answers, and may break."""

    def __init__(self, *, reads: int = 0, sends: list[dict[str, Any]], breaks: bool = False):
        self.reads, self.sends, self.breaks = reads, sends, breaks
        self.heard: list[Any] = []
        self.scope: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        for _ in range(self.reads):
            self.heard.append(await receive())
        for each in self.sends:
            await send(each)
        if self.breaks:
            raise KeyError("broken")


def asked(
    app: App, scope: dict[str, Any], messages: list[dict[str, Any]] | None = None, **how: Any
) -> list[dict[str, Any]]:
    """What is sent of an answer."""
    sent: list[dict[str, Any]] = []
    left = list(messages or [])

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Guard(app, SOCKET, **how)(scope, receive, send))
    return sent


def refused(sent: list[dict[str, Any]]) -> tuple[int, str]:
    """Status and sentence of a refusal, which has the form that Chainlit's page reads."""
    start, body = sent
    assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
    told = [(b"content-type", b"application/json"), (b"connection", b"close")]
    assert start["headers"] == [*told, *security_headers()]
    said = json.loads(body["body"])
    assert list(said) == ["detail"]
    return start["status"], said["detail"]


def test_every_answer_lets_nobody_guess_frame_or_follow():
    headers = dict(security_headers())
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"same-origin"
    policy = headers[b"content-security-policy"].decode().split("; ")
    assert policy[0] == "default-src 'self'"
    assert policy[-2:] == ["base-uri 'self'", "frame-ancestors 'none'"]
    assert len(policy) == 9
    assert len(headers) == 3


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("https://huggingface.co", "https://huggingface.co"),
        ("https://a-b.example:8443", "https://a-b.example:8443"),
        ("http://huggingface.co", "'none'"),
        ("https://a.example; script-src *", "'none'"),
        ("https://a.example/x", "'none'"),
        ("https://a.example:", "'none'"),
    ],
)
def test_one_other_origin_may_show_the_page_and_nothing_else_gets_into_the_policy(
    by: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("INKLING_FRAMED_BY", by)
    sent = asked(App(sends=[{**START, "headers": [(b"a", b"b")]}]), scope_of())
    assert sent[0]["headers"] == [(b"a", b"b"), *security_headers(by)]
    assert (
        dict(sent[0]["headers"])[b"content-security-policy"]
        .decode()
        .endswith(f"; frame-ancestors {said}")
    )


def test_what_is_no_request_goes_through_as_it_is():
    app = App(reads=1, sends=[{"type": "lifespan.startup.complete"}])
    sent = asked(app, {"type": "lifespan"}, [{"type": "lifespan.startup"}])
    assert sent == [{"type": "lifespan.startup.complete"}]
    assert (app.scope, app.heard) == ({"type": "lifespan"}, [{"type": "lifespan.startup"}])


def test_only_the_start_of_an_answer_gets_headers_and_one_without_any_too():
    body = {"type": "http.response.body", "body": b"in"}
    sent = asked(App(sends=[START, body]), scope_of())
    assert sent == [{**START, "headers": security_headers()}, body]


def test_a_refusal_says_why():
    def of(**values: Any) -> tuple[int, str]:
        def foreign(scope: Any) -> bool:
            return scope["path"].endswith("?")

        return refused(asked(App(sends=[START]), scope_of(**values), is_anothers=foreign))

    away = "http://evil.example"
    assert of(headers={"host": "evil.example"}) == (403, OTHER_HOST)
    assert of(headers={**HOME, "origin": away}) == (403, OTHER_ORIGIN)
    twice = [*HOME.items(), *[("origin", "http://127.0.0.1:8000")] * 2]
    assert of(headers=twice) == (403, OTHER_ORIGIN)
    assert of(path=f"{SOCKET}/?") == (403, NOT_YOURS)
    assert of(headers={**HOME, "content-length": str(MOST_BYTES + 1)}) == (413, TOO_LARGE)
    for odd in ("-1", "1e3", "", "9" * 13, "٣"):
        pairs = [(b"host", HOME["host"].encode()), (b"content-length", odd.encode("utf-8"))]
        assert refused(asked(App(sends=[]), {**scope_of(), "headers": pairs}))[0] == 413


def test_a_name_is_known_whatever_its_letters_and_a_page_of_ours_comes_in():
    headers = {"Host": "LOCALHOST:8000", "Origin": "http://localhost:8000"}
    for server in (("127.0.0.1", 8000), None):
        sent = asked(App(sends=[START]), scope_of(headers=headers, server=server))
        assert sent[0]["status"] == 200
    without = scope_of(headers=headers)
    del without["server"]
    assert asked(App(sends=[START]), without)[0]["status"] == 200
    inside = scope_of(headers={"host": "10.0.0.7"}, server=("10.0.0.7", 8000))
    assert asked(App(sends=[START]), inside)[0]["status"] == 200
    named = scope_of(headers={"host": "mybox:8000"})
    assert asked(App(sends=[START]), named, bound="mybox")[0]["status"] == 200
    assert refused(asked(App(sends=[START]), named)) == (403, OTHER_HOST)


def test_another_ones_connection_is_asked_for_below_the_sockets_path_alone():
    for path, status in ((f"{SOCKET}/", 403), ("/", 200), (f"/x{SOCKET}", 200)):
        sent = asked(App(sends=[START]), scope_of(path=path), is_anothers=lambda scope: True)
        assert sent[0]["status"] == status
    assert asked(App(sends=[START]), scope_of(path=f"{SOCKET}/"))[0]["status"] == 200


def test_a_body_is_handed_on_whole_and_what_comes_after_it_as_it_comes():
    pieces = [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": b"cd"},
        {"type": "http.disconnect"},
    ]
    for headers in ({"content-length": "4"}, {"transfer-encoding": "chunked"}):
        app = App(reads=2, sends=[START])
        asked(app, scope_of(headers={**HOME, **headers}), pieces)
        whole = {"type": "http.request", "body": b"abcd", "more_body": False}
        assert app.heard == [whole, pieces[-1]]
        assert app.scope["headers"] == scope_of(headers={**HOME, **headers})["headers"]
    # Of one that says it has no body nothing is read beforehand.
    app = App(reads=1, sends=[START])
    asked(app, scope_of(), pieces)
    assert app.heard == [pieces[0]]


def test_a_body_may_be_as_large_as_is_said_and_whoever_leaves_before_its_end_is_refused():
    headers = {**HOME, "transfer-encoding": "chunked"}
    for size, status in ((MOST_BYTES, 200), (MOST_BYTES + 1, 413)):
        message = {"type": "http.request", "body": b"a" * size, "more_body": False}
        sent = asked(App(sends=[START]), scope_of(headers=headers), [message])
        assert sent[0]["status"] == status
    gone = [{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}]
    assert refused(asked(App(sends=[START]), scope_of(headers=headers), gone)) == (400, TOO_LARGE)


def test_an_answer_that_has_begun_is_not_begun_again(caplog: pytest.LogCaptureFixture):
    begun = {**START, "headers": security_headers()}
    assert asked(App(sends=[START], breaks=True), scope_of()) == [begun]
    assert asked(App(sends=[START], breaks=True), scope_of(path=f"{SOCKET}/")) == [begun]
    assert [each.getMessage().count("KeyError") for each in caplog.records] == [1]
    assert "GET '/'" in caplog.records[0].getMessage()


def test_what_breaks_behind_the_guard_is_said_once(caplog: pytest.LogCaptureFixture):
    status, said = refused(asked(App(sends=[], breaks=True), scope_of()))
    assert status == 400
    assert "went wrong" in said
    # What comes by the socket is a client's broken packet: no line of the log.
    caplog.clear()
    at_socket = scope_of(path=f"{SOCKET}/")
    for app in (App(sends=[], breaks=True), App(sends=[])):
        assert refused(asked(app, at_socket)) == (400, NO_ANSWER)
    assert refused(asked(App(sends=[]), scope_of())) == (400, NO_ANSWER)
    assert not caplog.records
    connect = [{"type": "websocket.connect"}]
    below = scope_of(type="websocket", path=f"{SOCKET}/")
    assert asked(App(sends=[], breaks=True), below, connect) == []
    foreign = scope_of(type="websocket", headers={"host": "evil.example"})
    assert asked(App(sends=[]), foreign, connect) == [{"type": "websocket.close", "code": 1008}]
    assert not caplog.records
    elsewhere = scope_of(type="websocket")
    del elsewhere["method"]
    close = [{"type": "websocket.close", "code": 1008}]
    assert asked(App(sends=[], breaks=True), elsewhere, connect) == close
    assert "a socket '/'" in caplog.records[0].getMessage()
    assert asked(App(sends=[]), elsewhere, connect) == []
