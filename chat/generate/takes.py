"""`Takes`: a resolved request while it is written. One engine request for each model, whose n takes
come side by side (most often one model, one take); each take becomes a passage."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from chat.generate.draft import Draft, flush_s, in_batches
from chat.generate.reproduce import compared, same
from chat.generate.request import GenerationRequest
from chat.generate.resolve import ResolvedRequest
from chat.models.remote.request import RemoteRequest
from chat.story import FinishReason, Passage, Story
from gpt.engine import EngineBusy
from gpt.engine.fair_queue import Path
from gpt.engine.request import Request
from gpt.text.repetition import SIGHT, loop
from gpt.text.token import Token

AnyRequest = Request | RemoteRequest
WAIT_STEP_S = 0.02
"""How often a writer who is next in line looks whether it is their turn; those further back look
less often, so that a long line costs little."""


async def interleaved(
    requests: Sequence[AnyRequest],
) -> AsyncGenerator[tuple[int, Token], None]:
    """The tokens of several requests as they come, each with the index of its request.

    The error of any request is raised here. However this ends, no task is left waiting.
    """

    def waits(at: int) -> asyncio.Task[Token]:
        return asyncio.ensure_future(anext(requests[at]))

    following = {waits(at): at for at in range(len(requests))}
    try:
        while following:
            done, _ = await asyncio.wait(following, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                at = following.pop(task)
                error = task.exception()
                if error is None:
                    following[waits(at)] = at
                    yield at, task.result()
                elif not isinstance(error, StopAsyncIteration):
                    raise error
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


def busy(error: EngineBusy, request: GenerationRequest) -> str:
    """The message to a writer who found the queue full, or their own share of it."""
    returned = " Your words are back in the box." if request.words.strip() else ""
    if error.own:
        yours = (
            "one request of yours waits"
            if error.own == 1
            else f"{error.own} requests of yours wait"
        )
        return (
            f"The model is busy, and {yours} in line already: the places that are left are for "
            f"others.{returned} Wait for one of yours to be done, or pick another model."
        )
    others = "another request is" if error.ahead == 1 else f"{error.ahead} others are"
    return (
        f"The model is busy, and {others} in line already: no more can wait.{returned} Try again "
        "in a moment, or pick another model."
    )


class Takes:
    """What is written for one request, from queueing it to the passages that join the story.

    Args:
        resolved: The request; `resolved.writers` are the models that write.
        writer: The person who asks, for the fair queue; see `gpt.engine.Engine.submit`.

    Raises:
        EngineBusy, ValueError: One of the engines does not take it; nothing is being written then.
    """

    def __init__(self, resolved: ResolvedRequest, writer: Path = ()) -> None:
        self.resolved = resolved
        self.requests: list[AnyRequest] = []
        self.groups = [
            [
                Draft(
                    model=each.loaded.listing.key,
                    params=params,
                    prompt=each.prompt,
                    context=each.context,
                    label=each.label,
                    seeded=each.loaded.takes_seeds,
                )
                for params in each.params.takes()
            ]
            for each in resolved.writers
        ]
        """The takes of each model in `resolved.writers`, in its order."""
        try:
            for each in resolved.writers:
                submitted = each.loaded.engine.submit(
                    each.prompt.ids,
                    each.params,
                    writer=writer,
                    core=resolved.request.core,
                    keep=each.prompt.keep,
                )
                self.requests.append(submitted)
        except BaseException:
            self.cancel()
            raise
        self.looped: str | None = None
        """What a take that went round in a loop repeated."""
        self.note: str | None = None
        """What the writer should hear of what was kept."""

    @property
    def drafts(self) -> list[Draft]:
        """All takes, in the order they are shown."""
        return [draft for group in self.groups for draft in group]

    def cancel(self) -> None:
        """Let the engines write no more of it."""
        for each in self.requests:
            each.cancel()

    async def places(self) -> AsyncGenerator[int | str, None]:
        """How many requests are ahead in the queue, or in words what is waited for, each time it
        changes; ends once one of ours has begun or ended."""
        said = None
        while not any(each.began or each.ended for each in self.requests):
            ahead = min(each.ahead for each in self.requests)
            notes = [each.note for each in self.requests if isinstance(each, RemoteRequest)]
            news = next(filter(None, notes), ahead)
            if news != said:
                said = news
                yield said
            await asyncio.sleep(WAIT_STEP_S * (1 + ahead / 4))
        for draft in self.drafts:
            draft.began_s = time.monotonic()

    async def batches(self) -> AsyncGenerator[list[tuple[Draft, int]], None]:
        """Add the tokens to the drafts as they come: those that grew, each with its length before.

        A take that goes round in a loop ends there. When all have ended, so do the requests.
        """
        drafts = self.drafts
        engines = {each.loaded.engine for each in self.resolved.writers}

        def pause() -> float:
            return flush_s(sum(engine.active for engine in engines))

        async with aclosing(in_batches(interleaved(self.requests), pause)) as batches:
            async for batch in batches:
                had = [len(draft.tokens) for draft in drafts]
                for at, token in batch:
                    tokenizer = self.resolved.writers[at].loaded.tokenizer
                    draft = self.groups[at][token.take]
                    draft.add(token, tokenizer.end_ids)
                    # After each one: how many came at once must not change where a take ends.
                    self._judge(draft)
                pairs = zip(drafts, had, strict=True)
                yield [(draft, have) for draft, have in pairs if len(draft.tokens) > have]
                if all(draft.finish_reason is not None for draft in drafts):
                    return

    def passages(self, reason: FinishReason | None) -> list[Passage]:
        """The drafts as passages; one without text leaves none, unless the model ended the story.

        Args:
            reason: Why a take ended that has not said so; None while it is written.
        """
        written = [
            draft.finish(each.loaded.tokenizer, reason)
            for each, group in zip(self.resolved.writers, self.groups, strict=True)
            for draft in group
        ]
        passages = [one for one in written if one.text or one.finish_reason == "end"]
        if self.resolved.request.again and passages:
            old, new = self.resolved.before.passage(self.resolved.request.retry or ""), passages[0]
            self.note = compared(old, new)
            # The same text twice would be no alternative.
            return [] if same(old, new) else passages
        return passages

    def finished_story(self, reason: FinishReason | None) -> tuple[Story, dict[str, str]]:
        """The story with all takes as alternatives, the first of them selected; and the labels of
        the takes by passage id, {} where there is only one.

        Args:
            reason: See `passages`.
        """
        passages = self.passages(reason)
        # A retry that brought nothing leaves what was there.
        request = self.resolved.request
        story = (
            self.resolved.story
            if passages or request.words.strip() or request.fork
            else self.resolved.before
        )
        for passage in passages:
            story = story.at(self.resolved.story.current).append(passage)
        if len(passages) < 2:
            return story, {}
        labels = {draft.id: draft.label for draft in self.drafts}
        return story.at(passages[0].id), {each.id: labels[each.id] for each in passages}

    @property
    def warning(self) -> str | None:
        """What the writer should hear of a take that went round in a loop."""
        if self.looped is None:
            return None
        return (
            f"It went round in a loop, “{self.looped.strip()[:60]}” again and again, and was "
            "stopped. Retry it, warmer or with other words before it."
        )

    def _judge(self, draft: Draft) -> None:
        """End a take that should write no more."""
        if draft.finish_reason is None and (cycle := loop(draft.tail(SIGHT))):
            self.looped, draft.finish_reason = cycle, "loop"
