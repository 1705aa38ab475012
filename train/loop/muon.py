"""Muon over stacks of matrices, for a GPU that one small matrix at a time leaves idle."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Muon


class StackedMuon(Muon):
    """`torch.optim.Muon` with one batched product for all matrices of a shape.

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
        updates = orthogonal(means, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = parameters[0].shape
        scale = max(1.0, rows / columns) ** 0.5
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * max(rows, columns) ** 0.5
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update, alpha=-group["lr"] * scale)


def orthogonal(
    matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """The nearest half-orthogonal matrices, about: Newton-Schulz in bfloat16 (Jordan et al. 2024).

    (n, rows, columns) → the same.
    """
    a, b, c = coefficients
    x = matrices.bfloat16()
    if tall := x.shape[1] > x.shape[2]:
        x = x.transpose(1, 2)
    x = F.normalize(x.flatten(1), dim=1, eps=eps).view(x.shape)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        gram = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, gram, x, beta=a)
    return x.transpose(1, 2) if tall else x
