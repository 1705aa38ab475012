"""`RemoteEngine`: a model that a server runs, behind the same small interface as
`gpt.engine.Engine`: `submit` gives a request whose tokens come one by one."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import httpx

from chat.models.remote.answers import Chance, Piece, piece_in
from chat.models.remote.connection import (
    STAYS,
    answer,
    chunks,
    faults_said,
    whole,
)
from chat.models.remote.dialects import Dialect, body, odds_body
from chat.models.remote.errors import LaterError, RemoteError, TooLongError
from chat.models.remote.events import Events, Turns
from chat.models.remote.line import Line
from chat.models.remote.request import RemoteRequest
from chat.models.remote.servers import Server
from chat.models.remote.vocabulary import RemoteTokenizer
from chat.models.remote.writing import Writing
from gpt.engine.fair_queue import Path
from gpt.sampling import SamplingParams
from gpt.text.prompt import Keep, kept_count, without_hidden
from gpt.text.token import Token

COMPLETIONS = "/completions"
DONE, LAST = b"[DONE]", Piece(last=True)
ASSUMED_CONTEXT = 2048
"""Tokens that a model reads, where neither the server nor the operator says."""
TRIES = 3
"""How often a busy server is asked, as long as nothing has come."""
PAUSES_S = (1.0, 3.0)
SHORTER = 4
"""How often a prompt is cut shorter, where the server finds it too long."""
MARGIN = 0.95
"""Of the room for the prompt that is used: our count is an estimate."""
STEPS = 8
"""A window slides by an eighth of itself, so that a server finds most of its work still done."""
USUAL_LENGTH = 300
"""Tokens that the meter leaves room for."""
LEAST_SAMPLE = 30
"""Tokens of a prompt from which on the server's count of them tells something."""
WHOLE_ANSWER = 2_000_000


class Given(NamedTuple):
    """A prompt, and which of its ids are sent however long it is."""

    ids: list[int]
    keep: Keep


@dataclass(frozen=True, slots=True)
class RemoteCore:
    """What a passage notes as what computed it (`gpt.text.token.Token.core`)."""

    name: str
    threads: int = 0


class RemoteEngine:
    """A model on a server. Of one event loop, but for what the picker asks.

    Args:
        line: Shared by the models of the server.
        context: The tokens that the model reads; None where nobody says.
    """

    def __init__(
        self, server: Server, dialect: Dialect, model: str, line: Line, context: int | None = None
    ) -> None:
        self.server, self.dialect, self.model = server, dialect, model
        self.tokenizer = RemoteTokenizer()
        self.core = RemoteCore(f"{dialect.label} at {server.name}")
        self.told = context
        """What the server or the operator says of its context."""
        self.context = context or ASSUMED_CONTEXT
        self.ratio = 1.25
        """Tokens of the server's for one of our estimate; put right by its own counts."""
        self.line = line

    @property
    def active(self) -> int:
        """Stories that its server is writing now."""
        return self.line.active

    @property
    def waiting(self) -> int:
        """Places at its server that are waited for."""
        return self.line.waiting

    @property
    def window(self) -> int:
        """About how many tokens of our estimate it reads."""
        return max(1, int(self.context / self.ratio))

    async def settled(self, timeout_s: float) -> None:
        """What writes is never on its way."""

    def close(self) -> None:
        """Nothing is held open."""

    def first_seen(self, count: int, length: int = USUAL_LENGTH, kept: int = 0) -> int:
        """Of so many tokens of our estimate, the first that it is sent, with room for `length` of
        its own to come; `kept` others are sent always."""
        room = (self.context - min(length, self.context // 2)) * MARGIN
        budget = max(1, int(room / self.ratio) - kept)
        step = max(1, budget // STEPS)
        return 0 if count <= budget else -(-(count - budget) // step) * step

    def submit(
        self,
        prompt: Sequence[int],
        params: SamplingParams,
        *,
        writer: Path = (),
        core: str | None = None,
        keep: Keep = (),
    ) -> RemoteRequest:
        """Ask for a story, or n takes of it; see `gpt.engine.Engine.submit`.

        Args:
            core: Not heeded: there is one.
            keep: Which ids of the prompt are sent, however long it is.

        Raises:
            EngineBusy: Too many wait already, or too many of this writer's.
        """
        takes = [
            partial(self._take, Given(list(prompt), keep), each, at)
            for at, each in enumerate(params.takes())
        ]
        return RemoteRequest(self.line, takes, writer)

    async def odds(
        self, prompt: Sequence[int], most: int, *, writer: Path = (), keep: Keep = ()
    ) -> tuple[Chance, ...]:
        """The likeliest tokens after the prompt, best first, before any sampler.

        Raises:
            RemoteError: The server does not say.
            EngineBusy: As `submit`.
        """
        if self.dialect.logprobs:
            with self.line.places(writer) as places:
                async with places.place():
                    data = await self._one_token(Given(list(prompt), keep), most)
            with faults_said(self.server):
                tokens = piece_in(data).tokens
            if tokens and tokens[0].top:
                return tokens[0].top
        raise RemoteError(
            f"“{self.server.name}” ({self.dialect.label}) does not tell what else might come, so "
            "there are no dice to be seen. Continue writes on."
        )

    async def _one_token(self, prompt: Given, most: int) -> bytes:
        """The answer of one token, to as much of the prompt as the server reads."""
        shorter = 0
        while True:
            seen = self._sent(prompt, 1)
            text = self.tokenizer.decode(seen)
            asked = odds_body(self.dialect, model=self.model, prompt=text, most=most)
            try:
                async with answer(self.server, COMPLETIONS, asked) as response:
                    return await whole(self.server, response, WHOLE_ANSWER)
            except TooLongError as error:
                self._learn_from(error, len(seen))
                shorter += 1
                if shorter > SHORTER:
                    raise

    async def _take(
        self, prompt: Given, params: SamplingParams, at: int, request: RemoteRequest
    ) -> AsyncGenerator[Token]:
        """The tokens of one take; a server that is busy is asked again before the first.

        While it writes another story of ours, its being busy is no wonder: then it is asked for as
        long as its patience lasts.
        """
        began_s, busy = time.monotonic(), 0
        while True:
            request.note = request.note or f"waiting for “{self.server.name}”"
            try:
                async with (
                    request.places.place(),
                    aclosing(self._shortened(prompt, params, at, request)) as tokens,
                ):
                    async for token in tokens:
                        yield token
                return
            except LaterError as error:
                patient = time.monotonic() - began_s < self.server.patience_s
                if busy >= TRIES - 1 and not (patient and self.line.active):
                    raise
                pause_s = PAUSES_S[min(busy, TRIES - 2)] if error.wait_s is None else error.wait_s
                busy += 1
                request.note = f"“{self.server.name}” cannot now: asked again in {pause_s:g} s"
                await request.places.pause(pause_s)
                request.note = ""

    async def _shortened(
        self, prompt: Given, params: SamplingParams, at: int, request: RemoteRequest
    ) -> AsyncGenerator[Token]:
        """The tokens of one answer, to as much of the prompt as the server reads."""
        for left in reversed(range(SHORTER + 1)):
            try:
                async with aclosing(self._write(prompt, params, at, request)) as tokens:
                    async for token in tokens:
                        yield token
                return
            except TooLongError:
                if not left:
                    raise

    async def _write(
        self, prompt: Given, params: SamplingParams, at: int, request: RemoteRequest
    ) -> AsyncGenerator[Token]:
        """The tokens of one answer."""
        # To come to the end of a sentence takes tokens of its own.
        length = min(params.max_new_tokens + params.finish_chars // 3, max(1, self.context // 2))
        length = min(length, self.dialect.most or length)
        seen = self._sent(prompt, length)
        text = self.tokenizer.decode(seen)
        asked = body(self.dialect, params, model=self.model, prompt=text, length=length)
        writing = Writing(self.tokenizer, params, prompt.ids, take=at, core=self.core.name)
        try:
            async with (
                answer(self.server, COMPLETIONS, asked) as response,
                aclosing(self._pieces(response)) as pieces,
            ):
                async for piece in pieces:
                    request.begin()
                    self._compare(piece.prompt_tokens or 0, len(seen))
                    for token in writing.push(piece):
                        yield token
                    if writing.over:
                        break
        except TooLongError as error:
            self._learn_from(error, len(seen))
            raise
        self._compare(*writing.counts)
        if writing.over:
            return
        if not writing.finish:
            raise RemoteError(f"“{self.server.name}” broke its answer off in the middle. {STAYS}")
        for token in writing.end():
            yield token

    def _sent(self, prompt: Given, length: int) -> list[int]:
        """As much of the prompt as the server reads, where it is to write so many tokens."""
        kept = kept_count(prompt.keep)
        hidden = self.first_seen(len(prompt.ids) - kept, length, kept)
        return without_hidden(prompt.ids, hidden, prompt.keep)

    async def _pieces(self, response: httpx.Response) -> AsyncGenerator[Piece]:
        """What the events of an answer bring; a whole answer is one."""
        if response.headers.get("content-type", "").startswith("application/json"):
            data = await whole(self.server, response, WHOLE_ANSWER)
            with faults_said(self.server):
                yield piece_in(data)
            return
        reader, turns = Events(), Turns()
        async with aclosing(chunks(self.server, response)) as coming:
            with faults_said(self.server, begun=True):
                async for chunk in coming:
                    for data in reader.push(chunk):
                        await turns.spend(len(data))
                        yield LAST if data == DONE else piece_in(data)
                        if data == DONE:
                            return
                for data in reader.end():
                    yield LAST if data == DONE else piece_in(data)

    def _compare(self, tokens: int, estimated: int) -> None:
        """Learn how many of the server's tokens one of ours is, from a text that has so many."""
        if tokens and estimated >= LEAST_SAMPLE:
            self.ratio = _within(tokens / estimated)

    def _learn_from(self, error: TooLongError, estimated: int) -> None:
        """Send less from now on: as much as the server has counted, or else by a third."""
        counted = 0.0
        if error.context is not None and error.tokens is not None:
            self.context = min(error.context, self.told or error.context)
            counted = error.tokens / max(1, estimated)
        self.ratio = _within(counted if counted > self.ratio else self.ratio * 1.5)


def _within(ratio: float) -> float:
    """What a server counts for one of our tokens, as far as any tokenizer's can be."""
    return min(8.0, max(0.25, ratio))
