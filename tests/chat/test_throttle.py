"""What is remembered of tries in vain is bounded and forgotten, and nobody holds up the row."""

import asyncio

import pytest

from chat.accounts import throttle
from chat.accounts.throttle import (
    FORGET_S,
    FREE_TRIES,
    ROW,
    ROW_EACH,
    CheckQueue,
    CheckQueueFullError,
    Throttle,
)
from tests.chat.test_accounts import Clock


def test_the_memory_of_tries_is_bounded(monkeypatch):
    monkeypatch.setattr(throttle, "MOST", 300)
    counts = Throttle(Clock())
    for number in range(1000):
        counts.failed(f"name {number}", f"origin {number}", "all")
    assert len(counts) == 300
    # What grew last is what is known.
    for _ in range(FREE_TRIES):
        counts.failed("ada", "here", "all")
    assert counts.wait_s("ada", "here", "all") > 0


def test_tries_are_forgotten_an_hour_after_the_last():
    clock = Clock()
    counts = Throttle(clock)
    for _ in range(12):
        counts.failed("ada", "here", "ada")
    clock.now += FORGET_S + 1
    assert counts.wait_s("ada", "here", "ada") == 0
    counts.failed("bob", "there", "bob")
    assert len(counts) == 3
    assert counts.wait_s("ada", "here", "ada") == 0


class Row:
    """A row, with the origins that had their turn and those for whom there was no place."""

    def __init__(self) -> None:
        self.queue = CheckQueue()
        self.done: list[str] = []
        self.refused: list[str] = []

    async def visit(self, origin: str) -> None:
        try:
            async with self.queue.turn(origin):
                await asyncio.sleep(0.001)
                self.done.append(origin)
        except CheckQueueFullError:
            self.refused.append(origin)

    async def visits(self, *origins: str) -> None:
        await asyncio.gather(*(self.visit(origin) for origin in origins))


def test_a_flood_from_one_origin_costs_the_others_two_turns():
    row = Row()
    asyncio.run(row.visits(*["flood"] * 500, "ada"))
    assert row.done == ["flood"] * ROW_EACH + ["ada"]
    assert row.refused == ["flood"] * (500 - ROW_EACH)


def test_the_row_of_all_origins_together_has_an_end():
    row = Row()
    asyncio.run(row.visits(*(f"origin {number}" for number in range(ROW + 10))))
    assert (len(row.done), len(row.refused)) == (ROW, 10)


def test_whoever_gives_up_waiting_leaves_the_place_free():
    row = Row()

    async def give_up() -> None:
        tasks = [asyncio.create_task(row.visit(f"{number}")) for number in range(ROW)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await row.visit("ada")

    asyncio.run(give_up())
    assert (row.done, row.refused) == (["ada"], [])


def test_a_place_in_the_row_is_free_again_after_an_error():
    async def fail() -> None:
        row = CheckQueue()
        for _ in range(ROW + 1):
            with pytest.raises(ValueError, match="bad"):
                async with row.turn("ada"):
                    raise ValueError("bad")

    asyncio.run(fail())
