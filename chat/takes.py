"""The passages that one request writes, side by side: most often one."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from chat.asking import Turn
from chat.repetition import loop
from chat.sentences import sentence_end
from chat.story import FinishReason, Passage
from chat.writing import Draft, in_batches
from gpt.engine import Request

WAIT_STEP_S = 0.02
"""How often a writer who waits looks whether it is their turn."""


class Takes:
    """What a model writes for one turn, from its first token to the passages that stay."""

    def __init__(self, turn: Turn, request: Request) -> None:
        self.turn = turn
        self.request = request
        key = turn.loaded.listing.key
        self.drafts = [
            Draft(model=key, params=params, prompt=turn.prompt) for params in turn.params.takes()
        ]
        self.looped: str | None = None
        """What a take that went round in a loop repeated."""

    async def places(self) -> AsyncGenerator[int, None]:
        """How many are ahead, each time it changes, until a place is free."""
        said = None
        while not self.request.began:
            if self.request.ahead != said:
                said = self.request.ahead
                yield said
            await asyncio.sleep(WAIT_STEP_S)
        for draft in self.drafts:
            draft.began_s = time.monotonic()

    async def batches(self) -> AsyncGenerator[list[tuple[Draft, int]], None]:
        """Take in the tokens as they come: which takes grew, and how many tokens they had before.

        A take that goes round in a loop, or came to the end of the sentence that was asked for,
        ends there. When all have ended, so does the request.
        """
        eos_id = self.turn.loaded.checkpoint.tokenizer.eos_id
        async with aclosing(in_batches(aiter(self.request))) as batches:
            async for batch in batches:
                had = [len(draft.tokens) for draft in self.drafts]
                for token in batch:
                    self.drafts[token.take].add(token, eos_id)
                for draft in self.drafts:
                    self._judge(draft)
                pairs = zip(self.drafts, had, strict=True)
                # One may have lost tokens: those after the end of its sentence.
                yield [(draft, have) for draft, have in pairs if len(draft.tokens) > have]
                if all(draft.finish_reason is not None for draft in self.drafts):
                    return

    def passages(self, reason: FinishReason) -> list[Passage]:
        """What stays, each as it is; a take that never began leaves no trace.

        Args:
            reason: Why a take ended that has not said so.
        """
        tokenizer = self.turn.loaded.checkpoint.tokenizer
        passages = [draft.finish(tokenizer, reason) for draft in self.drafts]
        return [each for each in passages if each.text or each.finish_reason == "end"]

    def _judge(self, draft: Draft) -> None:
        """End a take that should write no more."""
        if self.turn.ask.sentence and draft.finish_reason in (None, "length"):
            before = self.turn.story.text
            # A quote that the words before left open may close now.
            before = before[before.rfind("\n") + 1 :]
            end = sentence_end(
                before + draft.text, after=len(before), complete=draft.finish_reason == "length"
            )
            if end is not None:
                draft.end_at(end - len(before), "sentence")
        if draft.finish_reason is None and (cycle := loop(draft.text)):
            self.looped, draft.finish_reason = cycle, "loop"
