"""A trained model beside nanoGPT's recipe: same data, same size, and as many seconds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import gpt
from bench import equal_seconds
from bench.equal_seconds import Recipe, baseline_of, block_seconds, main, recipe_of, steps_that_fit
from bench.recipe import RecipeError, parameters
from tests.support.training import train_into
from tests.train.test_pretrain import TINY, data, run
from train.adapt.base_model import model_facts
from train.adapt.distill import Teachers
from train.data.folder import load_data
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop.config import PRESETS, TrainConfig
from train.loop.run import Run
from train.loop.throughput import Throughput

__all__ = ["data"]  # the fixtures
STEADY = replace(TINY, dropout=0.0, warmup_steps=0, decay_fraction=0.0, max_steps=3, save_steps=2)
"""Its learning rate never moves."""


def test_a_pace_takes_the_steps_of_a_training(data: Path, tmp_path: Path) -> None:
    trained = gpt.load(run(STEADY, data, tmp_path / "run").steps / "000003").model.state_dict()
    torch.manual_seed(STEADY.seed)
    pace = Throughput(STEADY, load_data(data))
    assert pace.seconds(1) > 0
    pace.seconds(2)
    for name, weights in pace.model.state_dict().items():
        torch.testing.assert_close(weights.bfloat16().float(), trained[name], rtol=0, atol=0)


@pytest.mark.parametrize(("preset", "vocab_size"), [("stories", 4096), ("shakespeare", 66)])
def test_the_baseline_has_the_size_and_the_tokens_of_the_model_and_its_own_recipe(
    preset: str, vocab_size: int
) -> None:
    ours, usual = PRESETS[preset](), PRESETS["nanogpt"]()
    found = baseline_of(ours, "nanogpt", vocab_size, {})
    sizes = [parameters(config, vocab_size) for config in (found, ours)]
    assert abs(sizes[0] / sizes[1] - 1) < 0.01
    assert found.tokens_per_step == ours.tokens_per_step
    assert found.block_size == ours.block_size
    for name in ("family", "optimizer", "learning_rate", "schedule", "warmup_steps", "beta2"):
        assert getattr(found, name) == getattr(usual, name)


def test_what_is_of_another_size_or_reads_more_tokens_is_refused() -> None:
    ours = PRESETS["stories"]()
    with pytest.raises(RecipeError, match="12,391,296 parameters, the model 11,752,320"):
        baseline_of(ours, "nanogpt", 4096, {"n_inner": 4 * 384})
    with pytest.raises(RecipeError, match="16,384 tokens, one of the model 8,192"):
        baseline_of(ours, "nanogpt", 4096, {"batch_size": 8})


def test_both_are_timed_in_turns_and_neither_is_always_first(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[tuple[int, int]] = []
    clock: Iterator[int] = iter(range(1, 100))

    class Known:
        def __init__(self, config: TrainConfig, *_: object) -> None:
            self.layers = config.n_layer

        def seconds(self, steps: int) -> float:
            timed.append((self.layers, steps))
            return next(clock) * steps

    monkeypatch.setattr(equal_seconds, "Throughput", Known)
    recipes = [Recipe(str(layers), replace(TINY, n_layer=layers)) for layers in (1, 2)]
    ours, theirs = block_seconds(recipes, load_data(data), blocks=3, steps=4)
    assert [layers for layers, _ in timed] == [1, 2, 1, 2, 2, 1, 1, 2]
    assert (ours, theirs) == ([3, 6, 7], [4, 5, 8])


def test_a_model_whose_steps_take_longer_leaves_room_for_more_of_the_baselines() -> None:
    ours = replace(TINY, max_steps=1600)
    # The second block was taken while the machine was twice as busy.
    assert steps_that_fit([ours], [[5, 10, 2.5], [4, 8, 2]]) == 2000
    assert steps_that_fit([ours], [[1], [2]]) == 800


def test_the_seconds_of_its_teachers_are_its_own() -> None:
    ours, teacher = replace(TINY, max_steps=100), replace(TINY, max_steps=60)
    assert steps_that_fit([ours, teacher], [[4, 8], [2, 4], [1, 2]]) == 100 * 4 + 60 * 2


@pytest.mark.slow
def test_the_baseline_is_trained_as_long_as_the_model_was_and_both_are_scored(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Large enough that a multiple of 32 in the baseline's MLP can meet its size.
    shape = replace(TINY, n_embd=64, n_inner=152, max_steps=4, eval_every=4, save_steps=0)
    run(shape, data, tmp_path / "run")
    words = [str(tmp_path / "run" / "best"), "--data", str(data), "--out", str(tmp_path / "equal")]
    words += ["--blocks", "2", "--steps", "1", "--threads", "1"]
    main(words)
    seconds = tmp_path / "equal" / "seconds.json"
    kept = json.loads(seconds.read_text())
    steps = steps_that_fit([shape], kept["seconds"])
    assert f"--max-steps {steps}" in capsys.readouterr().out
    main([*words, "--train"])
    assert json.loads(seconds.read_text()) == kept
    said = capsys.readouterr().out
    made = json.loads((tmp_path / "equal" / "nanogpt" / "config.json").read_text())["config"]
    assert (made["max_steps"], made["family"], made["threads"]) == (steps, "gpt2", 1)
    valid, own = load_data(data), gpt.load(tmp_path / "run" / "best")
    nats = equal_seconds.score(own.model, valid.valid, own.config.block_size)
    assert f"{float(nats.mean()):.4f}" in said
    assert "bits per byte than nanogpt, given the same seconds" in said
    with pytest.raises(SystemExit, match="other settings: choose another --out"):
        main([*words, "--learning-rate", "0.1"])


def test_other_data_than_the_model_learnt_from_is_refused(data: Path, tmp_path: Path) -> None:
    run(replace(TINY, max_steps=2, eval_every=2, save_steps=0), data, tmp_path / "run")
    (tmp_path / "other.txt").write_text("Another cat sat on another mat.\n" * 60)
    prepare([Text(path=tmp_path / "other.txt")], tmp_path / "other", kind="char")
    with pytest.raises(SystemExit, match="is not what run was trained on"):
        main([str(tmp_path / "run" / "best"), "--data", str(tmp_path / "other")])


def test_a_distilled_model_is_timed_with_its_teachers_and_not_without(
    data: Path, tmp_path: Path
) -> None:
    short = replace(STEADY, max_steps=2, eval_every=2, save_steps=0)
    teacher = gpt.load(run(short, data, tmp_path / "teacher").folder / "best")
    opened = load_data(data)
    out = tmp_path / "pupil"
    taught = Teachers([teacher], 0.5, short, opened)
    about = {"distilled": taught.about()}
    train_into(Run(out), short, opened, objective=taught, about=about)
    pupil = gpt.load(out / "best")
    with pytest.raises(RecipeError, match=r"pupil learnt from teacher, weights .*--teachers"):
        recipe_of(pupil, opened, {})
    recipe = recipe_of(pupil, opened, {model_facts(teacher)["sha256"]: teacher})
    assert (recipe.name, recipe.teachers, recipe.share) == ("pupil", (teacher,), 0.5)
    torch.manual_seed(short.seed)
    pace = recipe.pace(opened)
    pace.seconds(2)
    trained = pupil.model.state_dict()
    for name, weights in pace.model.state_dict().items():
        torch.testing.assert_close(weights.bfloat16().float(), trained[name], rtol=0, atol=0)
