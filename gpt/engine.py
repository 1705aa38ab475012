"""`Engine`: many stories at once. One worker thread owns the model; in front of it, asyncio.

Requests wait in a bounded queue, join and leave the batch at token boundaries, and each has its
own settings, seed and reader. Any number of event loops may read from one engine.
"""

import asyncio
import atexit
import threading
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Self

from torch import Tensor

from gpt.generator import Generator, Row, Token, check_for, prompt_ids
from gpt.model import GPT
from gpt.request import Job, Request
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
        self._queue: deque[Job] = deque()
        """Requests of which a take waits for a place. Changed under the lock."""
        self._running: dict[Row, Job] = {}
        """Owned by the worker."""
        self._looks: deque[tuple[Sequence[int], Future[Tensor]]] = deque()
        """Prompts whose logits are asked for. Changed under the lock."""
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
        job = Job(prompt, params, self._news)
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

    async def logits(self, ids: Sequence[int]) -> Tensor:
        """What the model says of the token after `ids`, nothing drawn or written: (V,), float32.

        It is worked out between two tokens of the stories, and takes none of their places. When
        the task that waits is cancelled before, it is not worked out at all.

        Raises:
            EngineClosed: after `close`, or when it comes before the answer.
            ValueError: an id is not in the vocabulary.
        """
        look: Future[Tensor] = Future()
        with self._lock:
            if self._closed:
                raise EngineClosed("the engine is closed")
            self._looks.append((list(ids), look))
        self._news.put(None)
        return await asyncio.wrap_future(look)

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

    def _ahead(self, job: Job) -> int:
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
                if not self._look() and not self._running:
                    self._news.get()  # asleep until there is something to do
                    continue
                for row, token in self._generator.step():
                    self._deliver(row, token)
        finally:
            with self._lock:
                self._closed = True
                jobs = {*self._queue, *self._running.values()}
                looks = [look for _, look in self._looks]
                self._queue.clear()
                self._running.clear()
                self._looks.clear()
            for job in jobs:
                job.close(EngineClosed("the engine was closed before the story ended"))
            for look in looks:
                if look.set_running_or_notify_cancel():
                    look.set_exception(EngineClosed("the engine was closed before its answer"))

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

    def _look(self) -> bool:
        """Answer the oldest look; whether there was one. One at a time, so that stories go on."""
        with self._lock:
            ids, look = self._looks.popleft() if self._looks else ((), None)
        if look is None:
            return False
        if look.set_running_or_notify_cancel():
            try:
                look.set_result(self._generator.logits(ids))
            except Exception as error:  # noqa: BLE001 - goes to whoever asked
                look.set_exception(error)
        return True

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

    def _fail(self, job: Job, error: BaseException) -> None:
        """Give the reader what went wrong; its other takes end as well."""
        job.cancelled = True
        if not isinstance(error, Exception):
            error = RuntimeError(f"the prompt cannot be encoded: {error}")
        job.close(error)
