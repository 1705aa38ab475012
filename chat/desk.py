"""A writer's desk: one story, the settings of the chat, and whoever writes on it now.

The page that shows it is behind `Page`, so that all of this runs, and is tested, without one.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

from chat import settings, view
from chat.acts import act
from chat.asking import Ask, RefusedError, from_page, settle
from chat.engines import Engines, Loaded
from chat.library import Kept
from chat.models import Listing, default_model
from chat.page import Page
from chat.sources import Sources
from chat.story import FinishReason, Story, StoryError
from chat.takes import Takes
from chat.undo import History
from chat.writing import Draft
from gpt.checkpoint import CheckpointError
from gpt.engine import EngineBusy

log = logging.getLogger(__name__)

REFUSALS = (RefusedError, settings.SettingsError, StoryError, CheckpointError, EngineBusy)
"""Their messages say what would do."""
STILL_WRITING = "Still writing: stop it first."


class Desk:
    """One writer's story and what happens to it.

    Args:
        page: Shows it.
        engines: The models in memory, shared by all desks.
        find_models: Which models there are now.
        keep: Told what to keep, each time something changed.
        sources: The texts that the models learnt from, shared by all desks.
    """

    def __init__(
        self,
        page: Page,
        engines: Engines,
        find_models: Callable[[], Mapping[str, Listing]],
        keep: Callable[[Kept], None] | None = None,
        sources: Sources | None = None,
    ) -> None:
        self.page = page
        self.engines = engines
        self.find_models = find_models
        self.keep = keep
        self.sources = sources or Sources()
        self.models = find_models()
        self.model = default_model(self.models)
        self.values = settings.defaults()
        self.history = History(Story())
        self.takes: Takes | None = None
        self.choice: dict[str, str] = {}
        """Ids of takes that stand side by side and wait for one to be picked, each with what tells
        it from the others ("" where only the dice do)."""
        self.status = ""
        self.meter: dict[str, Any] | None = None
        self.revision = 0
        self._loaded: Loaded | None = None
        """The model that wrote last: the meter counts in its tokens."""

    @property
    def story(self) -> Story:
        """The story, with the writer's new words while the model is at it."""
        return self.takes.turn.story if self.takes else self.history.story

    @property
    def drafts(self) -> list[Draft]:
        """What is being written now."""
        return self.takes.drafts if self.takes else []

    @property
    def writing(self) -> bool:
        return self.status != ""

    # What the page is told

    def snapshot(self) -> dict[str, Any]:
        return {
            **view.story_data(self.story, self.drafts, self.choice),
            "revision": self.revision,
            "models": view.model_data(self.models),
            "model": self.model,
            "meter": self.meter,
            "undo": len(self.history.past),
            "redo": len(self.history.future),
            "status": self.status,
            "writing": self.writing,
        }

    async def show(self) -> None:
        """Send everything; the tokens that follow are sent alone."""
        self.revision += 1
        self._remember()
        await self.page.emit("story_state", self.snapshot())

    async def sync(self, revision: int, have: int) -> None:
        """Send what a page lacks that saw `revision`, and `have` tokens of its last passage."""
        if revision != self.revision or len(self.drafts) != 1 or have > len(self.drafts[0].tokens):
            await self.page.emit("story_state", self.snapshot())
        else:
            await self._show_tokens(self.drafts[0], have)

    async def _show_tokens(self, draft: Draft, have: int) -> None:
        data = {
            "revision": self.revision,
            "passage": draft.id,
            "from": have,
            "tokens": view.texts(draft.tokens[have:]),
            "meter": self.meter,
        }
        await self.page.emit("story_delta", data)

    async def _say(self, status: str) -> None:
        self.status = status
        await self.page.emit("story_status", {"status": status, "writing": self.writing})

    # What the writer asks for

    async def change_settings(self, raw: Mapping[str, object]) -> bool:
        """Take new settings for the chat; what cannot be used is said, and nothing changes."""
        try:
            self.values = {**self.values, **settings.layer(raw)}
        except settings.SettingsError as error:
            await self.page.tell(f"{error} The settings stay as they were.", "error")
            return False
        self._remember()
        return True

    async def ask_for(self, data: Mapping[str, object], *, model: str | None = None) -> None:
        """Do what a button of the page asks of the model; see `chat.asking.from_page`."""
        try:
            ask = from_page(data, model)
        except RefusedError as error:
            return await self.give_back("", str(error))
        await self.ask(ask)

    async def write(self, words: str, *, model: str | None = None) -> None:
        """Add the writer's words (none: just go on) and let the model continue."""
        await self.ask(Ask(words=words, model=model))

    async def ask(self, ask: Ask) -> None:
        """Let the model write what is asked for.

        Runs until the model has ended, or is cancelled: what was written until then stays. A wish
        that cannot be met is said, the words go back to the writer, and the story is unchanged.
        """
        ask = replace(ask, model=ask.model or self.model)
        try:
            await self._say("opening the model")
            self.models = self.find_models()
            turn = await settle(
                ask, self.story, models=self.models, values=self.values, engines=self.engines
            )
            takes = Takes(turn)
        except REFUSALS as error:
            await self.give_back(ask.words, str(error))
        except asyncio.CancelledError:
            await self.give_back(ask.words, "")
            raise
        except Exception as error:
            log.exception("nothing could be written")
            why = f"This could not be done: {error or type(error).__name__}"
            await self.give_back(ask.words, why)
        else:
            await self._run(takes)

    async def act(self, wish: Mapping[str, object]) -> None:
        """Change the story without a model: edit, branch, pick, undo …; see `chat.acts`."""
        if self.writing:
            return await self.page.tell(STILL_WRITING, "warning")
        try:
            self._settle(act(self.history, wish))
        except (RefusedError, StoryError) as error:
            await self.page.tell(str(error), "warning")
        await self.show()

    async def take(self, kept: Kept) -> None:
        """Put a story on the desk, with the settings and the model of its chat."""
        self.models = self.find_models()
        self._settle(History(kept.story))
        await self.change_settings(kept.settings)
        if kept.model in self.models:
            self.model = kept.model
        await self.show()

    async def warm_up(self) -> None:
        """Read the model that will most likely be asked for; a fault is told when it is asked."""
        if self.model is not None:
            with suppress(CheckpointError, OSError):
                loaded = await self.engines.get(self.models[self.model])
                if self._loaded is None and self.story.passages:
                    self._loaded = loaded
                    self._measure()
                    await self.show()

    # How it is done

    def _remember(self) -> None:
        """Have the story kept as it is now, with what the chat is set to."""
        if self.keep is not None:
            self.keep(Kept(story=self.story, settings=self.values, model=self.model))

    async def _run(self, takes: Takes) -> None:
        """Let the model write, show it while it does, and keep what came."""
        turn = takes.turn
        self.takes, self.choice, self._loaded = takes, {}, turn.loaded
        if not turn.ask.lanes:
            self.model = turn.loaded.listing.key
        reason: FinishReason = "stopped"
        try:
            for note in turn.notes:
                await self.page.tell(note)
            await self._mind_the_window()
            self.status = "next in line"
            await self.show()
            await self._stream(takes)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("writing broke off")
            reason = "failed"
            await self.page.tell(f"The model broke off: {error or type(error).__name__}", "error")
        finally:
            takes.cancel()
            self._keep(takes, reason)
            await self.show()

    async def _stream(self, takes: Takes) -> None:
        """Show how the takes grow."""
        async with aclosing(takes.places()) as places:
            async for ahead in places:
                await self._say(f"waiting, {ahead} ahead of you" if ahead else "next in line")
        await self._say("writing")
        async with aclosing(takes.batches()) as batches:
            async for grown in batches:
                await self._mind_the_window()
                for draft, have in grown:
                    await self._show_tokens(draft, have)
        if takes.looped is not None:
            await self.page.tell(
                f"It went round in a loop, “{takes.looped.strip()[:60]}” again and again, and was "
                "stopped. Retry it, warmer or with other words before it.",
                "warning",
            )

    def _keep(self, takes: Takes, reason: FinishReason) -> None:
        """Make of the drafts passages of the story, side by side; the first of them is read."""
        turn, passages = takes.turn, takes.passages(reason)
        self.takes, self.status = None, ""
        # A retry that brought nothing leaves what was there.
        story = turn.story if passages or turn.ask.words.strip() else turn.before
        for passage in passages:
            story = story.at(turn.story.current).append(passage)
        if len(passages) > 1:
            story = story.at(passages[0].id)
        self._settle(self.history.change(story))
        if len(passages) > 1:
            labels = {draft.id: draft.label for draft in takes.drafts}
            self.choice = {passage.id: labels[passage.id] for passage in passages}

    def _settle(self, history: History) -> None:
        """Let this be the story, with nothing left to pick from."""
        self.history, self.choice, self.status = history, {}, ""
        self._measure()

    async def _mind_the_window(self) -> None:
        """Measure, and say it once when the model first loses sight of the beginning."""
        saw_all = not (self.meter and self.meter["unseen"])
        self._measure()
        if saw_all and self.meter and self.meter["unseen"]:
            await self.page.tell(
                f"The story has outgrown the {self.meter['window']} tokens this model can read. "
                "It goes on from what it still sees; the rest is dimmed."
            )

    def _measure(self) -> None:
        """Bring the context meter up to date."""
        if self._loaded is not None:
            self.meter = view.story_meter(self.story, self.drafts, self._loaded)

    async def give_back(self, words: str, why: str) -> None:
        """Return the writer's words, unused."""
        self.status = ""
        if why:
            await self.page.tell(why, "error")
        await self.page.emit("story_refused", {"words": words, "why": why})
        await self.show()
