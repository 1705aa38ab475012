"""What a training leaves beside its best checkpoint: the weights of some of its steps, the losses.

A run is a folder with `best/`, `steps/000000` and so on (`train.pretrain`), and `metrics.jsonl`.
Its steps are no models of the picker; who wants one asks here.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chat.models.catalogue import Listing, read_listing
from gpt.checkpoint import CheckpointError, read_training
from gpt.files import is_there, read_json_lines

STEPS = "steps"
METRICS = "metrics.jsonl"
MOST_STEP = 1 << 53
"""A page's numbers are exact up to here."""
MOST_POINTS = 300
"""A line of the curve is drawn through no more points than this: a page has no more pixels."""

Points = tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedStep:
    """The weights as they were after `step` updates.

    Attributes:
        listing: To be loaded like any model; its key is the run's with "@" and the folder's name.
        tokens: Read until then.
        val_loss, val_bpb: Nats per token and bits per byte on text it was not trained on, where
            they were measured at this step.
        training: Its training.json.
    """

    listing: Listing
    step: int
    tokens: int | None
    val_loss: float | None
    val_bpb: float | None
    training: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Losses in nats per token, each with its step, in the order of the steps."""

    train: Points = ()
    valid: Points = ()

    def __bool__(self) -> bool:
        return bool(self.train or self.valid)


def run_folder(listing: Listing) -> Path:
    """The folder of the run that a model is the best checkpoint of; its own where there is none."""
    return listing.folder.parent if listing.folder.name == "best" else listing.folder


def find_steps(models: Mapping[str, Listing]) -> dict[str, tuple[SavedStep, ...]]:
    """The saved steps of every run whose best checkpoint is among `models`, by its key.

    Steps come in order; a folder that is no checkpoint, or does not say its step, is left out.
    A run without any is left out too. Step folders are looked for anew with each call.
    """
    found = {key: tuple(_steps(listing)) for key, listing in models.items()}
    return {key: steps for key, steps in found.items() if steps}


def step_listings(models: Mapping[str, Listing]) -> dict[str, Listing]:
    """All saved steps of all runs by their own keys, as in "mine@000100"."""
    return {
        step.listing.key: step.listing for steps in find_steps(models).values() for step in steps
    }


def _steps(run: Listing) -> Iterator[SavedStep]:
    folder = run_folder(run) / STEPS
    if not run.here:
        return
    try:
        inside = [each.name for each in folder.iterdir()]
    except OSError:
        return
    names = [name for name in inside if name.isascii() and name.isdigit() and len(name) <= 12]
    for name in sorted(names, key=int):
        listing = read_listing(f"{run.key}@{name}", folder / name)
        if listing is None or listing.broken:
            continue
        try:
            training = read_training(folder / name)
        except CheckpointError:
            training = {}
        said = training.get("step")
        yield SavedStep(
            # Steps of one run differ in their weights alone.
            listing=replace(listing, starters=run.starters, own=run.own, open_text=run.open_text),
            step=said if isinstance(said, int) else int(name),
            tokens=tokens if isinstance(tokens := training.get("tokens"), int) else None,
            val_loss=number(training.get("val_loss")),
            val_bpb=number(training.get("val_bpb")),
            training=training,
        )


def read_curve(folder: Path) -> Curve:
    """The losses of the run that `folder` is, or lies in; an empty curve where nothing was logged.

    A line that was cut off, or holds no step or loss that is a number, is left out. Where a step
    was logged twice, the later line counts.
    """
    place = folder if is_there(folder, METRICS) else folder.parent
    losses: dict[str, dict[int, float]] = {"train_loss": {}, "val_loss": {}}
    for record in records(place, METRICS):
        step = record.get("step")
        if type(step) is not int or not 0 <= step <= MOST_STEP:
            continue
        for name, by_step in losses.items():
            if (loss := number(record.get(name))) is not None:
                by_step[step] = loss
    return Curve(train=_points(losses["train_loss"]), valid=_points(losses["val_loss"]))


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    """The JSON objects of a run's log, one a line; none where it cannot be read."""
    try:
        return read_json_lines(folder, name)
    except CheckpointError:
        return []


def number(value: object) -> float | None:
    """A finite number as it is; None for anything else that a JSON file may hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _points(by_step: Mapping[int, float]) -> Points:
    """In order, and of many that would share a pixel on a log scale only the last."""
    steps = sorted(by_step)
    if len(steps) > MOST_POINTS:
        wide = math.log1p(steps[-1])
        kept = {int(math.log1p(step) / wide * MOST_POINTS): step for step in steps}
        steps = sorted(kept.values())
    return tuple((step, by_step[step]) for step in steps)
