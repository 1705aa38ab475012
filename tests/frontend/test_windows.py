"""Several windows on one story, at the real app: each has all of it, and none gets another's."""

import asyncio
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from socketio.exceptions import ConnectionError as RefusedError

from chat.accounts import write_account
from tests.frontend.test_socket import LONG, SLOW, Writer, until
from tests.support.app_server import running_app, status
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

PASSWORDS = {"ada": "her own words", "bob": "his own words"}
SECOND_S = 1.0


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters")
    save_characters(models / "slow", n_embd=128, n_layer=4, block_size=256)
    return models


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    (folder / "home").mkdir(mode=0o700)
    for name, password in PASSWORDS.items():
        write_account(folder / "home", name, password)
    return folder


@pytest.fixture(scope="module")
def base(folder: Path, models: Path) -> Iterator[str]:
    with running_app(folder, models, INKLING_HOME=str(folder / "home")) as base:
        yield base


def cookies_of(base: str, name: str = "ada") -> httpx.Cookies:
    entered = httpx.post(
        base + "/login", data={"username": name, "password": PASSWORDS[name]}, timeout=60
    )
    assert entered.status_code == 200, entered.text
    return entered.cookies


class Window(Writer):
    """A window that sees no token twice, and misses none: each delta goes on from what it has."""

    async def heard(self, event: str, data: Any = None) -> None:
        if event == "story_delta" and data["revision"] == self.state.get("revision"):
            tokens = self.state["passages"][-1]["tokens"]
            assert tokens[data["from"] :] == data["tokens"][: len(tokens) - data["from"]]
        if event == "task_start":
            self.stop = True
        if event == "task_end":
            self.stop = False
        if event == "first_interaction":
            self.thread = data["thread_id"]
        if event != "story_delta" or self.state:
            await super().heard(event, data)

    stop = False

    async def arrive(self) -> "Window":
        """Connect, and ask for the story as a page does."""
        await self.connect()
        await until(lambda: self.count("set_modes") > 0)
        await self.socket.emit("window_message", {"type": "story_sync", "revision": -1, "have": 0})
        await until(lambda: bool(self.state))
        return self

    async def close(self) -> None:
        """As a page does that goes to another story."""
        await self.socket.emit("clear_session")
        await asyncio.sleep(0.1)
        await self.socket.disconnect()

    def refused(self) -> list[str]:
        return [data["words"] for event, data in self.events if event == "story_refused"]

    def last(self, event: str) -> dict[str, Any]:
        """What came with an event the last time."""
        return next(
            (data for name, data in reversed(self.events) if name == event), {"unsaved": ""}
        )

    async def act(self, act: str, **more: Any) -> None:
        await self.socket.emit("story_act", {"act": act, **more})


@asynccontextmanager
async def windows(base: str, count: int, *, cookies: httpx.Cookies | None = None):
    """So many on one story, in which a line was written."""
    cookies = cookies or cookies_of(base)
    first = await Window(base, cookies=cookies).arrive()
    await first.write("/with max=5 end=0 once")
    await until(lambda: bool(first.thread))
    others = [Window(base, cookies=cookies, thread=first.thread) for _ in range(count - 1)]
    try:
        for other in others:
            await other.arrive()
        yield [first, *others]
    finally:
        for window in (first, *others):
            if window.socket.connected:
                await window.close()


def alike(*windows: Window) -> bool:
    shown = [
        (window.state["undo"], window.state["redo"], window.text, window.state["writing"])
        for window in windows
    ]
    return all(each == shown[0] for each in shown)


def at(run) -> None:
    asyncio.run(run())


def test_two_windows_show_the_same_story_within_a_second_of_each_change(base):
    async def run() -> None:
        async with windows(base, 2) as (one, other):
            assert one.text == other.text
            passage = one.state["passages"][0]["id"]
            changes = [
                one.act("edit", passage=passage, text="Twice"),
                other.act("undo"),
                one.act("redo"),
                other.act("undo"),
            ]
            for change in changes:
                before = one.state["revision"]
                await change
                await until(lambda before=before: one.state["revision"] > before, SECOND_S)
                await until(lambda: alike(one, other), SECOND_S)
            await other.write("/with max=5 end=0 then")
            await until(lambda: alike(one, other), SECOND_S)
            last = other.state["passages"][-1]["id"]
            await one.send("Retry", metadata={"ask": "retry", "passage": last})
            await until(lambda: (one.state["passages"][-1]["places"] == 2) and alike(one, other))
            await other.act("step", passage="last", by=-1)
            await until(lambda: one.state["passages"][-1]["place"] == 1, SECOND_S)
            await one.socket.emit("story_act", {"act": "once", "settings": {"top_k": "5"}})
            await until(lambda: bool(other.state["tuning"]["once"]), SECOND_S)
            assert other.refused() == []

    at(run)


def test_a_window_that_joins_in_the_middle_has_every_token_once_and_its_stop_works(base):
    async def run() -> None:
        async with windows(base, 1) as (one,):
            await one.send(LONG, **SLOW)
            await until(lambda: len(one.state["passages"][-1]["tokens"]) > 20)
            late = await Window(base, cookies=one.cookies, thread=one.thread).arrive()
            assert late.state["writing"]
            await until(lambda: late.stop)
            grown = len(late.text)
            await until(lambda: len(late.text) > grown + 20)
            await late.socket.emit("stop")
            await until(lambda: not one.state["writing"] and not late.state["writing"])
            await until(lambda: status(base)["active"] == 0, SECOND_S)
            assert late.text == one.text
            for window in (one, late):
                assert window.state["passages"][-1]["finish"] == "stopped"
                await until(lambda window=window: not window.stop)
            await late.socket.disconnect()

    at(run)


def test_a_page_reloaded_while_a_model_writes_joins_it_and_a_line_comes_back(base):
    async def run() -> None:
        async with windows(base, 1) as (one,):
            await one.send(LONG, **SLOW)
            await until(lambda: len(one.state["passages"][-1]["tokens"]) > 20)
            await one.socket.disconnect()
            back = await Window(base, cookies=one.cookies, thread=one.thread).arrive()
            await until(lambda: back.stop)
            await back.send("more of it", **SLOW)
            await until(lambda: back.refused() == ["more of it"])
            assert "Still writing: stop it first." in back.said
            await until(lambda: back.events[-1][0] == "story_delta")
            assert back.stop  # Chainlit took it away after that line
            await back.socket.emit("stop")
            await until(lambda: not back.state["writing"])
            passages = back.state["passages"]
            assert [each["places"] for each in passages] == [1] * len(passages)
            await back.write("/with max=5 end=0 then")
            assert len(back.state["passages"]) == len(passages) + 2
            await back.socket.disconnect()

    at(run)


def test_of_two_windows_that_send_at_once_one_writes_and_the_other_gets_its_words_back(base):
    async def run() -> None:
        async with windows(base, 2) as (one, other):
            before = len(one.state["passages"])
            await asyncio.gather(
                one.send("/with max=60 end=0 from one", **SLOW),
                other.send("/with max=60 end=0 from other", **SLOW),
            )
            await until(lambda: len(one.refused()) + len(other.refused()) == 1)
            await until(lambda: len(one.state["passages"]) == before + 2)
            await until(lambda: not one.state["writing"] and alike(one, other))
            assert len(one.state["passages"]) == before + 2
            written, given = ("from one", other) if other.refused() else ("from other", one)
            # The model draws without a seed: what parts the words depends on how it ended.
            assert "".join(one.state["passages"][before]["tokens"]).strip() == written
            assert given.refused()[0].endswith({one: "one", other: "other"}[given])

    at(run)


def test_what_one_window_asks_for_itself_the_other_does_not_get(base):
    async def run() -> None:
        async with windows(base, 2) as (one, other):
            await one.send("/help")
            await one.send("/with t=9 words")
            await one.socket.emit("story_save", {"ending": "txt"})
            await one.act("redo")
            await until(lambda: one.count("story_file") == 1)
            await until(lambda: one.refused() == ["/with t=9 words"])
            await until(lambda: any("Nothing was taken back" in said for said in one.said))
            for event in ("story_help", "story_refused", "story_file", "toast"):
                assert other.count(event) == 0

    at(run)


def test_a_story_deleted_in_one_window_while_the_other_writes_stays_deleted(base, folder):
    async def run() -> None:
        async with windows(base, 2) as (one, other):
            await one.send(LONG, **SLOW)
            await until(lambda: len(one.state["passages"][-1]["tokens"]) > 10)
            async with httpx.AsyncClient(cookies=other.cookies) as http:
                request = {"threadId": one.thread}
                gone = await http.request("DELETE", base + "/project/thread", json=request)
            assert gone.status_code == 200
            await one.socket.emit("stop")
            for window in (one, other):
                await until(
                    lambda window=window: any("was deleted" in said for said in window.said)
                )
                await until(lambda window=window: "deleted" in window.last("story_kept")["unsaved"])
            library = sqlite3.connect(folder / "home" / "stories.sqlite")
            query = "SELECT count(*) FROM stories WHERE id = ?"
            assert library.execute(query, [one.thread]).fetchone() == (0,)
            library.close()

    at(run)


def test_who_signs_out_is_out_of_all_windows_of_that_browser_and_of_no_other(base):
    async def run() -> None:
        async with windows(base, 2) as (one, other):
            elsewhere = await Window(base, cookies=cookies_of(base), thread=one.thread).arrive()
            async with httpx.AsyncClient(cookies=one.cookies) as http:
                assert (await http.post(base + "/logout")).status_code == 200
            await until(lambda: not (one.socket.connected or other.socket.connected))
            await elsewhere.write("/with max=5 end=0 still here")
            assert "still here" in elsewhere.text
            with pytest.raises(RefusedError):
                await Window(base, cookies=one.cookies, thread=one.thread).connect()
            await elsewhere.socket.disconnect()

    at(run)


def test_nobody_joins_another_s_story_or_learns_of_it(base):
    async def run() -> None:
        bobs = cookies_of(base, "bob")
        async with windows(base, 1) as (one,):
            await one.send(LONG, **SLOW)
            await until(lambda: len(one.state["passages"][-1]["tokens"]) > 5)
            with pytest.raises(RefusedError):
                await Window(base, cookies=bobs, thread=one.thread).connect()
            async with httpx.AsyncClient(cookies=bobs) as http:
                request = {"threadId": one.thread}
                gone = await http.request("DELETE", base + "/project/thread", json=request)
            assert gone.status_code in (401, 403)
            # Nor by a window of his own that was at this address before.
            thread = str(uuid.uuid4())
            his = await Window(base, cookies=bobs, thread=thread).connect()
            await until(lambda: bool(his.state))
            hers = await Window(base, cookies=one.cookies, thread=thread).connect()
            await until(lambda: bool(hers.state))
            await hers.write("/with max=5 end=0 hers alone")
            await asyncio.sleep(0.2)
            assert his.text == ""
            await his.send("/with max=5 end=0 his")
            await until(lambda: any("deleted" in said for said in his.said))
            assert "his" not in hers.text
            for window in (his, hers):
                await window.socket.disconnect()

    at(run)


def test_twenty_windows_on_one_story_all_follow_it(base):
    async def run() -> None:
        async with windows(base, 20) as crowd:
            await crowd[7].send("/with max=120 end=0 p=1 t=2 and", **SLOW)
            await until(lambda: all(window.state["writing"] for window in crowd))
            await until(lambda: not any(window.state["writing"] for window in crowd))
            await until(lambda: alike(*crowd), SECOND_S)
            assert len(crowd[0].state["passages"][-1]["tokens"]) == 120

    at(run)


def test_writing_goes_on_while_a_window_is_left_and_stops_with_the_last(base):
    async def run() -> None:
        async with windows(base, 2) as (one, other):
            await one.send(LONG, **SLOW)
            await until(lambda: len(other.state["passages"][-1]["tokens"]) > 5)
            await one.close()
            grown = len(other.text)
            await until(lambda: len(other.text) > grown + 40)
            await other.close()
            await until(lambda: status(base)["active"] == 0, 5)

    at(run)
