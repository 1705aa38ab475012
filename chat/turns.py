"""`Turns`: long work beside the writing, few at once, each writer's in turn."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from chat.errors import RefusedError
from gpt.engine.fair_queue import FairQueue, Path, same_group

POLL_S = 0.1
"""Seconds between two readings of how many are ahead."""
FULL = "Too much is waiting to be done already: try again in a moment."

Say = Callable[[int], Awaitable[None]]


class Turn:
    """One that waits for its turn, or has it."""

    def __init__(self, writer: Path) -> None:
        self.writer = writer
        self.gone = False
        self.came = asyncio.Event()

    @property
    def turns(self) -> int:
        return 0 if self.gone or self.came.is_set() else 1


class Turns:
    """Lets `most` of them be done at once; which is next, `gpt.engine.fair_queue` says.

    Args:
        each: How many of one writer's at once, those of all pages together.
        waiting: How many may wait, in all; a writer's share is in `FairQueue.has_room`.
    """

    def __init__(self, most: int, *, each: int, waiting: int = 64) -> None:
        self._most, self._each = most, each
        self._queue: FairQueue[Turn] = FairQueue(waiting)
        self._in_hand: list[Turn] = []

    @property
    def in_hand(self) -> int:
        return len(self._in_hand)

    @property
    def waiting(self) -> int:
        return self._queue.waiting

    @asynccontextmanager
    async def turn(self, writer: Path, say: Say | None = None) -> AsyncGenerator[None]:
        """Wait for a turn and have it until the end of the block.

        Args:
            writer: See `gpt.engine.Engine.submit`.
            say: Called with how many are ahead while it waits, each time that changes.

        Raises:
            RefusedError: Too many wait already.
        """
        mine = Turn(writer)
        if not self._queue.has_room(mine, self._most - len(self._in_hand)):
            raise RefusedError(FULL)
        self._queue.add(mine)
        self._admit()
        try:
            said: int | None = None
            while not mine.came.is_set():
                ahead = self._queue.ahead(mine, self._in_hand)
                if say is not None and ahead != said:
                    said = ahead
                    await say(ahead)
                try:
                    # Not wait_for: Python 3.11's forgets a cancellation that comes with the turn.
                    async with asyncio.timeout(POLL_S):
                        await mine.came.wait()
                except TimeoutError:
                    continue
            yield
        finally:
            mine.gone = True
            if mine in self._in_hand:
                self._in_hand.remove(mine)
            self._queue.drop_done()
            self._queue.changed()
            self._admit()

    def _admit(self) -> None:
        while len(self._in_hand) < self._most:
            free = (
                turn
                for turn in self._queue.order(self._in_hand)
                if turn.turns and sum(same_group(turn, held) for held in self._in_hand) < self._each
            )
            turn = next(free, None)
            if turn is None:
                return
            self._queue.serve(turn)
            turn.came.set()
            self._in_hand.append(turn)
            self._queue.drop_done()
