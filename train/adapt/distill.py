"""Knowledge distillation of an ensemble (Hinton, Vinyals and Dean 2015, arXiv 1503.02531).

The student's loss is (1 - share) × cross-entropy with the text + share × cross-entropy with the
mean of the teachers' next-token distributions, at temperature 1. An ensemble has a lower loss than
its members, and most of that gain goes over into one model, which costs no more to run.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gpt.checkpoint import Checkpoint
from gpt.checkpoint.hub import load
from gpt.files import is_there
from train.adapt.base_model import model_facts
from train.adapt.vocabulary import same_tokenizer
from train.data.folder import Data
from train.loop.config import TrainConfig
from train.loop.device import autocast, pick_device
from train.loop.state import StateError
from train.loop.step import Objective, cross_entropy
from train.loop.stored import RESUMED, read_config_json


class Teachers:
    """The distillation loss, an `Objective`: inputs (B, T), logits (B, T, V), targets (B, T) → the
    loss, and the nats per token of the text alone, which are what is logged.

    Args:
        checkpoints: The teachers: of the tokenizer of the data, with a block_size no smaller than
            the student's.
        share: Weight of the teachers' cross-entropy in the loss; the text's is 1 - share.

    Raises:
        ValueError: A teacher has another tokenizer or a smaller block_size, or the share is not in
            (0, 1].
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
        """Inputs (B, T) → the mean of the teachers' probabilities, (B, T, V), float32."""
        total = torch.zeros(())
        for forward in self.forwards:
            with autocast(self.device, self.precision):
                logits = forward(inputs)
            total = total + logits.float().softmax(-1)
        return total / len(self.forwards)

    def __call__(self, inputs: Tensor, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        expected = self.expect(inputs)
        text, nats = cross_entropy(inputs, logits, targets)
        taught = F.cross_entropy(logits.flatten(0, 1).float(), expected.flatten(0, 1))
        return (1 - self.share) * text + self.share * taught, nats

    def about(self) -> dict[str, Any]:
        """The teachers and their share, for config.json and training.json."""
        return {"teachers": [model_facts(each) for each in self.checkpoints], "share": self.share}


def add_teacher_options(parser: argparse.ArgumentParser) -> None:
    """Add --teachers and --teacher-share."""
    parser.add_argument(
        "--teachers",
        nargs="+",
        default=[],
        metavar="CHECKPOINT",
        help="checkpoints to distil from beside the text: the mean of their probabilities",
    )
    parser.add_argument(
        "--teacher-share",
        type=float,
        default=0.5,
        metavar="F",
        help="weight of the teachers in the loss, above 0, up to 1 (default: %(default)s)",
    )


def objective_from(
    options: argparse.Namespace, config: TrainConfig, data: Data, folder: Path
) -> tuple[Objective, dict[str, Any]]:
    """The loss to train with, and what config.json of the run says of it: plain cross-entropy and
    {} without --teachers.

    Raises:
        CheckpointError: A teacher cannot be opened.
        StateError: --resume, and the run in `folder` had other teachers or another share.
        ValueError: See `Teachers`.
    """
    objective: Objective = cross_entropy
    about: dict[str, Any] = {}
    if options.teachers:
        teachers = [load(each) for each in options.teachers]
        objective = Teachers(teachers, options.teacher_share, config, data)
        about = {"distilled": objective.about()}
    if options.resume and is_there(folder, "config.json"):
        begun = read_config_json(folder, RESUMED).get("distilled")
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
