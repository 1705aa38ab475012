"""Turns: who leaves while waiting, or as the turn comes, does not keep it."""

import asyncio

import pytest

from chat.turns import Turns


@pytest.mark.parametrize("rounds", range(5))
def test_who_leaves_as_the_turn_comes_does_not_keep_it(rounds):
    async def run() -> None:
        turns = Turns(1, each=1)

        async def work() -> None:
            async with turns.turn(("another",)):
                await asyncio.Event().wait()  # to the end of time

        async with turns.turn(("one",)):
            waiting = asyncio.create_task(work())
            await asyncio.sleep(0.01)
        for _ in range(rounds):  # of the loop, in which the news of the turn is on its way
            await asyncio.sleep(0)
        waiting.cancel()
        ended, _ = await asyncio.wait([waiting], timeout=1)
        assert ended
        assert turns.in_hand == 0

    asyncio.run(run())
