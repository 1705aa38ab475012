"""How fast a training goes on this machine as it is now: its steps, on weights nobody keeps."""

import time

import torch
from torch.nn import functional as F

from gpt.model import GPT
from train.config import TrainConfig
from train.data import Data
from train.machine import autocast, pick_device
from train.optimize import clip, make_optimizers
from train.order import Batches


class Pace:
    """The steps of `train.pretrain` with `config`, without all that it stops for."""

    def __init__(self, config: TrainConfig, data: Data) -> None:
        self.config, self.device = config, pick_device(config.device)
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
            inputs, targets = self.batches.micro_batch(self._step, part)  # (B, T) each
            with autocast(self.device, self.config.precision):
                logits = self._forward(inputs.to(self.device))  # (B, T, V)
            targets = targets.to(self.device).flatten()
            loss = F.cross_entropy(logits.flatten(0, 1).float(), targets)
            (loss / self.config.accumulate).backward()
        clip(self.model, self.config.grad_clip)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self._step += 1
