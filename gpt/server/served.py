"""`Served`: a model in memory under the name that clients ask for, with its engine."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpt.checkpoint import Checkpoint, CheckpointError
from gpt.checkpoint.folder import is_here
from gpt.checkpoint.generation_config import usable_defaults
from gpt.checkpoint.hub import load
from gpt.engine import Engine


@dataclass(frozen=True, slots=True)
class Served:
    """A model that writes.

    Attributes:
        own: Its own settings, as far as they can be used.
        notes: What of them cannot.
        created: When it was opened, in seconds since 1970.
        scoring: Held while the logits of a whole window are in memory.
    """

    name: str
    checkpoint: Checkpoint
    engine: Engine
    own: Mapping[str, float | int] = field(default_factory=dict[str, float | int])
    notes: tuple[str, ...] = ()
    created: int = field(default_factory=lambda: int(time.time()))
    scoring: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def open(cls, name: str, place: str, *, max_batch: int | None, max_waiting: int) -> "Served":
        """Read a checkpoint and start its engine.

        Args:
            name: What it is called; "" for its own name.
            place: Its folder, or its name on the Hub.

        Raises:
            CheckpointError: there is no model that we can open.
            CoreError: `INKLING_CORE` asks for what is not there.
        """
        checkpoint = load(place)
        own = usable_defaults(checkpoint.folder)
        engine = Engine(
            checkpoint.model, checkpoint.tokenizer, max_batch=max_batch, max_waiting=max_waiting
        )
        return cls(name or checkpoint.name, checkpoint, engine, own.values, own.notes)

    @property
    def window(self) -> int:
        """The tokens that it sees at once."""
        return self.checkpoint.config.block_size


def named(given: str) -> tuple[str, str]:
    """The name, "" for its own, and the place of a checkpoint as the command line gives it.

    >>> named("tales=runs/mine/best")
    ('tales', 'runs/mine/best')
    """
    name, equals, place = given.partition("=")
    if not equals or is_here(Path(given).expanduser()):
        return "", given
    return name, place


def open_all(given: Sequence[str], *, max_batch: int | None, max_waiting: int) -> list[Served]:
    """Open the checkpoints of a command line, each CHECKPOINT or NAME=CHECKPOINT.

    Raises:
        CheckpointError: one cannot be opened, or two have one name.
        CoreError: as `Served.open`.
    """
    models: list[Served] = []
    try:
        for each in given:
            name, place = named(each)
            models.append(Served.open(name, place, max_batch=max_batch, max_waiting=max_waiting))
            if models[-1].name in [model.name for model in models[:-1]]:
                raise CheckpointError(
                    f"two models are called {models[-1].name}: give one another name, as in "
                    f"other-name={place}"
                )
    except BaseException:
        close_all(models)
        raise
    return models


def close_all(models: Iterable[Served]) -> None:
    """End what they write."""
    for model in models:
        model.engine.close()
