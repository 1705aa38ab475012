"""`loss.png` costs more than a tiny training's steps, so it is drawn now and then."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor

from tests.support.training import train_into
from tests.train.test_pretrain import TINY, data
from train.data.folder import load_data
from train.loop.config import TrainConfig
from train.loop.run import Run
from train.run import plot, validate

__all__ = ["data"]  # the fixture
OFTEN = replace(TINY, eval_every=2, save_steps=0, sample_tokens=0)


@pytest.fixture(autouse=True)
def pictures() -> None:
    """As they are, in place of sketches."""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The last step of each picture that is drawn."""
    steps: list[int] = []

    def draw(records: list[dict[str, Any]], *_: Any) -> None:
        steps.append(records[-1]["step"])

    monkeypatch.setattr(validate, "plot_losses", draw)
    return steps


def test_a_training_leaves_the_picture_of_both_losses(data: Path, tmp_path: Path) -> None:
    trained(replace(OFTEN, max_steps=10), data, tmp_path / "run")
    with Image.open(tmp_path / "run" / "loss.png") as picture:
        assert picture.size == (910, 546)
        colours = np.asarray(picture.convert("RGB"), dtype=int).reshape(-1, 3)
    for _, _, style in plot.LINES:
        line = np.array(ImageColor.getrgb(style["color"]))
        # An edge is mixed with the white about it.
        assert np.abs(colours - line).max(axis=1).min() < 24


def trained(config: TrainConfig, data: Path, folder: Path) -> None:
    train_into(Run(folder), config, load_data(data))


def test_it_is_drawn_at_the_first_and_the_last_evaluation_of_a_short_training(
    data: Path, tmp_path: Path, drawn: list[int]
) -> None:
    trained(OFTEN, data, tmp_path / "run")
    assert drawn == [0, 20]


def test_it_is_drawn_at_each_evaluation_where_they_are_far_apart(
    data: Path, tmp_path: Path, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "DRAWN_EVERY_S", 0.0)
    trained(OFTEN, data, tmp_path / "run")
    assert drawn == list(range(0, 21, 2))


def test_it_is_whole_where_a_training_runs_out_of_patience(
    data: Path, tmp_path: Path, drawn: list[int]
) -> None:
    # It learns nothing, so the second evaluation is no better than the first.
    trained(replace(OFTEN, learning_rate=1e-30, patience=1), data, tmp_path / "run")
    assert drawn == [0, 2]
