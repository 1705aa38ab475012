"""Averaged weights: a running mean of the weights, evaluated and saved instead of them.

Exponential moving average (Polyak and Juditsky 1992; as in `tf.train.ExponentialMovingAverage`):
mean ← decay × mean + (1 − decay) × weights after every step, with the decay held down to
(1 + step) / (10 + step) at first, so that the random weights of the beginning are soon forgotten.
"""

import copy

import torch
from torch import Tensor

from gpt.model import GPT


class EMA:
    """The mean of the weights of `model` that learn; with a decay of 0 none is kept."""

    def __init__(self, model: GPT, decay: float) -> None:
        self.model, self.decay = model, decay
        self.means: dict[str, Tensor] = {}
        if decay:
            self.means = {
                name: parameter.detach().clone()
                for name, parameter in model.named_parameters()
                if parameter.requires_grad
            }

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights as update `step`, counted from 0, left them."""
        decay = min(self.decay, (1 + step) / (10 + step))
        weights = dict(self.model.named_parameters())
        for name, mean in self.means.items():
            mean.lerp_(weights[name], 1 - decay)

    @torch.no_grad()
    def applied(self) -> GPT:
        """A copy of the model with the means as its weights; the model itself without a decay."""
        if not self.means:
            return self.model
        averaged = copy.deepcopy(self.model)
        for name, parameter in averaged.named_parameters():
            if name in self.means:
                parameter.copy_(self.means[name])
        return averaged

    @torch.no_grad()
    def restore(self, means: dict[str, Tensor]) -> None:
        """Go on from means that were saved.

        Raises:
            KeyError: they are of other weights.
        """
        if means.keys() != self.means.keys():
            raise KeyError("average")
        for name, mean in self.means.items():
            mean.copy_(means[name])
