"""What is measured once, on the finished model: both protocols of the loss, what it copied, and
whether it keeps to sense."""

import math
from contextlib import closing
from dataclasses import dataclass

from gpt.checkpoint import Checkpoint
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from gpt.text.memorization import ReferenceText
from train.adapt.forgetting import HeldOut, held_out
from train.data.folder import Data
from train.loop.loss_eval import losses_of_text
from train.quality.coherence import STORIES
from train.quality.lexicon import Lexicon
from train.quality.sense import Sense, measure_sense

SHARE = 0.02
"""The most that the two protocols may cost together, as a share of the training's own work."""
LEAST_SCORED = 2000
COMPARED_TOKENS = 5_000_000
"""How much of the training text is searched for what the model wrote; half a minute's reading."""
JUDGED, WRITTEN = 100, 20
"""Stories that are judged at the most, and openings that are gone on from."""
SEEDS = (1, 2, 3, 4)
TEMPERATURE, LENGTH = 0.8, 200


@dataclass(frozen=True, slots=True)
class Scores:
    """train.evaluate on held-out text.

    Attributes:
        found: As `train.evaluate` gives it.
        text: What the text is called.
        of_tokens: How many the whole of it has; `found` has how many were scored, its first.
    """

    found: dict[str, float | int]
    text: str
    of_tokens: int


@dataclass(frozen=True, slots=True)
class Copied:
    """One sample held against the training text.

    Attributes:
        words: How many it has.
        new: Share of them outside the runs that count as copied.
        longest: The longest run of words that stands in the training text just so, in words.
        quote: That run.
        core: What computed the sample (`gpt.text.token.Token.core`).
    """

    seed: int
    text: str
    words: int
    new: float
    longest: int
    quote: str
    core: str


def scores(checkpoint: Checkpoint, data: Data, trained_tokens: int | None) -> Scores:
    """Both protocols on the validation text, or on its beginning where it is long.

    Sliding windows pass the model eight times as many tokens as there are, disjoint ones once, and
    a training step costs three passes: from this follows how much is scored.

    Args:
        trained_tokens: How many the training read; None scores the whole text.
    """
    whole = held_out(data)
    count = len(whole.ids)
    if trained_tokens is not None:
        count = min(count, max(LEAST_SCORED, round(SHARE * trained_tokens * 3 / 9)))
    part = HeldOut(whole.name, whole.ids[:count], whole.tokenizer)
    text = part.read_by(checkpoint.tokenizer)
    found = losses_of_text(checkpoint.model, text, checkpoint.tokenizer.eos_id)
    return Scores(found, whole.name, len(whole.ids) - 1)


def read_training_text(data: Data, most: int | None) -> tuple[ReferenceText, Lexicon]:
    """The training text, or its first `most` tokens, and what its words are."""
    train = HeldOut("", data.train[:most], data.tokenizer)
    return ReferenceText(train.documents()), Lexicon(train.documents())


def sense(
    checkpoint: Checkpoint,
    data: Data,
    learnt: tuple[ReferenceText, Lexicon],
    trained_tokens: int | None,
) -> Sense:
    """What the model judges and writes of the validation text, see `train.quality.sense`.

    Args:
        trained_tokens: How many the training read; what is judged costs SHARE of it. None judges
            as many stories as `train.evaluate` does.
    """
    documents = list(held_out(data).documents())
    cheap = trained_tokens is not None
    return measure_sense(
        checkpoint,
        documents,
        learnt,
        stories=JUDGED if cheap else STORIES,
        written=WRITTEN,
        max_new_tokens=LENGTH,
        most_tokens=SHARE * trained_tokens * 3 if cheap else math.inf,
    )


def copied(checkpoint: Checkpoint, source: ReferenceText, prompt: str) -> list[Copied]:
    """Stories at fixed seeds, each held against the training text word for word."""
    generator = Generator(checkpoint.model, checkpoint.tokenizer)
    generator.use_compiled()
    with closing(generator):
        texts = [
            "".join(token.text for token in generator.stream(prompt, _drawn(seed)))
            for seed in SEEDS
        ]
    samples: list[Copied] = []
    for seed, text in zip(SEEDS, texts, strict=True):
        found = source.overlap(text)
        run = found.longest
        quote = source.quote(run.at, run.words) if run else ""
        length = run.words if run else 0
        core = generator.core.name
        samples.append(Copied(seed, text, found.words, found.new, length, quote, core))
    return samples


def _drawn(seed: int) -> SamplingParams:
    return SamplingParams(temperature=TEMPERATURE, seed=seed, max_new_tokens=LENGTH)
