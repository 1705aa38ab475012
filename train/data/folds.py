"""k-fold cross-validation: the training text cut into k parts, each in turn held out."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from train.data.folder import Data


def fold_bounds(tokens: NDArray[np.unsignedinteger], eos_id: int, k: int) -> list[int]:
    """Where k parts of about one length begin and end: k + 1 places, from 0 to len(tokens).

    A part begins at the end-of-story token nearest to where it should, so that no story is in
    training and validation text both; only where none is within a quarter of a part is a story cut.

    Raises:
        ValueError: k is below 2, or above half the number of tokens.
    """
    n = len(tokens)
    if not 2 <= k <= n // 2:
        raise ValueError(f"the folds must be between 2 and half the {n} tokens, not {k}")
    ends = np.flatnonzero(np.asarray(tokens) == eos_id)
    bounds = [0]
    for i in range(1, k):
        ideal = i * n // k
        near = ends[np.abs(ends - ideal) <= n // (4 * k)]
        bounds.append(int(near[np.abs(near - ideal).argmin()]) if len(near) else ideal)
    return [*bounds, n]


def cut_folds(data: Data, k: int) -> list[Data]:
    """k data sets made from the training text alone; the validation text stays unseen.

    Fold i holds out part i as its validation text and trains on the others, in their order.
    """
    tokenizer, tokens = data.tokenizer, np.asarray(data.train)
    bounds = fold_bounds(tokens, tokenizer.eos_id, k)
    folds: list[Data] = []
    for start, stop in pairwise(bounds):
        held, rest = tokens[start:stop], np.concatenate([tokens[:start], tokens[stop:]])
        n_bytes = len(tokenizer.decode(held.tolist()).encode())
        left = data.facts["train"]["bytes"] - n_bytes
        facts = {
            **data.facts,
            "train": {"tokens": len(rest), "bytes": left},
            "valid": {"tokens": len(held), "bytes": n_bytes},
        }
        folds.append(replace(data, facts=facts, train=rest, valid=held))
    return folds
