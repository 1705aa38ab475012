"""Floating-point operations: what a training step takes, and what a device does at best."""

import time

import torch

from gpt.config import GPTConfig
from gpt.model import GPT


def flops_per_token(config: GPTConfig, n_params: int) -> float:
    """Of training, forward and backward (Chowdhery et al. 2022, appendix B).

    6 for each parameter, with those of positions left out, which are looked up, and 12 for each
    pair of a query and a key, as if every query saw the whole window.
    """
    looked_up = config.block_size * config.n_embd if config.family == "gpt2" else 0
    if not config.tie_embeddings:
        looked_up += config.vocab_size * config.n_embd
    attended = config.n_layer * config.n_head * config.head_dim * config.block_size
    return 6.0 * (n_params - looked_up) + 12.0 * attended


class Utilisation:
    """Tokens per second → the share of what the device does at best (MFU), said of a GPU alone."""

    def __init__(self, model: GPT, precision: str) -> None:
        self.per_token = flops_per_token(model.config, model.n_params)
        self.peak = 0.0
        if model.device.type == "cuda":
            self.peak = peak_flops(model.device, getattr(torch, precision))

    def said(self, tokens_per_second: float) -> str:
        """The end of a line of progress; "" on a CPU, where measuring costs a second."""
        if not self.peak:
            return ""
        share = tokens_per_second * self.per_token / self.peak
        return f", {share:.0%} of {self.peak / 1e12:.0f} TFLOP/s"


def peak_flops(device: torch.device, dtype: torch.dtype, size: int = 0, times: int = 5) -> float:
    """FLOP/s of a square product, the best of `times`: the measured peak, not the brochure's."""
    size = size or (8192 if device.type == "cuda" else 2048)
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(times + 1):
        start = time.perf_counter()
        torch.mm(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best
