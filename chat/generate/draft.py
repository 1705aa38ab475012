"""From an engine's tokens to a passage: batches while it is written, the whole at the end."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TypeVar

from chat.generate.placing import Prompt
from chat.settings import used
from chat.story import Context, FinishReason, Passage, StoryToken, TokenChoice, new_id
from gpt.sampling import SamplingParams
from gpt.text.token import Token
from gpt.tokenizers import Tokenizer

FLUSH_S = 0.04
"""Seconds between two batches of new tokens: sent one by one they would freeze a page."""
CALM = 8
"""So many stories at once are sent in batches of `FLUSH_S`; more than that take turns, or sending
would take longer than writing."""

T = TypeVar("T")


def flush_s(writing: int) -> float:
    """Seconds between two batches of each of `writing` stories."""
    return FLUSH_S * max(1, writing / CALM)


async def in_batches(
    items: AsyncIterator[T], flush_s: Callable[[], float] = lambda: FLUSH_S
) -> AsyncGenerator[list[T], None]:
    """Yield what came within `flush_s()` of the first item of each batch.

    However this ends, `items` is ended too: an error comes after the items before it, and a cancel
    goes through to `items`.
    """
    loop = asyncio.get_running_loop()
    batch: list[T] = []
    deadline = 0.0
    following = asyncio.ensure_future(anext(items))
    try:
        while True:
            timeout = max(0.0, deadline - loop.time()) if batch else None
            await asyncio.wait({following}, timeout=timeout)
            if following.done():
                if following.exception() is not None:
                    break
                batch.append(following.result())
                following = asyncio.ensure_future(anext(items))
                if len(batch) == 1:
                    deadline = loop.time() + flush_s()
            if loop.time() >= deadline:
                yield batch
                batch = []
        if batch:
            yield batch
        if not isinstance(error := following.exception(), StopAsyncIteration):
            assert error is not None
            raise error
    finally:
        # Also where it is done: what came of it must be seen by somebody.
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        # One that waits to give its next item would be ended by whoever collects garbage.
        if isinstance(items, AsyncGenerator):
            await items.aclose()


@dataclass(kw_only=True, slots=True)
class Draft:
    """The passage that is being written now.

    Attributes:
        prompt: What the model read before the first token.
        context: What of it stood beside the story.
        label: What tells it from the takes beside it, where they differ on purpose.
        seeded: Whether a seed has a say in it.
        began_s: When the first token could be made (time.monotonic), the wait for a place left out.
    """

    model: str
    params: SamplingParams
    prompt: Prompt
    context: Context = field(default_factory=Context)
    label: str = ""
    seeded: bool = True
    id: str = field(default_factory=new_id)
    tokens: list[StoryToken] = field(default_factory=list[StoryToken])
    seed: int | None = None
    core: str | None = None
    finish_reason: FinishReason | None = None
    began_s: float = field(default_factory=time.monotonic)

    def add(self, token: Token, end_ids: Collection[int]) -> None:
        """Take in one token; what ends a story, or comes after its sentence, is no part of it."""
        if self.finish_reason is not None:
            return
        self.seed, self.core = token.seed, token.core
        self.finish_reason = token.finish_reason
        # A server says by itself that the length is reached.
        is_end = token.id in end_ids and token.finish_reason in ("end", "length")
        # Text that was held back for a stop string comes with the last token.
        if not token.text and (is_end or token.finish_reason == "sentence"):
            return
        top = tuple(
            TokenChoice(each.id, each.text, each.raw_probability, each.probability)
            for each in token.top
        )
        self.tokens.append(
            StoryToken(
                id=token.id,
                text=token.text,
                raw_probability=token.raw_probability,
                probability=token.probability,
                entropy=token.entropy,
                top=top,
            )
        )

    @property
    def ids(self) -> list[int]:
        return [token.id for token in self.tokens]

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)

    def tail(self, length: int) -> str:
        """The text from a token on that leaves at least `length` characters; all of a shorter one.

        A long passage is asked after every token, so what stands before is not put together.
        """
        parts: list[str] = []
        for token in reversed(self.tokens):
            if length <= 0:
                break
            parts.append(token.text)
            length -= len(token.text)
        return "".join(reversed(parts))

    def passage(self) -> Passage:
        """The passage as it stands now."""
        return Passage(
            id=self.id,
            author="model",
            text=self.text,
            ids=tuple(self.ids),
            model=self.model,
            tokens=tuple(self.tokens),
            settings=used(self.params),
            seed=(self.params.seed if self.seed is None else self.seed) if self.seeded else None,
            finish_reason=self.finish_reason,
            elapsed_s=time.monotonic() - self.began_s,
            core=self.core,
            context=self.context or None,
        )

    def finish(self, tokenizer: Tokenizer, reason: FinishReason | None) -> Passage:
        """The passage as it stays: its ids are what its text says, half a character left out.

        Args:
            reason: Why it ended, where the model did not say.
        """
        tokens = list(self.tokens)
        if self.finish_reason not in ("end", "stop", "length"):
            # Bytes of a character that will not be finished stand in no text.
            while tokens and not tokens[-1].text:
                tokens.pop()
        passage = self.passage()
        if self.params.heal:
            tokens = _of_its_own(tokenizer, tokens)
        ids = [token.id for token in tokens]
        if tokenizer.decode(ids) != passage.text:
            # A stop string was cut off: its tokens are in the ids, but not in the story.
            ids = tokenizer.encode(passage.text)
        return replace(
            passage,
            ids=tuple(ids),
            tokens=tuple(tokens),
            finish_reason=self.finish_reason or reason,
        )


def _of_its_own(tokenizer: Tokenizer, tokens: list[StoryToken]) -> list[StoryToken]:
    """The tokens of a passage that completes a word: its first one holds the writer's letters too.

    In its place stand those of the new letters alone, so that the ids say the text and it can be
    cut at each. What else might have been drawn began with the writer's letters as well, so it
    could not stand there.
    """
    first = tokens[0] if tokens else None
    if first is None or not first.text or tokenizer.decode([first.id]) == first.text:
        return tokens
    ids = tokenizer.encode(first.text)
    if tokenizer.decode([*ids, *(token.id for token in tokens[1:])]) != "".join(
        token.text for token in tokens
    ):
        return tokens
    decoder = tokenizer.decoder()
    new = [replace(first, id=id, text=decoder.decode(id), top=()) for id in ids]
    return [*new, *tokens[1:]]
