"""`NumbaCore`: the compiled decode core behind the interface of `gpt.decode.core.Core`."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gpt.cache import KVCache
from gpt.decode import draw as drawing
from gpt.decode.forward import DONE, HELPERS, LEAVE, TICKET, forward, help_out, make_scratch
from gpt.decode.precision import Precision, exact_precision
from gpt.decode.threads import Helpers, Pace
from gpt.decode.weights import pack
from gpt.model import GPT
from gpt.sampling import (
    N_ALTERNATIVES,
    NOT_FINITE,
    NOTHING_LEFT,
    Bias,
    Draw,
    SamplingParams,
    seeded,
    uniform,
)

MAX_ROWS = 32
"""Positions that one pass reads: the weights are read once for all, and the rows stay in cache."""
NONE_SEEN = np.zeros(0, np.int64)
NO_BIAS = Bias(np.zeros(0, np.int64), np.zeros(0, np.float64))


class NumbaCore:
    """Reads and draws as the model does, in float32 sums over weights of a precision of their own.

    A story's logits do not depend on how it is cut into passes, on its company, or on the number of
    threads, to the bit.

    Args:
        model: In eval mode, float32, on the CPU.
        vocab_size: Of the tokenizer: ids that only pad the model's are never drawn.
        cache: Of the stories, for this model.
        precision: None for what rounds no weight of the model: bfloat16 or float32.
        threads: At most so many work on a pass; whether they gain is measured.
    """

    def __init__(
        self,
        model: GPT,
        vocab_size: int,
        cache: KVCache,
        *,
        precision: Precision | None = None,
        threads: int = 1,
    ) -> None:
        precision = precision or exact_precision(model)
        self.name = f"numba {precision}"
        self._vocab_size = vocab_size
        self._block_size = model.config.block_size
        self._cache = cache
        self._weights = pack(model, precision)
        self._keys, self._values = cache.keys.numpy(), cache.values.numpy()
        # What a helper that was lost may still write to is its own.
        self._alone, self._together = (
            make_scratch(model.config, self._weights, MAX_ROWS, threads) for _ in range(2)
        )
        self._desk = drawing.make_desk(vocab_size, N_ALTERNATIVES)
        self._pace = Pace()
        self._helpers = Helpers(threads - 1, self.help_out)
        self._load()

    @property
    def threads(self) -> int:
        """How many work on a pass, by what was last measured."""
        return 1 + (self._helpers.count if self._pace.gains else 0)

    def close(self) -> None:
        """End the threads that help."""
        self._together.shared[LEAVE] = 1
        self._helpers.close()

    def read(self, slots: Sequence[int], unread: Sequence[Sequence[int]]) -> list[Tensor]:
        """See `gpt.decode.core.Core.read`."""
        for slot, ids in zip(slots, unread, strict=True):
            if (length := self._cache.lengths[slot] + len(ids)) > self._block_size:
                raise ValueError(
                    f"sequence of {length} tokens exceeds block_size={self._block_size}"
                )
        logits: list[Tensor] = []
        for rows, wanted in self._passes(slots, unread):
            found = self._pass(rows, wanted)[:, : self._vocab_size].copy()
            # To iterate over a tensor takes as long as a tenth of a small model's token.
            logits += [torch.from_numpy(row) for row in found]  # pyright: ignore[reportUnknownMemberType]
        for slot, ids in zip(slots, unread, strict=True):
            self._cache.advance(slot, len(ids))
        return logits

    def draw(
        self,
        logits: Tensor,
        params: SamplingParams,
        seen: Sequence[int],
        rng: torch.Generator,
        n_top: int,
        bias: Bias | None = None,
    ) -> Draw:
        """As `gpt.sampling.sample`."""
        n_top = min(n_top, len(self._desk.top_ids))
        id, raw, probability, entropy = drawing.draw(
            logits.numpy(),
            self._desk,
            (
                float(params.temperature),
                params.top_k,
                float(params.top_p),
                float(params.min_p),
                float(params.repetition_penalty),
            ),
            np.array(seen, np.int64) if seen else NONE_SEEN,
            tuple(bias or NO_BIAS),
            uniform(rng) if params.temperature != 0 else 0.0,
            n_top,
        )
        if id == drawing.DAMAGED:
            raise ValueError(NOT_FINITE)
        if id == drawing.NOTHING:
            raise ValueError(NOTHING_LEFT)
        desk = self._desk
        ids, columns = desk.top_ids[:n_top].tolist(), desk.top[:, :n_top].tolist()
        return Draw(id, raw, probability, entropy, tuple(zip(ids, *columns, strict=True)))

    def _load(self) -> None:
        """Read the compiled code from disk now, and not while the first story waits."""
        self._forward(self._alone, np.zeros((3, 0), np.int64), [])
        self.draw(torch.zeros(self._vocab_size), SamplingParams(), (), seeded(0), 0)
        shared = self._together.shared
        shared[LEAVE] = 1
        self.help_out(1)
        shared[LEAVE] = 0

    def _passes(
        self, slots: Sequence[int], unread: Sequence[Sequence[int]]
    ) -> Iterator[tuple[NDArray[np.int64], list[int]]]:
        """What is to read, `MAX_ROWS` at a time: rows (3, n) of token, slot and position, and which
        of them are the last of their story."""
        rows: list[tuple[int, int, int]] = []
        last: list[int] = []
        for slot, ids in zip(slots, unread, strict=True):
            start = self._cache.lengths[slot]
            rows += [(id, slot, start + i) for i, id in enumerate(ids)]
            last.append(len(rows) - 1)
        for first in range(0, len(rows), MAX_ROWS):
            part = rows[first : first + MAX_ROWS]
            wanted = [at - first for at in last if first <= at < first + MAX_ROWS]
            yield np.array(part, np.int64).T, wanted

    def _pass(self, rows: NDArray[np.int64], wanted: list[int]) -> NDArray[np.float32]:
        """The logits (len(wanted), V') of some rows; the next pass overwrites them."""
        together = self._pace.together and self._helped()
        began = time.perf_counter()
        done = self._forward(self._together if together else self._alone, rows, wanted)
        if not done:
            # A helper lost its processor in the middle of a piece: it may go when it is back.
            self._together.shared[LEAVE] = 1
            done, together = self._forward(self._alone, rows, wanted), False
        if self._helpers.count:
            self._pace.took(time.perf_counter() - began)
        return (self._together if together else self._alone).logits[: len(wanted)]

    def _forward(self, scratch: Any, rows: NDArray[np.int64], wanted: list[int]) -> bool:
        scratch.rows[:, : rows.shape[1]] = rows
        scratch.wanted[: len(wanted) + 2] = [rows.shape[1], len(wanted), *wanted]
        return forward(self._weights, scratch, self._keys, self._values)

    def _helped(self) -> bool:
        """Wake the helpers; whether there are any that are not lost."""
        shared = self._together.shared
        if not self._helpers.count:
            return False
        if shared[LEAVE]:
            if shared[HELPERS]:
                return False
            shared[[TICKET, DONE, LEAVE]] = 0
        if shared[HELPERS] < self._helpers.count:
            self._helpers.wake()
        return True

    def help_out(self, thread: int) -> None:
        """Help with passes until there has been none for a while; thread is 1, 2, …"""
        help_out(self._weights, self._together, self._keys, self._values, thread)
