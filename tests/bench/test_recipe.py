"""The side-by-side of two recipes: what it reads out of a run, what it refuses to compare."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.recipe import RecipeError, at_its_end, check_fair, main, parameters, pretrain_command
from bench.recipe_table import Outcome, markdown, outcome
from train.data.folder import load_data
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop.config import PRESETS
from train.loop.run import Run

TEXT = "The cat sat on the mat.\nThe dog ran in the fog.\n" * 60
RECORDS = [
    {"step": 0, "elapsed_s": 1.0, "val_loss": 4.0, "val_bpb": 6.0},
    {"step": 10, "elapsed_s": 3.0, "train_loss": 3.5},
    {"step": 20, "elapsed_s": 4.0, "train_loss": 3.0},
    {"step": 20, "elapsed_s": 4.0, "val_loss": 3.0, "val_bpb": 4.5},
    {"step": 30, "elapsed_s": 9.0, "train_loss": 2.5},
    {"step": 40, "elapsed_s": 10.0, "train_loss": 2.5},
    {"step": 40, "elapsed_s": 10.5, "val_loss": 2.0, "val_bpb": 3.0},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "cats.txt").write_text(TEXT)
    prepare([Text(path=tmp_path / "cats.txt")], tmp_path / "cats", kind="char")
    return tmp_path / "cats"


def made(loss: float, curve: list[tuple[int, float, float]]) -> Outcome:
    return Outcome(loss, loss / 2, 10.0, 1000.0, tuple(curve))


def test_speed_is_measured_between_evaluations_and_time_over_all() -> None:
    found = outcome(RECORDS, tokens_per_step=768)
    assert (found.loss, found.bpb, found.seconds) == (2.0, 3.0, 10.5)
    assert found.tokens_per_second == 20 * 768 / 2.0
    assert found.reach(3.0) == (20, 4.0)
    assert found.reach(2.9) == (40, 10.5)
    assert found.reach(1.9) is None


def test_a_run_is_finished_only_with_the_evaluation_after_its_last_step(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert not run.finished(40)
    for record in RECORDS:
        assert not run.finished(40)
        run.log(**record)
    assert run.finished(40)
    assert not run.finished(80)


def test_a_run_that_lost_patience_came_to_its_end_too(tmp_path: Path) -> None:
    run, config = Run(tmp_path), replace(PRESETS["nanogpt"](), max_steps=40, eval_every=10)
    patient = replace(config, patience=2)
    assert not at_its_end(run, patient)
    for step, loss in ((0, 4.0), (10, 3.0), (20, 3.1)):
        run.log(step=step, tokens=step, elapsed_s=1.0, val_loss=loss, val_bpb=loss)
        assert not at_its_end(run, patient)
    run.log(step=30, tokens=30, elapsed_s=1.0, val_loss=3.0, val_bpb=3.0)
    assert at_its_end(run, patient)
    assert not at_its_end(run, config)


def test_small_has_the_budget_and_the_size_of_the_baseline() -> None:
    small, nanogpt = PRESETS["small"](), PRESETS["nanogpt"]()
    for vocab_size in (66, 4096):
        check_fair(nanogpt, small, vocab_size)
        assert parameters(small, vocab_size) <= parameters(nanogpt, vocab_size)
    assert small.block_size == nanogpt.block_size


def test_what_has_more_steps_tokens_or_parameters_is_no_fair_match() -> None:
    small, nanogpt = PRESETS["small"](), PRESETS["nanogpt"]()
    for change, message in (
        ({"max_steps": 2001}, "same max_steps: the baseline's 2000, ours 2001"),
        ({"batch_size": 13}, "same tokens_per_step: the baseline's 768, ours 832"),
        ({"n_layer": 5}, "choose a preset of its size"),
    ):
        with pytest.raises(RecipeError, match=message):
            check_fair(nanogpt, replace(small, **change), 66)


def test_the_command_spells_only_what_differs_from_the_preset(tmp_path: Path) -> None:
    config = replace(PRESETS["nanogpt"](), seed=3, bias=True, compile=False)
    command = pretrain_command("nanogpt", config, tmp_path, tmp_path / "run")
    assert command[-3:] == ["--bias", "--seed", "3"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").touch()
    assert pretrain_command("nanogpt", config, tmp_path, tmp_path / "run")[-1] == "--resume"


def test_the_table_says_how_soon_the_baseline_is_reached(data: Path) -> None:
    config = replace(PRESETS["nanogpt"](), max_steps=40)
    theirs = [made(2.0, [(0, 0, 4.0), (40, 9, 2.0)]), made(2.2, [(0, 0, 4.0), (40, 9, 2.2)])]
    ours = [
        made(1.8, [(0, 0, 4.0), (20, 4, 2.1), (40, 9, 1.8)]),
        made(1.8, [(0, 0, 4.0), (20, 5, 2.0), (40, 9, 1.8)]),
    ]
    table = markdown(load_data(data), {"old": theirs, "new": ours}, [100, 90], config)
    assert "| nats per token | 2.1000 ± 0.1414 | 1.8000 ± 0.0000 |" in table
    assert "| steps to 2.1000, the baseline's mean | not by all | 20 ± 0 |" in table
    assert "new needs 14.3% fewer bits per byte than old" in table
    assert "after 50% of its steps" in table
    assert "cats.txt, char, 19 tokens" in table


@pytest.mark.slow
def test_the_command_trains_both_once_and_writes_the_table(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--data", str(data), "--seeds", "1", "--max-steps", "2", "--threads", "1"]
    command += ["--out", str(tmp_path / "runs"), "--markdown", str(tmp_path / "table.md")]
    main(command)
    table = (tmp_path / "table.md").read_text()
    assert "| nats per token | " in table
    assert "python -m bench.recipe --data" in table
    metrics = tmp_path / "runs" / "cats" / "small-1" / "metrics.jsonl"
    before = metrics.stat().st_mtime_ns
    final = [json.loads(line) for line in metrics.read_text().splitlines()][-1]
    assert f"{final['val_loss']:.4f}" in capsys.readouterr().out
    main(command)  # reads what is there
    assert metrics.stat().st_mtime_ns == before
    with pytest.raises(SystemExit, match="another recipe or text: choose another --out"):
        main([*command, "--eval-every", "1"])
