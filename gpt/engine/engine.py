"""`Engine`: many stories at once. One worker thread owns the model; in front of it, asyncio.

Requests wait in a bounded queue, join and leave the batch at token boundaries, and each has its
own settings, seed and reader. Any number of event loops may read from one engine. Whose turn it is
when many wait, `gpt.engine.fair_queue` says.
"""

import asyncio
import atexit
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, aclosing
from queue import SimpleQueue

from torch import Tensor

from gpt.cache import stories_for
from gpt.decode.choose import prepare
from gpt.decode.core import Core
from gpt.engine.errors import EngineBusy, EngineClosed
from gpt.engine.fair_queue import MAX_LOGITS_REQUESTS, MAX_WAITING, FairQueue, Path
from gpt.engine.request import Job, LogitsRequest, Request
from gpt.generator import Generator, Row
from gpt.model import GPT
from gpt.sampling import SamplingParams
from gpt.text.prompt import Keep, check_for, prompt_ids
from gpt.text.token import Token
from gpt.tokenizers import Tokenizer


class Engine(AbstractContextManager["Engine"]):
    """Continuous batching: up to `max_batch` stories at once, in a worker thread that owns the
    model. Its methods may be called from any thread.

    Args:
        model: In eval mode; nobody else may use it meanwhile.
        max_batch: Stories at once; a request with n takes is n of them. None: `stories_for` says.
        max_waiting: Stories that may wait for a place; 0 refuses all that cannot begin at once.
            One writer's share of them is in `FairQueue.has_room`.
    """

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        *,
        max_batch: int | None = None,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        if max_waiting < 0:
            raise ValueError(f"max_waiting must be at least 0, not {max_waiting}")
        self.tokenizer = tokenizer
        self.max_batch = stories_for(model.config, model.dtype) if max_batch is None else max_batch
        self.max_waiting = max_waiting
        self._generator = Generator(model, tokenizer, max_batch=self.max_batch)
        self._made: SimpleQueue[Core] = SimpleQueue()
        """Cores that new stories are to be written with."""
        self._lock = threading.Lock()
        self._queue: FairQueue[Job] = FairQueue(max_waiting)
        """Requests of which a take waits for a place. Used under the lock."""
        self._running: dict[Row, Job] = {}
        """Owned by the worker."""
        self._logits_queue: FairQueue[LogitsRequest] = FairQueue(MAX_LOGITS_REQUESTS)
        """Prompts whose logits are asked for. Used under the lock."""
        self._closed = False
        # Putting into a SimpleQueue is safe even in the middle of a garbage collection.
        self._news: SimpleQueue[None] = SimpleQueue()
        self._decided = prepare(model, tokenizer.vocab_size, self._generator.cache, self._use)
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
    def core(self) -> Core:
        """What new stories are written with."""
        return self._generator.core

    async def settled(self, timeout_s: float) -> None:
        """Wait, but not for long, until what writes new stories will not change any more: the
        compiled core is on its way for a moment, or longer where it was never compiled."""
        await asyncio.wait([asyncio.wrap_future(self._decided)], timeout=timeout_s)

    @property
    def waiting(self) -> int:
        """Stories that wait for a place."""
        with self._lock:
            return self._queue.waiting

    @property
    def closed(self) -> bool:
        """Whether it takes no more requests."""
        return self._closed

    def submit(
        self,
        prompt: str | Sequence[int],
        params: SamplingParams,
        *,
        writer: Path = (),
        core: str | None = None,
        keep: Keep = (),
    ) -> Request:
        """Queue a request; its tokens come through the `Request`.

        Args:
            prompt: See `gpt.text.prompt.prompt_ids`.
            writer: Who asks, as opaque keys from the larger group to the smaller: (account, page).
                Accounts share the batch equally, and so do the pages of one account.
            core: See `gpt.generator.Generator.add`, as for `keep`.

        Raises:
            EngineBusy: too many wait already, or too many of this writer's.
            EngineClosed: after `close`.
            ValueError: settings that do not suit the tokenizer. A prompt that cannot be encoded
                is an error on the first token.
        """
        check_for(params, self.tokenizer)
        job = Job(prompt, params, self._news, writer, core, keep)
        with self._lock:
            if self._closed:
                raise EngineClosed("the engine is closed")
            free = self.max_batch - len(self._running)
            # Nobody is turned away from an idle engine, however many takes it is for.
            idle = free == self.max_batch and not self._queue.waiting
            if not idle and not self._queue.has_room(job, free):
                raise EngineBusy(*self._queue.crowd(job))
            self._queue.add(job)
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
        async with aclosing(self.submit(prompt, params)) as request:
            async for token in request:
                yield token

    async def logits(self, ids: Sequence[int], *, writer: Path = (), every: bool = False) -> Tensor:
        """The logits of the token after `ids`, (V,) float32; nothing is drawn.

        It is computed between two steps of the stories and takes no place in the batch. If the
        waiting task is cancelled first, it is not computed at all.

        Args:
            writer: See `submit`; requests for logits have a queue of their own.
            every: See `gpt.generator.Generator.logits`.

        Raises:
            EngineBusy: too many wait for an answer already, or too many of this writer's.
            EngineClosed: after `close`, or when it comes before the answer.
            ValueError: an id is not in the vocabulary.
        """
        request = LogitsRequest(list(ids), writer, every=every)
        with self._lock:
            if self._closed:
                raise EngineClosed("the engine is closed")
            self._logits_queue.drop_done()
            if not self._logits_queue.has_room(request):
                raise EngineBusy(*self._logits_queue.crowd(request))
            self._logits_queue.add(request)
        self._news.put(None)
        return await asyncio.wrap_future(request.answer)

    def close(self) -> None:
        """End all requests and the thread; readers and later calls get `EngineClosed`."""
        with self._lock:
            self._closed = True
        self._news.put(None)
        self._worker.join()
        atexit.unregister(self.close)

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ahead(self, job: Job) -> int:
        with self._lock:
            return 0 if job.began else self._queue.ahead(job, self._running.values())

    def _use(self, core: Core) -> None:
        """Write new stories with another core; if it came too late, let it go."""
        with self._lock:
            if not self._closed:
                self._made.put(core)
                self._news.put(None)
                return
        core.close()

    # In the worker

    def _work(self) -> None:
        try:
            while not self._closed:
                while not self._made.empty():
                    self._generator.use(self._made.get())
                self._drop_cancelled()
                self._admit()
                if not self._answer_logits() and not self._running:
                    self._news.get()  # asleep until there is something to do
                    continue
                for row, token in self._generator.step():
                    self._deliver(row, token)
        finally:
            with self._lock:
                self._closed = True
                jobs = {*self._queue, *self._running.values()}
                asked = [*self._logits_queue]
                self._queue.clear()
                self._running.clear()
                self._logits_queue.clear()
            while not self._made.empty():
                self._made.get().close()
            self._generator.close()
            for job in jobs:
                job.close(EngineClosed("the engine was closed before the story ended"))
            for request in asked:
                request.fail(EngineClosed("the engine was closed before its answer"))

    def _drop_cancelled(self) -> None:
        for row in [row for row, job in self._running.items() if job.cancelled]:
            self._generator.remove(row)
            self._leave(row)
        with self._lock:
            self._queue.drop_done()

    def _leave(self, row: Row) -> None:
        """Its place is free."""
        with self._lock:
            del self._running[row]
            self._queue.changed()

    def _admit(self) -> None:
        """Start waiting takes, each writer's in turn, while there are places."""
        while self._generator.free:
            with self._lock:
                job = self._queue.next(self._running.values())
            if job is None:
                return
            take, params = job.to_start[0]
            try:
                if not isinstance(job.prompt, list):
                    job.prompt = prompt_ids(self.tokenizer, job.prompt)
                row = self._generator.add(
                    job.prompt, params, take=take, core=job.core, keep=job.keep
                )
            except BaseException as error:  # noqa: BLE001 - tiktoken's panics are no Exceptions
                self._fail(job, error)
                continue
            with self._lock:  # at no moment is it neither waiting nor active
                job.began = True
                self._queue.serve(job)
                job.to_start.popleft()
                self._running[row] = job

    def _answer_logits(self) -> bool:
        """Answer one request for logits; whether there was one. One at a time: stories go on."""
        with self._lock:
            request = self._logits_queue.next(())
            if request is not None:
                self._logits_queue.serve(request)
                request.begun = True
            self._logits_queue.drop_done()
        if request is None:
            return False
        request.answer_with(self._generator.logits)
        return True

    def _deliver(self, row: Row, token: Token | Exception) -> None:
        job = self._running[row]
        if isinstance(token, Exception):
            self._leave(row)
            self._fail(job, token)
            return
        ended = token.finish_reason is not None
        if ended:
            self._leave(row)
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
