"""Ghost text: the likeliest next words after a line that nobody has sent. None of it is kept."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace

from chat.errors import RefusedError
from chat.generate.draft import Draft
from chat.generate.request import GenerationRequest, Variant
from chat.generate.resolve import Writer, resolve_request
from chat.models import Listing
from chat.models.engines import Engines
from chat.settings import Value
from chat.story import Story
from chat.story.joining import joint
from chat.turns import Turns
from gpt.distribution import log_probability
from gpt.engine import Engine
from gpt.engine.fair_queue import Path
from gpt.text.healing import taken_back

MOST_TOKENS = 24
MOST_CHARS = 120
"""About as long as a sentence that is still read at a glance."""
GREEDY: Mapping[str, Value] = {"temperature": 0, "max_new_tokens": 1, "finish_chars": MOST_CHARS}
"""A token, and on from there to the end of its sentence."""
PAUSE_S = 0.2
"""Between two beginnings for one page, however fast it asks."""
MOST_S = 5.0
"""After so long nobody waits for it any more, and others may."""
REST_STEP_S = 0.02
REST_STEPS = 10
"""How often it is looked whether what was written, or cancelled, just now is out of the way."""
SEEN = 64
"""Tokens before a word that say how likely it is there."""
FIRST_WORD = re.compile(r"\s*\S+")
LINE = re.compile(r"\s*\S[^\n]*")
LAST_WORD = re.compile(r"(?<=\S)\s+\S*$")


class Ghost:
    """The suggestions of one page, one at a time: a new one ends the one before within a token.

    It writes only while nothing else does, with a model that is in memory already, and gives way to
    whatever begins (`Engines.spare`).

    Args:
        turns: How many pages are served at once, of all there are.
        is_busy: Whether anything is being written that the engines at hand know nothing of.
    """

    def __init__(
        self, turns: Turns | None = None, is_busy: Callable[[], bool] = lambda: False
    ) -> None:
        self._turns = turns or Turns(1, each=1)
        self._is_busy = is_busy
        self._task: asyncio.Task[str] | None = None
        self._not_before_s = 0.0

    def stop(self) -> None:
        """Write no more: the engine is free within a token."""
        if self._task is not None:
            self._task.cancel()

    async def suggest(
        self,
        request: GenerationRequest,
        story: Story,
        *,
        models: Mapping[str, Listing],
        values: Mapping[str, Value],
        engines: Engines,
        writer: Path = (),
    ) -> str:
        """What would most likely come after `request.words`; "" where that cannot be said, or
        something else came first.

        Args:
            request: With the words just as they stand in the line, a space at the end too.
            models, values: See `resolve_request`.
            writer: See `gpt.engine.Engine.submit`.

        Raises:
            Exception: As `resolve_request`, and what the engine raises.
        """
        self.stop()
        # A variant's settings are the last layer of all.
        asked = replace(request, variants=(Variant(label="", settings=GREEDY),))

        async def write() -> str:
            await asyncio.sleep(self._not_before_s - time.monotonic())
            self._not_before_s = time.monotonic() + PAUSE_S
            async with self._turns.turn(writer):
                await self._rest(engines)
                if self._is_busy():
                    return ""
                with engines.spare() as lease, suppress(TimeoutError):
                    async with asyncio.timeout(MOST_S):
                        resolved = await resolve_request(
                            asked, story, models=models, values=values, engines=lease
                        )
                        draft = await self._written(resolved.writers[0], writer)
                        whole = draft.finish_reason in ("sentence", "end", "stop")
                        return fitting(story, request.words, draft.text, is_whole=whole)
            return ""

        task = self._task = asyncio.create_task(write())
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        return "" if task.cancelled() else task.result()

    async def _rest(self, engines: Engines) -> None:
        for _ in range(REST_STEPS):
            if engines.at_rest:
                return
            await asyncio.sleep(REST_STEP_S)

    async def _written(self, model: Writer, writer: Path) -> Draft:
        draft = await self._draft(model, writer)
        if not model.params.heal:
            return draft
        bare = replace(model, params=replace(model.params, heal=False))
        as_it_stands = await self._draft(bare, writer)
        likelier = await _is_likelier(model, as_it_stands.text, draft.text, writer)
        return as_it_stands if likelier else draft

    async def _draft(self, model: Writer, writer: Path) -> Draft:
        draft = Draft(model=model.loaded.listing.key, params=model.params, prompt=model.prompt)
        tokenizer = model.loaded.tokenizer
        most = MOST_CHARS if tokenizer.kind == "char" else MOST_TOKENS
        tokens = model.loaded.engine.submit(
            model.prompt.ids, model.params, writer=writer, keep=model.prompt.keep
        )
        async with aclosing(tokens) as coming:
            async for token in coming:
                if self._is_busy():
                    raise RefusedError("The processor is busy.")
                draft.add(token, tokenizer.end_ids)
                if draft.finish_reason is not None or len(draft.tokens) >= most:
                    break
        return draft


async def _is_likelier(model: Writer, one: str, other: str, writer: Path) -> bool:
    """Whether the line with the first word of `one` behind it is likelier than with that of
    `other`, each in the tokens that the model knows the whole by.

    A word is healed token by token, and the likeliest token that begins with its letters may be one
    that nothing likely follows: "umb" would become "umbrid".
    """
    engine, tokenizer = model.loaded.engine, model.loaded.tokenizer
    prompt = model.prompt.ids
    first, second = FIRST_WORD.match(one), FIRST_WORD.match(other)
    taken = taken_back(tokenizer, prompt)
    if not isinstance(engine, Engine) or first is None or not taken:
        return False
    if second is None or first[0] == second[0]:
        return second is None
    most = max(1, min(SEEN, model.loaded.window // 4))
    before = prompt[:-taken][-most:]
    begun = tokenizer.decode(prompt[-taken:])
    scores: list[float] = []
    for word in (first[0], second[0]):
        ids = tokenizer.encode(begun + word)[:most]
        logits = await engine.logits([*before, *ids], writer=writer, every=True)
        scores.append(log_probability(logits[len(before) - 1 : -1], ids))
    return scores[0] > scores[1]


def fitting(story: Story, line: str, text: str, *, is_whole: bool) -> str:
    """What of `text` can stand right behind `line` in the composer; "" for nothing.

    No half of a word, no second line, and no second space; and in an empty line nothing that would
    be set off by a space when it is sent.

    Args:
        is_whole: The last word of `text` has come to its end.
    """
    first = LINE.match(text)
    if first is None:
        return ""
    if first.end() == len(text) and not is_whole:
        text = LAST_WORD.sub("", text)
    else:
        text = first[0]
    text = text.rstrip()
    if line.endswith((" ", "\t")):
        # The space was left out for the model, which brings one of its own.
        return text.lstrip(" \t") if text[0].isspace() else ""
    if not line and joint(story.text, text, ended=story.ended):
        return ""
    return text
