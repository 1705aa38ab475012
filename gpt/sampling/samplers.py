"""Pure functions from logits to probabilities to the token drawn.

Order: repetition penalty → bias (DRY, and what may not come at all) → temperature → top-k → top-p →
min-p → renormalise → draw. It is the order of transformers, so the two can be held against each
other on the same logits; DRY stands where llama.cpp has it.

Shapes: V vocabulary; … any leading dimensions, each row on its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gpt.sampling.params import SamplingParams

N_ALTERNATIVES = 10
"""How many of the likeliest tokens `sample` reports beside the one it drew."""

NOT_FINITE = (
    "the model's logits are not finite (NaN or inf): its weights are damaged, or its training "
    "diverged"
)

NOTHING_LEFT = (
    "nothing may be written here: every token is banned or cut away. Ban less, or write on yourself"
)

HEAD = 128
"""top-p looks among this many of the likeliest tokens before it sorts the whole vocabulary."""


class Bias(NamedTuple):
    """What is added to some logits, whatever else is set; -inf forbids a token."""

    ids: NDArray[np.int64]
    """(n,), each once."""
    values: NDArray[np.float64]
    """(n,)."""


def add_bias(logits: Tensor, bias: Bias) -> Tensor:
    """Add `bias` to logits (…, V), float64.

    Raises:
        ValueError: it leaves no token that could be drawn.
    """
    device = logits.device
    ids, values = (torch.from_numpy(each).to(device) for each in bias)  # pyright: ignore[reportUnknownMemberType]
    biased = logits.index_add(-1, ids, values.expand(*logits.shape[:-1], -1))
    if (biased.amax(-1) == -torch.inf).any():
        raise ValueError(NOTHING_LEFT)
    return biased


def penalise_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Divide the positive logits (…, V) of the ids in `seen` (…, S), multiply the others.

    Each distinct id counts once, however often it stands there (CTRL, Keskar et al. 2019, 4.1).
    """
    chosen = logits.gather(-1, seen)  # (…, S)
    chosen = torch.where(chosen > 0, chosen / penalty, chosen * penalty)
    return logits.scatter(-1, seen, chosen)


def scale_temperature(logits: Tensor, temperature: float) -> Tensor:
    """Divide the logits (…, V), less their maximum, by a temperature above 0.

    With the likeliest at 0 no temperature, however small, overflows; the softmax is the same.
    """
    return (logits - logits.amax(-1, keepdim=True)) / temperature


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Set all but k of the largest logits (…, V) to -inf; of equal ones the lowest ids stay."""
    V = logits.shape[-1]
    if k == 0 or k >= V:
        return logits
    last = logits.topk(k).values[..., -1:]  # (…, 1)
    return _keep_largest(logits, last, torch.full_like(last, k, dtype=torch.long))


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Set all to -inf but the smallest set of likeliest tokens whose probabilities reach p.

    The token that crosses p stays (nucleus sampling, Holtzman et al. 2019, section 3.1).
    """
    if p >= 1:
        return logits
    V = logits.shape[-1]
    total = logits.logsumexp(-1, keepdim=True)  # (…, 1)
    # The nucleus is nearly always among the first few: sorting a whole vocabulary would cost more
    # than all other sampling together.
    largest = logits.topk(min(HEAD, V)).values  # (…, HEAD)
    count = _nucleus_size(largest - total, p)  # (…, 1)
    if V > HEAD and (count == HEAD).any():
        largest = logits.sort(descending=True).values  # (…, V)
        count = _nucleus_size(largest - total, p)
    return _keep_largest(logits, largest.gather(-1, count - 1), count)


def _nucleus_size(log_probability: Tensor, p: float) -> Tensor:
    """How many of (…, K), likeliest first, are needed to reach p: (…, 1), at least 1, at most K."""
    probability = log_probability.double().exp()
    before = probability.cumsum(-1) - probability
    return (before < p).sum(-1, keepdim=True)


def keep_min_p(logits: Tensor, p: float) -> Tensor:
    """Set to -inf every token less likely than p times the likeliest of its row (…, V)."""
    if p == 0:
        return logits
    lowest = logits.amax(-1, keepdim=True) + math.log(p)
    return logits.masked_fill(logits < lowest, -torch.inf)


def _keep_largest(logits: Tensor, last: Tensor, count: Tensor) -> Tensor:
    """Keep exactly `count` (…, 1) of each row, of which the smallest is `last` (…, 1)."""
    keep = logits >= last
    if (keep.sum(-1, keepdim=True) != count).any():
        above, tied = logits > last, logits == last
        keep = above | (tied & (tied.cumsum(-1) <= count - above.sum(-1, keepdim=True)))
    return logits.masked_fill(~keep, -torch.inf)


def probabilities(
    logits: Tensor, params: SamplingParams, seen: Sequence[int] = (), bias: Bias | None = None
) -> Tensor:
    """The distribution that a token is drawn from: logits (…, V) → probabilities (…, V), float64.

    At temperature 0 the bias counts, and nothing else: loops and the end of a story are what a
    greedy text runs into.

    Args:
        seen: Ids of the tokens that the model sees, for the repetition penalty.
        bias: What is added to the logits of some tokens.

    Raises:
        ValueError: the bias leaves no token.
    """
    logits = logits.double()
    if params.temperature == 0:
        if bias is not None:
            logits = add_bias(logits, bias)
        # argmax takes the first of equal logits, so the lowest id.
        chosen = logits.argmax(-1, keepdim=True)
        return torch.zeros_like(logits).scatter(-1, chosen, 1.0)
    if params.repetition_penalty != 1 and seen:
        ids = torch.tensor(seen, device=logits.device).expand(*logits.shape[:-1], -1)
        logits = penalise_repetition(logits, ids, params.repetition_penalty)
    if bias is not None:
        logits = add_bias(logits, bias)
    logits = scale_temperature(logits, params.temperature)
    logits = keep_top_k(logits, params.top_k)
    logits = keep_top_p(logits, params.top_p)
    logits = keep_min_p(logits, params.min_p)
    return logits.softmax(-1)


def seeded(seed: int) -> torch.Generator:
    """The random generator of one story; all 63 bits of the seed choose among 2³² sequences."""
    # torch's CPU generator starts from the low 32 bits alone, so 1 and 1 + 2³² would write the
    # same text; the high half of seed times 2⁶⁴/φ depends on all bits (Knuth, TAOCP 3, 6.4).
    return torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 % 2**64) >> 32)


def uniform(rng: torch.Generator) -> float:
    """The next number of a story's generator: uniform in [0, 1), all that one token takes."""
    return torch.rand((), generator=rng, dtype=torch.float64).item()


def draw(probability: Tensor, rng: torch.Generator) -> int:
    """Draw an id from probabilities (V,): the first where their sum so far passes a random part.

    The sum does not grow at an id of probability 0, so such an id is never drawn.
    """
    running = probability.double().cumsum(-1)  # (V,)
    part = uniform(rng) * running[-1]  # below running[-1]
    return int(torch.searchsorted(running, part, right=True))


@dataclass(frozen=True, slots=True)
class Draw:
    """One drawn token and what else might have been drawn."""

    id: int
    raw_probability: float
    """As the model said it, before any sampler."""
    probability: float
    """In the distribution it was drawn from, after all samplers."""
    entropy: float
    """Of the model's own distribution, in nats."""
    alternatives: tuple[tuple[int, float, float], ...]
    """(id, raw probability, probability) of the likeliest raw tokens, likeliest first."""


def sample(
    logits: Tensor,
    params: SamplingParams,
    seen: Sequence[int],
    rng: torch.Generator,
    n_top: int = N_ALTERNATIVES,
    bias: Bias | None = None,
) -> Draw:
    """Draw the next token from one row of logits (V,).

    Temperature 0 takes nothing from `rng`.

    Args:
        seen: Ids of the tokens that the model sees, for the repetition penalty.
        n_top: How many alternatives to report, at most V.
        bias: See `probabilities`; the raw probabilities are without it.

    Raises:
        ValueError: the logits hold NaN or +inf, or nothing but -inf; or the bias leaves no token.
    """
    log_probability = logits.double().log_softmax(-1)  # (V,)
    raw = log_probability.exp()
    entropy = -float(raw.dot(log_probability))
    if math.isnan(entropy):
        # Either a forbidden token (0 · -inf), which is fine, or a broken model.
        entropy = -float(torch.where(raw == 0, 0, raw * log_probability).sum())
        if math.isnan(entropy):
            raise ValueError(NOT_FINITE)
    after = probabilities(logits, params, seen, bias)  # (V,)
    id = int(after.argmax()) if params.temperature == 0 else draw(after, rng)
    alternatives = likeliest(raw, after, n_top) if n_top else ()
    return Draw(id, float(raw[id]), float(after[id]), max(entropy, 0.0), alternatives)


def likeliest(raw: Tensor, after: Tensor, n: int) -> tuple[tuple[int, float, float], ...]:
    """(id, raw, after) of the n likeliest raw probabilities (V,); of equal ones the lowest ids."""
    top = keep_top_k(raw, n).topk(min(n, len(raw))).indices.sort().values
    columns = cast(list[list[float]], torch.stack([raw[top], after[top]]).tolist())  # pyright: ignore[reportUnknownMemberType]
    ids = cast(list[int], top.tolist())  # pyright: ignore[reportUnknownMemberType]
    return tuple(sorted(zip(ids, *columns, strict=True), key=lambda each: -each[1]))
