"""Messages of one page take turns, and none of them can block those after it."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from chainlit.session import ws_sessions_id

from frontend import events
from frontend.tasks import Tasks, cancel, unless_it_left

PATIENCE_S = 5
KEY = ("ada", "one")


def at_a_page(run: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(run, PATIENCE_S))


class Page:
    """A story whose messages are said in order; each holds its turn until it is let go."""

    def __init__(self) -> None:
        self.tasks = Tasks()
        self.writes = False
        self.log: list[str] = []

    def send(self, name: str, until: asyncio.Event) -> asyncio.Task[None]:
        async def handle() -> None:
            claimed = await self.tasks.claim(KEY, lambda: self.writes)
            self.log.append(name if claimed else f"not {name}")
            if claimed:
                await until.wait()

        return asyncio.create_task(handle())


def test_they_are_done_in_the_order_they_came() -> None:
    async def run() -> None:
        page, free = Page(), asyncio.Event()
        sent = [page.send(str(number), free) for number in range(6)]
        await asyncio.sleep(0.1)
        assert page.log == ["0"]
        free.set()
        await asyncio.gather(*sent)
        assert page.log == ["0", "1", "2", "3", "4", "5"]

    at_a_page(run())


def test_none_waits_for_a_model_that_writes_and_stop_still_reaches_it() -> None:
    async def run() -> None:
        page, free = Page(), asyncio.Event()
        first = page.send("first", free)
        second = page.send("second", free)
        await asyncio.sleep(0.05)
        page.writes = True
        await second
        assert page.log == ["first", "not second"]
        page.tasks.stop(KEY)
        await asyncio.wait({first})
        assert first.cancelled()

    at_a_page(run())


@pytest.mark.parametrize("moments", range(8))
def test_one_that_is_given_up_before_or_as_its_turn_comes_lets_the_next_pass(moments: int) -> None:
    async def run() -> None:
        page, free, own = Page(), asyncio.Event(), asyncio.Event()
        first, given_up = page.send("first", free), page.send("given up", own)
        third = page.send("third", free)
        await asyncio.sleep(0.05)
        free.set()
        for _ in range(moments):
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([first, given_up, third])
        assert page.log[-1] == "third"

    at_a_page(run())


def test_a_task_that_is_stopped_twice_ends_as_one_that_is_stopped_once():
    async def run() -> None:
        kept: list[str] = []

        async def write() -> None:
            try:
                await asyncio.sleep(PATIENCE_S)
            finally:
                await asyncio.sleep(0.01)
                kept.append("what was written")

        task = asyncio.create_task(write())
        await asyncio.sleep(0)
        for _ in range(3):
            cancel(task)
            await asyncio.sleep(0)
        await asyncio.wait({task})
        assert task.cancelled()
        assert kept == ["what was written"]

    asyncio.run(run())


def test_a_page_has_so_many_events_in_hand_and_another_page_as_many(monkeypatch):
    told: list[tuple[str, object]] = []

    class Page:
        user = None

        def __init__(self, id: str) -> None:
            self.id = id

        async def emit(self, event: str, data: object) -> None:
            told.append((self.id, data))

    pages = {each: Page(each) for each in ("greedy", "other")}
    monkeypatch.setattr(events.WebsocketSession, "get", pages.get)

    async def ask() -> None:
        free = asyncio.Event()

        async def serve(event: str, namespace: str, sid: str, payload: object) -> str:
            await free.wait()
            return "done"

        async def query(page: str) -> object:
            return await events._serve(serve, "story_query", "/", page, {"query": "tune"})

        many = [asyncio.create_task(query("greedy")) for _ in range(events.MOST_AT_ONCE)]
        await asyncio.sleep(0)
        assert await query("greedy") == {"error": events.TOO_MUCH}
        assert await events._serve(serve, "story_act", "/", "greedy", {"act": "undo"}) is None
        assert told == [("greedy", {"message": events.TOO_MUCH, "type": "error"})]
        other = asyncio.create_task(query("other"))
        await asyncio.sleep(0)
        free.set()
        assert await asyncio.gather(*many, other) == ["done"] * (events.MOST_AT_ONCE + 1)
        assert await query("greedy") == "done"

    asyncio.run(ask())
    assert not events._in_hand


def test_a_page_that_leaves_while_its_elements_are_sent_is_no_fault(monkeypatch) -> None:
    page: Any = SimpleNamespace(id="page")
    with unless_it_left(page):
        raise FileNotFoundError
    monkeypatch.setitem(ws_sessions_id, page.id, page)
    with pytest.raises(FileNotFoundError), unless_it_left(page):
        raise FileNotFoundError
