"""Optimizers (Muon and AdamW) and their parameter groups, the schedules, gradient clipping."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Muon, Optimizer

from gpt.model import GPT
from train.loop.config import TrainConfig
from train.loop.device import has_fast_bfloat16
from train.loop.distributed import whole_tensor


def make_optimizers(
    model: GPT,
    config: TrainConfig,
    scale: Callable[[str], float] = lambda name: 1.0,
    *,
    muon_of: type[Muon] | None = None,
) -> list[Optimizer]:
    """One optimizer per kind of parameter; every one that is not frozen is in exactly one group.

    Muon (Jordan et al. 2024) takes the matrices inside the blocks, with its step scaled to AdamW's
    (Liu et al. 2025, section 2.2), so that one learning rate serves both. Decay is for matrices
    alone: a norm's scale or a bias has no reason to be near 0.

    Args:
        scale: What the learning rate of a parameter is multiplied by, by the parameter's name.
        muon_of: The Muon to take; None: what is fastest on the model's device.
    """
    found = {name: p for name, p in model.named_parameters() if p.requires_grad}
    muon = {
        name
        for name, p in found.items()
        if config.optimizer == "muon" and name.startswith("blocks.") and p.dim() == 2
    }
    matrices = {name for name, p in found.items() if name not in muon and p.dim() >= 2}
    vectors = found.keys() - muon - matrices

    def groups(names: set[str], weight_decay: float) -> list[dict[str, Any]]:
        by_scale: dict[float, list[Tensor]] = {}
        for name, parameter in found.items():
            if name in names:
                by_scale.setdefault(scale(name), []).append(parameter)
        return [
            {
                "params": params,
                "weight_decay": weight_decay,
                "full_decay": weight_decay,
                "scale": factor,
            }
            for factor, params in by_scale.items()
        ]

    optimizers: list[Optimizer] = []
    if rest := groups(matrices, config.weight_decay) + groups(vectors, 0.0):
        betas = (config.beta1, config.beta2)
        optimizers.append(AdamW(rest, lr=config.learning_rate, betas=betas, fused=True))
    if muon:
        kind = muon_of or _muon_for(model.device)
        optimizers.append(
            kind(
                groups(muon, config.weight_decay),
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


def decay_factor(step: int, config: TrainConfig) -> float:
    """What the weight decay of update `step` is multiplied by: 1, or linearly down to 0."""
    if config.weight_decay_schedule == "constant":
        return 1.0
    return (config.max_steps - step) / config.max_steps


def set_weight_decay(optimizers: list[Optimizer], factor: float) -> None:
    """Give every group its weight decay times `factor`."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["weight_decay"] = group["full_decay"] * factor


def set_learning_rate(optimizers: list[Optimizer], rate: float) -> None:
    """Give every group `rate`, times its own scale."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]


def clip(model: nn.Module, longest: float) -> float:
    """Scale the gradient to a norm of at most `longest` (0: leave it); return its norm before."""
    bound = longest if longest else math.inf
    return float(whole_tensor(torch.nn.utils.clip_grad_norm_(model.parameters(), bound)))


def _muon_for(device: torch.device) -> type[Muon]:
    """On a CPU with bfloat16 a batched product gains nothing, and rounds otherwise than it always
    did; without, torch's own is 26 to 40 times slower (LOG.md)."""
    stacks = device.type == "cuda" or (device.type == "cpu" and not has_fast_bfloat16(device))
    return StackedMuon if stacks else Muon


class StackedMuon(Muon):
    """`torch.optim.Muon` with one batched product for all matrices of a shape, for a GPU that one
    small matrix at a time leaves idle.

    Same arguments, same state (a `momentum_buffer` for each matrix), so that either goes on where
    the other stopped; the sums of a batched product may round otherwise.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update of every matrix that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            stacks: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    stacks.setdefault(parameter.shape, []).append(parameter)
            for parameters in stacks.values():
                self._update(parameters, group)
        return loss

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Update matrices of one shape."""
        gradients = torch.stack([p.grad for p in parameters if p.grad is not None])  # (n, r, c)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(gradient)
            state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        means = torch.stack([self.state[p]["momentum_buffer"] for p in parameters])
        if group["nesterov"]:
            means = gradients.lerp(means, group["momentum"])
        updates = self.orthogonal(means, group)
        rows, columns = parameters[0].shape
        scale = max(1.0, rows / columns) ** 0.5
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * max(rows, columns) ** 0.5
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update, alpha=-group["lr"] * scale)

    def orthogonal(self, means: Tensor, group: dict[str, Any]) -> Tensor:
        """(n, rows, columns) → the same, half-orthogonal."""
        return orthogonal(means, group["ns_coefficients"], group["ns_steps"], group["eps"])


def orthogonal(
    matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """The nearest half-orthogonal matrices, about: Newton-Schulz (Jordan et al. 2024), in bfloat16
    where the device has it in hardware, else in float32.

    (n, rows, columns) → the same.
    """
    a, b, c = coefficients
    x = matrices.bfloat16() if has_fast_bfloat16(matrices.device) else matrices.float()
    if tall := x.shape[1] > x.shape[2]:
        x = x.transpose(1, 2)
    x = F.normalize(x.flatten(1), dim=1, eps=eps).view(x.shape)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        gram = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, gram, x, beta=a)
    return x.transpose(1, 2) if tall else x
