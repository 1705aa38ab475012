"""Learning from teachers as well as from the text: several models distilled into one.

The text tells one next token; the mean of what trained models expect tells how likely each other
one was (Hinton, Vinyals and Dean 2015, arXiv 1503.02531, at temperature 1). An ensemble errs less
than any of its members, and most of that gain goes over into one model, which costs no more to use.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gpt.checkpoint import Checkpoint
from gpt.checkpoint.hub import load
from train.adapt.base_model import describe
from train.adapt.vocabulary import same_tokenizer
from train.data.folder import Data
from train.loop.config import TrainConfig
from train.loop.device import autocast, pick_device
from train.loop.objective import Objective, cross_entropy
from train.loop.state import StateError


class Teachers:
    """The objective with teachers: a part of the loss is the cross-entropy with what they expect.

    Args:
        checkpoints: Models with the vocabulary of the data, whose windows are no shorter than those
            trained on.
        share: Of the loss that is the teachers'; the rest is the text's.

    Raises:
        ValueError: One cannot teach this model, or the share is not in (0, 1].
    """

    def __init__(
        self, checkpoints: Sequence[Checkpoint], share: float, config: TrainConfig, data: Data
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"--teacher-share must be above 0 and at most 1, not {share}")
        for each in checkpoints:
            if not same_tokenizer(each.tokenizer, data.tokenizer):
                raise ValueError(
                    f"the teacher {each.name} cuts text in other tokens than {data.folder}: "
                    "teachers must be trained on data of the same tokenizer"
                )
            if each.config.block_size < config.block_size:
                raise ValueError(
                    f"the teacher {each.name} sees {each.config.block_size} tokens, too few for "
                    f"windows of {config.block_size}: train it with a longer --block-size, or this "
                    "model with a shorter one"
                )
        self.checkpoints, self.share = checkpoints, share
        self.device, self.precision = pick_device(config.device), config.precision
        models = [each.model.to(self.device).eval() for each in checkpoints]
        self.forwards = [torch.compile(each) if config.compile else each for each in models]  # pyright: ignore[reportUnknownMemberType]

    @torch.no_grad()
    def expect(self, inputs: Tensor) -> Tensor:
        """The mean of the teachers' distributions, (B, T, V), after each of `inputs`, (B, T)."""
        total = torch.zeros(())
        for forward in self.forwards:
            with autocast(self.device, self.precision):
                logits = forward(inputs)
            total = total + logits.float().softmax(-1)
        return total / len(self.forwards)

    def __call__(self, inputs: Tensor, logits: Tensor, targets: Tensor) -> tuple[Tensor, float]:
        expected = self.expect(inputs)
        text, nats = cross_entropy(inputs, logits, targets)
        taught = F.cross_entropy(logits.flatten(0, 1).float(), expected.flatten(0, 1))
        return (1 - self.share) * text + self.share * taught, nats

    def about(self) -> dict[str, Any]:
        """What config.json and training.json are to say of them."""
        return {"teachers": [describe(each) for each in self.checkpoints], "share": self.share}


def add_teacher_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--teachers",
        nargs="+",
        default=[],
        metavar="CHECKPOINT",
        help="models to learn from beside the text: the mean of what they expect of each token",
    )
    parser.add_argument(
        "--teacher-share",
        type=float,
        default=0.5,
        metavar="F",
        help="share of the loss that is the teachers' (default: 0.5)",
    )


def objective_from(
    options: argparse.Namespace, config: TrainConfig, data: Data, folder: Path
) -> tuple[Objective, dict[str, Any]]:
    """The objective that the options ask for, and what the run is to say of it.

    Raises:
        CheckpointError: A teacher cannot be opened.
        StateError: The run in `folder` is to be resumed and had another objective.
        ValueError: A teacher cannot teach this model.
    """
    objective: Objective = cross_entropy
    about: dict[str, Any] = {}
    if options.teachers:
        teachers = [load(each) for each in options.teachers]
        objective = Teachers(teachers, options.teacher_share, config, data)
        about = {"distilled": objective.about()}
    said = folder / "config.json"
    if options.resume and said.exists():
        begun = json.loads(said.read_text(encoding="utf-8")).get("distilled")
        if _distilled_by(begun) != _distilled_by(about.get("distilled")):
            raise StateError(
                f"the run in {folder} learnt from other teachers, or with another --teacher-share: "
                "give the options it was started with"
            )
    return objective, about


def _distilled_by(distilled: dict[str, Any] | None) -> tuple[list[str], float] | None:
    """What makes two distillations the same: the weights that teach, and their share."""
    if distilled is None:
        return None
    return [each["sha256"] for each in distilled["teachers"]], distilled["share"]
