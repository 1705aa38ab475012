"""Inkling's library: a small GPT, its tokenizers, and the engine that writes with it."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpt.checkpoint import Checkpoint, CheckpointError
    from gpt.checkpoint.hub import load
    from gpt.config import GPTConfig
    from gpt.model import GPT

__all__ = ["GPT", "Checkpoint", "CheckpointError", "GPTConfig", "load"]

# torch's threads spin while they wait for each other, and beside any busy neighbour the one that is
# waited for gets no core: a tenth of the speed (LOG.md). OpenMP reads this when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOMES = {"GPT": "gpt.model", "GPTConfig": "gpt.config", "load": "gpt.checkpoint.hub"}


def __getattr__(name: str) -> Any:
    """Load what is asked for, and torch with it, when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'gpt' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "gpt.checkpoint")), name)
