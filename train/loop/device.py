"""What this machine is good at: the device, the number format, the faster paths."""

import ctypes
import os
import sys
from contextlib import AbstractContextManager, nullcontext, suppress

import torch


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
