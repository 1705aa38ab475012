"""The real app over its socket, without a browser: who may talk to it, and that Stop stops."""

import asyncio
import copy
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Self

import httpx
import pytest
import socketio

from chat.generate.request import OTHER_PAGE
from chat.story.joining import joint
from tests.support.app_server import running_app, status
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

PATIENCE_S = 60


class Writer:
    """One page, as far as the app can tell.

    Args:
        cookies: Of somebody who is in; None to come in where nobody is asked.
        thread: A story that is opened from the list.
    """

    def __init__(
        self,
        base: str,
        session: str | None = None,
        cookies: httpx.Cookies | None = None,
        thread: str = "",
    ) -> None:
        self.base = base
        self.cookies = cookies
        self.thread = thread
        self.session = session or str(uuid.uuid4())
        self.events: list[tuple[str, Any]] = []
        self.state: dict = {}
        self.socket = socketio.AsyncClient(reconnection=False)
        self.socket.on("*", self.heard)

    async def heard(self, event: str, data: Any = None) -> None:
        self.events.append((event, data))
        if event == "story_state":
            self.state = data
        if event == "story_status":
            self.state |= data
        if event == "story_delta" and data["revision"] == self.state["revision"]:
            tokens = self.state["passages"][-1]["tokens"]
            if data["from"] > len(tokens):  # some came while nobody listened
                await self.sync()
            else:
                tokens += data["tokens"][len(tokens) - data["from"] :]

    async def connect(self, thread: str = "") -> Self:
        if self.cookies is None:
            # As a page does on its first visit; nobody is asked who they are.
            async with httpx.AsyncClient() as http:
                entered = await http.post(self.base + "/auth/header", timeout=PATIENCE_S)
            self.cookies = entered.cookies
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        await self.socket.connect(
            self.base,
            headers={"Cookie": cookies},
            transports=["websocket"],
            wait_timeout=PATIENCE_S,
            socketio_path="/ws/socket.io",
            auth={
                "clientType": "webapp",
                "sessionId": self.session,
                "threadId": thread or self.thread,
                "userEnv": "{}",
                "chatProfile": "",
            },
        )
        await self.socket.emit("connection_successful")
        return self

    async def send(self, words: str, **more) -> None:
        message = {
            "id": str(uuid.uuid4()),
            "threadId": "",
            "name": "User",
            "type": "user_message",
            "output": words,
            "createdAt": "2026-01-01T00:00:00Z",
            "metadata": {},
            **more,
        }
        await self.socket.emit("client_message", {"message": message, "fileReferences": []})

    async def sync(self) -> None:
        """Ask for what is not here yet."""
        have = len(self.state["passages"][-1]["tokens"])
        sync = {"type": "story_sync", "revision": self.state["revision"], "have": have}
        await self.socket.emit("window_message", sync)

    async def write(self, words: str, **more) -> str:
        said = self.count("story_status")
        await self.send(words, **more)
        await until(lambda: self.count("story_status") > said and not self.state["writing"])
        return self.text

    def count(self, event: str) -> int:
        return sum(name == event for name, _ in self.events)

    @property
    def said(self) -> list[str]:
        return [data["message"] for event, data in self.events if event == "toast"]

    @property
    def text(self) -> str:
        passages = self.state.get("passages", [])
        return "".join("".join(passage["tokens"]) for passage in passages)


async def until(true: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters", starters=["once upon"])
    # Wide enough that 2,048 tokens take a while.
    save_characters(models / "slow", n_embd=128, n_layer=4, block_size=256)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def at_the_app(base: str, act: Callable[[Writer], Awaitable[None]]) -> None:
    async def run() -> None:
        writer = await Writer(base).connect()
        try:
            await until(lambda: bool(writer.state))
            await act(writer)
        finally:
            await writer.socket.disconnect()

    asyncio.run(run())


LONG = "/with max=2048 p=1 t=2 once"
SLOW = {"modes": {"model": "slow"}}


def test_a_chat_begins_with_models_settings_and_a_blank_page(base):
    async def act(writer):
        assert writer.state["passages"] == []
        assert [model["key"] for model in writer.state["models"]] == ["letters", "slow"]
        assert writer.state["models"][0]["starters"] == ["once upon"]
        await until(lambda: writer.count("chat_settings") == 1)
        modes = next(data for event, data in writer.events if event == "set_modes")
        assert [mode["id"] for mode in modes] == ["model", "preset"]

    at_the_app(base, act)


def test_a_story_stands_in_the_place_of_the_one_before_which_a_page_may_not_have_dropped(base):
    """A page keeps one message, and one element, for each id."""

    def desk(bubble: dict, elements: list[dict]) -> tuple[str, dict[str, str]]:
        assert {each["forId"] for each in elements} == {bubble["id"]}
        return bubble["id"], {each["name"]: each["id"] for each in elements}

    async def act(writer):
        await writer.write("once")
        first = next(data for name, data in writer.events if name == "first_interaction")
        again = await Writer(base, cookies=writer.cookies).connect(first["thread_id"])
        await until(lambda: again.count("resume_thread") > 0)
        resumed = next(data for name, data in again.events if name == "resume_thread")
        await again.socket.disconnect()
        (bubble,) = resumed["steps"]
        said = [data for name, data in writer.events if name == "new_message"]
        (began,) = (each for each in said if each["type"] == "assistant_message")
        elements = [data for name, data in writer.events if name == "element"]
        assert desk(began, elements) == desk(bubble, resumed["elements"])

    at_the_app(base, act)


def test_stop_is_quiet_keeps_the_text_and_frees_the_engine(base):
    async def act(writer):
        await writer.send(LONG, **SLOW)
        await until(lambda: len(writer.text) > 30)
        began = time.monotonic()
        await writer.socket.emit("stop")
        await until(lambda: status(base)["active"] == 0)
        print(f"stop to idle: {time.monotonic() - began:.3f} s")
        await until(lambda: not writer.state["writing"])
        assert writer.state["passages"][-1]["finish"] == "stopped"
        assert len(writer.text) > 30
        messages = [data["output"] for event, data in writer.events if event == "new_message"]
        assert not any("manually" in output for output in messages)
        before = writer.text
        # A random model may well have stopped at a space, which joins by itself.
        after = before + joint(before, "then") + "then"
        assert (await writer.write("/with max=5 then", **SLOW)).startswith(after)

    at_the_app(base, act)


def test_a_second_message_does_not_take_the_stop_from_the_first(base):
    async def act(writer):
        await writer.send(LONG, **SLOW)
        await until(lambda: len(writer.text) > 10)
        await writer.send("more", **SLOW)
        await until(lambda: "Still writing: stop it first." in writer.said)
        assert status(base)["active"] == 1
        await writer.socket.emit("stop")
        await until(lambda: status(base)["active"] == 0)

    at_the_app(base, act)


def test_a_message_right_after_a_command_waits_for_it_and_is_not_refused(base):
    async def act(writer):
        for seed in range(8):
            await writer.send(f"/seed {seed}")
        await writer.send("once")
        await until(lambda: len(writer.state["passages"]) == 2 and not writer.state["writing"])
        assert not any("Still writing" in said for said in writer.said)
        assert writer.state["passages"][-1]["facts"]["seed"] == "7"

    at_the_app(base, act)


def test_a_closed_tab_frees_the_engine(base):
    async def act(writer):
        await writer.send(LONG, **SLOW)
        await until(lambda: len(writer.text) > 10)
        await writer.socket.emit("clear_session")
        await asyncio.sleep(0.2)
        await writer.socket.disconnect()
        await until(lambda: status(base)["active"] == 0, 5)
        assert len(writer.text) < 2048

    at_the_app(base, act)


def test_a_page_that_comes_back_has_the_whole_story(base):
    async def act(writer):
        await writer.send("/with max=400 p=1 t=2 once", **SLOW)
        await until(lambda: len(writer.text) > 10)
        await writer.socket.disconnect()
        back = Writer(base, writer.session)
        back.state = copy.deepcopy(writer.state)
        await back.connect()
        await back.sync()
        await until(lambda: back.count("task_start") > 0 or not back.state["writing"])
        await until(lambda: back.state["writing"] is False)
        assert back.text.startswith(writer.text)
        assert sum(len(passage["tokens"]) for passage in back.state["passages"]) == 401
        await back.socket.disconnect()

    at_the_app(base, act)


def test_two_writers_keep_their_own_stories(base):
    async def run() -> None:
        writers = [await Writer(base).connect() for _ in range(2)]
        for writer in writers:
            await until(lambda writer=writer: bool(writer.state))
        texts = await asyncio.gather(
            *(
                writer.write(f"/with max=60 seed=5 {name}")
                for writer, name in zip(writers, "ab", strict=True)
            )
        )
        assert [text[0] for text in texts] == ["a", "b"]
        for writer in writers:
            await writer.socket.disconnect()

    asyncio.run(run())


def test_odd_window_messages_do_nothing(base):
    async def act(writer):
        text = await writer.write("/with max=5 once")
        for data in (None, "x", {"type": "story_sync", "revision": "1", "have": {}}, {"type": 4}):
            await writer.socket.emit("window_message", data)
        sync = {"type": "story_sync", "revision": writer.state["revision"], "have": -(10**9)}
        await writer.socket.emit("window_message", sync)
        await asyncio.sleep(0.3)
        assert writer.text == text
        after = text + joint(text, "on") + "on"
        assert (await writer.write("/with max=5 on")).startswith(after)

    at_the_app(base, act)


def test_a_foreign_page_gets_no_answer_and_no_socket(base):
    answer = httpx.get(base + "/project/settings", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert httpx.get(base + "/", headers={"Origin": base}).status_code == 200
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for transport, headers in (("polling", {}), ("websocket", upgrade)):
        address = f"{base}/ws/socket.io/?EIO=4&transport={transport}"
        headers = {**headers, "Origin": "http://evil.example"}
        assert httpx.get(address, headers=headers).status_code == 403


def test_the_page_names_no_other_host_and_guards_itself(base):
    page = httpx.get(base + "/")
    assert "fonts.googleapis" not in page.text
    assert "cdn.jsdelivr" not in page.text
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert "swagger" not in httpx.get(base + path).text.lower()
    assert "Inkling" in page.text


def test_settings_from_a_page_are_checked(base):
    async def act(writer):
        await until(lambda: writer.count("chat_settings") == 1)
        await writer.socket.emit("chat_settings_change", {"temperature": 1.5, "top_k": "-3"})
        await until(lambda: any("Top-k -3 is out of range" in said for said in writer.said))
        # The dialog is sent again, with what is in force: the value beside the bad one is.
        await until(lambda: writer.count("chat_settings") == 2)
        sent = [data for event, data in writer.events if event == "chat_settings"][-1]
        shown = {each["id"]: each["initial"] for each in sent}
        assert (shown["temperature"], shown["top_k"]) == (1.5, "0")
        await writer.socket.emit("chat_settings_change", {"max_new_tokens": "3"})
        await writer.write("once")
        facts = writer.state["passages"][-1]["facts"]["settings"]
        assert {each["name"]: each["value"] for each in facts}["temperature"] == "1.5"

    at_the_app(base, act)


def test_a_page_hears_whether_its_line_was_taken(base):
    async def act(writer):
        await until(lambda: writer.count("chat_settings") == 1)
        sent = {"id": str(uuid.uuid4()), "type": "user_message", "output": "/max 3"}
        assert await writer.socket.call("client_message", {"message": sent}) is None
        broken = {"message": {**sent, "output": None}}
        answer = await writer.socket.call("client_message", broken)
        assert answer == {"error": OTHER_PAGE}

    at_the_app(base, act)


def test_a_blind_contest_sends_no_name_before_the_vote(base):
    async def act(writer):
        await writer.write("/with max=5 once")
        contestants = [{"model": name, "settings": {}} for name in ("letters", "slow")]
        since = len(writer.events)
        request = {"ask": "compare", "contestants": contestants, "blind": True}
        await writer.send("Compare", metadata=request)
        await until(lambda: bool((writer.state.get("contest") or {}).get("waits")))
        assert [take["facts"] for take in writer.state["takes"]] == [None, None]
        # The passage before tells its own model, and the list of models tells all there are.
        told = [
            {**data, "models": [], "model": "", "passages": []} if event == "story_state" else data
            for event, data in writer.events[since:]
            if event not in ("set_modes", "chat_settings")
        ]
        told = [data for data in told if not _is_own_request(data)]
        wire = json.dumps(told)
        assert "letters" not in wire
        assert "slow" not in wire
        assert "story_delta" not in [event for event, _ in writer.events[since:]]
        await writer.socket.emit("story_act", {"act": "vote", "choice": "tie"})
        await until(lambda: bool(writer.state["contest"]["said"]))
        assert "letters" in writer.state["contest"]["said"]

    at_the_app(base, act)


def _is_own_request(data: Any) -> bool:
    """Whether this is what the page itself asked, echoed: both names, as they were chosen."""
    return isinstance(data, dict) and data.get("type") == "user_message"
