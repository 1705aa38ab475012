"""`TextStreamer`: drawn token ids → text that may be shown, and the reason why a story ends."""

from collections.abc import Sequence
from copy import copy
from typing import Literal

from gpt.sampling import SamplingParams
from gpt.text.sentences import SentenceEnd
from gpt.text.stop_strings import StopStrings
from gpt.tokenizers import Tokenizer

FinishReason = Literal["end", "stop", "length", "sentence"]


class TextStreamer:
    """Incremental detokenizer: only whole characters come out, and nothing of a stop string.

    Args:
        params: Its `stop`, `max_new_tokens` and `finish_chars` count here.
        prompt: Ids of the text before; its last sentence may still be open.
        again: Characters at the end of the prompt that the first tokens bring once more
            (`gpt.text.healing`).
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        params: SamplingParams,
        prompt: Sequence[int],
        *,
        again: int = 0,
    ) -> None:
        self._again = again
        self._end_ids = tokenizer.end_ids
        self._decoder = tokenizer.decoder()
        self._stops = StopStrings(params.stop)
        self._length, self._room = params.max_new_tokens, params.finish_chars
        self._sentence = SentenceEnd(tokenizer.decode(prompt) if self._room else "")
        self._tokens = 0
        self._beyond = 0
        """Characters beyond the length, and at least one for each token."""

    @property
    def tokens(self) -> int:
        """How many tokens it was given."""
        return self._tokens

    def copy(self) -> "TextStreamer":
        """One that goes on from the same place, by itself."""
        twin = copy(self)
        twin._decoder = self._decoder.copy()
        twin._stops, twin._sentence = copy(self._stops), copy(self._sentence)
        return twin

    def pass_over(self, id: int) -> None:
        """Add a token that brings nothing but what the prompt has already."""
        self._decode(id)

    def push(self, id: int) -> tuple[str, FinishReason | None]:
        """Add a token; return the text that may be shown now, and why the story ends, or None.

        The end of a sentence is known only from what follows it, so where the reason is "sentence"
        the last token may be no part of the text.
        """
        self._tokens += 1
        text, stopped = self._stops.push(self._decode(id))
        if stopped:
            return self._sentence.release(text), "stop"
        if id in self._end_ids:
            text, stopped = self._last(text)
            return self._sentence.release(text), "stop" if stopped else "end"
        text, reason = self._measure(text)
        if reason == "length":
            text, stopped = self._last(text)
        return text, "stop" if stopped else reason

    def _decode(self, id: int) -> str:
        text = self._decoder.decode(id)
        if self._again:
            text, self._again = text[self._again :], max(0, self._again - len(text))
        return text

    def _last(self, text: str) -> tuple[str, bool]:
        """The text with all that was held of it, for no more comes; whether a stop string did."""
        rest, stopped = self._stops.push(self._decoder.flush())
        return text + (rest if stopped else rest + self._stops.flush()), stopped

    def _measure(self, text: str) -> tuple[str, FinishReason | None]:
        """Hold the text of a token against the length."""
        if not self._room:
            return text, "length" if self._tokens == self._length else None
        if self._tokens < self._length:
            self._sentence.let_by(text)
            return text, None
        if self._tokens > self._length:
            self._beyond += max(1, len(text))
        text, ended = self._sentence.push(text)
        if ended or self._beyond < self._room:
            return text, "sentence" if ended else None
        rest, ended = self._sentence.flush()
        return text + rest, "sentence" if ended else "length"
