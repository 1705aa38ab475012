"""`gpt.sampling.sample` for one row, compiled: the same order of samplers, one pass for each.

`gpt.sampling` is the reference, and says what each sampler does; here stands how little must be
done for it. Nothing is sorted: a histogram of the probabilities finds where a nucleus ends.

Numbers are float64; V vocabulary.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt.decode.jit import SUMS, compiled, inner
from gpt.decode.simd import exp64

BINS = 1024
"""Of a histogram: few enough for a processor's cache, so many that one of them holds few tokens."""
DAMAGED = -1
"""The id that is given back for logits of which none can be drawn."""
NOTHING = -2
"""The id that is given back where the bias leaves no token."""


class Desk(NamedTuple):
    """Room for one draw, made once."""

    raw: NDArray[np.float64]
    """(V,): e to the logits less their largest."""
    scaled: NDArray[np.float64]
    """(V,): the logits after penalty and temperature, less their largest."""
    after: NDArray[np.float64]
    """(V,): e to those; 0 for a token that a sampler dropped."""
    sums: NDArray[np.float64]
    """(BINS,)."""
    top_ids: NDArray[np.int64]
    """(n,): the likeliest raw tokens."""
    top: NDArray[np.float64]
    """(2, n): their probabilities, raw and after all samplers."""


def make_desk(vocab_size: int, n_top: int) -> Desk:
    """A desk for so large a vocabulary, and so many of the likeliest tokens."""
    n_top = min(n_top, vocab_size)
    raw, scaled, after = np.zeros((3, vocab_size))
    return Desk(raw, scaled, after, np.zeros(BINS), np.zeros(n_top, np.int64), np.zeros((2, n_top)))


@inner()
def exponentials(logits: Any, largest: float, out: Any) -> None:
    """out (V,) = e to the logits less the largest."""
    for i in range(len(out)):
        out[i] = exp64(np.float64(logits[i]) - largest)


@inner(fastmath=SUMS)
def total_of(values: Any) -> float:
    """The sum of (V,)."""
    total = 0.0
    for value in values:
        total += value
    return total


@inner(fastmath=SUMS)
def mean_of(weights: Any, logits: Any, largest: float) -> float:
    """Σ weight · (logit less the largest), over those of a weight above 0."""
    total = 0.0
    for i in range(len(weights)):
        if weights[i] > 0:
            total += weights[i] * (np.float64(logits[i]) - largest)
    return total


@inner()
def largest_of(logits: Any) -> int:
    """The id of the largest logit, of equal ones the lowest; `DAMAGED` where one is NaN or +inf, or
    all are -inf."""
    best = 0
    sound = True
    for i in range(len(logits)):
        sound &= logits[i] < np.inf  # NaN is not
        if logits[i] > logits[best]:
            best = i
    return best if sound and logits[best] > -np.inf else DAMAGED


@inner()
def keep_largest(scaled: Any, after: Any, sums: Any, need: float, count: bool) -> None:
    """Set `after` to 0 but for the largest tokens whose sum reaches `need`: top-p, or top-k.

    The token that reaches `need` stays; of equal ones the lowest ids do. A histogram of those in
    question finds the bin that `need` falls into, and the next one looks at that bin alone, until
    all in it are equal.

    Args:
        sums: (BINS,), to work on.
        count: Whether each token counts 1, for top-k, and not what is in `after`.
    """
    low, high, before = 0.0, 0.0, 0.0
    for i in range(len(after)):
        if after[i] > 0:
            low = min(low, scaled[i])
    while low < high:
        width = BINS / (high - low)
        sums[:] = 0
        for i in range(len(after)):
            if after[i] > 0 and low <= scaled[i] <= high:
                at = min(int((high - scaled[i]) * width), BINS - 1)
                sums[at] += 1.0 if count else after[i]
        edge = 0
        while edge < BINS - 1 and before + sums[edge] < need:
            before += sums[edge]
            edge += 1
        lowest, highest = high, low
        for i in range(len(after)):
            if after[i] > 0 and low <= scaled[i] <= high:
                at = min(int((high - scaled[i]) * width), BINS - 1)
                if at > edge:
                    after[i] = 0
                elif at == edge:
                    lowest, highest = min(lowest, scaled[i]), max(highest, scaled[i])
        low, high = lowest, highest
    for i in range(len(after)):
        if after[i] > 0 and scaled[i] == high:
            if before >= need:
                after[i] = 0
            else:
                before += 1.0 if count else after[i]


@inner()
def largest_biased(logits: Any, scaled: Any, bias: Any) -> int:
    """The id of the largest logit with the bias, of equal ones the lowest; `NOTHING` where all are
    -inf."""
    for i in range(len(logits)):
        scaled[i] = logits[i]
    ids, values = bias
    for i in range(len(ids)):
        scaled[ids[i]] += values[i]
    best = 0
    for i in range(len(scaled)):
        if scaled[i] > scaled[best]:
            best = i
    return best if scaled[best] > -np.inf else NOTHING


@inner()
def apply_samplers(
    logits: Any, desk: Any, params: tuple[float, int, float, float, float], seen: Any, bias: Any
) -> bool:
    """Fill `desk.scaled` and `desk.after`: penalty, bias, temperature, top-k, top-p, min-p; whether
    any token is left."""
    temperature, top_k, top_p, min_p, penalty = params
    scaled, after = desk.scaled, desk.after
    for i in range(len(logits)):
        scaled[i] = logits[i]
    if penalty != 1:
        for id in seen:
            logit = np.float64(logits[id])
            scaled[id] = logit / penalty if logit > 0 else logit * penalty
    ids, values = bias
    for i in range(len(ids)):
        scaled[ids[i]] += values[i]
    largest = scaled[0]
    for i in range(len(scaled)):
        largest = max(largest, scaled[i])
    if largest == -np.inf:
        return False
    for i in range(len(scaled)):
        scaled[i] = (scaled[i] - largest) / temperature
    exponentials(scaled, 0.0, after)
    if 0 < top_k < len(after):
        keep_largest(scaled, after, desk.sums, top_k, True)
    if top_p < 1:
        keep_largest(scaled, after, desk.sums, top_p * total_of(after), False)
    if min_p > 0:
        lowest = np.log(min_p)
        for i in range(len(after)):
            if scaled[i] < lowest:
                after[i] = 0
    return True


@inner()
def likeliest(logits: Any, ids: Any) -> None:
    """ids (n,), n at least 1: those of the largest logits, the largest first; of equal ones the
    lowest id first."""
    n = 0
    for i in range(len(logits)):
        if n == len(ids):
            if not logits[i] > logits[ids[n - 1]]:
                continue
            n -= 1
        at = n
        while at and logits[i] > logits[ids[at - 1]]:
            ids[at] = ids[at - 1]
            at -= 1
        ids[at] = i
        n += 1


@compiled()
def draw(
    logits: Any,
    desk: Any,
    params: tuple[float, int, float, float, float],
    seen: Any,
    bias: tuple[Any, Any],
    part: float,
    n_top: int,
) -> tuple[int, float, float, float]:
    """Draw an id from logits (V,); fill the first `n_top` of `desk.top`.

    Args:
        params: temperature, top_k, top_p, min_p, repetition_penalty.
        seen: Ids that the model sees, for the penalty.
        bias: Ids, and what is added to the logit of each.
        part: Uniform in [0, 1): where in the sum of the probabilities the token lies.

    Returns:
        The id, its probability raw and after all samplers, the entropy of the raw ones in nats.
        The id is `DAMAGED` where the logits hold NaN or +inf, or nothing but -inf, and `NOTHING`
        where the bias leaves no token.
    """
    best = largest_of(logits)
    if best == DAMAGED:
        return DAMAGED, 0.0, 0.0, 0.0
    largest = np.float64(logits[best])
    exponentials(logits, largest, desk.raw)
    raw_total = total_of(desk.raw)
    entropy = max(0.0, np.log(raw_total) - mean_of(desk.raw, logits, largest) / raw_total)
    id, after_total = best, 1.0
    if params[0] == 0:
        if len(bias[0]):
            id = largest_biased(logits, desk.scaled, bias)
            if id == NOTHING:
                return NOTHING, 0.0, 0.0, 0.0
        desk.after[:] = 0
        desk.after[id] = 1
    else:
        if not apply_samplers(logits, desk, params, seen, bias):
            return NOTHING, 0.0, 0.0, 0.0
        after_total = total_of(desk.after)
        passed = 0.0
        for i in range(len(desk.after)):
            if desk.after[i] > 0:
                id = i
                passed += desk.after[i]
                if passed > part * after_total:
                    break
    if n_top:
        likeliest(logits, desk.top_ids[:n_top])
    for i in range(n_top):
        desk.top[0, i] = desk.raw[desk.top_ids[i]] / raw_total
        desk.top[1, i] = desk.after[desk.top_ids[i]] / after_total
    return id, desk.raw[id] / raw_total, desk.after[id] / after_total, entropy
