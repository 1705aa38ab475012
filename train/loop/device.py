"""What this machine is good at: the device, the number format, the faster paths, its peak."""

import ctypes
import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext, suppress

import torch

from gpt.config import GPTConfig
from gpt.model import GPT


def pick_device(name: str) -> torch.device:
    """`name`, or for "auto" the fastest device that is there."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products run in hardware; emulated they are slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        can = torch.cpu.get_capabilities()
        return bool(can.get("amx_bf16") or can.get("avx512_bf16") or can.get("bf16"))
    return False


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context for a forward pass in `precision`: float32, bfloat16, or what is faster."""
    if precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def tune(threads: int, processes: int = 1) -> None:
    """Set the process up for training: threads, float32 products, memory kept for the next step.

    Args:
        threads: Of each process; 0 for one per core, dealt out to the `processes`.
    """
    if threads:
        torch.set_num_threads(threads)
    elif processes > 1:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))
    # "medium" lets oneDNN use its fast path (measured 2x); the weights stay float32 throughout.
    torch.set_float32_matmul_precision("medium")
    if sys.platform == "linux":
        # glibc gives big blocks back after every step and takes them again, page by page.
        trim_threshold, mmap_max = -1, -4
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(mmap_max, 0)
            libc.mallopt(trim_threshold, 2**31 - 1)


def machine_facts(device: torch.device) -> dict[str, str | int]:
    """What a card says about the machine that trained it."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count() or 0,
        "torch": torch.__version__,
    }


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
    """FLOP/s of a square product, the best of `times`: the measured peak, not the brochure's.

    Args:
        size: Rows of the square; 0 for a large one, on a CPU one that takes a quarter of a second
            at most: a type that it does not have in hardware is a hundred times slower.
    """
    if not size and device.type == "cpu":
        pace = peak_flops(device, dtype, 256, 1)
        size = max(128, min(2048, int((pace / 8) ** (1 / 3)) // 128 * 128))
    size = size or 8192
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(times + 1):
        start = time.perf_counter()
        torch.mm(a, b)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best
