"""What a step minimizes, and its passes (micro-batches), forward and backward.

Used by the training loop and, for the speed of this machine, by train.estimate.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from train.loop.batches import Batches, noise_seed
from train.loop.config import TrainConfig
from train.loop.device import autocast
from train.loop.distributed import ALONE, Processes

Objective = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From inputs (B, T), logits (B, T, V) and targets (B, T): the loss, a mean over the tokens, and
the nats per token of the text, which are what is logged."""


def cross_entropy(inputs: Tensor, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of the text itself, in nats per token, computed in float32: the usual objective."""
    loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
    return loss, loss.detach()


def accumulate_gradients(
    forward: Callable[[Tensor], Tensor],
    batches: Batches,
    objective: Objective,
    config: TrainConfig,
    *,
    step: int,
    passes: Iterable[int],
    device: torch.device,
    processes: Processes = ALONE,
) -> float:
    """Add the gradients of `step` to the model's: of this process's `passes`, and of the others'.

    Args:
        forward: The model, compiled or not: tokens (B, T) → logits (B, T, V).
        passes: Which of the step's `config.accumulate` micro-batches are this process's.
        device: Where the model is, and its batches belong.

    Returns:
        The losses of the passes, in nats per token, summed (divide by `config.accumulate`).
    """
    nats = list[Tensor]()
    for part in passes:
        if processes.count > 1:
            # Dropout as one process would draw it, whoever takes this pass.
            torch.manual_seed(noise_seed(config.seed, step, part))  # pyright: ignore[reportUnknownMemberType]
        # (B, T) each
        inputs, targets = (to_device(each, device) for each in batches.micro_batch(step, part))
        processes.begin_pass()
        with autocast(device, config.precision):
            logits = forward(inputs)  # (B, T, V)
        loss, of_text = objective(inputs, logits, targets)
        # The mean over the whole step, so that the learning rate does not depend on its cuts.
        (loss / config.accumulate).backward()  # pyright: ignore[reportUnknownMemberType]
        nats.append(of_text)
    # Read all at once: a GPU would be waited for after each pass, and stand still meanwhile.
    return sum(float(each) for each in torch.stack(nats).cpu())


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Send a batch on its way; from pinned memory a GPU fetches it while it still computes."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
