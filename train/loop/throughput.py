"""How fast a training goes on this machine as it is now: its steps, on weights nobody keeps."""

import time
from dataclasses import replace

import torch

from gpt.model import GPT
from train.data.folder import Data
from train.loop.batches import Batches
from train.loop.config import TrainConfig
from train.loop.device import pick_device
from train.loop.fast import choose, quicken
from train.loop.optimize import clip, make_optimizers
from train.loop.step import Objective, accumulate_gradients, cross_entropy


class Throughput:
    """The steps of `train.loop.train` with `config`, without all that it stops for.

    Args:
        objective: See `train.loop.step`.
    """

    def __init__(
        self, config: TrainConfig, data: Data, objective: Objective = cross_entropy
    ) -> None:
        self.device, self._objective = pick_device(config.device), objective
        self.model = GPT(config.model_config(data.tokenizer.vocab_size)).to(self.device)
        self.way = choose(config, data.tokenizer.vocab_size, self.device)
        quicken(self.model, config, self.way)
        self.config = replace(config, precision=self.way.precision)
        self.batches = Batches(data.train, config, data.tokenizer.eos_id)
        self._forward = torch.compile(self.model) if config.compile else self.model  # pyright: ignore[reportUnknownMemberType]
        self._optimizers = make_optimizers(self.model, config)
        self._step = 0

    def seconds(self, steps: int) -> float:
        """How long its next `steps` take, all together. The first one ever also warms up."""
        began = time.perf_counter()
        for _ in range(steps):
            self._take()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    def _take(self) -> None:
        accumulate_gradients(
            self._forward,
            self.batches,
            self._objective,
            self.config,
            step=self._step,
            passes=range(self.config.accumulate),
            device=self.device,
        )
        clip(self.model, self.config.grad_clip)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self._step += 1
