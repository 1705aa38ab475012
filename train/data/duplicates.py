"""Which documents stand twice in a text: to the letter, or nearly."""

import hashlib
import zlib
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gpt.text.scripts import WORD

SHINGLE = 5
"""Words in a row that two texts must share to count as alike there."""
BANDS, ROWS = 16, 4
"""Pairs alike in four fifths of their shingles meet in one of 16 bands of 4 with p > 0.999."""
ALIKE = 0.8
MOST = 100_000
"""Documents that are compared; near duplicates among more would take too much memory."""

Signature = npt.NDArray[np.uint32]


def _draws() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    rng = np.random.default_rng(1)
    odd = rng.integers(1 << 62, size=(BANDS * ROWS, 1), dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    return odd, rng.integers(1 << 62, size=(BANDS * ROWS, 1), dtype=np.uint64)


_TIMES, _PLUS = _draws()
_POWERS = np.array([0x9E3779B97F4A7C15**i % 2**64 for i in range(SHINGLE)], np.uint64)


def signature(text: str) -> Signature | None:
    """MinHash of the shingles of a text (Broder 1997), (BANDS·ROWS,); None for a shorter one.

    Two texts agree in as large a share of their signatures, about, as of their shingles.
    """
    words: list[str] = WORD.findall(text.lower())
    if len(words) < SHINGLE:
        return None
    ids = np.array([zlib.crc32(word.encode()) for word in words], np.uint64)
    shingles = np.lib.stride_tricks.sliding_window_view(ids, SHINGLE)
    mixed = np.unique((shingles * _POWERS).sum(axis=1, dtype=np.uint64))
    smallest = np.full(len(_TIMES), 2**32 - 1, np.uint32)
    for start in range(0, len(mixed), 4096):  # a long text must not need a matrix of its own
        hashes = (_TIMES * mixed[start : start + 4096] + _PLUS) >> np.uint64(32)
        smallest = np.minimum(smallest, hashes.min(axis=1).astype(np.uint32))
    return smallest


@dataclass(slots=True)
class Duplicates:
    """Documents as fingerprints, to be compared once all are there."""

    digests: dict[bytes, list[int]] = field(default_factory=dict[bytes, list[int]])
    """Numbers (from 1) of the documents with one fingerprint, white space aside."""
    signatures: dict[int, Signature] = field(default_factory=dict[int, Signature])
    """Of one document of each fingerprint, by its number."""
    starts: dict[int, str] = field(default_factory=dict[int, str])
    """How a document begins, to show it."""
    n: int = 0

    def add(self, text: str) -> None:
        self.n += 1
        words = " ".join(text.split())
        same = self.digests.setdefault(hashlib.sha256(words.encode()).digest()[:16], [])
        same.append(self.n)
        if len(same) > 1:
            return
        self.starts[self.n] = words[:60]
        if len(self.signatures) < MOST and (found := signature(text)) is not None:
            self.signatures[self.n] = found

    def exact(self) -> list[list[int]]:
        """The groups of documents that are the same but for white space, largest first."""
        groups = [numbers for numbers in self.digests.values() if len(numbers) > 1]
        return sorted(groups, key=len, reverse=True)

    def near(self) -> list[tuple[int, int, float]]:
        """Pairs that are alike but not the same, and about how alike, most alike first."""
        buckets: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
        for number, values in self.signatures.items():
            for band in range(BANDS):
                key = values[band * ROWS : (band + 1) * ROWS].tobytes()
                buckets[band, key].append(number)
        # A bucket of many is a phrase that many documents share; its neighbours are compared.
        pairs = {
            (a, b)
            for numbers in buckets.values()
            for i, a in enumerate(numbers)
            for b in numbers[i + 1 : i + 20]
        }
        found = [(a, b, float((self.signatures[a] == self.signatures[b]).mean())) for a, b in pairs]
        alike = [pair for pair in found if pair[2] >= ALIKE]
        return sorted(alike, key=lambda pair: (-pair[2], pair[0], pair[1]))

    def shared(self, other: "Duplicates") -> int:
        """How many documents here also stand in `other`."""
        return sum(len(numbers) for key, numbers in self.digests.items() if key in other.digests)
