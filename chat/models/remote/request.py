"""`RemoteRequest`: a story that a server writes, as its reader holds it, like
`gpt.engine.request.Request`. It belongs to one event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from contextvars import Context
from typing import Self

from chat.models.remote.line import Line
from gpt.engine.fair_queue import Path
from gpt.text.token import Token

UNREAD = 256
"""Tokens that wait for their reader; then the server waits as well."""


class RemoteRequest:
    """A story, or n takes of one, on its way: `async for token in request`.

    Whoever holds it ends it, by `cancel`, by `aclose`, or by cancelling the task that waits for its
    next token: the connections are closed then. Only one task may read at a time.

    Args:
        takes: What writes each take, each time in one of the request's `places`.
    """

    def __init__(
        self,
        line: Line,
        takes: Sequence[Callable[["RemoteRequest"], AsyncGenerator[Token]]],
        writer: Path = (),
    ) -> None:
        self.places = line.ask(writer, len(takes))
        self.note = ""
        """What happens before the first token, where the writer should know."""
        self.began = False
        self._ready: asyncio.Queue[Token | Exception | None] = asyncio.Queue(UNREAD)
        self._over = False
        # Without the context of the event at hand, which holds its session for as long as it runs.
        self._task = asyncio.get_running_loop().create_task(self._run(takes), context=Context())
        # Also where it was cancelled before it began.
        self._task.add_done_callback(lambda _: self.places.close(), context=Context())

    @property
    def ended(self) -> bool:
        """Whether nothing more will come, but for what was not read yet."""
        return self._task.done()

    @property
    def ahead(self) -> int:
        """Requests that wait before it."""
        return self.places.ahead

    def cancel(self) -> None:
        """End it; twice is fine."""
        self._over = True
        self.places.withdraw()
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

    async def _run(
        self, takes: Sequence[Callable[["RemoteRequest"], AsyncGenerator[Token]]]
    ) -> None:
        faults: list[Exception] = []
        async with asyncio.TaskGroup() as group:
            for take in takes:
                group.create_task(self._write(take(self), faults))
        await self._ready.put(faults[0] if faults else None)

    async def _write(self, tokens: AsyncGenerator[Token], faults: list[Exception]) -> None:
        """Write one take; one that fails leaves the others as they are."""
        try:
            async with aclosing(tokens):
                async for token in tokens:
                    await self._ready.put(token)
        except Exception as error:  # noqa: BLE001 - goes to whoever reads
            faults.append(error)
