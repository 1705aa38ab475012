"""Which windows a step reads: a pure function of (seed, step), so a run resumes with no state."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gpt.dataset import SlidingWindowDataset
from train.config import TrainConfig

# Stream numbers keep the draws of an epoch, a step and the dropout apart under one seed.
EPOCH, STEP = 1, 2


class Batches:
    """Micro-batches of training windows by step.

    In order "epochs" every window of an epoch comes once, in an order drawn for that epoch, and
    the windows are cut anew from another offset, so that no text is always seen at the same place.
    """

    def __init__(self, tokens: NDArray[np.unsignedinteger], config: TrainConfig) -> None:
        self.tokens, self.config = tokens, config
        block = config.block_size
        # Cutting from any offset below block_size leaves this many windows in every epoch.
        self.per_epoch = (len(tokens) - block) // block
        if config.order == "epochs" and self.per_epoch < 1:
            raise ValueError(
                f"expected more than {2 * block} training tokens for block_size={block}, "
                f"got {len(tokens)}: use more text or a smaller block_size"
            )
        self._plan = lru_cache(maxsize=2)(self._draw)

    def _draw(self, epoch: int) -> tuple[SlidingWindowDataset, NDArray[np.int64]]:
        rng = np.random.default_rng((self.config.seed, EPOCH, epoch))
        offset = int(rng.integers(self.config.block_size))
        block = self.config.block_size
        windows = SlidingWindowDataset(self.tokens[offset:], block, stride=block)
        return windows, rng.permutation(self.per_epoch)

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
        """Passes over the training text before `step`."""
        return step * self.config.tokens_per_step / len(self.tokens)
