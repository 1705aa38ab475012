"""Token healing: a text that breaks off goes on as if its tokens did not.

A model knows " umbrella" as one token, maybe, and has hardly ever seen " umb" followed by
"rella". So the tokens of the last word are taken back, and what is drawn in their place must spell
the same bytes first. The writer's text does not change: only its tokens do.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpt.tokenizers import Tokenizer

MOST_TAKEN = 16
"""Tokens that are taken back at most; where words have no spaces, a sentence may be one word."""


def taken_back(tokenizer: Tokenizer, ids: Sequence[int]) -> int:
    """How many tokens at the end of `ids` make the last word, the white space around it included.

    0 where there is none, where every token is a character, and where the text ends in the middle
    of a character. What is kept and what is taken are whole characters, and one token is kept.
    """
    if tokenizer.kind == "char":
        return 0
    pieces, end = tokenizer.pieces, len(ids)
    first = end
    while first > max(1, end - MOST_TAKEN) and pieces[ids[first - 1]]:
        first -= 1
    data = b"".join(pieces[id] for id in ids[first:])
    while first < end and not _is_text(data):
        # The first characters were begun by a token before.
        data = data[len(pieces[ids[first]]) :]
        first += 1
    at, begins = 0, len(data) - len(_last_word(data.decode()).encode())
    while first < end and (at + len(pieces[ids[first]]) <= begins or not _is_text(data[at:])):
        at += len(pieces[ids[first]])
        first += 1
    return end - first


def _last_word(text: str) -> str:
    bare = text.rstrip()
    words = bare.split()
    before = bare[: len(bare) - len(words[-1])] if words else ""
    return text[len(before.rstrip()) :]


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class Vocabulary:
    """The pieces of a tokenizer, to be found by how they begin.

    Args:
        pieces: The bytes of each id; those without any spell nothing.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        spelt = sorted((piece, id) for id, piece in enumerate(pieces) if piece)
        self._pieces = [piece for piece, _ in spelt]
        self._ids = [id for _, id in spelt]
        self._longest = max(map(len, self._pieces), default=0)
        self.size = len(pieces)

    def allowed(self, data: bytes) -> list[int]:
        """The ids with which `data` (not empty) can begin to be spelt: those that begin with all of
        it, and, unless one is just that, those that it begins with and that leave what can be spelt
        as well.

        A shorter one is likely for what usually follows it: in place of " Then" mostly " The" would
        be drawn, with an "n" behind it that hardly ever stands there and goes on as nonsense.
        """
        ids = [*self._beginning_with(data)]
        if self._exactly(data):
            return ids
        # Whether what is left from a place on can be spelt, from the end.
        can = [False] * len(data) + [True]
        for at in reversed(range(len(data))):
            can[at] = bool(self._beginning_with(data[at:])) or any(
                can[at + length] and self._exactly(data[at : at + length])
                for length in range(1, min(self._longest, len(data) - at) + 1)
            )
        for length in range(1, min(self._longest, len(data) - 1) + 1):
            if can[length]:
                ids += self._exactly(data[:length])
        return ids

    def _beginning_with(self, data: bytes) -> Sequence[int]:
        first = bisect_left(self._pieces, data)
        # No byte of UTF-8 is 0xFF.
        return self._ids[first : bisect_left(self._pieces, data + b"\xff", first)]

    def _exactly(self, data: bytes) -> Sequence[int]:
        first = last = bisect_left(self._pieces, data)
        while last < len(self._pieces) and self._pieces[last] == data:
            last += 1
        return self._ids[first:last]


@dataclass(frozen=True, slots=True)
class Healing:
    """The bytes that new tokens have to spell first: whole characters, at least one."""

    vocabulary: Vocabulary
    left: bytes

    def forbidden(self) -> NDArray[np.int64]:
        """The ids that would spell something else."""
        others = np.ones(self.vocabulary.size, np.bool_)
        others[self.vocabulary.allowed(self.left)] = False
        return np.flatnonzero(others)

    def after(self, piece: bytes) -> "Healing | None":
        """What is still to be spelt after a token that was drawn; None where all is."""
        left = self.left[len(piece) :]
        return Healing(self.vocabulary, left) if left else None
