"""How fast a training goes on this machine as it is now: its steps, on weights nobody keeps."""

import time

import torch

from gpt.model import GPT
from train.data.folder import Data
from train.loop.batches import Batches
from train.loop.config import TrainConfig
from train.loop.device import autocast, pick_device
from train.loop.distill import Lesson, from_text
from train.loop.optimize import clip, make_optimizers


class Pace:
    """The steps of `train.pretrain` with `config`, without all that it stops for.

    Args:
        lesson: See `train.loop.distill`.
    """

    def __init__(self, config: TrainConfig, data: Data, lesson: Lesson = from_text) -> None:
        self.config, self.device, self._lesson = config, pick_device(config.device), lesson
        self.model = GPT(config.model_config(data.tokenizer.vocab_size)).to(self.device)
        self.batches = Batches(data.train, config, data.tokenizer.eos_id)
        self._forward = torch.compile(self.model) if config.compile else self.model
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
        for part in range(self.config.accumulate):
            # (B, T) each
            inputs, targets = (
                each.to(self.device) for each in self.batches.micro_batch(self._step, part)
            )
            with autocast(self.device, self.config.precision):
                logits = self._forward(inputs)  # (B, T, V)
            loss, _ = self._lesson(inputs, logits, targets)
            (loss / self.config.accumulate).backward()
        clip(self.model, self.config.grad_clip)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self._step += 1
