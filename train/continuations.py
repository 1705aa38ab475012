"""A model and a person go on from the same openings, and both are measured in the same way."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from gpt.checkpoint import Checkpoint
from gpt.generator import FinishReason, Generator, Row, prompt_ids
from gpt.overlap import Source
from gpt.sampling import LIMITS, SamplingParams
from gpt.sentences import ends_sentence, finish_tokens, sentence_end
from gpt.tokenizer import Tokenizer
from train.openings import Opening
from train.quality import Quality, measure, words
from train.scoring import score

ENDS: tuple[FinishReason | None, ...] = ("end", "stop")
BATCH = 16
"""Stories side by side: three times as quick as one by one, and the text is the same."""
LONGEST_PIECE = 64
"""No token of ours stands for more characters."""


@dataclass(slots=True)
class Continuation:
    """What a model wrote.

    Attributes:
        text: At its settings, to the letter.
        tokens: How many, an end-of-story token included.
        reason: Why it stopped there.
        more: Where the length cut a sentence off, what brings it to an end: the chat's Finish the
            sentence.
        finished: The story is over or its last sentence is whole, with `more`.
    """

    opening: Opening
    seed: int
    text: str = ""
    tokens: int = 0
    reason: FinishReason | None = None
    more: str = ""
    finished: bool = False

    @property
    def over(self) -> bool:
        """The model says that the story is over."""
        return self.reason in ENDS


@dataclass(frozen=True)
class Judged:
    """Continuations of one model, measured beside a person's of the same openings.

    Attributes:
        params: What the model wrote with; the seed is that of the first continuation.
        model, human: In the order of `written`. A person's text is cut to as many words as the
            model's has, but for whether it ends: that is asked of `params.max_new_tokens` of it.
    """

    params: SamplingParams
    written: list[Continuation]
    model: list[Quality] = field(repr=False)
    human: list[Quality] = field(repr=False)


def write_on(
    checkpoint: Checkpoint,
    openings: Sequence[Opening],
    params: SamplingParams,
    *,
    finish: bool = True,
) -> list[Continuation]:
    """Go on from each opening with its own seed: `params.seed` and those that follow.

    Args:
        finish: Where the length cuts a sentence off, look for its end.

    Raises:
        UnknownCharacterError: an opening has characters the model never saw.
        ValueError: settings that do not suit the model.
    """
    more = finish_tokens(checkpoint.tokenizer.kind) if finish else 0
    highest = int(LIMITS["max_new_tokens"].high or 0)
    longer = min(params.max_new_tokens + more, highest)
    generator = Generator(checkpoint.model, checkpoint.tokenizer, max_batch=BATCH)
    written = [
        Continuation(opening, seed=(params.seed or 0) + at) for at, opening in enumerate(openings)
    ]
    waiting, running = list(written), dict[Row, Continuation]()
    while waiting or running:
        while waiting and generator.free:
            one = waiting.pop(0)
            own = replace(params, seed=one.seed, max_new_tokens=longer)
            running[generator.add(one.opening.text, own)] = one
        for row, token in generator.step():
            if isinstance(token, Exception):
                raise token
            if _goes_on(running[row], token.text, token.finish_reason, params.max_new_tokens):
                continue
            generator.remove(row)
            del running[row]
    return written


def _goes_on(one: Continuation, text: str, reason: FinishReason | None, length: int) -> bool:
    """Take in a token; whether there is anything left to write."""
    if one.reason is None:
        one.text += text
        one.tokens += 1
        if reason in ENDS:
            one.reason, one.finished = reason, True
            return False
        if one.tokens < length:
            return True
        one.reason, one.finished = "length", ends_sentence(one.text)
        return not one.finished and reason is None
    one.more += text
    whole = one.text + one.more
    end = sentence_end(whole, after=len(one.text), complete=reason is not None)
    if end is not None:
        one.more, one.finished = whole[len(one.text) : end], True
        return False
    one.finished = reason in ENDS
    if reason == "length":
        one.more = ""
    return reason is None


def judge(
    checkpoint: Checkpoint,
    openings: Sequence[Opening],
    params: SamplingParams,
    source: Source,
    *,
    thorough: bool = True,
) -> Judged:
    """Let the model go on from each opening, and measure it and the person.

    Args:
        source: The training text.
        thorough: Finish sentences that were cut off, and measure how well the model foresees both
            texts; it takes half as long again.
    """
    written = write_on(checkpoint, openings, params, finish=thorough)
    model: list[Quality] = []
    human: list[Quality] = []
    for each in written:
        opening, own, rest = each.opening.text, each.text, each.opening.rest
        theirs = first_words(rest, len(own.split()))
        both = min(len(words(own)), len(words(theirs)))
        for text, measured, over in ((own, model, each.over), (theirs, human, False)):
            needed = bits(checkpoint, opening, text) if thorough else None
            found = measure(opening, text, source, over=over, bits=needed, compared=both)
            measured.append(found)
        ended = ends_within(checkpoint.tokenizer, rest, params.max_new_tokens)
        human[-1] = replace(human[-1], ended=ended)
    return Judged(params, written, model, human)


def first_words(text: str, count: int) -> str:
    """The first words of a text, as they stand there; all of it where it has no more."""
    end = 0
    for found in islice(re.finditer(r"\S+", text), count):
        end = found.end()
    return text[:end]


def ends_within(tokenizer: Tokenizer, text: str, length: int) -> bool:
    """Whether a person's text, cut at `length` tokens, is over or stops where a sentence does."""
    ids = tokenizer.encode(text[: LONGEST_PIECE * length])
    return len(ids) <= length or ends_sentence(tokenizer.decode(ids[:length]))


def bits(checkpoint: Checkpoint, opening: str, text: str) -> float:
    """What the model needs to foresee `text` after the opening, in bits; 0 for no text."""
    tokenizer = checkpoint.tokenizer
    begun = prompt_ids(tokenizer, opening)
    whole = np.array(prompt_ids(tokenizer, opening + text), np.uint32)
    if len(whole) <= len(begun):
        return 0.0
    stride = max(1, checkpoint.config.block_size // 2)
    nats = score(checkpoint.model, whole, stride)
    return float(nats[len(begun) - 1 :].sum()) / math.log(2)
