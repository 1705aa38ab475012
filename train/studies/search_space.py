"""Which fields of a training a search may change, within which ranges."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna import Trial

from train.loop.config import TrainConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Numbers from low to high, both included."""

    low: float
    high: float
    log: bool = False
    """As likely between 1 and 10 as between 10 and 100."""
    whole: bool = False

    def suggest(self, trial: Trial, name: str) -> float:
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high))
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def holds(self, value: Any) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (", log scale" if self.log else "")


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of a few values."""

    values: tuple[str | int | float, ...]

    def suggest(self, trial: Trial, name: str) -> Any:
        return trial.suggest_categorical(name, self.values)

    def holds(self, value: Any) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return ", ".join(str(value) for value in self.values)


Space = Mapping[str, Range | Categorical]

USUAL = ("learning_rate", "weight_decay", "dropout", "decay_fraction", "batch_size")
"""What is searched when no --fields are given: what matters most for a text of a few megabytes."""


def known_fields(base: TrainConfig) -> dict[str, Range | Categorical]:
    """Every field that can be searched, with its usual range around `base`."""
    sizes = {max(1, base.batch_size * times // 2) for times in (1, 2, 4, 8)}
    return {
        "learning_rate": Range(low=3e-4, high=3e-2, log=True),
        "weight_decay": Range(low=0.01, high=1.0, log=True),
        "dropout": Range(low=0.0, high=0.4),
        "decay_fraction": Range(low=0.1, high=1.0),
        "batch_size": Categorical(tuple(sorted(sizes))),
        "warmup_steps": Range(low=0, high=max(1, base.max_steps // 5), whole=True),
        "momentum": Range(low=0.85, high=0.98),
        "beta1": Range(low=0.8, high=0.95),
        "beta2": Range(low=0.9, high=0.999),
        "grad_clip": Range(low=0.3, high=3.0, log=True),
        "optimizer": Categorical(("muon", "adamw")),
    }


def parse_space(words: Sequence[str], base: TrainConfig) -> dict[str, Range | Categorical]:
    """The space of words like `dropout`, `learning_rate=0.001:0.01` or `batch_size=8,16`.

    Raises:
        ValueError: a field that cannot be searched, or a range that is none.
    """
    known = known_fields(base)
    space: dict[str, Range | Categorical] = {}
    for word in words:
        name, _, given = word.partition("=")
        name = name.replace("-", "_")
        if name not in known:
            raise ValueError(f"cannot search {name!r}: known are {', '.join(known)}")
        space[name] = _narrowed(name, known[name], given) if given else known[name]
    return space


def _narrowed(name: str, usual: Range | Categorical, given: str) -> Range | Categorical:
    try:
        if isinstance(usual, Categorical):
            kind = type(usual.values[0])
            return Categorical(tuple(kind(value) for value in given.split(",")))
        low, high = (float(number) for number in given.split(":"))
    except ValueError as error:
        form = "8,16,32" if isinstance(usual, Categorical) else "0.001:0.01"
        raise ValueError(f"expected a range like {name}={form}, not {name}={given}") from error
    if not low < high or (usual.log and low <= 0):
        above = " above 0" if usual.log else ""
        raise ValueError(f"expected {name}=LOW:HIGH with LOW{above} below HIGH, not {given}")
    return replace(usual, low=low, high=high)


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """A value for each field of `space`."""
    return {name: values.suggest(trial, name) for name, values in space.items()}


def apply(base: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """`base` with `values` put over it, for as many tokens as before.

    Another batch size gets as many more or fewer steps, so that no trial scores better only
    because it read more text; what was counted in steps keeps its share of them.
    """
    times = base.batch_size / values.get("batch_size", base.batch_size)
    steps = max(1, round(base.max_steps * times))
    warmup = round(values.get("warmup_steps", base.warmup_steps) * times)
    every = max(1, math.ceil(base.eval_every * times))
    counted = {"max_steps": steps, "warmup_steps": warmup, "eval_every": every}
    return replace(base, **{**values, **counted})
