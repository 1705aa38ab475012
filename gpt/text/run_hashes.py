"""Which runs of words stand in a text, told by hashes alone: small enough to lie beside a model.

Every eight words in a row of the text leave one hash, so whoever has the hashes can ask whether
some words stand in it, and reads nothing out of them. A run of the text is always found. Of runs
that do not stand in it one in `2**LOW_BITS` is held for one; so a single hit counts for nothing,
and only `LEAST` words in a row are said to be copied, all of whose runs are there: of places
where nothing is copied one in `2**(2 * LOW_BITS)` is marked.

The hashes are kept sorted, as Elias and Fano do: each is a bucket and eight low bits, the low bits
lie one after another, and a bitmap counts in unary how many fall into each bucket: about 10 bits a
run (P. Elias, "Efficient Storage and Retrieval by Content and Address of Static Files", 1974).

Shapes: N runs of the text, M words of the text in question.
"""

import hashlib
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from gpt.text.memorization import COPIED_WORDS, stretches
from gpt.text.scripts import WORD

LOW_BITS = 8
LEAST = COPIED_WORDS + 1
"""The fewest words in a row that are said to be copied: two runs that overlap."""
ONE_IN = 1 << LOW_BITS * (LEAST - COPIED_WORDS + 1)
"""Of so many places where nothing is copied one is marked."""
MAGIC = b"inkruns\x01"
"""How the file begins; its last byte is the version of all that is written here."""
HEADER = struct.Struct("<8s32sQQQ")
"""MAGIC, the SHA-256 of the text's tokens, its words, the buckets, the runs that are kept."""
DIGEST = 32
MOST_RUNS = 16_000_000
"""Of a file: 20 MB of it, and half a gigabyte of memory for a moment."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class HashedOverlap:
    """What was found; see `gpt.text.memorization.Memorization`.

    Attributes:
        words: M.
        longest: Characters and words of the longest run of LEAST or more, the first of equals. All
            its runs of eight words stand in the text, perhaps in several places of it.
        copied: Where every word belongs to LEAST or more in a row, in characters.
        new: Share of the words that stand in none of those, 0 to 1.
    """

    words: int
    longest: tuple[int, int, int] | None
    copied: tuple[tuple[int, int], ...]
    new: float


@dataclass(frozen=True, slots=True)
class RunHashes:
    """The runs of a text.

    Attributes:
        text: SHA-256 of its tokens, in hexadecimal digits.
        source_words: How many words it has.
        buckets: How many the hashes are dealt to.
        runs: (N,) uint64, bucket and low bits, ascending, each once.
    """

    text: str
    source_words: int
    buckets: int
    runs: Hashes

    @classmethod
    def of(cls, documents: Iterable[str], text: str) -> "RunHashes":
        """Take the hashes of every run of a text.

        Args:
            documents: Its parts; no run goes from one into the next.
            text: SHA-256 of its tokens, in hexadecimal digits.

        Raises:
            ValueError: It has more than MOST_RUNS of them.
        """
        known: dict[str, int] = {}
        words, parts = 0, [np.empty(0, np.uint64)]
        for document in documents:
            found: list[str] = WORD.findall(document)
            words += len(found)
            parts.append(_hashes(found, known))
        runs = np.unique(np.concatenate(parts))
        if len(runs) > MOST_RUNS:
            raise ValueError(f"it has {len(runs):,} runs of words, {MOST_RUNS:,} is the most")
        buckets = max(1, len(runs))
        return cls(text, words, buckets, np.unique(_dealt(runs, buckets)))

    def hits(self, words: Sequence[str]) -> npt.NDArray[np.bool_]:
        """For each COPIED_WORDS words in a row, (M - COPIED_WORDS + 1,), whether it is held for a
        run of the text."""
        asked = _dealt(_hashes(words, {}), self.buckets)
        if not len(self.runs):
            return np.zeros(len(asked), np.bool_)
        places = np.searchsorted(self.runs, asked).clip(max=len(self.runs) - 1)
        return self.runs[places] == asked

    def overlap(self, text: str) -> HashedOverlap:
        """Hold `text` against the runs; it takes time in proportion to M."""
        found: list[re.Match[str]] = list(WORD.finditer(text))
        inside = np.zeros(len(found), np.bool_)
        longest: tuple[int, int, int] | None = None
        for first, after in stretches(self.hits([match[0] for match in found])):
            words = after - first + COPIED_WORDS - 1
            if words < LEAST:
                continue
            last = first + words - 1
            inside[first : last + 1] = True
            if longest is None or words > longest[2]:
                longest = found[first].start(), found[last].end(), words
        copied = tuple(
            (found[first].start(), found[after - 1].end()) for first, after in stretches(inside)
        )
        new = 1 - float(inside.mean()) if found else 1.0
        return HashedOverlap(len(found), longest, copied, new)

    def to_bytes(self) -> bytes:
        """HEADER, the low bits of every run (a byte each), the bitmap, SHA-256 of all that.

        The bitmap has for each bucket a 1 for each of its runs, then a 0; its bits lie from the
        highest of a byte to the lowest, and the last byte is filled up with 0.
        """
        n = len(self.runs)
        bits = np.zeros(n + self.buckets, np.uint8)
        bits[(self.runs >> np.uint64(LOW_BITS)).astype(np.int64) + np.arange(n)] = 1
        head = HEADER.pack(MAGIC, bytes.fromhex(self.text), self.source_words, self.buckets, n)
        low = self.runs.astype(np.uint8).tobytes()
        whole = head + low + np.packbits(bits).tobytes()
        return whole + hashlib.sha256(whole).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> "RunHashes":
        """Open what `to_bytes` wrote, which anybody may have written.

        Raises:
            ValueError: It is something else, or damaged; the message says how.
        """
        if len(data) < HEADER.size + DIGEST or not data.startswith(MAGIC[:-1]):
            raise ValueError("it holds no hashes of runs of words")
        magic, text, words, buckets, n = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise ValueError(f"its version is {magic[-1]}, this Inkling reads {MAGIC[-1]}")
        size = HEADER.size + n + -(-(n + buckets) // 8) + DIGEST
        if not n <= buckets <= MOST_RUNS or size != len(data):
            raise ValueError(f"its header tells of {size:,} bytes, it has {len(data):,}")
        if hashlib.sha256(data[:-DIGEST]).digest() != data[-DIGEST:]:
            raise ValueError("it was changed since it was written")
        low = np.frombuffer(data, np.uint8, n, HEADER.size).astype(np.uint64)
        bits = np.unpackbits(np.frombuffer(data, np.uint8, offset=HEADER.size + n)[:-DIGEST])
        ones = np.flatnonzero(bits)
        if len(ones) != n or (n and ones[-1] >= n + buckets):
            raise ValueError("its bitmap does not tell of as many runs as its header")
        high = ones.astype(np.uint64) - np.arange(n, dtype=np.uint64)
        runs = cast("Hashes", high << np.uint64(LOW_BITS) | low)
        if bool(np.any(runs[1:] <= runs[:-1])):
            raise ValueError("its runs are not in order")
        return cls(text.hex(), words, buckets, runs)


def _hashes(words: Sequence[str], known: dict[str, int]) -> Hashes:
    """Of every COPIED_WORDS words in a row; `known` keeps the hash of each word."""
    for word in words:
        if word not in known:
            raw = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            known[word] = int.from_bytes(raw, "little")
    each = np.fromiter((known[word] for word in words), np.uint64, len(words))
    hashes = np.zeros(max(0, len(words) - COPIED_WORDS + 1), np.uint64)
    for at in range(COPIED_WORDS if len(hashes) else 0):
        hashes = hashes * _FACTOR + each[at : at + len(hashes)]
    # A sum alone is even in its lowest bits where its words are.
    hashes = (hashes ^ hashes >> np.uint64(31)) * _MIX
    return hashes ^ hashes >> np.uint64(29)


def _dealt(hashes: Hashes, buckets: int) -> Hashes:
    """To each its bucket, by its upper half, and its low bits."""
    bucket = (hashes >> np.uint64(32)) * np.uint64(buckets) >> np.uint64(32)
    return bucket << np.uint64(LOW_BITS) | hashes & np.uint64((1 << LOW_BITS) - 1)
