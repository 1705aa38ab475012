"""The windows of each micro-batch: a pure function of (seed, step, pass), so resuming needs no
state.

A pass is one micro-batch of a step, of which there are `config.accumulate`; with DDP each process
takes some of them. The windows are cut by `gpt.dataset.SlidingWindowDataset`.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gpt.dataset import SlidingWindowDataset
from train.loop.config import TrainConfig

# Stream numbers keep the draws of an epoch, a step and the dropout apart under one seed.
EPOCH, STEP, NOISE = 1, 2, 3


class Batches:
    """Micro-batches of training windows by step.

    In order "epochs" every window of an epoch comes once, in an order drawn for that epoch, and
    the windows are cut anew from another offset, so that no text is always seen at the same place.
    Order "documents" puts the documents into another order before that, so that none is always
    seen after the same one.

    Args:
        tokens: The training text, (n_tokens,).
        end: The id of the token that ends a document.

    Raises:
        ValueError: the text is too short for two windows.
    """

    def __init__(
        self, tokens: NDArray[np.unsignedinteger], config: TrainConfig, end: int | None = None
    ) -> None:
        self.tokens, self.config = tokens, config
        block = config.block_size
        # Cutting from any offset below block_size leaves this many windows in every epoch.
        self.per_epoch = (len(tokens) - block) // block
        if config.order != "random" and self.per_epoch < 1:
            raise ValueError(
                f"expected more than {2 * block} training tokens for block_size={block}, "
                f"got {len(tokens)}: use more text or a smaller block_size"
            )
        self.starts = np.zeros(1, np.int64)
        if config.order == "documents" and end is not None:
            after = np.flatnonzero(tokens == end) + 1
            self.starts = np.concatenate([self.starts, after[after < len(tokens)]])
        self._plan = lru_cache(maxsize=2)(self._draw)

    def _draw(self, epoch: int) -> tuple[SlidingWindowDataset, NDArray[np.int64]]:
        rng = np.random.default_rng((self.config.seed, EPOCH, epoch))
        offset = int(rng.integers(self.config.block_size))
        block = self.config.block_size
        order = rng.permutation(self.per_epoch)
        tokens = self.tokens
        if len(self.starts) > 1:
            documents = np.split(tokens, self.starts[1:])
            tokens = np.concatenate([documents[int(i)] for i in rng.permutation(len(documents))])
        return SlidingWindowDataset(tokens[offset:], block, stride=block), order

    def micro_batch(self, step: int, part: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets, (batch_size, block_size) each, of pass `part` in `step`."""
        size = self.config.batch_size
        if self.config.order == "random":
            rng = np.random.default_rng((self.config.seed, STEP, step, part))
            every = SlidingWindowDataset(self.tokens, self.config.block_size, stride=1)
            pairs = [every[int(i)] for i in rng.integers(len(every), size=size)]
        else:
            first = (step * self.config.accumulate + part) * size
            pairs = [self._window(first + i) for i in range(size)]
        inputs, targets = zip(*pairs, strict=True)
        return torch.stack(inputs), torch.stack(targets)

    def _window(self, count: int) -> tuple[Tensor, Tensor]:
        """The `count`-th window of the training, over all epochs."""
        epoch, place = divmod(count, self.per_epoch)
        windows, order = self._plan(epoch)
        return windows[int(order[place])]

    def epoch(self, step: int) -> float:
        """Epochs done before `step`, a fraction: tokens read / tokens of the training text."""
        return step * self.config.tokens_per_step / len(self.tokens)


def noise_seed(seed: int, step: int, part: int) -> int:
    """The dropout seed of one pass, so that with DDP dropout does not depend on the number of
    processes."""
    return int(np.random.SeedSequence((seed, NOISE, step, part)).generate_state(1, np.uint64)[0])


def steps_in(epochs: float, n_tokens: int, config: TrainConfig) -> int:
    """How many steps `epochs` over `n_tokens` of training text take, at least 1.

    Raises:
        ValueError: `epochs` is not above 0.
    """
    if not epochs > 0:
        raise ValueError(f"--epochs must be above 0, not {epochs}")
    per_epoch = (n_tokens - config.block_size) // config.block_size * config.block_size
    return max(1, math.ceil(epochs * per_epoch / config.tokens_per_step))
