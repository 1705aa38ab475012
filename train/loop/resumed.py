"""What a run that goes on is told: which of its settings are others now, and what that does."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from train.loop.config import TrainConfig
from train.loop.optimize import learning_rate
from train.loop.state import FOLDER, saved

NOTED = 1.2
"""A learning rate that is so many times the last one is worth a word."""
QUIET = ("device", "threads", "precision", "compile", "sample_prompt", "sample_tokens")
"""Where and how a training runs, which is no part of what it learns."""


def resumed_with(folder: Path, begun: dict[str, Any], config: TrainConfig) -> list[str]:
    """Lines on what differs from how a run began; none where nothing does.

    Args:
        begun: config.json of the run, which `train.loop.stored.read_config_json` checked.
        config: What it is to go on with.
    """
    known = {each.name for each in fields(TrainConfig)}
    told = {name: value for name, value in begun["config"].items() if name in known}
    old = TrainConfig.from_dict(told)
    differ = [
        f"{name} {getattr(old, name)} → {getattr(config, name)}"
        for name in told
        if name not in QUIET and getattr(old, name) != getattr(config, name)
    ]
    if not differ:
        return []
    lines = [f"goes on with other settings than it began with: {', '.join(differ)}"]
    states = saved(folder / FOLDER)
    step = int(states[-1].name) if states else 0
    if 0 < step < config.max_steps:
        was, will = learning_rate(step - 1, old), learning_rate(step, config)
        if was > 0 and not 1 / NOTED < will / was < NOTED:
            lines.append(_told(step, was, will, config))
    return lines


def _told(step: int, was: float, will: float, config: TrainConfig) -> str:
    alike = float(f"{config.learning_rate * was / will:.3g}")
    return (
        f"the learning rate was {was:.3g} at step {step - 1} and is {will:.3g} at step {step}, "
        f"{will / was:.3g} times that, for the schedule is laid over all {config.max_steps:,} "
        f"steps; to go on from where it was, stop this and give --learning-rate {alike:g}"
    )
