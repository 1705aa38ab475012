"""`Request`: a story that an engine writes, as its reader holds it; `Job`: as the worker does.

`LogitsRequest`: asks for the logits after a prompt; not a word is written.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Self

from torch import Tensor

from gpt.engine.fair_queue import Path
from gpt.sampling import SamplingParams
from gpt.text.prompt import Keep
from gpt.text.token import Token


class Job:
    """A request as the worker sees it.

    It does not refer to its `Request`, so that one that nobody holds any more is collected, which
    cancels the job.
    """

    def __init__(
        self,
        prompt: str | Sequence[int],
        params: SamplingParams,
        news: SimpleQueue[None],
        writer: Path = (),
        core: str | None = None,
        keep: Keep = (),
    ) -> None:
        self.prompt = prompt
        self.keep = keep
        self.writer = writer
        self.core = core
        self._news = news
        self.to_start = deque(enumerate(params.takes()))
        """The takes that wait for a place."""
        self.unfinished = len(self.to_start)
        self.began = False
        self.cancelled = False
        self._lock = threading.Lock()
        self._ready: deque[Token] = deque()
        self._error: Exception | None = None
        self._closed = False
        self._reader: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    @property
    def turns(self) -> int:
        """How many of its takes wait for a place."""
        return 0 if self.cancelled else len(self.to_start)

    @property
    def closed(self) -> bool:
        return self._closed

    def cancel(self) -> None:
        """Let the worker drop it. Takes no lock, for a collector may call it at any moment."""
        self.cancelled = True
        self._news.put(None)

    def deliver(self, token: Token) -> None:
        """Hand a token over, from the worker."""
        with self._lock:
            self._ready.append(token)
            self._wake()

    def close(self, error: Exception | None = None) -> None:
        """Nothing more will come; `error`, if any, is raised after all that came before it."""
        with self._lock:
            if not self._closed:
                self._closed, self._error = True, error
                self._wake()

    def _wake(self) -> None:
        if self._reader is None:
            return
        (loop, came), self._reader = self._reader, None
        try:
            loop.call_soon_threadsafe(_set, came)
        except RuntimeError:  # its loop has ended, and the reader with it
            self.cancelled = self._closed = True

    async def next(self) -> Token:
        """The next token, from any event loop; StopAsyncIteration after the last."""
        while True:
            with self._lock:
                if self._ready:
                    return self._ready.popleft()
                if self._closed:
                    error, self._error = self._error, None
                    raise error or StopAsyncIteration
                if self._reader is not None and not self._reader[1].done():
                    raise RuntimeError("another task is waiting for this request's next token")
                loop = asyncio.get_running_loop()
                came: asyncio.Future[None] = loop.create_future()
                self._reader = loop, came
            await came


class LogitsRequest:
    """A request for the logits after a prompt; see `gpt.engine.Engine.logits`."""

    def __init__(self, ids: Sequence[int], writer: Path = (), *, every: bool = False) -> None:
        self.ids = ids
        self.writer = writer
        self.every = every
        self.answer: Future[Tensor] = Future()
        self.begun = False
        """The worker is at it."""

    @property
    def turns(self) -> int:
        """Whether it still waits: 1 or 0."""
        return 0 if self.begun or self.answer.cancelled() else 1

    def answer_with(self, logits: Callable[..., Tensor]) -> None:
        """Compute the answer, from the worker, unless nobody waits for it any more."""
        if self.answer.set_running_or_notify_cancel():
            try:
                self.answer.set_result(logits(self.ids, every=self.every))
            except Exception as error:  # noqa: BLE001 - goes to whoever asked
                self.answer.set_exception(error)

    def fail(self, error: Exception) -> None:
        """There will be no answer."""
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_exception(error)


def _set(came: asyncio.Future[None]) -> None:
    if not came.done():
        came.set_result(None)


class Request:
    """A story, or n takes of one, on its way: `async for token in request`.

    It is cancelled, and its place is free within a token, by `cancel`, by `aclose`, by cancelling
    the task that waits for its next token, and by letting go of the last reference to it. (So do
    not put a timeout on the next token with `asyncio.wait_for`: a timeout cancels. Use
    `asyncio.wait`.) Only one task may read at a time.
    """

    def __init__(self, job: Job, ahead: Callable[[Job], int]) -> None:
        self._job = job
        self._ahead = ahead

    @property
    def ahead(self) -> int:
        """Requests that wait before it; 0 when it is the next to begin, or has begun."""
        return self._ahead(self._job)

    @property
    def began(self) -> bool:
        """Whether it has a place, or had one."""
        return self._job.began

    @property
    def ended(self) -> bool:
        """Whether nothing more will come, but for what was not read yet."""
        return self._job.closed

    def cancel(self) -> None:
        """End it: tokens that came before can still be read. From any thread; twice is fine."""
        self._job.cancel()
        self._job.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Token:
        """The next token, of any take; what went wrong with the request is raised here."""
        try:
            return await self._job.next()
        except asyncio.CancelledError:
            self.cancel()
            raise

    async def aclose(self) -> None:
        """As `cancel`; for `contextlib.aclosing`."""
        self.cancel()

    def __del__(self) -> None:
        self._job.cancel()
