"""A model on disk, in the layout of Hugging Face model folders."""

from gpt.checkpoint.folder import (
    INDEX,
    WEIGHTS,
    Checkpoint,
    CheckpointError,
    count_parameters,
    load,
    load_model,
    read_card,
    read_config,
    read_training,
    save,
    version,
    weight_files,
)

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
