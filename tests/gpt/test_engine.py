"""The engine: many readers, one worker; places are freed at once, faults stay where they belong."""

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import pytest
import torch

from gpt.engine import Engine, EngineBusy, EngineClosed
from gpt.engine.request import Request
from gpt.generator import Generator
from gpt.model import GPT
from gpt.sampling import SamplingParams
from gpt.text.token import Token
from gpt.tokenizers import CharTokenizer, UnknownCharacterError
from tests.support.tiny import SHAPES, tiny_model

CHARACTERS = CharTokenizer.train(["abcdefghijklmnopqrstuvwxyz .\n"])
T = TypeVar("T")
FOREVER = SamplingParams(temperature=1.5, max_new_tokens=2048)
"""Longer than any test waits."""


class Gate:
    """Stands before a model and lets one step at a time through, or all."""

    def __init__(self, model: GPT) -> None:
        self.steps = threading.Semaphore(0)
        self.open = False
        self.passed = 0
        model.register_forward_pre_hook(self._pass)

    def _pass(self, *_: object) -> None:
        if not self.open:
            assert self.steps.acquire(timeout=120)
        self.passed += 1

    def let_all_through(self) -> None:
        self.open = True
        self.steps.release(1000)


@pytest.fixture
def model() -> GPT:
    """A model that never ends a story by itself."""
    model = tiny_model(replace(SHAPES["llama"], vocab_size=CHARACTERS.vocab_size))

    def forbid(_: object, __: object, logits: torch.Tensor) -> torch.Tensor:
        return logits.index_fill(-1, torch.tensor([CHARACTERS.eos_id]), -torch.inf)

    model.register_forward_hook(forbid)
    return model


@pytest.fixture
def engine(model: GPT) -> Iterator[Engine]:
    with Engine(model, CHARACTERS, max_batch=4, max_waiting=3) as engine:
        yield engine


def in_time(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; a reader who is never answered fails instead of waiting for ever."""
    return asyncio.run(asyncio.wait_for(work, timeout=60))


async def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.001)


async def idle(engine: Engine) -> None:
    await until(lambda: engine.active == engine.waiting == 0, "the engine is not idle")


async def read(request: Request, n: int) -> list[Token]:
    return [await anext(request) for _ in range(n)]


async def written(engine: Engine, prompt: str, params: SamplingParams) -> list[Token]:
    return [token async for token in engine.stream(prompt, params)]


def test_a_story_alone_and_in_company_is_the_same(model: GPT, engine: Engine) -> None:
    stories = [
        (prompt, SamplingParams(temperature=0.3 * i, top_k=i, seed=i, max_new_tokens=20 + 5 * i))
        for i, prompt in enumerate(["", "once", "the " * 10, "a", "z", "lion", "mouse"])
    ]
    alone = [list(Generator(model, CHARACTERS).stream(*story)) for story in stories]

    async def all_at_once() -> list[list[Token]]:
        return await asyncio.gather(*(written(engine, *story) for story in stories))

    assert in_time(all_at_once()) == alone


def test_several_event_loops_read_from_one_engine(model: GPT, engine: Engine) -> None:
    params = SamplingParams(seed=5, max_new_tokens=30)
    alone = list(Generator(model, CHARACTERS).stream("a", params))
    results: list[list[Token]] = []

    def loop() -> None:
        results.append(in_time(written(engine, "a", params)))

    threads = [threading.Thread(target=loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [alone] * 4


def test_takes_interleave_and_are_told_apart(model: GPT, engine: Engine) -> None:
    params = SamplingParams(seed=5, n=3, temperature=1.5, max_new_tokens=15)
    tokens = in_time(written(engine, "a", params))
    assert {token.take for token in tokens[:6]} == {0, 1, 2}
    for take in range(3):
        alone = Generator(model, CHARACTERS).stream("a", replace(params, seed=5 + take, n=1))
        mine = [replace(token, take=0) for token in tokens if token.take == take]
        assert mine == list(alone)


@pytest.mark.parametrize(
    ("ahead", "own", "said"),
    [
        (1, 0, "the model is busy, 1 request is waiting already: try again in a moment"),
        (9, 0, "the model is busy, 9 requests are waiting already: try again in a moment"),
        (
            9,
            2,
            "the model is busy, 9 requests are waiting already (2 of the same writer): "
            "try again in a moment",
        ),
    ],
)
def test_who_is_refused_hears_how_many_wait(ahead: int, own: int, said: str) -> None:
    error = EngineBusy(ahead, own)
    assert (error.ahead, error.own, str(error)) == (ahead, own, said)


def test_the_event_loop_runs_on_while_the_model_works(model: GPT) -> None:
    async def run() -> None:
        with Engine(model, CHARACTERS) as engine:
            first = asyncio.ensure_future(anext(engine.stream("a", FOREVER)))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not first.done()  # the worker stands at the gate, we do not
            gate.let_all_through()
            await first

    gate = Gate(model)
    in_time(run())


@pytest.mark.parametrize("how", ["cancel", "aclose", "task", "generator", "collected", "left"])
def test_an_abandoned_request_frees_its_place_within_a_token(model: GPT, how: str) -> None:
    gate = Gate(model)
    kept: list[Request] = []

    async def abandon(engine: Engine) -> None:
        if how in ("generator", "left"):
            async with aclosing(engine.stream("a", FOREVER)) as stream:
                await anext(stream)
                if how == "generator":
                    return
            return
        request = engine.submit("a", FOREVER)
        await anext(request)
        if how != "collected":
            kept.append(request)  # or its end would free the place as well
        if how == "cancel":
            request.cancel()
        elif how == "aclose":
            await request.aclose()
        elif how == "task":
            reader = asyncio.ensure_future(read(request, 1000))
            await asyncio.sleep(0)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        # In "collected" the last reference goes with this frame

    async def run() -> None:
        with Engine(model, CHARACTERS) as engine:
            gate.steps.release()
            await abandon(engine)
            gc.collect()
            passed = gate.passed
            gate.let_all_through()
            await idle(engine)
            assert gate.passed <= passed + 1  # the one that was under way

    in_time(run())


def test_a_loop_left_with_break_frees_its_place(engine: Engine) -> None:
    async def run() -> None:
        async for _ in engine.stream("a", FOREVER):
            break
        await idle(engine)
        assert engine.active == 0

    in_time(run())


def test_a_loop_that_ended_frees_the_places_of_its_readers(engine: Engine) -> None:
    async def leave() -> None:
        asyncio.ensure_future(written(engine, "a", FOREVER))  # noqa: RUF006 - that is the test
        await until(lambda: engine.active == 1, "it never began")

    in_time(leave())
    in_time(idle(engine))
    assert engine.active == 0


def test_a_loop_that_was_closed_over_a_reader_frees_its_place(model: GPT) -> None:
    """Nobody cancels there, and the request may be held by others."""
    gate = Gate(model)
    with Engine(model, CHARACTERS) as engine:
        request = engine.submit("a", FOREVER)
        loop = asyncio.new_event_loop()
        reading = loop.create_task(request.__anext__())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        gate.let_all_through()
        in_time(idle(engine))
        assert not reading.done()

        async def rest() -> list[Token]:
            return [token async for token in request]

        assert len(in_time(rest())) < 3


def test_a_cancelled_request_keeps_what_came_before(model: GPT, engine: Engine) -> None:
    async def run() -> None:
        params = replace(FOREVER, seed=3)
        request = engine.submit("a", params)
        first = await read(request, 5)
        request.cancel()
        rest = [token async for token in request]
        expected = Generator(model, CHARACTERS).stream("a", params)
        assert first + rest == [next(expected) for _ in first + rest]
        with pytest.raises(StopAsyncIteration):
            await anext(request)

    in_time(run())


def test_a_timeout_by_wait_loses_no_token(model: GPT, engine: Engine) -> None:
    async def run() -> list[Token]:
        tokens: list[Token] = []
        request = engine.submit("a", params)
        coming = asyncio.ensure_future(anext(request))
        while True:
            await asyncio.wait({coming}, timeout=0)
            if coming.done():
                tokens.append(coming.result())
                if tokens[-1].finish_reason:
                    return tokens
                coming = asyncio.ensure_future(anext(request))

    params = SamplingParams(seed=3, max_new_tokens=40)
    assert in_time(run()) == list(Generator(model, CHARACTERS).stream("a", params))


def test_only_one_task_may_read_a_request(model: GPT) -> None:
    gate = Gate(model)

    async def run() -> None:
        with Engine(model, CHARACTERS) as engine:
            request = engine.submit("a", FOREVER)
            first = asyncio.ensure_future(anext(request))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another task is waiting"):
                await anext(request)
            gate.let_all_through()
            await first

    in_time(run())


def test_the_queue_is_bounded_and_says_how_many_are_ahead(engine: Engine) -> None:
    async def run() -> None:
        running = [engine.submit("a", FOREVER) for _ in range(4)]
        await until(lambda: engine.active == 4, "not all began")
        queued = [engine.submit("b", FOREVER), engine.submit("c", replace(FOREVER, n=2))]
        assert (engine.active, engine.waiting) == (4, 3)
        assert [each.ahead for each in [*running, *queued]] == [0, 0, 0, 0, 0, 1]
        assert [each.began for each in [*running, *queued]] == [True] * 4 + [False] * 2
        with pytest.raises(EngineBusy, match="2 requests are waiting already") as caught:
            engine.submit("d", FOREVER)
        assert caught.value.ahead == 2

        queued[0].cancel()
        assert (engine.waiting, queued[1].ahead) == (2, 0)
        third = engine.submit("d", FOREVER)
        assert third.ahead == 1
        for request in running[:2]:
            request.cancel()
        await until(lambda: queued[1].began and engine.waiting == 1, "it was not admitted")
        assert (await anext(queued[1])).finish_reason is None
        assert third.ahead == 0
        for request in [*running, *queued, third]:
            request.cancel()
        await idle(engine)

    in_time(run())


def test_an_idle_engine_turns_nobody_away(model: GPT) -> None:
    async def run() -> None:
        with Engine(model, CHARACTERS, max_batch=1, max_waiting=0) as engine:
            tokens = await written(engine, "a", SamplingParams(n=3, max_new_tokens=4))
            assert [token.take for token in tokens] == [0] * 4 + [1] * 4 + [2] * 4
            request = engine.submit("a", FOREVER)
            await anext(request)
            with pytest.raises(EngineBusy, match="0 requests are waiting"):
                engine.submit("a", FOREVER)
            request.cancel()

    in_time(run())


def test_waiting_requests_begin_in_the_order_they_came(model: GPT) -> None:
    async def run() -> list[int]:
        began: list[int] = []

        async def one(i: int) -> None:
            async for token in engine.stream("a", SamplingParams(seed=i, max_new_tokens=3)):
                began.extend([i] if i not in began else [])
                assert token.seed == i

        with Engine(model, CHARACTERS, max_batch=1) as engine:
            await asyncio.gather(*(one(i) for i in range(8)))
        return began

    assert in_time(run()) == list(range(8))


def test_an_error_reaches_its_own_reader_only(engine: Engine) -> None:
    async def run() -> None:
        good = engine.submit("a", FOREVER)
        await read(good, 3)
        bad = engine.submit("née", SamplingParams())
        with pytest.raises(UnknownCharacterError, match="é"):
            await anext(bad)
        with pytest.raises(StopAsyncIteration):
            await anext(bad)
        await read(good, 3)
        assert engine.active == 1

    in_time(run())


def test_settings_that_make_no_sense_are_refused_at_once(engine: Engine) -> None:
    with pytest.raises(ValueError, match="every letter has already appeared"):
        engine.submit("a", SamplingParams(repetition_penalty=1.5))
    assert engine.active == engine.waiting == 0


def test_a_story_with_broken_logits_ends_and_the_others_go_on(model: GPT) -> None:
    def spoil(_: object, inputs: tuple[torch.Tensor, ...], logits: torch.Tensor) -> torch.Tensor:
        wrong = (inputs[0] == CHARACTERS.encode("q")[0]).any(-1)
        return logits.masked_fill(wrong[:, None, None], torch.nan)

    async def run() -> None:
        with Engine(model, CHARACTERS) as engine:
            good = engine.submit("a", SamplingParams(temperature=0, max_new_tokens=2000))
            await read(good, 2)
            bad = engine.submit("q", replace(FOREVER, n=3))
            with pytest.raises(ValueError, match="not finite"):
                await anext(bad)
            await until(lambda: engine.active == 1, "its other takes go on")
            await read(good, 2)

    model.register_forward_hook(spoil)
    in_time(run())


def test_the_worker_survives_a_tokenizer_that_panics(model: GPT) -> None:
    class Panic(BaseException):
        """Like pyo3's PanicException."""

    class Fragile(CharTokenizer):
        def encode(self, text: str) -> list[int]:
            if text == "panic":
                raise Panic("called `Option::unwrap()` on a `None` value")
            return super().encode(text)

    async def run() -> None:
        with Engine(model, Fragile(CHARACTERS.characters)) as engine:
            with pytest.raises(RuntimeError, match=r"cannot be encoded.*unwrap"):
                await written(engine, "panic", SamplingParams())
            assert len(await written(engine, "a", SamplingParams(max_new_tokens=3))) == 3

    in_time(run())


def test_close_ends_everything(model: GPT) -> None:
    async def run() -> None:
        # Another test's engine may still be there.
        before = set(threading.enumerate())
        engine = Engine(model, CHARACTERS, max_batch=1)
        running, waiting = engine.submit("a", FOREVER), engine.submit("b", FOREVER)
        await anext(running)
        mine = {each for each in threading.enumerate() if each.name == "inkling-engine"} - before
        assert len(mine) == 1
        engine.close()
        engine.close()
        assert not mine & set(threading.enumerate())
        for request in (running, waiting):
            with pytest.raises(EngineClosed, match="before the story ended"):
                await read(request, 3000)
        with pytest.raises(EngineClosed):
            engine.submit("a", FOREVER)
        assert engine.active == engine.waiting == 0

    in_time(run())


def test_an_idle_worker_sleeps(engine: Engine) -> None:
    in_time(written(engine, "a", SamplingParams(max_new_tokens=3)))
    in_time(idle(engine))
    worker = engine._worker  # by its name there may be another test's
    assert worker.ident is not None
    time.sleep(0.1)
    places: set[tuple[str, int]] = set()
    for _ in range(100):
        frame = sys._current_frames()[worker.ident]
        places.add((frame.f_code.co_name, frame.f_lasti))
        time.sleep(0.001)
    assert len(places) == 1


@pytest.mark.parametrize("length", [1, 5, 24, 90])
def test_the_logits_are_those_the_next_token_is_drawn_by(
    model: GPT, engine: Engine, length: int
) -> None:
    ids = [CHARACTERS.bos_id, *(7 * i % 26 + 1 for i in range(length))]
    params = SamplingParams(temperature=0, max_new_tokens=1)
    (token,) = Generator(model, CHARACTERS).stream(ids, params)

    async def asked() -> torch.Tensor:
        return await engine.logits(ids)

    logits = in_time(asked())
    assert logits.shape == (CHARACTERS.vocab_size,)
    raw = logits.double().softmax(-1)
    assert int(raw.argmax()) == token.id
    assert float(raw[token.id]) == pytest.approx(token.raw_probability, rel=1e-4)


def test_a_logits_request_leaves_the_stories_as_they_would_be(model: GPT) -> None:
    params = SamplingParams(temperature=1, seed=3, max_new_tokens=40)
    alone = list(Generator(model, CHARACTERS).stream("once", params))

    async def asked(engine: Engine) -> list[Token]:
        request, tokens = engine.submit("once", params), []
        async for token in request:
            tokens.append(token)
            await engine.logits([1, 2, 3])
            assert engine.active <= 1
        return tokens

    # The only place is taken, and still every request for logits is answered.
    with Engine(model, CHARACTERS, max_batch=1) as engine:
        assert in_time(asked(engine)) == alone


def test_a_logits_request_that_nobody_waits_for_is_not_worked_out(model: GPT) -> None:
    gate = Gate(model)

    async def asked(engine: Engine) -> None:
        first = asyncio.create_task(engine.logits([1]))
        await until(
            lambda: not engine._logits_queue.waiting and not first.done(), "it is not begun"
        )
        second = asyncio.create_task(engine.logits([1, 2]))
        await until(lambda: engine._logits_queue.waiting == 1, "it does not wait")
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.let_all_through()
        await first
        await engine.logits([3])

    with Engine(model, CHARACTERS) as engine:
        in_time(asked(engine))
    assert gate.passed == 2


def test_a_logits_request_with_a_fault_or_at_a_closed_engine_says_so(model: GPT) -> None:
    gate = Gate(model)

    async def asked(engine: Engine) -> None:
        with pytest.raises(ValueError, match="not in the vocabulary"):
            await engine.logits([CHARACTERS.vocab_size])
        first = asyncio.create_task(engine.logits([1]))
        await until(lambda: not engine._logits_queue.waiting, "it is not begun")
        second = asyncio.create_task(engine.logits([2]))
        await until(lambda: engine._logits_queue.waiting == 1, "it does not wait")
        closing = asyncio.get_running_loop().run_in_executor(None, engine.close)
        await until(lambda: engine._closed, "it is not being closed")
        gate.let_all_through()
        await first
        with pytest.raises(EngineClosed, match=r"^the engine was closed before its answer$"):
            await second
        await closing
        with pytest.raises(EngineClosed):
            await engine.logits([1])

    in_time(asked(Engine(model, CHARACTERS)))
