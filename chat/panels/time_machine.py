"""The time machine: the same beginning and the same seed at each saved step of a run.

The session's story is not touched, and its models stay in memory: the steps of runs are read into
engines of their own, few at a time.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from chat.errors import RefusedError, fault
from chat.generate.request import OTHER_PAGE, GenerationRequest, Variant
from chat.generate.resolve import resolve_request
from chat.generate.takes import Takes
from chat.models import Listing
from chat.models.engines import Engines
from chat.models.saved_steps import find_steps
from chat.models.training_texts import TrainingTexts
from chat.page import Page
from chat.panels.timeline import spelt_words
from chat.session import REFUSALS
from chat.settings import SettingsError, Value, layer
from chat.story import ENDINGS, Story
from chat.turns import Turns
from gpt.checkpoint import CheckpointError
from gpt.engine.fair_queue import Path
from gpt.files.strict_json import is_list

log = logging.getLogger(__name__)

SETTINGS = ("temperature", "seed", "max_new_tokens")
MOST_STEPS = 1000
NEWS = "machine_news"
GONE = "This step is no longer there: its folder was removed or renamed."

FindModels = Callable[[], Mapping[str, Listing]]


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeMachineRequest:
    """What a page wants written.

    Attributes:
        job: The page's own name for it; all news of it carry it.
        steps: Keys of saved steps, in the order they are to be written.
        settings: The temperature, the seed and the length, checked; the same at every step.
    """

    job: str
    steps: tuple[str, ...]
    prompt: str
    settings: Mapping[str, Value]


def time_machine_request(data: Mapping[str, object]) -> TimeMachineRequest:
    """The request that a page sends; untrusted.

    Raises:
        RefusedError: It is no request, or lacks a setting.
        SettingsError: A setting out of its range.
    """
    match data:
        case {"job": str(job), "steps": steps, "prompt": str(prompt)} if is_list(steps):
            keys = [each for each in steps if isinstance(each, str)]
            settings = layer({name: data.get(name) for name in SETTINGS})
        case _:
            raise RefusedError(OTHER_PAGE)
    if not keys or len(keys) != len(steps) or len(keys) > MOST_STEPS:
        raise RefusedError(OTHER_PAGE)
    if settings["seed"] is None:
        raise RefusedError("Give a seed, any whole number: every step rolls the same dice.")
    return TimeMachineRequest(job=job[:80], steps=tuple(keys), prompt=prompt, settings=settings)


class TimeMachine:
    """One page's time machine. It writes one request at a time; a new one ends the one before.

    The page hears of it in "machine_news", each with the `job` and the `step` it is of: more
    `text`, then `ending` with the count of `tokens`, or an `error`. Where the training text lies on
    this machine, the count of `words` follows, and how many of them are `known` from it. The last
    of a job has `over`.

    Args:
        page: Hears it.
        engines: For saved steps alone.
        find_models: Which models there are now; may take its time.
        turns: How many machines write at once, that no more models than these are in memory.
        sources: The texts that models learnt from.
    """

    def __init__(
        self,
        page: Page,
        engines: Engines,
        find_models: FindModels,
        turns: Turns,
        sources: TrainingTexts,
        writer: Path = (),
    ) -> None:
        self._page = page
        self._engines = engines
        self._find_models = find_models
        self._turns = turns
        self._sources = sources
        self._writer = writer
        self._task: asyncio.Task[None] | None = None

    def start(self, data: Mapping[str, object]) -> None:
        """Begin to write what a page asks for; whatever is written now is given up."""
        before = self._task
        if before is not None:
            before.cancel()
        self._task = asyncio.create_task(self._run(before, data))

    def stop(self) -> None:
        """Write no more: the engine is free within a token."""
        if self._task is not None:
            self._task.cancel()

    async def ended(self) -> None:
        """Wait until nothing is written any more."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, before: asyncio.Task[None] | None, data: Mapping[str, object]) -> None:
        if before is not None:
            await asyncio.gather(before, return_exceptions=True)
        about: dict[str, Any] = {"job": str(data.get("job"))[:80]}
        try:
            request = time_machine_request(data)

            async def say(ahead: int) -> None:
                await self._page.emit(NEWS, {**about, "waits": True, "ahead": ahead})

            for key in request.steps:
                about["step"] = key
                # A turn for each step: many of them must not keep other pages waiting.
                async with self._turns.turn(self._writer, say):
                    try:
                        await self._write(request, key, about)
                    except CheckpointError as error:
                        # The others may be whole.
                        await self._page.emit(NEWS, {**about, "error": str(error)})
            await self._page.emit(NEWS, {"job": request.job, "over": True})
        except (*REFUSALS, SettingsError) as error:
            await self._page.emit(NEWS, {**about, "error": str(error), "over": True})
        except Exception as error:  # noqa: BLE001 - `fault` logs it
            why = fault(log, "the time machine", error)
            await self._page.emit(NEWS, {**about, "error": why, "over": True})

    async def _write(self, request: TimeMachineRequest, key: str, about: Mapping[str, Any]) -> None:
        """Write one step's text and send it as it grows."""
        listing = await asyncio.to_thread(self._listing, key)
        # The words go through the same door as in a story, and meet the same checks. A variant's
        # settings come last of all, so that what the panel shows is what was used.
        own = {**request.settings, "finish_chars": 0}
        asked = GenerationRequest(
            words=request.prompt, model=key, variants=(Variant(label="", settings=own),)
        )
        with self._engines.lease() as engines:
            resolved = await resolve_request(
                asked, Story(), models={key: listing}, values={}, engines=engines
            )
            takes = Takes(resolved, self._writer)
        try:
            async with aclosing(takes.batches()) as batches:
                async for grown in batches:
                    text = "".join(
                        token.text for draft, have in grown for token in draft.tokens[have:]
                    )
                    await self._page.emit(NEWS, {**about, "text": text})
        finally:
            takes.cancel()
        draft = takes.drafts[0]
        ending = ENDINGS.get(draft.finish_reason or "", "")
        await self._page.emit(NEWS, {**about, "ending": ending, "tokens": len(draft.tokens)})
        try:
            source = await self._sources.get(resolved.loaded)
            spellings = await asyncio.to_thread(lambda: source.spellings)
        except RefusedError:
            return  # it learnt elsewhere, or from what this page may not know
        except Exception as error:  # noqa: BLE001 - `fault` logs it
            fault(log, "a training text", error)
            return
        begun = resolved.story.text
        cut = draft.finish_reason == "length"
        words, known = spelt_words(begun + draft.text, len(begun), spellings, cut=cut)
        await self._page.emit(NEWS, {**about, "words": words, "known": known})

    def _listing(self, key: str) -> Listing:
        models, run = self._find_models(), key.rpartition("@")[0]
        for step in find_steps({run: models[run]}).get(run, ()) if run in models else ():
            if step.listing.key == key:
                return step.listing
        raise CheckpointError(GONE)
