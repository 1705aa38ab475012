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


def test_a_flood_from_one_origin_costs_the_others_two_turns():
    asyncio.run(flood())


async def flood() -> None:
    row, done, refused = CheckQueue(), [], []

    async def visit(origin: str) -> None:
        try:
            async with row.turn(origin):
                await asyncio.sleep(0.001)
                done.append(origin)
        except CheckQueueFullError:
            refused.append(origin)

    await asyncio.gather(*(visit("flood") for _ in range(500)), visit("ada"))
    assert done == ["flood"] * ROW_EACH + ["ada"]
    assert refused == ["flood"] * (500 - ROW_EACH)
    await asyncio.gather(*(visit(f"origin {number}") for number in range(ROW + 10)))
    assert len(refused) == 500 - ROW_EACH + 10
    # Whoever gives up waiting leaves the place free.
    tasks = [asyncio.create_task(visit(f"{number}")) for number in range(ROW)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with row.turn("ada"):
        pass


def test_a_place_in_the_row_is_free_again_after_an_error():
    async def fail() -> None:
        row = CheckQueue()
        for _ in range(ROW + 1):
            with pytest.raises(ValueError, match="bad"):
                async with row.turn("ada"):
                    raise ValueError("bad")

    asyncio.run(fail())
