"""A training in memory ⇄ its state on disk: weights, optimizers, randomness, how far it is; and the
signal that asks it to stop."""

import math
import signal
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gpt.model import GPT
from train.loop.distributed import whole_tensor
from train.loop.ema import EMA
from train.loop.state import State, StateError


@dataclass(slots=True)
class Progress:
    """How far a training is: what a resumed one needs beside weights and optimizer states."""

    step: int = 0
    """Updates done, those that were skipped included."""
    elapsed_s: float = 0.0
    best_loss: float = math.inf
    best_step: int = -1
    recent: list[float] = field(default_factory=list[float])
    """Losses of the steps since the last line of metrics.jsonl."""
    skipped_in_row: int = 0
    """The steps just now whose loss or gradient was NaN or infinite."""
    precision: str = ""
    """Of the products, as the run began ("" in a state of an earlier version)."""
    plain_attention: bool = False
    """Whether attention is plain products, as the run began."""
    text: str = ""
    """SHA-256 of the tokens it learns from ("" in an older state, and of a fold)."""


def snapshot(model: GPT, optimizers: list[Optimizer], ema: EMA, progress: Progress) -> State:
    """All that a training needs to go on from here as if it had never been interrupted."""
    tensors = {"model": dict(model.state_dict())}
    for number, optimizer in enumerate(optimizers):
        tensors[f"optimizer-{number}"] = {
            f"{index}/{key}": value
            for index, values in optimizer.state_dict()["state"].items()
            for key, value in values.items()
        }
    if ema.means:
        tensors["average"] = dict(ema.means)
    tensors["random"] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["random"]["cuda"] = torch.cuda.get_rng_state()
    return State(tensors, asdict(progress))


def restore(
    state: State, model: GPT, optimizers: list[Optimizer], ema: EMA, text: str = ""
) -> Progress:
    """Put a state back into `model`, `optimizers`, `ema` and the random generators.

    Args:
        text: The SHA-256 of the tokens that the run learns from.

    Raises:
        StateError: it belongs to another model, or to a run on another text.
    """
    tensors = state.tensors
    learnt = state.progress.get("text")
    if text and learnt and learnt != text:
        raise StateError(
            f"the state of step {state.step} is of a run on other tokens (SHA-256 "
            f"{str(learnt)[:8]}…) than those it is to go on with ({text[:8]}…): give the data it "
            "began with, or, if it was copied there from another run, take it away"
        )
    other = "the state is of another model: give the options it was started with"
    try:
        model.load_state_dict(tensors["model"])
        ema.restore(tensors.get("average", {}))
        if sum(kind.startswith("optimizer-") for kind in tensors) != len(optimizers):
            raise StateError(other)
        for number, optimizer in enumerate(optimizers):
            _fill(optimizer, tensors[f"optimizer-{number}"])
        torch.set_rng_state(tensors["random"]["cpu"])
        if torch.cuda.is_available() and "cuda" in tensors["random"]:
            torch.cuda.set_rng_state(tensors["random"]["cuda"])
    except (RuntimeError, KeyError, ValueError, TypeError, IndexError) as error:
        raise StateError(other) from error
    # A state that was saved by an earlier version may tell more.
    known = {each.name for each in fields(Progress)}
    told: dict[str, Any] = {name: state.progress[name] for name in known & state.progress.keys()}
    told["text"] = text
    return Progress(**told)


def _fill(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimizer back what it remembers of each parameter."""
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no value is NaN or infinite."""
    return all(bool(whole_tensor(tensor.isfinite().all())) for tensor in tensors)


class StopSignal:
    """Remembers that SIGINT or SIGTERM came, so that a step is never cut in half."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._remember)

    def _remember(self, number: int, _frame: object) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt  # a second Ctrl-C does not wait for the step
        self.asked = True


@contextmanager
def own_signals() -> Generator[None]:
    """Put back, afterwards, what answers SIGINT and SIGTERM: a training takes them for itself."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
