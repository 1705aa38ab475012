"""Every event of a socket passes one door: no other, and none out of form, meets a handler."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from socketio.exceptions import ConnectionRefusedError as Refused

from chat.generate.request import OTHER_PAGE
from frontend import events
from frontend.windows import asking

ID = "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f"
SHAKE = {"sessionId": ID, "clientType": "webapp"}
OURS = "Something went wrong on our side"


class Engine:
    """Engine.IO's server, as far as the door knows it."""

    def __init__(self) -> None:
        self.broken: Exception | None = None
        self.heard: list[tuple[str, object]] = []
        self.handlers = {"message": self.protocol}

    async def protocol(self, sid: str, data: object) -> None:
        self.heard.append((sid, data))
        if self.broken:
            raise self.broken

    def on(self, event: str, handler: Any) -> None:
        self.handlers[event] = handler


class Sockets:
    """Chainlit's server of sockets: notes what reaches a handler, and who asked for it."""

    not_handled = object()

    def __init__(self) -> None:
        self.eio = Engine()
        self.served: list[tuple[object, ...]] = []
        self.askers: list[Any] = []
        self.delivered: list[tuple[object, ...]] = []
        self.begun: list[str] = []
        self.fails: Exception | None = None
        self.holds: asyncio.Event | None = None
        self._trigger_event = self.handle
        self._handle_event = self.deliver
        events.guard_events(self, self.begun.append)

    async def handle(self, *came: object) -> object:
        self.served.append(came)
        self.askers.append(asking())
        if self.holds:
            await self.holds.wait()
        if self.fails:
            raise self.fails
        return "done"

    async def deliver(self, *came: object) -> None:
        self.delivered.append(came)

    def trigger(self, event: object, *args: Any) -> Any:
        return asyncio.run(self._trigger_event(event, "/", *args))


class Websocket:
    """Chainlit's session of one page; what it is told."""

    def __init__(self, id: str = ID, user: str = "ada") -> None:
        self.id, self.user = id, SimpleNamespace(identifier=user)
        self.told: list[tuple[str, Any]] = []

    async def emit(self, event: str, data: Any) -> None:
        self.told.append((event, data))


@pytest.fixture
def socket(monkeypatch: pytest.MonkeyPatch) -> Websocket:
    """The page that is connected as "sid"."""
    socket = Websocket()
    monkeypatch.setattr(events.WebsocketSession, "get", {"sid": socket}.get)
    return socket


@pytest.fixture
def door() -> Sockets:
    return Sockets()


def toast(said: str) -> list[tuple[str, Any]]:
    return [("toast", {"message": said, "type": "error"})]


GOOD = {
    "client_message": {"message": {"id": ID, "output": "Once", "type": "user_message"}},
    "chat_settings_change": {"seed": 1},
    "window_message": {"type": "story_model", "model": "m"},
    "story_act": {"act": "undo"},
    "story_query": {"query": "dice"},
    "story_command": {"command": "vote"},
    "story_save": {"ending": "txt"},
    "story_piece": {"name": "a", "part": 0, "of": 1, "text": ""},
    "machine_write": {"job": "a", "steps": [], "prompt": ""},
}
"""By event with a payload one that is in form."""


def test_each_event_has_a_payload_that_is_tried_here_or_none():
    assert set(GOOD) == {event for event, read in events.SERVED.items() if read}


@pytest.mark.parametrize("event", events.SERVED)
def test_what_is_served_and_in_form_reaches_its_handler_as_its_owner_s(door, socket, event):
    assert door.trigger(event, "sid", GOOD.get(event)) == "done"
    ((name, namespace, sid, *payload),) = door.served
    assert (name, namespace, sid) == (event, "/", "sid")
    read = events.SERVED[event]
    assert payload == ([read(GOOD[event])] if read else [])
    (asker,) = door.askers
    assert (asker.window, asker.owner, asker.alone) == (ID, "ada", False)
    assert asking() is None
    assert socket.told == []
    assert not events._in_hand


@pytest.mark.parametrize("event", ["edit_message", "audio_chunk", "nonsense", 3, None, ["stop"]])
def test_what_is_not_served_is_not_handled(door, socket, event):
    assert door.trigger(event, "sid", {}) is Sockets.not_handled
    assert door.trigger("stop") is Sockets.not_handled
    assert door.served == []
    assert socket.told == []


@pytest.mark.parametrize("event", GOOD)
@pytest.mark.parametrize("data", [(), (None,), (3,), ({"message": 3, "act": 3},)], ids=repr)
def test_what_is_not_in_form_is_refused_and_its_page_told_once(door, socket, event, data):
    answer = door.trigger(event, "sid", *data)
    if door.served:  # nothing is missing in it, as in an act that says nothing
        read = events.SERVED[event]
        assert read
        assert door.served[0][3] == read(data[0])
        return
    answers = event in ("story_query", "story_command")
    kept = answers or event == "client_message"
    assert answer == ({"error": OTHER_PAGE} if kept else None)
    quiet = answers or event == "window_message"
    assert socket.told == ([] if quiet else toast(OTHER_PAGE))


def test_a_payload_that_is_nested_without_end_is_refused(door, socket, monkeypatch):
    def endless(_: object) -> Any:
        raise RecursionError

    monkeypatch.setitem(events.SERVED, "story_act", endless)
    assert door.trigger("story_act", "sid", {}) is None
    assert socket.told == toast(OTHER_PAGE)


def test_who_is_not_connected_is_told_to_reload_where_an_answer_is_waited_for(door, socket):
    for event, data in GOOD.items():
        answers = event in ("story_query", "story_command", "client_message")
        assert door.trigger(event, "gone", data) == ({"error": OTHER_PAGE} if answers else None)
    assert door.served == []
    assert socket.told == []


def test_of_one_page_a_hundred_events_are_in_hand_at_once_and_of_another_as_many(
    door, socket, monkeypatch
):
    other = Websocket("1" + ID[1:])
    monkeypatch.setattr(events.WebsocketSession, "get", {"sid": socket, "other": other}.get)

    async def act() -> None:
        door.holds = asyncio.Event()

        def begin(sid: str, event: str = "story_query") -> asyncio.Task[Any]:
            return asyncio.create_task(door._trigger_event(event, "/", sid, GOOD[event]))

        held = [begin("sid") for _ in range(100)]
        await asyncio.sleep(0)
        assert len(door.served) == 100
        assert await begin("sid") == {"error": events.TOO_MUCH}
        assert await begin("sid", "client_message") == {"error": events.TOO_MUCH}
        assert await begin("sid", "story_act") is None
        assert socket.told == 2 * toast(events.TOO_MUCH)
        another = begin("other")
        await asyncio.sleep(0)
        assert len(door.served) == 101
        door.holds.set()
        assert await asyncio.gather(*held, another) == ["done"] * 101
        assert await begin("sid") == "done"
        assert not events._in_hand

    asyncio.run(act())


@pytest.mark.parametrize("event", ["story_act", "story_query", "client_message", "window_message"])
def test_what_goes_wrong_is_logged_and_told_in_plain_words(door, socket, caplog, event):
    door.fails = ValueError("/home/ada/secret")
    with caplog.at_level(logging.ERROR):
        answer = door.trigger(event, "sid", GOOD[event])
    assert f"{event}: ValueError: /home/ada/secret" in caplog.text
    said = [data["message"] for _, data in socket.told]
    assert len(said) == (event != "story_query")
    if event in ("story_query", "client_message"):
        said.append(answer["error"])
    assert said
    for each in said:
        assert each.startswith(OURS)
        assert "secret" not in each
    assert not events._in_hand


# Packets


def test_only_an_event_that_is_served_is_unpacked_from_a_packet(door):
    async def act() -> None:
        for data in (["stop"], ["story_act", {}], ["connect", {}], ["disconnect"], [3], [["stop"]]):
            await door._handle_event("eio", "/", 7, data)

    asyncio.run(act())
    assert door.delivered == [
        ("eio", "/", 7, ["stop"]),
        ("eio", "/", 7, ["story_act", {}]),
    ]


def test_what_is_no_packet_harms_nobody(door):
    handle = door.eio.handlers["message"]
    assert handle != door.eio.protocol
    asyncio.run(handle("eio", "2[]"))
    door.eio.broken = ValueError("no packet")
    asyncio.run(handle("eio", "x"))
    assert door.eio.heard == [("eio", "2[]"), ("eio", "x")]


# Who comes in


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Who brings which environment: "ada" is in, "nobody" is not, "broken" has no sound token."""
    known: dict[str, Any] = {}

    async def authenticate(environ: dict[str, Any]) -> tuple[Any, Any]:
        who = environ["who"]
        if who == "broken":
            raise ValueError("no token")
        return (SimpleNamespace(identifier=who), "token") if who == "ada" else (None, None)

    monkeypatch.setattr(events, "_authenticate_connection", authenticate)
    monkeypatch.setattr(events.WebsocketSession, "get_by_id", known.get)
    return known


def test_who_is_signed_in_connects_and_what_was_left_by_that_name_is_forgotten(door, user):
    environ = {"who": "ada"}
    assert door.trigger("connect", "sid", environ, SHAKE) == "done"
    ((event, namespace, sid, came, auth),) = door.served
    assert (event, namespace, sid) == ("connect", "/", "sid")
    assert came is environ
    assert auth["sessionId"] == ID
    assert door.begun == [ID]
    assert (door.askers[0].window, door.askers[0].owner) == (ID, "ada")
    user[ID] = object()
    assert door.trigger("connect", "sid", environ, SHAKE) == "done"
    assert door.begun == [ID]


@pytest.mark.parametrize(
    ("who", "auth", "why"),
    [
        ("nobody", (SHAKE,), "authentication failed"),
        ("broken", (SHAKE,), "authentication failed"),
        ("ada", ({**SHAKE, "sessionId": "../x"},), OTHER_PAGE),
        ("ada", (None,), OTHER_PAGE),
        ("ada", (), OTHER_PAGE),
    ],
)
def test_who_is_not_signed_in_or_names_itself_badly_is_told_why_and_begins_nothing(
    door, user, who, auth, why
):
    with pytest.raises(Refused) as refused:
        door.trigger("connect", "sid", {"who": who}, *auth)
    assert refused.value.error_args == {"message": why}
    assert (door.served, door.begun) == ([], [])


def test_who_chainlit_refuses_stays_out_and_a_fault_is_told_without_its_text(door, user, caplog):
    door.fails = ConnectionRefusedError("authorization failed")
    with pytest.raises(ConnectionRefusedError, match="authorization failed"):
        door.trigger("connect", "sid", {"who": "ada"}, SHAKE)
    assert not caplog.records
    door.fails = ValueError("secret")
    with pytest.raises(Refused) as refused:
        door.trigger("connect", "sid", {"who": "ada"}, SHAKE)
    assert refused.value.error_args["message"].startswith(OURS)
    assert "connect: ValueError: secret" in caplog.text


def test_who_leaves_is_heard_and_a_fault_on_the_way_out_is_only_logged(door, caplog):
    assert door.trigger("disconnect", "sid", "bye") == "done"
    assert door.served == [("disconnect", "/", "sid", "bye")]
    door.fails = ValueError("secret")
    assert door.trigger("disconnect", "sid") is None
    assert "disconnect: ValueError: secret" in caplog.text


# Connections that go on


def test_a_connection_goes_on_only_with_the_token_that_began_it():
    token = "access_token=mine"
    sio = SimpleNamespace(environ={"a": {"HTTP_COOKIE": token}, "b": {}})
    is_anothers = events.others(sio)

    def asks(query: bytes, cookie: str = "") -> bool:
        headers = [(b"cookie", cookie.encode())] if cookie else []
        return is_anothers({"type": "http", "query_string": query, "headers": headers})

    assert not asks(b"")
    assert not asks(b"EIO=4")
    assert not asks(b"sid=unknown", "access_token=other")
    assert not asks(b"sid=a", token)
    assert not asks(b"sid=b")
    assert asks(b"sid=a")
    assert asks(b"sid=b", token)
    assert asks(b"sid=a", "access_token=other")
    assert asks(b"sid=a&sid=b", token)
    assert asks(b"EIO=4&j=0", token)
    assert not is_anothers({"type": "http", "headers": []})
