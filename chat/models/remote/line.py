"""`Line`: how many stories a server writes at once, and who waits for a place there.

All of it belongs to one event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from gpt.engine import EngineBusy
from gpt.engine.fair_queue import FairQueue, Path

MOST_AT_ONCE = 8
"""Stories that one server is asked for at once."""
MOST_WAITING = 64


class Line:
    """The places at a server, dealt in turn by account as those of an engine are, so that nobody's
    pile holds the others up (`gpt.engine.fair_queue`).

    Args:
        at_once: Places: each take of a story needs one, and so does a look at the dice.
        most: How many of them may be waited for.
    """

    def __init__(self, at_once: int = MOST_AT_ONCE, most: int = MOST_WAITING) -> None:
        self._at_once = at_once
        self._queue: FairQueue[Places] = FairQueue(most)
        self._held: list[Places] = []
        """Whoever has a place, once for each."""
        self._resting = 0

    @property
    def active(self) -> int:
        """Places that are taken."""
        return len(self._held)

    @property
    def waiting(self) -> int:
        """Places that are waited for, those included that wait until the server may be asked."""
        return self._queue.waiting + self._resting

    @contextmanager
    def places(self, writer: Path, count: int = 1) -> Generator["Places"]:
        """As `ask`, for the time of the block."""
        places = self.ask(writer, count)
        try:
            yield places
        finally:
            places.close()

    def ask(self, writer: Path, count: int = 1) -> "Places":
        """Queue for so many places; whoever asks closes them in the end.

        Raises:
            EngineBusy: Too many wait already, or too many of this account's.
        """
        places = Places(self, writer, count)
        if not self._queue.has_room(places, self._at_once - len(self._held) - self._resting):
            raise EngineBusy(*self._queue.crowd(places))
        self._queue.add(places)
        self._deal()
        return places

    def ahead(self, places: "Places") -> int:
        """Requests that will get a place before."""
        return self._queue.ahead(places, self._held)

    def again(self, places: "Places") -> None:
        """One more place is needed; nobody is refused who was let in once."""
        places.turns += 1
        self._queue.add(places)
        self._deal()

    def give_back(self, places: "Places", count: int = 1) -> None:
        """So many of its places are free again."""
        for _ in range(count):
            self._held.remove(places)
        self._queue.changed()
        self._deal()

    @contextmanager
    def resting(self) -> Generator[None]:
        """Who waits for a time, not for a place, takes room in the line as well."""
        self._resting += 1
        try:
            yield
        finally:
            self._resting -= 1

    def _deal(self) -> None:
        self._queue.drop_done()
        while len(self._held) < self._at_once and (places := self._queue.next(self._held)):
            self._queue.serve(places)
            self._held.append(places)
            places.deal()
        self._queue.drop_done()


class Places:
    """The places at a server that one request needs. Whoever has them closes them.

    Attributes:
        turns: How many are still to be dealt.
    """

    def __init__(self, line: Line, writer: Path, count: int) -> None:
        self.writer, self.turns = writer, count
        self._line, self._held = line, 0
        self._ready = asyncio.Semaphore(0)

    @property
    def ahead(self) -> int:
        """Requests that will get a place before."""
        return self._line.ahead(self)

    def deal(self) -> None:
        """The line gives one of them."""
        self.turns -= 1
        self._held += 1
        self._ready.release()

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """One of them, once it is dealt, for the time of the block."""
        await self._ready.acquire()
        try:
            yield
        finally:
            if self._held:  # else all are closed
                self._held -= 1
                self._line.give_back(self)

    async def pause(self, pause_s: float) -> None:
        """Wait, outside of a place, and ask for one more."""
        with self._line.resting():
            await asyncio.sleep(pause_s)
        self._line.again(self)

    def withdraw(self) -> None:
        """Wait no more; what was dealt stays."""
        self.turns = 0
        self._line.give_back(self, 0)

    def close(self) -> None:
        """Wait no more, and give all back."""
        self.turns = 0
        count, self._held = self._held, 0
        self._line.give_back(self, count)
