"""What makes a training step fast on a CPU, set into the textbook's `GPT`: `quicken`.

Dropout draws bytes: PyTorch's takes 7.5 ns for an element, on one thread, this 1.2 (LOG.md).
Attention is two plain products where they beat the fused kernel, which saves memory but computes in
small pieces. Which parts serve is measured once, at the start, and kept in the state of the run: a
resumed one must not choose anew. Both mean what they stand for; they round and draw otherwise.
"""

import time
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from gpt.model import GPT, Attention, Block
from train.loop.config import TrainConfig
from train.loop.device import autocast, has_fast_bfloat16
from train.loop.distributed import ALONE, Processes

LEVELS = 1 << 16
"""A mask compares 16 random bits: a probability is rounded to a multiple of 1 / 65,536."""
QUERIES = 128
"""Queries that attend at once; none of them looks at keys behind the last, which saves a part."""
LARGEST = 1 << 30
"""Bytes of attention weights, over all layers, above which the fused kernel is taken unmeasured."""
LEAST_SECONDS = 0.5
"""What measuring takes at least, for all ways together."""


@dataclass(frozen=True, slots=True)
class Way:
    """How the steps of one training compute, from its first to its last."""

    precision: str
    """float32 or bfloat16, of the products."""
    plain: bool
    """Attention as plain products; the fused kernel otherwise."""

    def __str__(self) -> str:
        return f"{self.precision}, {'plain' if self.plain else 'fused'} attention"


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, p: float) -> Tensor:
        level = min(round(p * LEVELS), LEVELS - 1)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        # By the probability that is drawn, not by p: so the expectation is x exactly.
        kept = bits.ge_(level - LEVELS // 2).to(x.dtype).mul_(LEVELS / (LEVELS - level))
        ctx.save_for_backward(kept)
        return x * kept

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (kept,) = ctx.saved_tensors  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
        return gradient * kept, None  # pyright: ignore[reportUnknownVariableType]


def drop(x: Tensor, p: float) -> Tensor:
    """Dropout (Srivastava et al. 2014) of a CPU tensor, drawn from torch's generator."""
    return _Drop.apply(x, p)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportReturnType]


class ByteDropout(nn.Module):
    """In place of `nn.Dropout` on a CPU."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return drop(x, self.p) if self.training else x


def plain_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float) -> Tensor:
    """Causal attention of whole windows: (B, H, T, D) over (B, H_kv, T, D) twice → (B, H, T, D)."""
    B, H, T, D = q.shape
    # Contiguous, for a product of strided heads takes a third longer.
    q, k, v = (x.repeat_interleave(H // x.shape[1], 1).reshape(B * H, T, D) for x in (q, k, v))
    found: list[Tensor] = []
    for start in range(0, T, QUERIES):
        stop = min(start + QUERIES, T)
        hidden = _hidden(stop - start, stop, q.dtype)
        scores = torch.baddbmm(hidden, q[:, start:stop], k[:, :stop].mT, alpha=D**-0.5)
        weights = scores.softmax(-1)  # (B·H, queries, keys)
        if dropout:
            weights = drop(weights, dropout)
        found.append(weights @ v[:, :stop])
    return torch.cat(found, 1).view(B, H, T, D)


@lru_cache(maxsize=32)
def _hidden(queries: int, keys: int, dtype: torch.dtype) -> Tensor:
    """-∞ where the last `queries` of `keys` positions may not look, 0 elsewhere."""
    return torch.full((queries, keys), -torch.inf, dtype=dtype).triu(1 + keys - queries)


def quicken(model: GPT, config: TrainConfig, way: Way) -> None:
    """Set the parts of `way` into `model`, for its passes in training; those of others stay out.

    Compiled models and GPUs have fused dropout and attention of their own.
    """
    if model.device.type != "cpu" or config.compile:
        return
    for module in model.modules():
        if isinstance(module, Attention):
            # The fused kernel has no dropout on a CPU: with it PyTorch takes plain products too.
            plain = way.plain or module.dropout > 0
            module.trained_by = plain_attention if plain else None
        elif isinstance(module, Block | GPT) and config.dropout:
            module.drop = ByteDropout(config.dropout)


def usual(config: TrainConfig, device: torch.device) -> Way:
    """What is computed without measuring: as before there was a choice."""
    fast = config.precision == "auto" and has_fast_bfloat16(device)
    return Way("bfloat16" if fast or config.precision == "bfloat16" else "float32", plain=False)


def choose(
    config: TrainConfig, vocab_size: int, device: torch.device, processes: Processes = ALONE
) -> Way:
    """The fastest way of a training's passes on this machine; measured with precision="auto".

    A model of one layer goes forward and backward in turns. Torch's random numbers go on as if
    nothing had been measured. All processes follow the first.
    """
    way = usual(config, device)
    weights = 2 * config.n_layer * config.batch_size * config.n_head * config.block_size**2
    if device.type != "cpu" or config.compile or weights > LARGEST:
        return way
    if config.precision != "auto":
        return replace(way, plain=way.precision == "bfloat16")
    precisions = ("bfloat16", "float32") if has_fast_bfloat16(device) else ("float32",)
    inside = config.family == "gpt2" and config.dropout > 0
    kinds = (True,) if inside else (True, False)
    ways = [Way(precision, plain) for precision in precisions for plain in kinds]
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]
        seconds = measure(ways, replace(config, n_layer=1), vocab_size)
    fastest = min(range(len(ways)), key=lambda i: seconds[ways[i]])
    return ways[int(processes.total(fastest if processes.first else 0))]


def measure(ways: list[Way], config: TrainConfig, vocab_size: int) -> dict[Way, float]:
    """Seconds of the processor that a pass takes, forward and backward, in each way.

    The fewest of several, and no time on the clock: of that a busy neighbour takes a part from one
    way and not from another.
    """
    model = GPT(config.model_config(vocab_size)).train()
    tokens = torch.randint(vocab_size, (config.batch_size, config.block_size))
    found: dict[Way, list[float]] = {way: [] for way in ways}
    began = time.perf_counter()
    # Two rounds at least, of which the first warms up.
    while len(found[ways[0]]) < 2 or time.perf_counter() - began < LEAST_SECONDS:
        for way in ways:
            quicken(model, config, way)
            start = time.process_time()
            with autocast(model.device, way.precision):
                loss = model(tokens).float().logsumexp(-1).mean()
            loss.backward()
            model.zero_grad()
            found[way].append(time.process_time() - start)
    return {way: min(times[1:]) for way, times in found.items()}
