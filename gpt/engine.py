"""`Engine`: many stories at once. One worker thread owns the model; in front of it, asyncio.

Requests wait in a bounded queue, join and leave the batch at token boundaries, and each has its
own settings, seed and reader. Any number of event loops may read from one engine.
"""

import asyncio
import atexit
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from queue import SimpleQueue
from typing import Self

from gpt.generator import Generator, Row, Token, check_for, prompt_ids
from gpt.model import GPT
from gpt.sampling import SamplingParams
from gpt.tokenizer import Tokenizer


class EngineBusy(Exception):  # noqa: N818 - a state to wait out, not a fault
    """The queue is full.

    Attributes:
        ahead: Requests that wait already.
    """

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        requests = "1 request is" if ahead == 1 else f"{ahead} requests are"
        super().__init__(f"the model is busy, {requests} waiting already: try again in a moment")


class EngineClosed(Exception):  # noqa: N818 - nothing went wrong
    """The engine was closed, before or while a request was served."""


class _Job:
    """A request as the worker sees it.

    It does not refer to its `Request`, so that one that nobody holds any more is collected, which
    cancels the job.
    """

    def __init__(
        self, prompt: str | Sequence[int], params: SamplingParams, news: SimpleQueue[None]
    ) -> None:
        self.prompt = prompt
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
    def waits(self) -> bool:
        return bool(self.to_start) and not self.cancelled

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
            self.cancelled = True

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

    def __init__(self, job: _Job, ahead: Callable[[_Job], int]) -> None:
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


class Engine:
    """Writes up to `max_batch` stories at once in a thread of its own.

    Args:
        model: In eval mode; nobody else may use it meanwhile.
        max_batch: Stories at once; a request with n takes is n of them.
        max_waiting: Stories that may wait for a place; 0 refuses all that cannot begin at once.
    """

    def __init__(
        self, model: GPT, tokenizer: Tokenizer, *, max_batch: int = 8, max_waiting: int = 32
    ) -> None:
        if max_waiting < 0:
            raise ValueError(f"max_waiting must be at least 0, not {max_waiting}")
        self.tokenizer = tokenizer
        self.max_batch = max_batch
        self.max_waiting = max_waiting
        self._generator = Generator(model, tokenizer, max_batch=max_batch)
        self._lock = threading.Lock()
        self._queue: deque[_Job] = deque()
        """Requests of which a take waits for a place. Changed under the lock."""
        self._running: dict[Row, _Job] = {}
        """Owned by the worker."""
        self._closed = False
        # Putting into a SimpleQueue is safe even in the middle of a garbage collection.
        self._news: SimpleQueue[None] = SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="inkling-engine", daemon=True)
        self._worker.start()
        # Python must not end while the thread is inside the model.
        atexit.register(self.close)

    # From any thread

    @property
    def active(self) -> int:
        """Stories that are being written now."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Stories that wait for a place."""
        with self._lock:
            return sum(len(job.to_start) for job in self._queue if job.waits)

    def submit(self, prompt: str | Sequence[int], params: SamplingParams) -> Request:
        """Queue a request; its tokens come through the `Request`.

        Args:
            prompt: See `gpt.generator.prompt_ids`.

        Raises:
            EngineBusy: too many wait already.
            EngineClosed: after `close`.
            ValueError: settings that do not suit the tokenizer. A prompt that cannot be encoded
                is an error on the first token.
        """
        check_for(params, self.tokenizer)
        job = _Job(prompt, params, self._news)
        with self._lock:
            if self._closed:
                raise EngineClosed("the engine is closed")
            ahead = [other for other in self._queue if other.waits]
            stories = sum(len(other.to_start) for other in ahead)
            free = self.max_batch - len(self._running)
            # Nobody is turned away from an idle engine, however many takes it is for.
            idle = not ahead and free == self.max_batch
            if not idle and stories + len(job.to_start) > self.max_waiting + free:
                raise EngineBusy(len(ahead))
            self._queue.append(job)
        self._news.put(None)
        return Request(job, self._ahead)

    async def stream(
        self, prompt: str | Sequence[int], params: SamplingParams
    ) -> AsyncGenerator[Token, None]:
        """The tokens of one request, as they are made; those of n takes interleave (`Token.take`).

        Ending this generator in any way frees the request's place within a token.

        Raises:
            Exception: as `submit`, with the first token.
        """
        request = self.submit(prompt, params)
        try:
            async for token in request:
                yield token
        finally:
            request.cancel()

    def close(self) -> None:
        """End all requests and the thread; readers and later calls get `EngineClosed`."""
        with self._lock:
            self._closed = True
        self._news.put(None)
        self._worker.join()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ahead(self, job: _Job) -> int:
        with self._lock:
            if job.began or not job.waits:
                return 0
            waiting = [other for other in self._queue if other.waits]
            return waiting.index(job) if job in waiting else 0

    # In the worker

    def _work(self) -> None:
        try:
            while not self._closed:
                self._drop_cancelled()
                self._admit()
                if not self._running:
                    self._news.get()  # asleep until there is something to do
                    continue
                for row, token in self._generator.step():
                    self._deliver(row, token)
        finally:
            with self._lock:
                self._closed = True
                jobs = {*self._queue, *self._running.values()}
                self._queue.clear()
                self._running.clear()
            for job in jobs:
                job.close(EngineClosed("the engine was closed before the story ended"))

    def _drop_cancelled(self) -> None:
        for row in [row for row, job in self._running.items() if job.cancelled]:
            self._generator.remove(row)
            del self._running[row]
        with self._lock:
            self._queue = deque(job for job in self._queue if job.waits)

    def _admit(self) -> None:
        """Start waiting takes, first come first served, while there are places."""
        while self._generator.free:
            with self._lock:
                job = next((job for job in self._queue if job.waits), None)
            if job is None:
                return
            take, params = job.to_start[0]
            try:
                if not isinstance(job.prompt, list):
                    job.prompt = prompt_ids(self.tokenizer, job.prompt)
                row = self._generator.add(job.prompt, params, take=take)
            except BaseException as error:  # noqa: BLE001 - tiktoken's panics are no Exceptions
                self._fail(job, error)
                continue
            with self._lock:  # at no moment is it neither waiting nor active
                job.began = True
                job.to_start.popleft()
                self._running[row] = job

    def _deliver(self, row: Row, token: Token | Exception) -> None:
        job = self._running[row]
        if isinstance(token, Exception):
            del self._running[row]
            self._fail(job, token)
            return
        ended = token.finish_reason is not None
        if ended:
            del self._running[row]
            job.unfinished -= 1
        if not job.cancelled:
            job.deliver(token)
        if ended and not job.unfinished:
            job.close()

    def _fail(self, job: _Job, error: BaseException) -> None:
        """Give the reader what went wrong; its other takes end as well."""
        job.cancelled = True
        if not isinstance(error, Exception):
            error = RuntimeError(f"the prompt cannot be encoded: {error}")
        job.close(error)
