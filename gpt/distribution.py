"""A whole distribution in a few numbers: what the samplers leave of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gpt.sampling import Bias, SamplingParams, likeliest, probabilities


@dataclass(frozen=True, slots=True)
class TokenDistribution:
    """What may come next, before the samplers and after them.

    Attributes:
        top: (id, raw probability, probability after all samplers), the likeliest raw ones first;
            of equal ones the lowest id.
        raw_entropy, entropy: In nats, before and after.
        kept: How many tokens may still be drawn.
        vocab_size: Of how many.
    """

    top: tuple[tuple[int, float, float], ...]
    raw_entropy: float
    entropy: float
    kept: int
    vocab_size: int


def token_distribution(
    logits: Tensor,
    params: SamplingParams,
    seen: Sequence[int],
    n: int,
    bias: Bias | None = None,
) -> TokenDistribution:
    """What `params` make of the logits (V,) of the next token.

    Args:
        seen: Ids of the tokens that the model sees, for the repetition penalty.
        n: How many of the likeliest tokens `top` lists.
        bias: See `gpt.sampling.probabilities`.
    """
    raw = logits.double().softmax(-1)  # (V,)
    after = probabilities(logits, params, seen, bias)  # (V,)
    return TokenDistribution(
        top=likeliest(raw, after, n),
        raw_entropy=entropy(raw),
        entropy=entropy(after),
        kept=int((after > 0).sum()),
        vocab_size=len(raw),
    )


def log_probability(logits: Tensor, ids: Sequence[int]) -> float:
    """The log of the probability (nats) of `ids`, one after the other.

    Args:
        logits: (T, V), each row what the model says before the id of its place.
    """
    chosen = torch.tensor(list(ids))[:, None]
    return logits.log_softmax(-1).gather(1, chosen).sum().item()


def entropy(probability: Tensor) -> float:
    """Of probabilities (V,), in nats: the mean surprise (Shannon 1948, section 6)."""
    return max(0.0, -float(torch.xlogy(probability, probability).sum()))
