"""DRY, "don't repeat yourself": a penalty for tokens that would go on with a repeat.

As its author p-e-w describes it (oobabooga/text-generation-webui, pull request 5677): where the
last n tokens stood earlier too, the token that followed them there is made less likely, by
multiplier · base^(n - allowed_length) of its logit, n being the longest such run. A sequence
breaker ends a run, and is never penalised itself. As in llama.cpp a token is a breaker where its
text holds one, and one that spans several tokens counts from where it ends.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from gpt.sampling.params import SamplingParams

LARGEST = float(np.finfo(np.float32).max)
"""No penalty is larger: it drowns every logit, and is still a number."""


def dry_penalties(
    seen: Sequence[int], params: SamplingParams, pieces: Sequence[bytes]
) -> dict[int, float]:
    """By how much the logit of each token is to be lowered.

    Args:
        seen: Ids that the model sees; the last `dry_range` of them count.
        pieces: The bytes of each id (`Tokenizer.pieces`).
    """
    if params.dry_multiplier == 0:
        return {}
    allowed = params.dry_allowed_length
    given = list(seen[-params.dry_range :] if params.dry_range else seen)
    ids = np.array(given, np.int64)
    breakers = [each.encode() for each in params.dry_breakers]
    # What is longer than the allowed length is looked for, so there must be room for it.
    longest = _since_breaker([pieces[id] for id in given], breakers)
    if longest < allowed:
        return {}
    penalties: dict[int, float] = {}
    for id, length in _repeats(ids, longest).items():
        if length >= allowed and not any(each in pieces[id] for each in breakers):
            penalties[id] = _penalty(params, length - allowed)
    return penalties


def _since_breaker(pieces: Sequence[bytes], breakers: Sequence[bytes]) -> int:
    """How many tokens stand behind the last that ends a breaker; all where there is none."""
    text = b"".join(pieces)
    found = [at + len(each) for each in breakers if (at := text.rfind(each)) >= 0]
    if not found:
        return len(pieces)
    ends = list(accumulate(map(len, pieces)))
    return len(pieces) - 1 - bisect_left(ends, max(found))


def _repeats(ids: NDArray[np.int64], longest: int) -> dict[int, int]:
    """The tokens that followed what the last tokens repeat, each with the longest repeat.

    Args:
        longest: At most so many of the last tokens make a repeat.
    """
    n = len(ids)
    at = np.flatnonzero(ids[:-1] == ids[-1]) if n else ids
    found: dict[int, int] = {}
    length = 1
    while len(at) and length <= longest:
        found |= dict.fromkeys(ids[at + 1].tolist(), length)
        if length == n:
            break
        at = at[at >= length]
        at = at[ids[at - length] == ids[n - 1 - length]]
        length += 1
    return found


def _penalty(params: SamplingParams, beyond: int) -> float:
    try:
        return min(params.dry_multiplier * params.dry_base**beyond, LARGEST)
    except OverflowError:
        return LARGEST
