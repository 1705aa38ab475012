"""What a table of its text would do: the bits of an n-gram model, the floor of a language model.

Interpolated Kneser-Ney (R. Kneser, H. Ney, "Improved Backing-off for M-gram Language Modeling",
1995), in the form of S. F. Chen, J. Goodman, "An Empirical Study of Smoothing Techniques for
Language Modeling", 1998, section 3: of each count a discount D is taken and dealt to what the
shorter table says; a shorter table counts after how many different tokens a token was seen. D is
their n₁ / (n₁ + 2 n₂) of each order, from how many runs are there once and twice. Below order 1
stands a uniform guess over the vocabulary.

Shapes: N tokens of training text, M of validation text, G different runs of n tokens.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_ORDER = 8
"""The longest runs that are counted: a word and what stands before it, letter by letter."""
MOST_TRAIN, MOST_VALID = 1 << 22, 1 << 19
"""Of longer texts only so many tokens are read: 4 million take 500 MB of memory, and seconds."""
STRETCHES = 64
"""A sample is so many stretches of its text, evenly apart."""
GAIN = 0.002
"""A longer table that is not better by this share of the loss is the last one."""
LEAST_DISCOUNT, MOST_DISCOUNT = 0.1, 0.95
"""Where no run is there just once or just twice, their counts say nothing."""

Tokens = npt.NDArray[np.unsignedinteger[Any]]
Ids = npt.NDArray[np.int32]
Wide = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Runs:
    """All runs of n tokens of a training text, numbered.

    Attributes:
        prefix: (G,) number of its first n - 1 tokens among the runs of n - 1.
        counts: (G,) how often each stands there.
        end: (G,) where one of each ends.
        train, valid: (N,) and (M,) number of the run that ends at a token; -1 where none does, or
            the training text has it not.
        context: (M,) number of the run of n - 1 before a token of the validation text, likewise.
    """

    prefix: Ids
    counts: Ids
    end: Ids
    train: Ids
    valid: Ids
    context: Ids

    def probabilities(self, counts: Ids | Wide, lower: Floats) -> Floats:
        """Of each token of the validation text after the n - 1 before it, (M,).

        Args:
            counts: (G,) how much each run counts.
            lower: (M,) what the shorter table says.
        """
        once, twice = ((counts == n).sum() for n in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.0
        discount = min(max(discount, LEAST_DISCOUNT), MOST_DISCOUNT)
        total = np.bincount(self.prefix, counts)
        kinds = np.bincount(self.prefix, counts > 0)
        # A context that ends the text, or that it has not, leads nowhere: the shorter one decides.
        known = (self.context >= 0) & (self.context < len(total))
        known[known] = total[self.context[known]] > 0
        context, run = self.context[known], self.valid[known]
        own = np.where(run >= 0, counts[run], 0)
        found = lower.copy()
        share = np.maximum(own - discount, 0) + discount * kinds[context] * lower[known]
        found[known] = share / total[context]
        return found


def ngram_nats(
    train: Tokens, valid: Tokens, vocab_size: int, most_order: int = MOST_ORDER
) -> Iterator[Floats]:
    """The nats of every token of `valid` but the first, (M - 1,), by tables of `train`: first those
    of a uniform guess, then of order 1 (how common each token is), of order 2 (what follows the
    last one), and so on, as long as the training text is.

    Raises:
        ValueError: a text is too short, or a token is not in the vocabulary.
    """
    if len(train) < 2 or len(valid) < 2:
        raise ValueError("expected at least 2 tokens of training text and 2 of validation text")
    if max(int(train.max()), int(valid.max())) >= vocab_size:
        raise ValueError(f"a token is not among the {vocab_size:,} of the vocabulary")
    learnt, judged = train.astype(np.int64), valid.astype(np.int64)
    lower = np.full(len(valid), 1 / vocab_size)
    yield -np.log(lower[1:])
    shorter: _Runs | None = None
    for _ in range(min(most_order, len(train))):
        runs = _runs(learnt, judged, vocab_size, shorter)
        if shorter is not None:
            # After how many different tokens each shorter run was seen.
            before = np.bincount(shorter.train[runs.end], minlength=len(shorter.counts))
            lower = shorter.probabilities(before, lower)
        yield -np.log(runs.probabilities(runs.counts, lower)[1:])
        shorter = runs


def _runs(train: Wide, valid: Wide, vocab_size: int, shorter: _Runs | None) -> _Runs:
    """All runs that are longer by a token than the `shorter` ones."""
    learnt, context = (
        (_before(shorter.train), _before(shorter.valid))
        if shorter
        else (np.zeros(len(train), np.int32), np.zeros(len(valid), np.int32))
    )
    ends = np.flatnonzero(learnt >= 0)
    keys = learnt[ends].astype(np.int64) * vocab_size + train[ends]
    runs, number, counts = np.unique(keys, return_inverse=True, return_counts=True)
    of_train = np.full(len(train), -1, np.int32)
    of_train[ends] = number
    end = np.empty(len(runs), np.int32)
    end[number] = ends  # of each run the last one that is written stays, and any will do
    asked = np.flatnonzero(context >= 0)
    keys = context[asked].astype(np.int64) * vocab_size + valid[asked]
    places = np.minimum(np.searchsorted(runs, keys), len(runs) - 1)
    of_valid = np.full(len(valid), -1, np.int32)
    of_valid[asked] = np.where(runs[places] == keys, places, -1)
    prefix = (runs // vocab_size).astype(np.int32)
    return _Runs(prefix, counts.astype(np.int32), end, of_train, of_valid, context)


def _before(numbers: Ids) -> Ids:
    """The number of the run that ends one token earlier; -1 at the first token."""
    return np.concatenate((np.full(1, -1, np.int32), numbers[:-1]))


def floor_of(
    train: Tokens,
    valid: Tokens,
    *,
    vocab_size: int,
    eos_id: int,
    valid_bytes: int,
    most_train: int = MOST_TRAIN,
) -> dict[str, Any]:
    """How well tables of a training text foretell its validation text, as training.json has it.

    Longer tables are tried up to MOST_ORDER, as long as each is better by GAIN. The loss and the
    bits are counted as `train.loop.loss_eval.summary` counts a model's.

    Args:
        train, valid: (N,) and (M,) tokens; of more than `most_train` and MOST_VALID a sample.
        valid_bytes: Of the whole validation text.

    Returns:
        loss, nats per token, and bpb, bits per byte: each of a uniform guess, then of the tables
        of order 1, 2, …; train_tokens and valid_tokens, so many were read.

    Raises:
        ValueError: see `ngram_nats`.
    """
    of_text = int((np.asarray(valid[1:]) != eos_id).sum())
    learnt, judged = sample(train, most_train), sample(valid, MOST_VALID)
    is_text = judged[1:] != eos_id
    loss: list[float] = []
    bpb: list[float] = []
    for nats in ngram_nats(learnt, judged, vocab_size):
        if len(loss) > 1 and nats.mean() > loss[-1] * (1 - GAIN):
            break
        loss.append(float(nats.mean()))
        mean = float(nats[is_text].mean()) if is_text.any() else 0.0
        bpb.append(mean * of_text / math.log(2) / max(1, valid_bytes))
    return {
        "loss": loss,
        "bpb": bpb,
        "train_tokens": len(learnt),
        "valid_tokens": len(judged),
    }


def sample(tokens: Tokens, most: int) -> Tokens:
    """`tokens`, or of more than `most` so many, in STRETCHES stretches evenly apart."""
    if len(tokens) <= most:
        return np.asarray(tokens)
    length = most // STRETCHES
    starts = np.linspace(0, len(tokens) - length, STRETCHES).astype(int)
    return np.concatenate([tokens[start : start + length] for start in starts])
