"""The merges of a byte-pair tokenizer, from the ranks of its pieces."""

from collections.abc import Mapping
from itertools import pairwise
from typing import AnyStr


def merges_of(ranks: Mapping[AnyStr, int]) -> list[tuple[AnyStr, AnyStr]]:
    """The pairs that byte-pair encoding joins, in order, from the ranks of the joined pieces.

    Encoders differ in what they store: tiktoken and SentencePiece rank the pieces, tokenizer.json
    lists pairs. The last two parts of a piece, encoded with lower ranks alone, are the one pair
    that ever makes it, in any text. A piece that no order of joins reaches gets no pair.
    """
    pairs = (_last_pair(piece, ranks) for piece in sorted(ranks, key=ranks.__getitem__))
    return [pair for pair in pairs if pair is not None]


def _last_pair(piece: AnyStr, ranks: Mapping[AnyStr, int]) -> tuple[AnyStr, AnyStr] | None:
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while len(parts) > 2:
        joined = [ranks.get(a + b, ranks[piece]) for a, b in pairwise(parts)]
        rank = min(joined)
        if rank == ranks[piece]:
            return None
        at = joined.index(rank)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return (parts[0], parts[1]) if len(parts) == 2 else None
