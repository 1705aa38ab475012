"""`RemoteRequest`: a story that a server writes, as its reader holds it, like
`gpt.engine.request.Request`; `Line`: how many are written at once, and who waits.

All of it belongs to one event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from contextvars import Context
from typing import Self

from gpt.engine import EngineBusy
from gpt.engine.fair_queue import Path
from gpt.text.token import Token

MOST_AT_ONCE = 8
"""Stories that one server is asked for at once."""
MOST_WAITING = 64
UNREAD = 256
"""Tokens that wait for their reader; then the server waits as well."""


class Line:
    """Who waits for a place at a server: first come, first served, and one account may fill half of
    the line."""

    def __init__(self, at_once: int = MOST_AT_ONCE, most: int = MOST_WAITING) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most = most
        self.waiting: list[RemoteRequest] = []
        self.active = 0

    def check_room(self, writer: Path) -> None:
        """Raise EngineBusy where no more can wait, or no more of this account's."""
        own = sum(each.writer[:1] == writer[:1] for each in self.waiting)
        if len(self.waiting) >= self._most:
            raise EngineBusy(len(self.waiting))
        if own >= max(1, self._most // 2):
            raise EngineBusy(len(self.waiting), own)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """A place for one story, once there is one."""
        async with self._places:
            self.active += 1
            try:
                yield
            finally:
                self.active -= 1


class RemoteRequest:
    """A story, or n takes of one, on its way: `async for token in request`.

    Whoever holds it ends it, by `cancel`, by `aclose`, or by cancelling the task that waits for its
    next token: the connections are closed then. Only one task may read at a time.

    Args:
        takes: What writes each take; it is begun when there is a place for it.
    """

    def __init__(
        self,
        line: Line,
        takes: Sequence[Callable[["RemoteRequest"], AsyncGenerator[Token]]],
        writer: Path = (),
    ) -> None:
        line.check_room(writer)
        self.writer = writer
        self.note = ""
        """What happens before the first token, where the writer should know."""
        self.began = False
        self._line = line
        self._ready: asyncio.Queue[Token | Exception | None] = asyncio.Queue(UNREAD)
        self._over = False
        line.waiting.append(self)
        # Without the context of the event at hand, which holds its session for as long as it runs.
        self._task = asyncio.get_running_loop().create_task(self._run(takes), context=Context())

    @property
    def ended(self) -> bool:
        """Whether nothing more will come, but for what was not read yet."""
        return self._task.done()

    @property
    def ahead(self) -> int:
        """Requests that wait before it."""
        waiting = self._line.waiting
        return waiting.index(self) if self in waiting else 0

    def cancel(self) -> None:
        """End it; twice is fine."""
        self._over = True
        self._leave()
        self._task.cancel()
        with suppress(asyncio.QueueFull):  # then nobody waits for the next one
            self._ready.put_nowait(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Token:
        """The next token, of any take; what went wrong with one, or with the first of several, is
        raised here once all have ended."""
        if self._over and self._ready.empty():
            raise StopAsyncIteration
        try:
            came = await self._ready.get()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if isinstance(came, Token):
            return came
        self._over = True
        raise came or StopAsyncIteration

    async def aclose(self) -> None:
        """As `cancel`; for `contextlib.aclosing`."""
        self.cancel()

    def begin(self) -> None:
        """The server has begun to write."""
        self.began, self.note = True, ""

    def _leave(self) -> None:
        if self in self._line.waiting:
            self._line.waiting.remove(self)

    async def _run(
        self, takes: Sequence[Callable[["RemoteRequest"], AsyncGenerator[Token]]]
    ) -> None:
        faults: list[Exception] = []
        try:
            async with asyncio.TaskGroup() as group:
                for take in takes:
                    group.create_task(self._write(take(self), faults))
        finally:
            self._leave()
        await self._ready.put(faults[0] if faults else None)

    async def _write(self, tokens: AsyncGenerator[Token], faults: list[Exception]) -> None:
        """Write one take; one that fails leaves the others as they are."""
        try:
            async with self._line.place(), aclosing(tokens):
                self._leave()
                async for token in tokens:
                    await self._ready.put(token)
        except Exception as error:  # noqa: BLE001 - goes to whoever reads
            faults.append(error)
