"""`SessionState`: what a writer's session holds, and the events that show it on the page.

"story_state" is everything, "story_delta" only new tokens, "story_meter" what the model sees,
"story_status" the line below. What changes the state is in the subclass, `chat.session.Session`.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

from chat import view
from chat.compare.contest import Contest, curtain
from chat.compare.votes import Ballot
from chat.errors import RefusedError
from chat.generate.draft import Draft
from chat.generate.ghost import Ghost
from chat.generate.prompt import off_the_loop
from chat.generate.takes import Takes
from chat.jobs.upload import Upload
from chat.models import Listing, default_model
from chat.models.engines import Engines, Loaded
from chat.models.training_texts import TrainingTexts
from chat.page import Page, ToldAs
from chat.settings.layers import SettingLayers
from chat.settings.presets import Layer, OwnPresets, Preset
from chat.story import Context, Story
from chat.story.library import Kept
from chat.story.tokens import texts_of
from chat.story.undo import History
from gpt.engine.fair_queue import Path


class SessionState:
    """One writer's story with its undo history, the takes being written, settings and model.

    Args:
        page: Where it is shown.
        engines: The models in memory, shared by all sessions.
        find_models: Lists the models there are now, by key; reads files, so call it in a thread.
        keep: Called with the state to save, each time something changed; None saves nothing.
        sources: The texts that the models learnt from, shared by all sessions.
        votes: Where the writer's votes are kept; None to keep none.
        presets: Where the writer's own presets are kept; None to keep none.
        upload: Gives the text that the page which asks brought, and the writer's trainings; None
            where nobody can train from the page.
        writer: (account, story), opaque keys for the fair queue of the engines.
        ghost: Gives what suggests words to the page that asks; None where there is but one page.
    """

    def __init__(
        self,
        page: Page,
        engines: Engines,
        find_models: Callable[[], Mapping[str, Listing]],
        keep: Callable[[Kept], None] | None = None,
        sources: TrainingTexts | None = None,
        votes: Ballot | None = None,
        presets: OwnPresets | None = None,
        upload: Callable[[], Upload] | None = None,
        writer: Path = (),
        ghost: Callable[[], Ghost] | None = None,
    ) -> None:
        self.page = page
        self.engines = engines
        self.find_models = find_models
        self.keep = keep
        self.sources = sources or TrainingTexts()
        self.votes = votes
        self.models = find_models()
        self.model = default_model(self.models)
        self.tuning = SettingLayers(presets)
        self.context = Context()
        """Memory and author's note."""
        self.upload = upload
        self.writer = writer
        only = Ghost()
        self.ghost = ghost or (lambda: only)
        self.history = History(Story())
        self.told_marks: set[tuple[str, str]] = set()
        """Stories and models of which it was said how the one reads the other's marks."""
        self.takes: Takes | None = None
        self.choice: dict[str, str] = {}
        """Ids of takes that stand side by side and wait for one to be picked, each with what tells
        it from the others ("" where only the seed does)."""
        self.contest: Contest | None = None
        """Two that are compared, until the writer goes on otherwise."""
        self.status = ""
        self.meter: dict[str, Any] | None = None
        self.logits: dict[Hashable, Any] = {}
        """What models say of the next token; see `chat.panels.token_probabilities`."""
        self.forks: tuple[Story, asyncio.Future[dict[str, Any]]] | None = None
        """What is said of a story's branches, for all windows; see `chat.panels.branches`."""
        self.revision = 0
        self.unsaved = ""
        """Why the story is not saved, and what follows, in sentences; "" where nothing is wrong."""
        self._loaded: Loaded | None = None
        """The model that wrote last: the meter counts in its tokens."""

    @property
    def story(self) -> Story:
        """The story, with the writer's new words while the model is at it, or while two models'
        words wait for a vote."""
        if self.takes:
            return self.takes.resolved.story
        return self.contest.story if self.contest and self.awaits_vote else self.history.story

    @property
    def drafts(self) -> list[Draft]:
        """What is being written now and may be seen."""
        return self.takes.drafts if self.takes and not self._blind else []

    @property
    def awaits_vote(self) -> bool:
        """Whether a blind contest waits for the writer's vote."""
        return self.contest is not None and self.contest.waits

    @property
    def _blind(self) -> bool:
        """Whether what is being written stays hidden until it is done."""
        return self.takes is not None and self.takes.resolved.request.contest == "blind"

    @property
    def writing(self) -> bool:
        return self.status != ""

    async def presets(self) -> Mapping[str, Preset]:
        """All presets that the writer can pick, by name."""
        return await asyncio.to_thread(self.tuning.presets)

    def usual(self, key: str | None = None) -> Layer:
        """The model's own settings; of a saved step those of its run.

        Args:
            key: Of the model; None for the one that is picked.
        """
        key = key or self.model or ""
        listing = self.models.get(key) or self.models.get(key.rpartition("@")[0])
        return listing.own if listing else {}

    def undone(self, key: str | None = None) -> dict[str, str]:
        """The settings that the model's server cannot do, each with that in words.

        Args:
            key: As in `usual`.
        """
        listing = self.models.get(key or self.model or "")
        return view.undone(listing) if listing else {}

    def snapshot(self) -> dict[str, Any]:
        data = view.story_data(self.story, self.drafts, self.choice)
        if self.takes and self._blind:
            data["takes"] = curtain({each.id: "" for each in self.takes.drafts})
        if self.contest and self.awaits_vote:
            data |= {"takes": self.contest.cards(), "ended": False}
        return {
            **data,
            "contest": self.contest and self.contest.data(),
            "revision": self.revision,
            "models": view.model_data(self.models),
            "model": self.model,
            "tuning": self.tuning.data(),
            "context": self.context.to_dict(),
            "meter": self.meter,
            "undo": len(self.history.past) + self.awaits_vote,
            "redo": len(self.history.future),
            "status": self.status,
            "writing": self.writing,
            "unsaved": self.unsaved,
        }

    async def show(self) -> None:
        """Save the state and send all of it as "story_state", under a new revision."""
        self.revision += 1
        self._remember()
        await self.page.emit("story_state", self.snapshot())

    async def mark_saved(self, why: str) -> None:
        """Show that the story is not saved, and why; with "" that it is."""
        self.unsaved = why
        await self.page.emit("story_kept", {"unsaved": why})

    async def give_back(self, words: str, why: str) -> None:
        """Return the writer's words, unused; nothing is being written."""
        self.status = ""
        await self.refuse(words, why, "error")
        await self.show()

    async def refuse(self, words: str, why: str, kind: ToldAs = "warning") -> None:
        """Return the writer's words, whatever is being written meanwhile."""
        if why:
            await self.page.tell(why, kind)
        await self.page.emit("story_refused", {"words": words, "why": why})

    async def _refuse_act(self, request: Mapping[str, object], why: str) -> None:
        if request.get("act") == "add":
            await self.refuse(str(request.get("text", "")), why)
        else:
            await self.page.tell(why, "warning")

    async def sync(self, revision: int, have: int) -> None:
        """Send what a page lacks after a lost connection.

        Args:
            revision: Of the last "story_state" it saw.
            have: Tokens it has of the last passage.
        """
        drafts = self.drafts
        if revision == self.revision and not drafts:
            # The page has the story, and may have missed what is told without it.
            await self.mark_saved(self.unsaved)
            await self.page.emit("story_meter", {"meter": self.meter})
            return await self._say(self.status)
        if revision != self.revision or len(drafts) != 1 or have > len(drafts[0].tokens):
            await self.page.emit("story_state", self.snapshot())
        else:
            await self._show_tokens(drafts[0], have)

    async def warm_up(self) -> None:
        """Load the model that will most likely write next."""
        loaded = await self.engines.warm_up(self.models.get(self.model or ""))
        if loaded is not None and self._loaded is None and self.story.passages:
            self._loaded = loaded
            await self._measure()
            await self.page.emit("story_meter", {"meter": self.meter})

    async def put_context(self, context: Context) -> None:
        """Take another memory and note: for what is written from now on, and no step of the story's
        that can be undone."""
        self.context = context
        await self._measure()
        await self.show()

    def _put(self, history: History) -> None:
        """Make this the story, with no takes left to pick from."""
        self.history, self.choice, self.contest, self.status = history, {}, None, ""

    async def _show_tokens(self, draft: Draft, have: int) -> None:
        data = {
            "revision": self.revision,
            "passage": draft.id,
            "from": have,
            "tokens": texts_of(draft.tokens[have:]),
            "odds": view.odds(draft.tokens[have:]),
            "meter": self.meter,
        }
        await self.page.emit("story_delta", data)

    async def _say(self, status: str) -> None:
        self.status = status
        await self.page.emit("story_status", {"status": status, "writing": self.writing})

    async def _mind_the_window(self) -> None:
        """Measure, and say it once when the model first loses sight of the beginning."""
        saw_all = not (self.meter and self.meter["unseen"])
        await self._measure()
        if saw_all and self.meter and self.meter["unseen"]:
            await self.page.tell(view.outgrown(self.meter))

    async def _measure(self) -> None:
        """Bring the context meter up to date."""
        story, drafts, loaded, context = self.story, self.drafts, self._loaded, self.context
        if loaded is None:
            return
        if drafts:  # their ids are known: nothing is to be turned into tokens
            self.meter = view.story_meter(story, drafts, loaded, context)
            return
        try:
            meter = await off_the_loop(lambda: view.story_meter(story, (), loaded, context))
        except RefusedError:
            meter = None
        now = (self.story, self._loaded, self.context)
        if now == (story, loaded, context) and not self.drafts:
            self.meter = meter

    def kept(self, story: Story, hidden: Contest | None = None) -> Kept:
        """`story` as the library saves it: with settings, model, preset and a waiting contest."""
        preset = self.tuning.preset
        return Kept(
            story=story,
            settings=self.tuning.chosen,
            model=self.model,
            preset=preset.name if preset else None,
            contest=hidden.kept() if hidden else None,
            context=self.context,
        )

    def _remember(self, so_far: Story | None = None) -> None:
        """Have the story kept as it is now, with what the chat is set to.

        Args:
            so_far: The story with what a model wrote of it until now, while it writes on.
        """
        if self.keep is not None:
            hidden = self.contest if self.awaits_vote else None
            story = so_far or (hidden.joined_story() if hidden else self.story)
            history = self.history.change(story)
            kept = self.kept(story, hidden)
            past, future = history.past, history.future
            self.keep(replace(kept, past=past, future=future, partial=so_far is not None))
