"""A writer's desk: one story, the settings of the chat, and whoever writes on it now.

The page that shows it is behind `Page`, so that all of this runs, and is tested, without one.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from chat import settings, view
from chat.engines import Engines, Loaded
from chat.joining import joint, strip_trailing_spaces
from chat.library import Kept
from chat.models import Listing, default_model
from chat.story import FinishReason, Passage, Story
from chat.writing import Draft, in_batches
from gpt.checkpoint import CheckpointError
from gpt.engine import EngineBusy, Request
from gpt.sampling import SamplingParams
from gpt.tokenizer import UnknownCharacterError

log = logging.getLogger(__name__)

ToldAs = Literal["info", "success", "warning", "error"]
WAIT_STEP_S = 0.02
"""How often a writer who waits looks whether it is their turn."""
DRAWN_SEEDS = 2**32
"""A seed that nobody chose is drawn below this: short enough to be copied by hand."""
NO_MODEL = "There is no model yet. Train one: python -m train.pretrain --help"


class Page(Protocol):
    """What shows the desk to its writer."""

    async def emit(self, event: str, data: Mapping[str, Any]) -> None:
        """Tell the story view something."""

    async def tell(self, message: str, kind: ToldAs = "info") -> None:
        """Say something in passing."""


class RefusedError(Exception):
    """The wish cannot be met; the message says why and what would do. The story stays as it was."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything that is settled before the model writes."""

    story: Story
    loaded: Loaded
    params: SamplingParams
    prompt: list[int]


class Desk:
    """One writer's story and what happens to it.

    Args:
        page: Shows it.
        engines: The models in memory, shared by all desks.
        find_models: Which models there are now.
        keep: Told what to keep, each time something changed.
    """

    def __init__(
        self,
        page: Page,
        engines: Engines,
        find_models: Callable[[], Mapping[str, Listing]],
        keep: Callable[[Kept], None] | None = None,
    ) -> None:
        self.page = page
        self.engines = engines
        self.find_models = find_models
        self.keep = keep
        self.models = find_models()
        self.model = default_model(self.models)
        self.values = settings.defaults()
        self.story = Story()
        self.draft: Draft | None = None
        self.status = ""
        self.meter: dict[str, Any] | None = None
        self.revision = 0

    @property
    def writing(self) -> bool:
        return self.status != ""

    # What the page is told

    def snapshot(self) -> dict[str, Any]:
        draft = self.draft.passage() if self.draft else None
        return {
            **view.story_data(self.story, draft),
            "revision": self.revision,
            "models": view.model_data(self.models),
            "model": self.model,
            "meter": self.meter,
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
        if revision != self.revision or self.draft is None or have > len(self.draft.tokens):
            await self.page.emit("story_state", self.snapshot())
        else:
            await self._show_tokens(self.draft, have)

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

    async def write(self, words: str, *, model: str | None = None) -> None:
        """Add the writer's words (none: just go on) and let the model continue.

        Runs until the model has ended, or is cancelled: what was written until then stays. A wish
        that cannot be met is said, the words go back to the writer, and the story is unchanged.
        """
        try:
            await self._say("opening the model")
            turn = await self._prepare(words, model)
            request = turn.loaded.engine.submit(turn.prompt, turn.params)
        except (RefusedError, settings.SettingsError, CheckpointError, EngineBusy) as error:
            await self._give_back(words, str(error))
        except UnknownCharacterError as error:
            await self._give_back(words, _unknown(error, model or self.model or "this model"))
        except asyncio.CancelledError:
            await self._give_back(words, "")
            raise
        except Exception as error:
            log.exception("nothing could be written")
            await self._give_back(words, f"This could not be done: {error or type(error).__name__}")
        else:
            await self._run(turn, request)

    async def take(self, kept: Kept) -> None:
        """Put a story on the desk, with the settings and the model of its chat."""
        self.models = self.find_models()
        self.story, self.meter = kept.story, None
        await self.change_settings(kept.settings)
        if kept.model in self.models:
            self.model = kept.model
        await self.show()

    async def warm_up(self) -> None:
        """Read the model that will most likely be asked for; a fault is told when it is asked."""
        if self.model is not None:
            with suppress(CheckpointError, OSError, UnknownCharacterError):
                loaded = await self.engines.get(self.models[self.model])
                if self.meter is None and self.story.passages:
                    self._measure(loaded)
                    await self.show()

    # How it is done

    def _remember(self) -> None:
        """Have the story kept as it is now, with what the chat is set to."""
        if self.keep is not None:
            self.keep(Kept(story=self.story, settings=self.values, model=self.model))

    async def _prepare(self, words: str, model: str | None) -> Turn:
        """Settle story, model, settings and prompt, changing nothing yet."""
        self.models = self.find_models()
        key = model or self.model
        if key is None or not self.models:
            raise RefusedError(NO_MODEL)
        if key not in self.models:
            raise RefusedError(f"There is no model “{key[:60]}” any more: pick another one.")
        wish, words = settings.directive(words)
        words, stripped = strip_trailing_spaces(words)
        loaded = await self.engines.get(self.models[key])
        tokenizer = loaded.checkpoint.tokenizer
        params = settings.resolve(self.values, wish, character_model=tokenizer.kind == "char")
        if params.seed is None:
            params = replace(params, seed=secrets.randbelow(DRAWN_SEEDS))
        story = self.story
        if words:
            text = joint(story.text, words, ended=story.ended) + words
            ids = tuple(tokenizer.encode(text))
            story = story.append(Passage(author="writer", text=text, ids=ids, model=key))
        elif story.ended:
            raise RefusedError("The story has ended. Write on yourself, or begin a new one.")
        prompt = story.prompt_ids(key, tokenizer.encode, tokenizer.eos_id)
        if stripped and words:
            await self.page.tell("A space at the end was left out: the next word brings its own.")
        return Turn(story=story, loaded=loaded, params=params, prompt=prompt)

    async def _run(self, turn: Turn, request: Request) -> None:
        """Let the model write, show it while it does, and keep what came."""
        self.story, self.model = turn.story, turn.loaded.listing.key
        draft = Draft(model=self.model, params=turn.params, prompt=turn.prompt)
        self.draft = draft
        reason: FinishReason = "stopped"
        try:
            await self._mind_the_window(turn.loaded)
            self.status = "next in line"
            await self.show()
            await self._wait(request, draft)
            await self._stream(turn, draft, request)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("writing broke off")
            reason = "failed"
            await self.page.tell(f"The model broke off: {error or type(error).__name__}", "error")
        finally:
            request.cancel()
            self._keep(turn.loaded, draft, reason)
            await self.show()

    async def _wait(self, request: Request, draft: Draft) -> None:
        """Say how many are ahead, until a place is free."""
        said = None
        while not request.began:
            if request.ahead != said:
                said = request.ahead
                await self._say(f"waiting, {said} ahead of you" if said else "next in line")
            await asyncio.sleep(WAIT_STEP_S)
        draft.began_s = time.monotonic()
        await self._say("writing")

    async def _stream(self, turn: Turn, draft: Draft, request: Request) -> None:
        eos_id = turn.loaded.checkpoint.tokenizer.eos_id
        async with aclosing(in_batches(aiter(request))) as batches:
            async for batch in batches:
                have = len(draft.tokens)
                for token in batch:
                    draft.add(token, eos_id)
                await self._mind_the_window(turn.loaded)
                await self._show_tokens(draft, have)

    def _keep(self, loaded: Loaded, draft: Draft, reason: FinishReason) -> None:
        """Make the draft a passage of the story; one that never began leaves no trace."""
        passage = draft.finish(loaded.checkpoint.tokenizer, reason)
        self.draft, self.status = None, ""
        if passage.text or passage.finish_reason == "end":
            self.story = self.story.append(passage)
        self._measure(loaded)

    async def _mind_the_window(self, loaded: Loaded) -> None:
        """Measure, and say it once when the model first loses sight of the beginning."""
        saw_all = not (self.meter and self.meter["unseen"])
        self._measure(loaded)
        if saw_all and self.meter and self.meter["unseen"]:
            await self.page.tell(
                f"The story has outgrown the {self.meter['window']} tokens this model can read. "
                "It goes on from what it still sees; the rest is dimmed."
            )

    def _measure(self, loaded: Loaded) -> None:
        """Bring the context meter up to date."""
        tokenizer, text = loaded.checkpoint.tokenizer, self.story.text
        if self.draft:
            text, ids = text + self.draft.text, [*self.draft.prompt, *self.draft.ids]
        else:
            ids = self.story.prompt_ids(loaded.listing.key, tokenizer.encode, tokenizer.eos_id)
        self.meter = view.meter(ids, loaded.listing.block_size, text, tokenizer.decode)

    async def _give_back(self, words: str, why: str) -> None:
        """Return the writer's words, unused."""
        self.status = ""
        if why:
            await self.page.tell(why, "error")
        await self.page.emit("story_refused", {"words": words, "why": why})
        await self.show()


def _unknown(error: UnknownCharacterError, model: str) -> str:
    names = (
        c if c.isprintable() and not c.isspace() else f"U+{ord(c):04X}" for c in error.characters
    )
    listed = " ".join(list(names)[:20])
    return f"“{model}” never saw {listed}: write it without, or pick another model."
