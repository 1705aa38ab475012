"""Trainings as the commands begin them: the loop with what it stops for."""

from typing import Any

from train.data.folder import Data
from train.loop.config import TrainConfig
from train.loop.run import Run
from train.loop.train import train
from train.run.validate import Validation


def train_into(
    run: Run,
    config: TrainConfig,
    data: Data,
    *,
    resume: bool = False,
    about: dict[str, Any] | None = None,
    **more: Any,
) -> bool:
    """`train.loop.train.train` with the validation that every command gives it.

    Args:
        more: See there.
    """
    validation = Validation(config, data, run, {"command": "test", **(about or {})})
    return train(config, data, run, validation, resume=resume, **more)
