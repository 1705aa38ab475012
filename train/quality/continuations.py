"""A model and a person go on from the same openings, and both are measured in the same way."""

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from gpt.checkpoint import Checkpoint
from gpt.generator import Generator, Row
from gpt.sampling import SamplingParams
from gpt.text.memorization import ReferenceText
from gpt.text.prompt import prompt_ids
from gpt.text.scripts import WORD
from gpt.text.sentences import ends_sentence
from gpt.text.streamer import FinishReason, TextStreamer
from gpt.tokenizers import Tokenizer
from train.loop.loss_eval import score
from train.quality.lexicon import Lexicon
from train.quality.metrics import Quality, measure, words
from train.quality.openings import Opening

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
        tokens: How many it drew, with one that only showed that the story or sentence is over.
        reason: Why it stopped there.
        core: What computed it (`gpt.text.token.Token.core`): the seed gives it again with that.
    """

    opening: Opening
    seed: int
    text: str = ""
    tokens: int = 0
    reason: FinishReason | None = None
    core: str = ""

    @property
    def over(self) -> bool:
        """The model says that the story is over."""
        return self.reason in ENDS


@dataclass(frozen=True)
class Comparison:
    """Continuations of one model, measured beside a person's of the same openings.

    Attributes:
        params: What the model wrote with; the seed is that of the first continuation.
        model, human: In the order of `written`. A person's text is cut to as many words as the
            model's has, but for whether it ends: that is asked of it at the length of `params`.
    """

    params: SamplingParams
    written: list[Continuation]
    model: list[Quality] = field(repr=False)
    human: list[Quality] = field(repr=False)

    @property
    def core(self) -> str:
        """What computed the model's."""
        return self.written[0].core


def write_on(
    checkpoint: Checkpoint, openings: Sequence[Opening], params: SamplingParams
) -> list[Continuation]:
    """Go on from each opening with its own seed: `params.seed` and those that follow.

    Raises:
        UnknownCharacterError: an opening has characters the model never saw.
        ValueError: settings that do not suit the model.
    """
    generator = Generator(checkpoint.model, checkpoint.tokenizer, max_batch=BATCH)
    generator.use_compiled()
    with closing(generator):
        return _written(generator, openings, params)


def _written(
    generator: Generator, openings: Sequence[Opening], params: SamplingParams
) -> list[Continuation]:
    written = [
        Continuation(opening, seed=(params.seed or 0) + at) for at, opening in enumerate(openings)
    ]
    waiting, running = list(written), dict[Row, Continuation]()
    while waiting or running:
        while waiting and generator.free:
            one = waiting.pop(0)
            row = generator.add(one.opening.text, replace(params, seed=one.seed))
            running[row] = one
        for row, token in generator.step():
            if isinstance(token, Exception):
                raise token
            one = running[row]
            one.text += token.text
            one.tokens += 1
            one.reason, one.core = token.finish_reason, token.core
            if one.reason is not None:
                del running[row]
    return written


def compare_with_human(
    checkpoint: Checkpoint,
    openings: Sequence[Opening],
    params: SamplingParams,
    source: ReferenceText,
    *,
    lexicon: Lexicon | None = None,
    thorough: bool = True,
) -> Comparison:
    """Let the model go on from each opening, and measure it and the person.

    Args:
        source: The training text.
        lexicon: What its words are, to look for slips against sense.
        thorough: Measure the model's loss on both texts, too (`bits`).
    """
    written = write_on(checkpoint, openings, params)
    model: list[Quality] = []
    human: list[Quality] = []
    for each in written:
        opening, own, rest = each.opening.text, each.text, each.opening.rest
        theirs = first_words(rest, len(WORD.findall(own)))
        both = min(len(words(own)), len(words(theirs)))
        for text, measured, over in ((own, model, each.over), (theirs, human, False)):
            needed = bits(checkpoint, opening, text) if thorough else None
            found = measure(
                opening, text, source, over=over, bits=needed, compared=both, lexicon=lexicon
            )
            measured.append(found)
        ended = ends_within(checkpoint.tokenizer, opening, rest, params)
        human[-1] = replace(human[-1], ended=ended)
    return Comparison(params, written, model, human)


def first_words(text: str, count: int) -> str:
    """The first words of a text, as they stand there; all of it where it has no more."""
    end = 0
    for found in islice(WORD.finditer(text), count):
        end = found.end()
    return text[:end]


def ends_within(tokenizer: Tokenizer, opening: str, text: str, params: SamplingParams) -> bool:
    """Whether a person's text is over within the length, or stops where a sentence does, by the
    rule for what a model writes."""
    outlet = TextStreamer(tokenizer, params, prompt_ids(tokenizer, opening))
    most = LONGEST_PIECE * params.max_new_tokens + params.finish_chars
    ids, read = tokenizer.encode(text[:most]), ""
    for at, id in enumerate(ids):
        more, reason = outlet.push(id)
        read += more
        if reason == "length" and at + 1 < len(ids):
            return ends_sentence(read)
        if reason is not None:
            break
    return True


def bits(checkpoint: Checkpoint, opening: str, text: str) -> float:
    """The model's cross-entropy on `text` after the opening, summed, in bits; 0 for no text."""
    tokenizer = checkpoint.tokenizer
    begun = prompt_ids(tokenizer, opening)
    whole = np.array(prompt_ids(tokenizer, opening + text), np.uint32)
    if len(whole) <= len(begun):
        return 0.0
    stride = max(1, checkpoint.config.block_size // 2)
    nats = score(checkpoint.model, whole, stride)
    return float(nats[len(begun) - 1 :].sum()) / math.log(2)
