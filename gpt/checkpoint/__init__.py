"""A model on disk, in the layout of Hugging Face model folders."""

from gpt.checkpoint.folder import (
    Checkpoint,
    CheckpointError,
    count_parameters,
    load,
    load_model,
    read_card,
    read_config,
    save,
    version,
)
from gpt.checkpoint.shards import INDEX, weight_files
from gpt.checkpoint.training_json import WEIGHTS, read_training

__all__ = [
    "INDEX",
    "WEIGHTS",
    "Checkpoint",
    "CheckpointError",
    "count_parameters",
    "load",
    "load_model",
    "read_card",
    "read_config",
    "read_training",
    "save",
    "version",
    "weight_files",
]
