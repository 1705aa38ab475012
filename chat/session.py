"""`Session`: one writer, one story, and the commands that change it or have a model write.

What it holds and what it sends to the page is `chat.session_state`. The page itself is behind
`Page`, so that all of this runs, and is tested, without a browser. Elsewhere a
`session` is a `Session`; Chainlit's own, a `WebsocketSession`, is a `websocket`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace

from chat import settings
from chat.acts import act, prepared
from chat.compare import contest
from chat.compare.contest import Contest
from chat.compare.vote_stats import VoteChoice
from chat.compare.votes import Vote
from chat.errors import RefusedError, fault
from chat.generate.draft import CALM
from chat.generate.reproduce import again
from chat.generate.request import LAST, GenerationRequest, request_from_page
from chat.generate.resolve import opening, resolve_request
from chat.generate.takes import Takes, busy
from chat.models.remote.errors import RemoteError
from chat.models.saved_steps import step_listings
from chat.session_state import SessionState
from chat.story import FinishReason, StoryError
from chat.story.library import Kept
from chat.story.undo import History
from gpt.checkpoint import CheckpointError
from gpt.engine import EngineBusy

log = logging.getLogger(__name__)

REFUSALS = (
    *(RefusedError, settings.SettingsError, StoryError, CheckpointError, EngineBusy),
    RemoteError,
)
"""Their messages say what would do."""
KEEP_S = 1.0
"""How often what a model writes is kept meanwhile; with more than `CALM` at once less often."""
STILL_WRITING = "Still writing: stop it first."


class Session(SessionState):
    """One writer's story and what happens to it; faults of the writer's are said on the page, not
    raised."""

    # What the writer asks for

    async def change_settings(self, raw: Mapping[str, object]) -> bool:
        """Take new settings for the chat, from a form that showed those of now; what cannot be used
        is said, and nothing changes."""
        try:
            note = self.tuning.change(raw, self.usual())
        except settings.SettingsError as error:
            await self.page.tell(f"{error} The settings stay as they were.", "error")
            return False
        if note:
            await self.page.tell(note)
        self._remember()
        return True

    async def offer(self) -> None:
        """Let the writer pick from the models and the presets there are now, and set the chat."""
        presets = await self.presets()
        dials = self.tuning.dials(self.usual(), self.undone())
        await self.page.offer(self.models, self.model, presets, self.tuning.picked, dials)

    async def ask_for(self, data: Mapping[str, object], *, model: str | None = None) -> None:
        """Do what a button of the page asks of the model; see `request_from_page`."""
        try:
            if data.get("ask") == "again":
                request = again(self.story, str(data.get("passage", LAST)))
            else:
                compare = data.get("ask") == "compare"
                read = contest.contest_from_page if compare else request_from_page
                request = read(data, model)
        except (RefusedError, StoryError, settings.SettingsError) as error:
            return await self.give_back("", str(error))
        await self.ask(request)

    async def write(self, words: str, *, model: str | None = None) -> None:
        """Add the writer's words (none: just go on) and let the model continue."""
        await self.ask(GenerationRequest(words=words, model=model))

    async def ask(self, request: GenerationRequest) -> None:
        """Let the model write what is asked for.

        Runs until the model has ended, or is cancelled: what was written until then stays. Where a
        request cannot be met the page says why, the words go back to the writer, and the story is
        unchanged.
        """
        once: Mapping[str, settings.Value] = {} if request.again else self.tuning.once
        request = replace(
            request,
            model=request.model or self.model,
            settings={**once, **request.settings},
            context=self.context if request.context is None else request.context,
        )
        try:
            takes, compared = await self._begin(request)
        except EngineBusy as error:
            await self.give_back(request.words, busy(error, request))
        except REFUSALS as error:
            await self.give_back(request.words, str(error))
        except asyncio.CancelledError:
            await self.give_back(request.words, "")
            raise
        except Exception as error:  # noqa: BLE001 - `fault` logs it
            await self.give_back(request.words, fault(log, "beginning to write", error))
        else:
            await self._run(takes, compared)

    async def act(self, request: Mapping[str, object]) -> None:
        """Change the story without a model: edit, branch, pick, undo …; see `chat.acts`.

        With "vote" a `choice` of "a", "b" or "tie" decides a blind contest; "reveal", or any other
        act that can be done, ends it without a vote.
        """
        if not self.writing:
            request = await prepared(self.history.story, request)
        if self.writing:
            return await self._refuse_act(request, STILL_WRITING)
        try:
            voted, said = self._do(request)
        except (RefusedError, StoryError) as error:
            await self._refuse_act(request, str(error))
        else:
            if voted and self.votes and (why := await self.votes.cast(voted)):
                await self.page.tell(why, "error")
            if said:
                await self.page.tell(said)
            await self._measure()
        await self.show()

    async def take(self, kept: Kept, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Open a story that was kept, with the settings and the model of its chat.

        Args:
            unless: Asked right before the story becomes this one; nothing is done where it says
                so, for much may happen while a folder is read.
        """
        models, presets = await asyncio.to_thread(self.find_models), await self.presets()
        if unless():
            return
        self.models = models
        waiting = contest.resumed(kept.story, kept.contest)
        history = History(kept.story, kept.past, kept.future)
        if waiting:  # kept with both in it, one change further than it is until the vote
            *past, story = kept.past or (waiting.story,)
            history = History(story, tuple(past))
        self._put(history)
        self.contest, self.context = waiting, kept.context
        await self._measure()
        if kept.model in self.models:
            self.model = kept.model
        try:
            self.tuning.restore(kept.settings)
        except settings.SettingsError as error:
            await self.page.tell(f"{error} The settings stay as they were.", "error")
        with suppress(settings.SettingsError):  # it was taken away since
            self.tuning.pick(kept.preset, presets)
        await self.show()

    # How it is done

    async def _begin(self, request: GenerationRequest) -> tuple[Takes, Contest | None]:
        """Resolve the request and queue it with the engines; the story is still unchanged.

        Raises:
            Exception: One of `REFUSALS` where it cannot be met; nothing is being written then.
        """
        if self.awaits_vote:
            raise RefusedError(contest.CHOOSE_FIRST)
        models = self.models = await asyncio.to_thread(self.find_models)
        await self._say(opening(request, models))
        if {request.model, *(variant.model for variant in request.variants)} - {None, *models}:
            models = {**models, **await asyncio.to_thread(step_listings, models)}
        with self.engines.lease() as engines:
            resolved = await resolve_request(
                request, self.story, models=models, values=self.tuning.wanted, engines=engines
            )
            resolved, compared = await contest.introduce(resolved)
            return Takes(resolved, self.writer), compared

    async def _run(self, takes: Takes, compared: Contest | None) -> None:
        """Let the model write, show it while it does, and keep what came."""
        resolved = takes.resolved
        self.takes, self.choice, self.contest = takes, {}, compared
        if not self._blind:
            self._loaded = resolved.loaded
        if not resolved.request.again:
            self.tuning.arm({})
            if not resolved.request.variants:
                self.model = resolved.loaded.listing.key
        ended: FinishReason = "stopped"
        try:
            for note in (*resolved.notes, *resolved.new_marks(self.told_marks)):
                await self.page.tell(note)
            await self._mind_the_window()
            self.status = "next in line"
            await self.show()
            await self._stream(takes)
        except RemoteError as error:
            ended = "failed"
            await self.page.tell(str(error), "error")
        except Exception as error:  # noqa: BLE001 - `fault` logs it
            ended = "failed"
            await self.page.tell(f"The model broke off. {fault(log, 'writing', error)}", "error")
        finally:
            takes.cancel()
            await self._keep(takes, ended)
            await self.show()
            if takes.note:
                await self.page.tell(takes.note)

    async def _stream(self, takes: Takes) -> None:
        """Send the page the place in the queue, then the tokens as they come."""
        async with aclosing(takes.places()) as places:
            async for ahead in places:
                waits = f"waiting, {ahead} ahead of you" if ahead else "next in line"
                await self._say(ahead if isinstance(ahead, str) else waits)
        await self._say("writing")
        keeping = asyncio.create_task(self._keep_meanwhile(takes))
        try:
            async with aclosing(takes.batches()) as batches:
                async for grown in batches:
                    await self._mind_the_window()
                    # How fast each grows would tell who it is.
                    for draft, have in [] if self._blind else grown:
                        await self._show_tokens(draft, have)
        finally:
            keeping.cancel()
        if takes.warning is not None:
            await self.page.tell(takes.warning, "warning")

    async def _keep_meanwhile(self, takes: Takes) -> None:
        """Keep what came so far, again and again. Of a blind contest nothing is seen yet, and the
        same once more may be no other version."""
        had = 0
        while not (self._blind or takes.resolved.request.again):
            await asyncio.sleep(KEEP_S * max(1.0, self.engines.active / CALM))
            have = sum(len(draft.tokens) for draft in takes.drafts)
            if have > had:
                self._remember(so_far=takes.finished_story(None)[0])
            had = have

    async def _keep(self, takes: Takes, reason: FinishReason) -> None:
        """Make of the drafts passages of the story, or of a blind contest that waits."""
        compared = self.contest and self.contest.done(takes)
        self.takes, self.status = None, ""
        if compared and compared.waits:
            self.contest = compared
            return await self._measure()
        story, choice = takes.finished_story(reason)
        self._put(self.history.change(story))
        self.choice = compared.named(choice) if compared else choice
        self.contest = compared
        await self._measure()

    def _do(self, request: Mapping[str, object]) -> tuple[Vote | None, str]:
        """Do an act all at once: another window's may come whenever this one waits.

        Returns:
            The vote to be cast, if it was one, and what the writer is to be told.

        Raises:
            RefusedError, StoryError: It cannot be done; nothing has changed.
        """
        alone = contest.ends_contest(request)
        if not alone and self.contest and self.awaits_vote:
            # A key pressed by mistake gives no names away.
            act(self.history.change(self.contest.joined_story()), request)
        vote = None
        if self.awaits_vote or alone:
            vote = self._decide(contest.choice_of(request))
        return vote, "" if alone else self._change(request)

    def _decide(self, choice: VoteChoice | None) -> Vote | None:
        """End a blind contest: both join the story, and the names can be told."""
        compared = self.contest
        if compared is None or not compared.waits:
            raise RefusedError(contest.NOTHING_TO_CHOOSE)
        if compared.writers:
            self._loaded = compared.writers[1 if choice == "b" else 0].loaded
        self._put(self.history.change(compared.joined_story(choice)))
        self.contest = replace(compared, said=compared.outcome(choice))
        return compared.vote(choice) if choice else None

    def _change(self, request: Mapping[str, object]) -> str:
        """Do an act of `chat.acts`; after a pick the same two can be compared once more. Gives what
        the writer is to be told."""
        history, compared = act(self.history, request), self.contest
        self._put(history)
        self.contest = compared if request.get("act") == "pick" else None
        return compared.said if compared else ""
