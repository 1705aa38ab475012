"""Low-rank adapters (LoRA, Hu et al. 2021): a frozen model learns through small matrices beside it.

Beside every linear layer W stand two narrow ones, and x W^T becomes x W^T + ALPHA / rank x A^T B^T.
A tied output layer is the token embedding, no linear layer: it stays as it was. Merged, W takes in
the product of the two, and what is saved is a plain model that any engine runs.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gpt.model import GPT

ALPHA = 32.0
"""Divided by the rank, so that one learning rate fits every rank (section 4.1)."""


class LoRALinear(nn.Module):
    """A linear layer that is frozen, and what it has learnt since: (…, in) → (…, out)."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        largest = min(linear.in_features, linear.out_features)
        if not 1 <= rank <= largest:
            raise ValueError(
                f"the rank must be between 1 and {largest}, the width of the narrowest layer, "
                f"not {rank}"
            )
        self.linear = linear.requires_grad_(False)
        self.scale = ALPHA / rank
        new = linear.weight.new_empty
        self.a = nn.Parameter(new(rank, linear.in_features))
        # B = 0: before the first step the layer is what it was.
        self.b = nn.Parameter(new(linear.out_features, rank).zero_())
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.scale * F.linear(F.linear(x, self.a), self.b)

    def merge(self) -> nn.Linear:
        """The one linear layer that does the same."""
        with torch.no_grad():
            self.linear.weight += self.scale * (self.b @ self.a)
        return self.linear


def add_adapters(model: GPT, rank: int, *, first: int = 0) -> None:
    """Freeze `model`; put adapters beside its linear layers, the lowest `first` blocks left out.

    Raises:
        ValueError: the rank is not between 1 and the width of the narrowest layer.
    """
    model.requires_grad_(False)
    parents = [parent for block in list(model.blocks)[first:] for parent in block.modules()]
    for parent in [*parents, model]:
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Linear):
                setattr(parent, name, LoRALinear(layer, rank))


def merged(model: GPT) -> GPT:
    """A copy of `model` with its adapters merged; `model` itself where it has none."""
    if not any(isinstance(layer, LoRALinear) for layer in model.modules()):
        return model
    plain = copy.deepcopy(model)
    for parent in list(plain.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, LoRALinear):
                setattr(parent, name, layer.merge())
    return plain
