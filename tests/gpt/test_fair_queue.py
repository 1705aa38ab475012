"""Whose turn it is: nobody's pile holds others up, and a single writer notices nothing of it."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from chat.errors import RefusedError
from chat.jobs.training_line import OFFER_S, WAITS_S, Line
from chat.turns import Turns
from gpt.engine import Engine, EngineBusy
from gpt.engine.fair_queue import FairQueue, Path
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from tests.gpt.test_engine import CHARACTERS, FOREVER, Gate, idle, in_time, model, read, until

__all__ = ["model"]  # a fixture


@dataclass(eq=False)
class Waiting:
    writer: Path
    turns: int = 1
    name: str = field(default="")


def served(queue: FairQueue[Waiting], places: int) -> list[Waiting]:
    """Serve all that waits, `places` at once, whoever has been served longest leaving first."""
    order: list[Waiting] = []
    in_hand: list[Waiting] = []
    while (request := queue.next(in_hand)) is not None:
        queue.serve(request)
        request.turns -= 1
        order.append(request)
        in_hand.append(request)
        if len(in_hand) == places:
            in_hand.pop(0)
            queue.changed()
        queue.drop_done()
    return order


def line(*requests: Waiting, bound: int = 1000) -> FairQueue[Waiting]:
    queue: FairQueue[Waiting] = FairQueue(bound)
    for request in requests:
        queue.add(request)
    return queue


def test_one_writer_is_served_in_the_order_of_the_requests():
    requests = [Waiting(("ada", "page")) for _ in range(9)]
    assert served(line(*requests), 3) == requests


def test_a_pile_lets_others_pass_after_its_first():
    pile = [Waiting(("ada",)) for _ in range(20)]
    late = Waiting(("bob",))
    assert served(line(*pile, late), 1).index(late) == 1


def test_the_pages_of_one_writer_take_turns_within_that_writers_share():
    ada = [Waiting(("ada", page)) for page in "11112222"]
    bob = [Waiting(("bob", "1")) for _ in range(4)]
    order = served(line(*ada, *bob), 1)
    assert [request.writer[0] for request in order[:8]] == ["ada", "bob"] * 4
    pages = [request.writer[1] for request in order if request.writer[0] == "ada"]
    assert pages == ["1", "2"] * 4


def test_who_holds_places_comes_after_who_holds_none():
    queue = line(Waiting(("ada",)), bob := Waiting(("bob",)))
    assert queue.next([Waiting(("ada",))] * 8) is bob


def test_takes_of_one_request_are_turns_of_their_own():
    many, one = Waiting(("ada",), turns=8), Waiting(("bob",))
    assert served(line(many, one), 1)[:3] == [many, one, many]


def test_the_place_that_is_told_is_the_one_that_comes_true():
    draw = random.Random(1)
    for _ in range(200):
        requests = [
            Waiting((draw.choice("abc"), draw.randrange(3)), turns=draw.randrange(1, 4))
            for _ in range(12)
        ]
        queue = line(*requests)
        told = {request: queue.ahead(request, []) for request in requests}
        firsts = list(dict.fromkeys(served(queue, 10**6)))
        assert firsts == sorted(requests, key=told.__getitem__)
        assert sorted(told.values()) == list(range(len(requests)))


def test_who_waits_for_nothing_yet_finds_room_until_there_is_none():
    queue = line(bound=64)
    while queue.has_room(Waiting(("ada",))):
        queue.add(Waiting(("ada",)))
    assert queue.waiting == 32
    others = 0
    while queue.has_room(Waiting((f"guest {others}",))):
        queue.add(Waiting((f"guest {others}",)))
        others += 1
    assert others == 32
    assert not queue.has_room(Waiting(("ada",)))


def test_a_thousand_waiting_writers_are_put_in_order_in_no_time():
    queue = line(*(Waiting((f"writer {i % 700}", i)) for i in range(1000)))
    assert len(queue.order([])) == 1000


# In the engine


def test_five_pages_of_one_writer_leave_the_next_place_to_another(model):
    gate = Gate(model)

    async def run() -> None:
        with Engine(model, CHARACTERS, max_batch=2) as engine:
            pile = [
                engine.submit("a", FOREVER, writer=("ada", page)) for page in range(5) for _ in "12"
            ]
            gate.steps.release()  # the first may stand there since before the second came
            await until(lambda: engine.active == 2, "they did not begin")
            other = engine.submit("b", FOREVER, writer=("bob", 0))
            assert other.ahead == 0
            assert sorted(each.ahead for each in pile if not each.began) == [*range(1, 9)]
            next(request for request in pile if request.began).cancel()
            gate.let_all_through()
            await until(lambda: other.began, "it does not begin")
            assert sum(request.began for request in pile) == 2
            for request in (*pile, other):
                request.cancel()
            await idle(engine)

    in_time(run())


def test_a_writer_alone_has_every_place(model):
    async def run() -> None:
        with Engine(model, CHARACTERS, max_batch=4) as engine:
            pile = [engine.submit("a", FOREVER, writer=("ada", 0)) for _ in range(6)]
            await until(lambda: engine.active == 4, "places stay empty")
            assert engine.waiting == 2
            for request in pile:
                request.cancel()
            await idle(engine)

    in_time(run())


def test_the_queue_is_full_for_a_pile_before_it_is_for_others(model):
    gate = Gate(model)

    async def run() -> None:
        with Engine(model, CHARACTERS, max_batch=1, max_waiting=8) as engine:
            first = engine.submit("a", FOREVER, writer=("ada", 0))
            await until(lambda: engine.active == 1, "it did not begin")
            held = [first, *(engine.submit("a", FOREVER, writer=("ada", i)) for i in range(4))]
            with pytest.raises(EngineBusy, match="4 of the same writer") as caught:
                engine.submit("a", FOREVER, writer=("ada", 9))
            assert (caught.value.ahead, caught.value.own) == (4, 4)
            held += [engine.submit("a", FOREVER, writer=(name, 0)) for name in "wxyz"]
            with pytest.raises(EngineBusy) as caught:
                engine.submit("a", FOREVER, writer=("new", 0))
            assert (caught.value.ahead, caught.value.own) == (8, 0)
            for request in held:
                request.cancel()
            gate.let_all_through()
            await idle(engine)

    in_time(run())


def test_sixty_writers_at_once_are_all_served_and_each_with_the_solo_text(model):
    params = [SamplingParams(seed=i, temperature=1.5, max_new_tokens=6) for i in range(60)]
    alone = [list(Generator(model, CHARACTERS).stream("a", each)) for each in params]

    async def run() -> None:
        with Engine(model, CHARACTERS) as engine:
            requests = [
                engine.submit("a", each, writer=(f"guest {i}", i)) for i, each in enumerate(params)
            ]
            written = await asyncio.gather(*(read(request, 6) for request in requests))
            assert written == alone

    in_time(run())


def test_logits_requests_are_bounded_and_one_writers_leave_room_for_another(model):
    gate = Gate(model)

    async def run() -> None:
        with Engine(model, CHARACTERS) as engine:
            requests = [
                asyncio.create_task(engine.logits([1], writer=("ada", i))) for i in range(1000)
            ]
            await asyncio.sleep(0)
            await until(
                lambda: sum(request.done() for request in requests) > 900, "they are not refused"
            )
            other = asyncio.create_task(engine.logits([2], writer=("bob", 0)))
            await asyncio.sleep(0)
            gate.let_all_through()
            await other
            results = await asyncio.gather(*requests, return_exceptions=True)
            assert sum(isinstance(each, EngineBusy) for each in results) > 900

    in_time(run())


# Beside the writing


def test_turns_are_bounded_shared_and_given_back():
    async def run() -> None:
        turns = Turns(2, each=1)
        began: list[str] = []
        told: list[int] = []

        async def work(writer: str, ends: asyncio.Event) -> None:
            async def say(ahead: int) -> None:
                told.append(ahead)

            async with turns.turn((writer,), say):
                began.append(writer)
                await ends.wait()

        ends = asyncio.Event()
        tasks = [asyncio.create_task(work(who, ends)) for who in ("ada", "ada", "ada", "bob", "c")]
        await asyncio.sleep(0.4)
        assert began == ["ada", "bob"]
        assert sorted(set(told)) == [0, 1, 2]
        tasks[1].cancel()  # one that waits
        tasks[3].cancel()  # and one that is at it
        await asyncio.sleep(0.3)
        assert began == ["ada", "bob", "c"]
        ends.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert began == ["ada", "bob", "c", "ada"]
        assert (turns.in_hand, turns.waiting) == (0, 0)

    asyncio.run(run())


def test_more_than_may_wait_for_a_turn_are_told_so():
    async def run() -> None:
        turns = Turns(1, each=1, waiting=4)
        forever = asyncio.Event()

        async def work(writer: str) -> None:
            async with turns.turn((writer,)):
                await forever.wait()

        tasks = [asyncio.create_task(work("ada")) for _ in range(8)]
        await asyncio.sleep(0.05)
        refused = [task for task in tasks if task.done()]
        assert len(refused) == 5
        with pytest.raises(RefusedError, match="try again"):
            await refused[0]
        other = asyncio.create_task(work("bob"))
        await asyncio.sleep(0.05)
        assert not other.done()
        for task in (*tasks, other):
            task.cancel()
        await asyncio.gather(*tasks, other, return_exceptions=True)

    asyncio.run(run())


def test_who_trained_last_lets_those_go_first_who_asked_meanwhile():
    now = 0.0
    line = Line(lambda: now)
    line.begins("ada")
    line.begins("ada")  # nobody else wants to
    line.turned_away("bob")
    with pytest.raises(RefusedError, match="their turn") as caught:
        line.begins("ada")
    assert "bob" not in str(caught.value)
    line.begins("bob")
    line.begins("ada")
    line.turned_away("bob")
    with pytest.raises(RefusedError):
        line.begins("ada")
    now += OFFER_S + 1
    line.begins("ada")
    line.turned_away("bob")
    now += WAITS_S + 1
    line.begins("ada")


def test_who_does_not_wait_has_none_ahead_and_is_ahead_of_none():
    first, done, last = Waiting(("ada",)), Waiting(("bob",)), Waiting(("cleo",))
    queue = line(first, done, last)
    assert [queue.ahead(each, []) for each in (first, done, last)] == [0, 1, 2]
    done.turns = 0  # given up, and not let go of yet
    assert [queue.ahead(each, []) for each in (first, done, last)] == [0, 0, 1]
    assert queue.ahead(Waiting(("ada",)), []) == 0


def test_turns_that_are_free_at_the_moment_come_on_top_of_the_bound():
    queue = line(Waiting(("ada",), turns=2), bound=3)
    assert not queue.has_room(Waiting(("bob",), turns=2))
    assert queue.has_room(Waiting(("bob",), turns=2), spare=1)
    assert not queue.has_room(Waiting(("bob",), turns=3), spare=1)
