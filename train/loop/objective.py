"""What a step minimizes: the cross-entropy of the text, unless a hook says otherwise."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

Objective = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, float]]
"""From inputs (B, T), logits (B, T, V) and targets (B, T): the loss, a mean over the tokens, and
the nats per token of the text, which are what is logged."""


def cross_entropy(inputs: Tensor, logits: Tensor, targets: Tensor) -> tuple[Tensor, float]:
    """The loss of the text itself, in nats per token, computed in float32."""
    loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
    return loss, loss.item()
