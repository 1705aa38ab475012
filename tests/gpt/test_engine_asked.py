"""What an engine hands on of what it is asked, what it says no with, and what it lets go of."""

import asyncio
import gc
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
import torch

from gpt.decode.core import TorchCore
from gpt.engine import Engine, EngineBusy, EngineClosed
from gpt.engine import engine as engine_of
from gpt.generator import Generator
from gpt.model import GPT
from gpt.sampling import SamplingParams
from tests.gpt import test_engine
from tests.gpt.test_engine import CHARACTERS, FOREVER, Gate, idle, in_time, read, until, written

model, engine = test_engine.model, test_engine.engine
SHORT = SamplingParams(seed=1, max_new_tokens=3)


class Other(TorchCore):
    """Another core, which says when it was let go."""

    def __init__(self, engine: Engine, model: GPT) -> None:
        super().__init__(model, CHARACTERS.vocab_size, engine._generator.cache)
        self.name = "other"
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_a_story_is_added_as_it_was_asked_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[tuple[Any, ...]] = []
    add = Generator.add

    def seen(self: Generator, prompt: list[int], params: SamplingParams, **how: Any) -> Any:
        added.append((prompt, params.seed, how))
        return add(self, prompt, params, **how)

    monkeypatch.setattr(Generator, "add", seen)
    keep = (range(2),)

    async def run() -> None:
        params = replace(SHORT, n=2)
        async for _ in engine.submit("abc", params, core="other", keep=keep):
            pass
        async for _ in engine.submit([1, 2], SHORT):
            pass

    in_time(run())
    ids = CHARACTERS.encode("abc")
    assert [(prompt[-3:], seed, how) for prompt, seed, how in added] == [
        (ids, 1, {"take": 0, "core": "other", "keep": keep}),
        (ids, 2, {"take": 1, "core": "other", "keep": keep}),
        ([1, 2], 1, {"take": 0, "core": None, "keep": ()}),
    ]


def test_a_new_story_is_written_with_the_newest_core_or_the_one_it_asks_for(
    model: GPT, engine: Engine
) -> None:
    async def cores(**how: Any) -> set[str]:
        return {token.core async for token in engine.submit("a", SHORT, **how)}

    async def run() -> None:
        assert await cores() == {"torch float32"}
        engine._use(other)
        await until(lambda: engine.core is other, "it is not in use")
        assert await cores() == {"other"}
        assert await cores(core="torch float32") == {"torch float32"}

    other = Other(engine, model)
    in_time(run())
    assert not other.closed
    engine.close()
    assert other.closed


def test_a_core_that_comes_after_the_end_is_let_go(model: GPT, engine: Engine) -> None:
    engine.close()
    other = Other(engine, model)
    engine._use(other)
    assert other.closed
    assert engine.core.name == "torch float32"


def test_who_waits_for_the_core_waits_until_it_is_decided_and_not_longer_than_they_say(
    engine: Engine,
) -> None:
    async def run() -> None:
        await engine.settled(60)
        engine._decided = Future()
        await engine.settled(0.01)
        waiting = asyncio.ensure_future(engine.settled(60))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        engine._decided.set_result(None)
        await waiting

    in_time(run())


def test_the_core_is_prepared_for_this_model_and_its_own_cache(
    model: GPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def prepare(*what: object) -> Future[None]:
        asked.append(what)
        return Future()

    monkeypatch.setattr(engine_of, "prepare", prepare)
    with Engine(model, CHARACTERS) as engine:
        assert asked == [(model, CHARACTERS.vocab_size, engine._generator.cache, engine._use)]


def test_the_batch_is_as_large_as_the_models_memory_says_unless_another_is_asked_for(
    model: GPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def stories_for(*what: object) -> int:
        asked.append(what)
        return 3

    monkeypatch.setattr(engine_of, "stories_for", stories_for)
    with Engine(model, CHARACTERS, max_waiting=7) as engine:
        assert (engine.max_batch, engine.max_waiting) == (3, 7)
        assert len(engine._generator.cache.lengths) == 3
    assert asked == [(model.config, torch.float32)]
    with Engine(model, CHARACTERS, max_batch=2) as engine:
        assert engine.max_batch == 2
    assert len(asked) == 1
    with pytest.raises(ValueError) as error:
        Engine(model, CHARACTERS, max_waiting=-1)
    assert str(error.value) == "max_waiting must be at least 0, not -1"


def test_the_logits_of_every_token_are_given_where_they_are_asked_for(
    model: GPT, engine: Engine
) -> None:
    ids = CHARACTERS.encode("once upon")

    async def asked(ids: Sequence[int], every: bool = False) -> torch.Tensor:
        return await engine.logits(ids, every=every)

    generator = Generator(model, CHARACTERS)
    assert torch.equal(in_time(asked(ids, every=True)), generator.logits(ids, every=True))
    assert in_time(asked(ids, every=True)).shape == (len(ids), CHARACTERS.vocab_size)
    assert torch.equal(in_time(asked(ids)), generator.logits(ids))


def test_a_writer_whose_own_requests_fill_the_queue_is_told_so(model: GPT) -> None:
    async def run(engine: Engine) -> None:
        running = engine.submit("a", FOREVER, writer=("ada", 1))
        await until(lambda: engine.active == 1, "it never began")
        assert not engine.closed
        waiting = engine.submit("b", FOREVER, writer=("ada", 2))
        with pytest.raises(EngineBusy) as caught:
            engine.submit("c", replace(FOREVER, n=2), writer=("ada", 1))
        assert (caught.value.ahead, caught.value.own) == (1, 1)
        with pytest.raises(EngineBusy) as caught:
            engine.submit("c", replace(FOREVER, n=3), writer=("bob",))
        assert (caught.value.ahead, caught.value.own) == (1, 0)
        running.cancel()
        waiting.cancel()

    with Engine(model, CHARACTERS, max_batch=1, max_waiting=3) as engine:
        in_time(run(engine))


def test_a_writer_whose_own_questions_fill_the_queue_is_told_so(
    model: GPT, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_of, "MAX_LOGITS_REQUESTS", 3)
    gate = Gate(model)

    async def run(engine: Engine) -> None:
        first = asyncio.ensure_future(engine.logits([1], writer=("ada",)))
        await until(lambda: not engine._logits_queue.waiting and not first.done(), "not begun")
        second = asyncio.ensure_future(engine.logits([2], writer=("ada",)))
        await until(lambda: engine._logits_queue.waiting == 1, "it does not wait")
        third = asyncio.ensure_future(engine.logits([2], writer=("bob",)))
        await until(lambda: engine._logits_queue.waiting == 2, "it does not wait")
        with pytest.raises(EngineBusy) as caught:
            await engine.logits([3], writer=("ada",))
        assert (caught.value.ahead, caught.value.own) == (2, 1)
        gate.let_all_through()
        await asyncio.gather(first, second, third)

    with Engine(model, CHARACTERS) as engine:
        in_time(run(engine))


def test_a_story_that_has_begun_has_none_ahead_though_its_other_takes_wait(model: GPT) -> None:
    async def run(engine: Engine) -> None:
        begun = engine.submit("a", replace(FOREVER, n=3), writer=("ada",))
        other = engine.submit("b", FOREVER, writer=("bob",))
        await until(lambda: begun.began, "it never began")
        await read(begun, 1)
        # Bob's is next: ada has one in hand.
        assert (engine.active, engine.waiting) == (1, 3)
        assert (begun.ahead, other.ahead) == (0, 0)
        begun.cancel()
        other.cancel()
        await idle(engine)

    with Engine(model, CHARACTERS, max_batch=1) as engine:
        in_time(run(engine))


def test_a_closed_engine_says_that_it_is_and_is_let_go(model: GPT) -> None:
    async def run(engine: Engine) -> None:
        waiting = engine.submit("a", FOREVER)
        await read(waiting, 1)
        engine.close()
        with pytest.raises(EngineClosed, match=r"^the engine was closed before the story ended$"):
            await read(waiting, 3000)
        for ask in (engine.stream("a", SHORT), [engine.logits([1])]):
            with pytest.raises(EngineClosed, match=r"^the engine is closed$"):
                await (ask[0] if isinstance(ask, list) else anext(ask))

    engine = Engine(model, CHARACTERS)
    assert not engine.closed
    in_time(run(engine))
    assert engine.closed
    gone = weakref.ref(engine)
    del engine
    gc.collect()
    assert gone() is None


def test_an_error_of_a_take_is_said_once_and_frees_all_places(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise ValueError("all rows are taken")

    monkeypatch.setattr(Generator, "add", full)

    async def run() -> None:
        request = engine.submit("a", replace(FOREVER, n=3))
        with pytest.raises(ValueError, match=r"^all rows are taken$"):
            await anext(request)
        assert request.ended
        await idle(engine)

    in_time(run())
    monkeypatch.undo()
    assert len(in_time(written(engine, "a", SHORT))) == 3
