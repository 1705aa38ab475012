"""What is added to the logits of a next token, whatever the temperature: DRY, and the end."""

from collections.abc import Iterable, Sequence

import numpy as np

from gpt.sampling import Bias, SamplingParams, dry_penalties
from gpt.tokenizers import Tokenizer


def bias_of(
    params: SamplingParams,
    seen: Sequence[int],
    tokenizer: Tokenizer,
    *,
    written: int = 0,
    forbidden: Iterable[int] = (),
) -> Bias | None:
    """The bias on the next token; None where there is none.

    Args:
        seen: Ids that the model sees; they count for DRY alone.
        written: How many tokens were written, for `min_new_tokens`.
        forbidden: Ids that may not come for another reason.
    """
    values: dict[int, float] = {}
    if params.dry_multiplier:
        penalties = dry_penalties(seen, params, tokenizer.pieces)
        values = {id: -penalty for id, penalty in penalties.items()}
    values |= dict.fromkeys(forbidden, -np.inf)
    if params.no_end or written < params.min_new_tokens:
        values |= dict.fromkeys(tokenizer.end_ids, -np.inf)
    if not values:
        return None
    return Bias(np.array([*values], np.int64), np.array([*values.values()]))
