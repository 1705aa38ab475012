"""The states of a training: what is whole, what is found damaged, what a fault leaves behind."""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import gpt
from gpt.model import GPT
from tests.support.training import train_into
from tests.train.test_pretrain import TEXT, TINY, data, losses, run, same_state
from train.data.folder import load_data
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop import train as loop
from train.loop.config import TrainConfig
from train.loop.run import Run, TrainingError, faults_told
from train.loop.state import (
    FOLDER,
    MANIFEST,
    PROGRESS,
    State,
    StateError,
    damage,
    load_state,
    save_state,
    saved,
)

pytestmark = pytest.mark.heavy

__all__ = ["data"]  # the fixture


def some_state(step: int) -> State:
    generator = torch.Generator().manual_seed(step)
    tensors = {
        kind: {"a/b": torch.randn(7, 5, generator=generator), "c": torch.arange(step)}
        for kind in ("model", "optimizer-0", "random")
    }
    return State(tensors, {"step": step, "best_loss": math.inf, "recent": [0.1 + 0.2]})


@pytest.fixture
def states(tmp_path: Path) -> Path:
    for step in (5, 10, 15):
        save_state(tmp_path, some_state(step))
    return tmp_path / FOLDER


def hurt(path: Path, times: int, seed: int = 1) -> Sequence[Callable[[], object]]:
    """Ways to spoil a file: `times` truncations and as many flipped bits."""
    whole, rng = path.read_bytes(), np.random.default_rng(seed)

    def flip(bit: int) -> None:
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)

    lengths = rng.integers(len(whole), size=times).tolist()
    bits = rng.integers(8 * len(whole), size=times).tolist()
    return [lambda n=n: path.write_bytes(whole[:n]) for n in [*lengths, len(whole) - 1]] + [
        lambda bit=bit: flip(bit) for bit in bits
    ]


def test_a_state_comes_back_as_it_was_and_the_last_two_are_kept(states: Path) -> None:
    found, asked = load_state(states.parent, say=pytest.fail), some_state(15)
    assert found.progress == asked.progress
    assert found.tensors.keys() == asked.tensors.keys()
    for kind, tensors in asked.tensors.items():
        for name, tensor in tensors.items():
            assert torch.equal(found.tensors[kind][name], tensor)
    assert [path.name for path in sorted(states.iterdir())] == ["000010", "000015"]
    listed = json.loads((states / "000015" / MANIFEST).read_text())
    assert listed["format"] == 1
    assert listed["step"] == 15
    assert listed["files"].keys() == {
        path.name for path in (states / "000015").iterdir() if path.name != MANIFEST
    }


@pytest.mark.parametrize("times", [12, pytest.param(200, marks=pytest.mark.torture)])
@pytest.mark.parametrize("name", ["model.safetensors", "random.safetensors", PROGRESS, MANIFEST])
def test_every_cut_and_every_flipped_bit_is_found_and_the_state_before_is_taken(
    name: str, times: int, states: Path
) -> None:
    path = states / "000015" / name
    whole = path.read_bytes()
    for spoil in hurt(path, times):
        spoil()
        assert path.read_bytes() != whole
        said: list[str] = []
        assert load_state(states.parent, say=said.append).step == 10
        assert len(said) == 1
        assert said[0].startswith("skipped the state of step 15: ")
        assert name in said[0]
    path.write_bytes(whole)
    assert load_state(states.parent, say=pytest.fail).step == 15


def test_a_state_that_lacks_a_file_or_has_another_name_is_not_whole(states: Path) -> None:
    (states / "000015" / PROGRESS).unlink()
    assert damage(states / "000015") == f"{PROGRESS}: No such file or directory"
    (states / "000010").rename(states / "000020")
    assert damage(states / "000020") == f"{MANIFEST} is damaged"
    with pytest.raises(StateError, match=r"none of the 2 states in .* is whole"):
        load_state(states.parent, say=lambda _: None)


def test_a_damaged_state_is_written_anew_and_never_counts_as_one_of_the_two(states: Path) -> None:
    (states / "000015" / PROGRESS).write_text("{}")
    save_state(states.parent, some_state(20))
    assert [path.name for path in saved(states)] == ["000010", "000020"]
    (states / "000020" / PROGRESS).write_text("{}")
    save_state(states.parent, some_state(20))
    assert load_state(states.parent, say=pytest.fail).step == 20


def test_what_a_crash_left_is_no_state_and_goes_with_the_next(states: Path) -> None:
    shutil.copytree(states / "000015", states / ".000020")
    assert load_state(states.parent, say=pytest.fail).step == 15
    save_state(states.parent, some_state(25))
    assert sorted(path.name for path in states.iterdir()) == ["000015", "000025"]


def test_a_state_of_a_later_format_is_skipped_and_said(states: Path) -> None:
    path = states / "000015" / MANIFEST
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    said: list[str] = []
    assert load_state(states.parent, say=said.append).step == 10
    assert "is of format 2, this version reads 1" in said[0]


def stumbling(config: TrainConfig, folder: Path, data: Path, at: set[int]) -> Run:
    """A run whose loss is NaN at the passes `at`, counted from 0."""
    torch.manual_seed(config.seed)
    opened, run = load_data(data), Run(folder)
    model = GPT(config.model_config(opened.tokenizer.vocab_size))
    passes = count()

    def stumble(module: torch.nn.Module, _: object, logits: Tensor) -> Tensor:
        return logits * math.nan if module.training and next(passes) in at else logits

    model.register_forward_hook(stumble)
    train_into(run, config, opened, model=model)
    return run


CALM = replace(TINY, accumulate=1, max_steps=100, eval_every=50, dropout=0.0, save_steps=0)


@pytest.mark.slow
def test_steps_whose_loss_is_nan_are_skipped_and_hardly_matter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(1)  # words at random: there is an end to what can be learnt
    (tmp_path / "text.txt").write_text(" ".join(draw.choice(TEXT.split(), size=4000)))
    prepare([Text(path=tmp_path / "text.txt")], data := tmp_path / "data", kind="char")
    config = replace(CALM, max_steps=700, eval_every=350)
    clean = stumbling(config, tmp_path / "clean", data, set())
    ten = {3, 11, 12, 30, 41, 155, 156, 157, 470, 690}
    hurt = stumbling(config, tmp_path / "hurt", data, ten)
    ends = [[r["val_loss"] for r in r.records() if "val_loss" in r][-1] for r in (clean, hurt)]
    assert ends[1] == pytest.approx(ends[0], rel=0.01)
    assert ends[1] != ends[0]
    assert capsys.readouterr().out.count("skipped: loss nan") == 10
    assert all(math.isfinite(v) for r in hurt.records() for v in r.values())


def test_too_many_in_a_row_end_the_run_with_the_last_good_state(data: Path, tmp_path: Path) -> None:
    config = replace(CALM, nan_patience=4)
    with pytest.raises(TrainingError, match="4 times in a row, up to step 63") as ended:
        stumbling(config, tmp_path / "run", data, set(range(60, 100)))
    assert "the last whole state is of step 50" in str(ended.value)
    state = load_state(tmp_path / "run", say=pytest.fail)
    assert all(bool(t.isfinite().all()) for t in state.tensors["model"].values())
    whole = stumbling(config, tmp_path / "whole", data, set())
    same_state(run(config, data, tmp_path / "run", resume=True), whole)


def stop_at(step: int, then: Callable[[], object]) -> type:
    """In the place of StopSignal: does something at a step, and never asks to stop."""

    class Stop:
        looks = 0

        @property
        def asked(self) -> bool:
            self.looks += 1
            if self.looks == step + 1:
                then()
            return False

    return Stop


@pytest.mark.parametrize("step", [5, 10, 13])
@pytest.mark.parametrize("fault", ["gone", "no folder"])
def test_a_run_folder_that_fails_is_one_clear_error_and_the_run_goes_on_when_it_is_back(
    fault: str, step: int, data: Path, tmp_path: Path
) -> None:
    whole = run(TINY, data, tmp_path / "whole")
    folder, aside = tmp_path / "run", tmp_path / "aside"
    part = folder if fault == "gone" else folder / "state"

    def spoil() -> None:
        part.rename(aside)
        if fault == "no folder":
            part.touch()

    opened = load_data(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "StopSignal", stop_at(step, spoil))
        with (
            pytest.raises(TrainingError, match="cannot be written") as ended,
            faults_told(Run(folder)),
        ):
            train_into(Run(folder), TINY, opened)
    assert "\n" not in str(ended.value)
    assert "then go on with --resume" in str(ended.value)
    if fault == "no folder":
        part.unlink()
    aside.rename(part)
    assert load_state(folder, say=pytest.fail).step <= step
    gpt.load(folder / "best")
    resumed = run(TINY, data, folder, resume=True)
    assert losses(resumed) == losses(whole)
    same_state(resumed, whole)


def test_a_run_killed_before_its_first_state_begins_again(data: Path, tmp_path: Path) -> None:
    whole = run(TINY, data, tmp_path / "run")
    again = Run(tmp_path / "again")
    again.begin(TINY, {})
    half = again.folder / ".best-killed"
    half.mkdir()
    same_state(run(TINY, data, again.folder, resume=True), whole)
    assert not half.exists()
