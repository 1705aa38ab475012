"""The options to watch a training by: scalars for TensorBoard, what an hour costs."""

import argparse
import math
import time
from pathlib import Path
from typing import Any

from train.loop.config import TrainConfig
from train.loop.run import Run

FOLDER = "tensorboard"


class BoardRun(Run):
    """A run that also writes what it logs to `folder`/tensorboard, for `tensorboard --logdir`.

    A resumed one writes all of it anew from metrics.jsonl: nothing is there twice or missing.

    Raises:
        ValueError: the package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise ValueError(
                "--tensorboard needs the package tensorboard: install it with `pip install "
                "tensorboard`, or leave the option out (metrics.jsonl and loss.png hold the same)"
            ) from error
        self._open = SummaryWriter
        self._writer: Any = None
        self._began_s = 0.0

    def begin(self, config: TrainConfig, about: dict[str, Any], *, step: int = 0) -> None:
        super().begin(config, about, step=step)
        records = self.records()
        self._began_s = time.time() - (records[-1]["elapsed_s"] if records else 0.0)
        self.close()
        for old in (self.folder / FOLDER).glob("events.out.tfevents.*"):
            old.unlink()
        self._writer = self._open(str(self.folder / FOLDER))
        for record in records:
            self._write(record)

    def log(self, **record: float) -> None:
        super().log(**record)
        self._write(record)
        self._writer.flush()

    def _write(self, record: dict[str, float]) -> None:
        at = self._began_s + record["elapsed_s"]
        for name, value in record.items():
            if name not in ("step", "elapsed_s"):
                self._writer.add_scalar(name, value, int(record["step"]), walltime=at)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def add_watching_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write the losses for TensorBoard, to OUT/tensorboard",
    )
    add_cost_option(parser)


def add_cost_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cost-per-hour",
        type=price,
        metavar="PRICE",
        help="what an hour of this machine costs, in any currency, for the report",
    )


def price(text: str) -> float:
    """An amount of money, which no currency is said of."""
    amount = float(text)
    if not 0 <= amount < math.inf:
        raise argparse.ArgumentTypeError(f"expected an amount of 0 or more, not {text}")
    return amount


def open_run(folder: Path, options: argparse.Namespace, *, first: bool = True) -> Run:
    """The run in `folder`, watched as the options say.

    Args:
        first: Whether this is the process that writes, of several.

    Raises:
        ValueError: the package that TensorBoard's files need is not installed.
    """
    return BoardRun(folder) if options.tensorboard and first else Run(folder)


def cost(options: argparse.Namespace) -> dict[str, Any]:
    """What config.json is to say of the cost; nothing where nobody gave it."""
    return {} if options.cost_per_hour is None else {"cost_per_hour": options.cost_per_hour}
