"""What turns gradients into steps: the parameter groups, Muon and AdamW, the learning rate."""

import math

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from gpt.model import GPT
from train.config import TrainConfig


def make_optimizers(model: GPT, config: TrainConfig) -> list[Optimizer]:
    """One optimizer per kind of parameter; every parameter is in exactly one group.

    Muon (Jordan et al. 2024) takes the matrices inside the blocks, with its step scaled to AdamW's
    (Liu et al. 2025, section 2.2), so that one learning rate serves both. Decay is for matrices
    alone: a norm's scale or a bias has no reason to be near 0.
    """
    inside = {id(p) for p in model.blocks.parameters() if p.dim() == 2}
    muon = [p for p in model.parameters() if id(p) in inside and config.optimizer == "muon"]
    taken = {id(p) for p in muon}
    rest = [p for p in model.parameters() if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizers: list[Optimizer] = [
        AdamW(
            [group for group in groups if group["params"]],
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            fused=True,
        )
    ]
    if muon:
        optimizers.append(
            Muon(
                muon,
                lr=config.learning_rate,
                weight_decay=config.weight_decay,
                momentum=config.momentum,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return optimizers


def learning_rate(step: int, config: TrainConfig) -> float:
    """The learning rate of update `step`, counted from 0."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if config.schedule == "cosine":
        # nanoGPT: down to a tenth at the last step.
        through = (step - config.warmup_steps) / max(1, config.max_steps - config.warmup_steps)
        cosine = 0.5 * (1 + math.cos(math.pi * min(max(through, 0.0), 1.0)))
        return config.learning_rate * min(warm, 0.1 + 0.9 * cosine)
    falling = max(1.0, config.decay_fraction * config.max_steps)
    return config.learning_rate * min(warm, (config.max_steps - step) / falling)


def set_learning_rate(optimizers: list[Optimizer], rate: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def clip(model: nn.Module, longest: float) -> float:
    """Scale the gradient to at most `longest` (0: leave it); return its length before."""
    bound = longest if longest else math.inf
    return float(torch.nn.utils.clip_grad_norm_(model.parameters(), bound))
