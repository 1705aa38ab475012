"""`TextStreamer`: the way of a story's text from drawn tokens to its reader, and where it ends."""

from collections.abc import Sequence
from typing import Literal

from gpt.sampling import SamplingParams
from gpt.text.sentences import SentenceEnd
from gpt.text.stop_strings import StopStrings
from gpt.tokenizers import Tokenizer

FinishReason = Literal["end", "stop", "length", "sentence"]


class TextStreamer:
    """Tokens in, the text that each sets free out: whole characters, nothing of a stop string.

    Args:
        prompt: What the story begins with; its last sentence may still be open.
    """

    def __init__(self, tokenizer: Tokenizer, params: SamplingParams, prompt: Sequence[int]) -> None:
        self._end_ids = tokenizer.end_ids
        self._decoder = tokenizer.decoder()
        self._stops = StopStrings(params.stop)
        self._length, self._room = params.max_new_tokens, params.finish_chars
        self._sentence = SentenceEnd(tokenizer.decode(prompt) if self._room else "")
        self._tokens = 0
        self._beyond = 0
        """Characters beyond the length, and at least one for each token."""

    def push(self, id: int) -> tuple[str, FinishReason | None]:
        """Take in a token; give the text it sets free, and why no other follows, if none does.

        A sentence's end is sure only when it is seen what comes after it, so the last token of
        those that came to a "sentence" may stand for no part of the text.
        """
        self._tokens += 1
        text, stopped = self._stops.push(self._decoder.decode(id))
        if stopped:
            return self._sentence.release(text), "stop"
        if id in self._end_ids:
            text, stopped = self._last(text)
            return self._sentence.release(text), "stop" if stopped else "end"
        text, reason = self._measure(text)
        if reason == "length":
            text, stopped = self._last(text)
        return text, "stop" if stopped else reason

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
