"""Inkling's library: a small GPT, its tokenizers, and the engine that writes with it."""

from gpt.checkpoint import Checkpoint, CheckpointError, load
from gpt.config import GPTConfig
from gpt.model import GPT

__all__ = ["GPT", "Checkpoint", "CheckpointError", "GPTConfig", "load"]
