"""How often a second a model's weights can be read: no token can be written in less time."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

from bench.workload import Work
from gpt.decode.weights import Precision

BYTES: dict[Precision, int] = {"float32": 4, "bfloat16": 2, "int8": 1}


@numba.njit(nogil=True)
def read(words: Any, times: int) -> int:
    """Every one of `words`, so many times; what comes out depends on all of them."""
    total = words[0]
    for _ in range(times):
        for word in words:
            total ^= word
        total += words[0]
    return total


class Reading:
    """Reads as many bytes as a token needs from its model, each thread its own share of them.

    The bytes are read again and again: where they fit into a processor's cache they come from
    there, as the model's do.
    """

    def __init__(self, work: Work, precision: Precision, threads: int) -> None:
        matrices = sum(p.numel() for p in work.model.blocks.parameters() if p.dim() == 2)
        head = work.model.config.vocab_size * work.model.config.n_embd
        self.bytes = (matrices + head) * BYTES[precision]
        words = np.arange(self.bytes // 8, dtype=np.int64)
        self._shares = [share.copy() for share in np.array_split(words, threads)]
        self._times = work.new_tokens
        self._pool = ThreadPoolExecutor(threads)

    def warm(self) -> None:
        """Compile."""
        list(self._pool.map(lambda share: read(share, 1), self._shares))

    def __call__(self) -> float:
        """How many times a second."""
        began = time.perf_counter()
        list(self._pool.map(lambda share: read(share, self._times), self._shares))
        return self._times / (time.perf_counter() - began)

    def close(self) -> None:
        self._pool.shutdown()
