"""`Writing`: one request for completions, from its prompts to the last piece of its choices."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from gpt.engine import EngineBusy, EngineClosed
from gpt.engine.fair_queue import Path
from gpt.engine.request import Request
from gpt.sampling import NOT_FINITE, SamplingParams
from gpt.server.answers import Choice, Completion, FinishReason, Logprobs, Usage
from gpt.server.errors import FAILED, ApiError
from gpt.server.metrics import Metrics
from gpt.server.prompts import MOST_LISTED, Prompt, read_prompts, scored
from gpt.server.schema import CompletionRequest
from gpt.server.served import Served
from gpt.server.token_list import TokenList
from gpt.text.prompt import window_start
from gpt.text.streamer import FinishReason as OurReason
from gpt.text.token import Token

log = logging.getLogger(__name__)

MAX_CHOICES = 128
RETRY_S = 1
"""When to try again, where the queue is full: a place is free within a token or a story."""
_REASONS: dict[OurReason, FinishReason] = {
    "end": "stop",
    "stop": "stop",
    "sentence": "stop",
    "length": "length",
}


class Writing:
    """What a request asks for, on its way. Make it with `begin`; `cancel` it when it is over.

    The choices of prompt p are numbered p·n to p·n + n - 1. At temperature 0 all n are one text,
    which is written once and handed out n times.
    """

    def __init__(
        self,
        model: Served,
        asked: CompletionRequest,
        prompts: Sequence[Prompt],
        params: SamplingParams,
        metrics: Metrics,
        *,
        began: float,
    ) -> None:
        self.model = model
        self._asked = asked
        self._prompts = prompts
        self._metrics = metrics
        self._began = began
        self._n = 1 if asked.n is None else asked.n
        self._takes = len(params.takes())
        self._echoed: list[Logprobs] = []
        self._requests: list[Request] = []
        self._lists: dict[int, TokenList] = {}
        self._written = 0
        self.finished = False
        """Whether all of it was handed out."""
        self._head: dict[str, Any] = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model.name,
            "system_fingerprint": model.engine.core.name,
        }

    @classmethod
    async def begin(
        cls, model: Served, asked: CompletionRequest, metrics: Metrics, writer: Path
    ) -> "Writing":
        """Check a request, and queue it.

        Args:
            writer: Whose turn it is, see `gpt.engine.Engine.submit`.

        Raises:
            ApiError: it cannot be served, or not now.
        """
        began, tokenizer = time.monotonic(), model.checkpoint.tokenizer
        params, n_top = asked.params(model.own, tokenizer), asked.n_top
        prompts = await asyncio.to_thread(read_prompts, asked.prompt, tokenizer)
        writing = cls(model, asked, prompts, params, metrics, began=began)
        writing._check_count()
        try:
            if asked.echo and n_top is not None:
                await writing._score(n_top, writer)
            if asked.length:
                for prompt in prompts:
                    # The engine would go on from the same tokens, after going through all.
                    seen = prompt.ids[window_start(len(prompt.ids), model.window) :]
                    writing._requests.append(model.engine.submit(seen, params, writer=writer))
        except Exception as error:
            writing.cancel()
            raise of_engine(error) from error
        metrics.tokens_in.labels(model.name).inc(writing.usage.prompt_tokens)
        return writing

    def _check_count(self) -> None:
        """Refuse more texts than could ever wait at once."""
        engine, takes = self.model.engine, self._takes
        room = max(takes, min(MAX_CHOICES, (engine.max_waiting + engine.max_batch) // 2))
        if (count := takes * len(self._prompts)) > room:
            raise ApiError(
                400,
                f"prompt: {len(self._prompts)} prompts with {takes} versions of each are {count} "
                f"texts, and {room} can be asked for at once: send fewer prompts",
                param="prompt",
            )

    async def _score(self, n_top: int, writer: Path) -> None:
        count = sum(len(prompt.ids) for prompt in self._prompts)
        if count > MOST_LISTED:
            raise ApiError(
                400,
                f"prompt: echo with logprobs takes {MOST_LISTED:,} tokens at most, not {count:,}",
                param="prompt",
            )
        for prompt in self._prompts:
            found = await scored(self.model, prompt.ids, n_top, writer=writer)
            found = found[len(prompt.ids) - len(prompt.given) :]
            listing = TokenList(self.model.checkpoint.tokenizer, n_top)
            self._echoed.append(await asyncio.to_thread(listing.prompt, prompt.given, found))

    async def pieces(self) -> AsyncGenerator[Choice]:
        """Pieces of the choices, as they are made: their texts joined are the choices' texts, and
        the last of each has its `finish_reason`.

        Raises:
            Exception: what went wrong with one.
        """
        length = self._asked.length
        for index in range(len(self._prompts) * self._n):
            if self._asked.echo:
                yield self._echo(index // self._n, index, None if length else "length")
            elif not length:
                yield Choice(text="", index=index, logprobs=None, finish_reason="length")
        first_s = 0.0
        async with aclosing(_merged(self._requests)) as tokens:
            async for at, token in tokens:
                if not self._written:
                    first_s = time.monotonic()
                    waited_s = first_s - self._began
                    self._metrics.first_token_s.labels(self.model.name).observe(waited_s)
                self._written += 1
                self._metrics.tokens_out.labels(self.model.name).inc()
                for choice in self._choices(at, token):
                    yield choice
        if self._written > 1 and (took_s := time.monotonic() - first_s) > 0:
            speed = (self._written - 1) / took_s
            self._metrics.tokens_per_s.labels(self.model.name).observe(speed)
        self.finished = True

    def _echo(self, at: int, index: int, reason: FinishReason | None) -> Choice:
        prompt, logprobs = self._prompts[at], None
        if self._echoed:
            self._list(index).skip(prompt.given)
            logprobs = self._echoed[at].copied()
        return Choice(text=prompt.text, index=index, logprobs=logprobs, finish_reason=reason)

    def _choices(self, at: int, token: Token) -> list[Choice]:
        """What a token adds to the choices that it belongs to; nothing, if there is no news."""
        reason = None if token.finish_reason is None else _REASONS[token.finish_reason]
        if not token.text and reason is None and self._asked.n_top is None:
            return []
        takes = range(self._n) if self._takes == 1 else [token.take]
        choices: list[Choice] = []
        for index in (at * self._n + take for take in takes):
            logprobs = None
            if self._asked.n_top is not None:
                logprobs = self._list(index).token(token)
            choices.append(
                Choice(text=token.text, index=index, logprobs=logprobs, finish_reason=reason)
            )
        return choices

    def _list(self, index: int) -> TokenList:
        tokenizer = self.model.checkpoint.tokenizer
        return self._lists.setdefault(index, TokenList(tokenizer, self._asked.n_top or 0))

    def answer(self, choices: Sequence[Choice], usage: Usage | None = None) -> Completion:
        """Choices, or pieces of them, as they are sent."""
        return Completion(**self._head, choices=list(choices), usage=usage)

    async def whole(self) -> Completion:
        """All choices, when they are there.

        Raises:
            Exception: as `pieces`.
        """
        choices: dict[int, Choice] = {}
        async for piece in self.pieces():
            choice = choices.setdefault(piece.index, piece)
            if choice is piece:
                continue
            choice.text += piece.text
            choice.finish_reason = piece.finish_reason
            if choice.logprobs and piece.logprobs:
                choice.logprobs.extend(piece.logprobs)
        return self.answer([choices[index] for index in sorted(choices)], self.usage)

    @property
    def usage(self) -> Usage:
        """What was read and written so far. A text that is handed out n times was written once."""
        lengths = [len(prompt.ids) for prompt in self._prompts]
        read = sum(lengths)
        return Usage(
            prompt_tokens=read,
            completion_tokens=self._written,
            total_tokens=read + self._written,
            prompt_tokens_seen=sum(
                length - window_start(length, self.model.window) for length in lengths
            ),
        )

    def cancel(self) -> None:
        """End what is still being written; its places are free within a token."""
        for request in self._requests:
            request.cancel()


def of_engine(error: Exception) -> ApiError:
    """What an engine says, as a client is told it."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, EngineBusy):
        headers = {"Retry-After": str(RETRY_S)}
        return ApiError(429, str(error), code="rate_limit_exceeded", headers=headers)
    if isinstance(error, EngineClosed):
        return ApiError(503, "the server is going down: try another, or this one later")
    log.error("a request for completions failed", exc_info=error)
    return ApiError(500, NOT_FINITE if str(error) == NOT_FINITE else FAILED)


async def _merged(requests: Sequence[Request]) -> AsyncGenerator[tuple[int, Token]]:
    """The tokens of all requests as they come, each with the number of its request."""
    if len(requests) == 1:
        async for token in requests[0]:
            yield 0, token
        return
    coming = {asyncio.ensure_future(anext(each)): at for at, each in enumerate(requests)}
    try:
        while coming:
            come, _ = await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
            for task in come:
                at = coming.pop(task)
                try:
                    token = task.result()
                except StopAsyncIteration:
                    continue
                coming[asyncio.ensure_future(anext(requests[at]))] = at
                yield at, token
    finally:
        for task in coming:
            task.cancel()
