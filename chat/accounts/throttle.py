"""Guessing a password is slow, and whoever guesses holds nobody else up.

What is counted are tries in vain, by name and by where they come from (`origin`: an address, or a
browser that signed in with that name before). After FREE_TRIES for one name from one origin, each
further one has to wait: 1, 2, 4 … up to LONGEST_WAIT_S seconds, never for good. So a stranger
elsewhere costs the owner of a name nothing.

Two ways round are closed. Who tries many names from one place waits after FREE_NAMES of them, for
one password may open every name. And who has many places: once ALARM tries for a name were in
vain, a place that never signed in with it has one free try in place of five. It still has that one,
so the right password comes in from anywhere, and a browser that was in before notices nothing.

What is not promised: a stranger behind the owner's own address (one network, or a proxy that is not
trusted to say whom it speaks for) can keep a browser that was never in waiting a minute at a time.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

FREE_TRIES = 5
FREE_NAMES = 4
"""How many names may be tried from one origin as often as FREE_TRIES allows."""
ALARM = 50
LONGEST_WAIT_S = 60.0
FORGET_S = 3600.0
"""How long a failure counts after the last one, in seconds."""
MOST = 20_000
"""The most counts that are kept; the one that grew longest ago goes first."""
ROW = 32
"""The most tries that wait for their turn; beyond, the answer is "too many"."""
ROW_EACH = 2
"""The most of them from one origin."""

NAME, ORIGIN, PAIR = "name", "origin", "pair"
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failures:
    """Tries in vain."""

    count: int
    last_s: float


class Throttle:
    """Counts tries in vain.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # In the order in which they grew.
        self._failures: OrderedDict[Key, Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def wait_s(self, name: str, origin: str, target: str, *, known: bool = False) -> float:
        """Seconds until this origin may try this name; 0 most of the time.

        Args:
            target: What the right password would open: many names may share one.
            known: Whether the origin is a browser that was in before.
        """
        alarm = not known and self._at((NAME, target)).count >= ALARM
        free_tries, free_here = (1, 1) if alarm else (FREE_TRIES, FREE_TRIES * FREE_NAMES)
        return max(
            self._pause_s((PAIR, name, origin), free_tries),
            self._pause_s((ORIGIN, origin), free_here),
        )

    def failed(self, name: str, origin: str, target: str, *, known: bool = False) -> None:
        """Count one more."""
        # One name that is tried on and on is one name: the others of this origin go free.
        if self._add((PAIR, name, origin)).count <= FREE_TRIES:
            self._add((ORIGIN, origin))
        if not known:
            self._add((NAME, target))

    def entered(self, name: str, origin: str) -> None:
        """The right password was given: what came before were slips."""
        self._failures.pop((PAIR, name, origin), None)

    def _at(self, key: Key) -> Failures:
        found = self._failures.get(key)
        if found is None or found.last_s + FORGET_S < self._clock():
            return Failures(0, 0.0)
        return found

    def _pause_s(self, key: Key, free: int) -> float:
        found = self._at(key)
        if found.count < free:
            return 0.0
        # The exponent is bounded too: 2.0 ** 1024 is no float.
        pause_s = min(LONGEST_WAIT_S, 2.0 ** min(found.count - free, 16))
        return max(0.0, found.last_s + pause_s - self._clock())

    def _add(self, key: Key) -> Failures:
        grown = Failures(self._at(key).count + 1, self._clock())
        self._failures[key] = grown
        self._failures.move_to_end(key)
        while self._failures:
            oldest = next(iter(self._failures.values()))
            if len(self._failures) <= MOST and oldest.last_s + FORGET_S >= self._clock():
                break
            self._failures.popitem(last=False)
        return grown


class CheckQueueFullError(RuntimeError):
    """Too many tries are waiting for their turn."""


class CheckQueue:
    """Where tries wait for their turn: a password is checked slowly, on purpose, one at a time.

    Nobody has more than ROW_EACH places, so a flood from one origin costs the others two checks.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._places: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, origin: str) -> AsyncGenerator[None]:
        """Wait for a turn and have it.

        Raises:
            CheckQueueFullError: There is no place left, or none for this origin.
        """
        if self._places[origin] >= ROW_EACH or self._places.total() >= ROW:
            raise CheckQueueFullError(f"{self._places.total()} tries are waiting")
        self._places[origin] += 1
        try:
            async with self._turn:
                yield
        finally:
            self._places[origin] -= 1
            if not self._places[origin]:
                del self._places[origin]
