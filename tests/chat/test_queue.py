"""Many requests at once: models make room for each other, and a queue is long, or full."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from chat.generate.request import GenerationRequest, Variant
from chat.generate.resolve import resolve_request
from chat.generate.takes import Takes
from chat.models import find_models
from chat.models.engines import Engines
from chat.session import Session
from chat.story import Story
from gpt.engine import Engine
from tests.chat.test_session import RecordingPage, until
from tests.support.tiny_checkpoint import save_characters

NAMES = "abcd"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name in NAMES:
        save_characters(root / "checkpoints" / name)
    return root


def with_engines(act: Callable[[Engines], Awaitable[None]], **limits: Any) -> None:
    async def run() -> None:
        engines = Engines(**limits)
        try:
            await act(engines)
            await until(lambda: engines.active == 0)
            assert (engines.active, engines.waiting) == (0, 0)
        finally:
            engines.close()

    asyncio.run(run())


async def session_of(
    engines: Engines, root: Path, **settings: str
) -> tuple[Session, RecordingPage]:
    page = RecordingPage()
    session = Session(page, engines, lambda: find_models(root, extra=""))
    await session.change_settings({"max_new_tokens": "4", "seed": "1", **settings})
    return session, page


@contextmanager
def halted(engine: Engine) -> Iterator[None]:
    """Within this, who has a place keeps it: the model comes to no token."""
    go_on, step = threading.Event(), engine._generator.step

    def wait() -> Any:
        go_on.wait()
        return step()

    engine._generator.step = wait  # type: ignore[method-assign]
    try:
        yield
    finally:
        go_on.set()


def statuses(page: RecordingPage) -> list[str]:
    return [data["status"] for event, data in page.events if event == "story_status"]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_more_models_than_stay_in_memory_write_side_by_side(root, most):
    async def act(engines):
        session, page = await session_of(engines, root)
        variants = tuple(Variant(label=name, model=name) for name in NAMES)
        await session.ask(GenerationRequest(words="Once", variants=variants))
        assert page.said == []
        assert [each["label"] for each in page.state["takes"]] == [*NAMES]
        # What was more than can stay is given up with the next request.
        await session.ask(GenerationRequest(model="a"))
        assert len(engines.names) <= most

    with_engines(act, max_loaded=most)


def test_sessions_with_a_model_each_do_not_take_it_from_one_another(root):
    async def act(engines):
        sessions = [await session_of(engines, root) for _ in NAMES * 2]
        requests = zip(sessions, NAMES * 2, strict=True)
        await asyncio.gather(
            *(session.write("Once", model=name) for (session, _), name in requests)
        )
        assert [page.said for _, page in sessions] == [[]] * len(sessions)
        assert all(len(session.story.path) == 2 for session, _ in sessions)

    with_engines(act, max_loaded=1)


def test_a_model_that_is_held_is_not_given_up_and_afterwards_it_is(root):
    async def act(engines):
        models = find_models(root, extra="")
        with engines.lease() as lease:
            held = await lease.get(models["a"])
            await engines.get(models["b"])
            await engines.get(models["c"])
            assert engines.names == ["a", "c"]
            assert (await held.engine.logits([0])).ndim == 1
        await engines.get(models["d"])
        assert engines.names == ["d"]

    with_engines(act, max_loaded=1)


@pytest.mark.parametrize("end", [lambda takes, _: takes.cancel(), lambda _, engine: engine.close()])
def test_waiting_for_a_place_ends_with_the_request(root, end):
    async def act(engines):
        session, page = await session_of(engines, root)
        engine = (await engines.get(session.models["a"])).engine
        with engines.lease() as lease, halted(engine):
            writing = asyncio.create_task(session.write("Once", model="a"))
            await until(lambda: statuses(page)[-1:] == ["writing"])
            resolved = await resolve_request(
                GenerationRequest(words="Then", model="a"),
                Story(),
                models=session.models,
                values=session.tuning.wanted,
                engines=lease,
            )
            takes = Takes(resolved)
            places = takes.places()
            assert await anext(places) == 0
            closing = asyncio.create_task(asyncio.to_thread(end, takes, engine))
            await until(lambda: takes.requests[0].ended or engine._closed)
        await closing
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(places), 60)
        assert not any(request.began for request in takes.requests)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing

    with_engines(act, max_batch=1)


PLACES = ("writing", "next in line", "waiting, 1 ahead of you", "waiting, 2 ahead of you")


async def line_up(sessions: list[tuple[Session, RecordingPage]]) -> list[asyncio.Task[None]]:
    """Let them ask for the same model, one after the other; each is told its place."""
    writing = []
    for (session, page), place in zip(sessions, PLACES, strict=False):
        writing.append(asyncio.create_task(session.write("Once", model="a")))
        await told(page, place)
    return writing


async def told(page: RecordingPage, status: str) -> None:
    await until(lambda: statuses(page)[-1:] == [status])
    assert statuses(page)[-1] == status


def test_who_waits_is_told_how_many_are_ahead(root):
    async def act(engines):
        sessions = [await session_of(engines, root) for _ in range(4)]
        with halted((await engines.get(sessions[0][0].models["a"])).engine):
            writing = await line_up(sessions)
            assert all(session.writing for session, _ in sessions)
            # One thinks better of it: its words stay, and those behind move up.
            writing[1].cancel()
            await told(sessions[3][1], "waiting, 1 ahead of you")
            await told(sessions[2][1], "next in line")
            assert sessions[1][0].story.text == "Once"
            assert not sessions[1][0].writing
        await asyncio.gather(*writing, return_exceptions=True)
        assert [len(session.story.path) for session, _ in sessions] == [2, 1, 2, 2]

    with_engines(act, max_batch=1)


def test_a_full_queue_is_said_with_a_way_out_and_the_words_come_back(root):
    async def act(engines):
        sessions = [await session_of(engines, root) for _ in range(3)]
        engine = (await engines.get(sessions[0][0].models["a"])).engine
        engine._queue.bound = 1
        with halted(engine):
            writing = await line_up(sessions[:2])
            refused, page = sessions[2]
            await refused.write("/with t=1.2 My own words", model="a")
            assert page.refused == ["/with t=1.2 My own words"]
            assert "another request is in line" in page.said[-1]
            assert "Your words are back" in page.said[-1]
            assert "Try again in a moment" in page.said[-1]
            assert not refused.writing
            assert not refused.story.passages
            await refused.write("", model="a")
            assert "Your words" not in page.said[-1]
            # Another model is free.
            await refused.write("/with max=3 Once", model="b")
            assert len(refused.story.path) == 2
        await asyncio.gather(*writing)
        await refused.write("And", model="a")
        assert len(refused.story.path) == 4

    with_engines(act, max_batch=1)
