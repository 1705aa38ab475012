"""The floor of a text in the notes of a checkpoint: kept by a training, added by train.floor."""

import json
import math
from pathlib import Path

import pytest

import gpt
from gpt.checkpoint import read_training
from gpt.checkpoint.evidence import floor_in, noted_curve
from tests.train.test_pretrain import TEXT, TINY, data, run
from tests.train.test_report import QUICK
from train import finetune, floor, pretrain
from train.data.folder import load_data
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop.run import Run
from train.quality import floor as quality
from train.quality.floor import POINTS, curve_facts

__all__ = ["data"]


@pytest.mark.heavy
def test_a_training_keeps_the_floor_and_how_its_losses_went(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    pretrain.main(["--data", str(data), "--out", str(out), *QUICK, "--save-steps", "2"])
    told = capsys.readouterr().out
    training = read_training(out / "best")
    found = floor_in(training)
    assert found is not None
    size = load_data(data).tokenizer.vocab_size
    assert found.loss[0] == pytest.approx(math.log(size))
    assert found.loss[found.order] < 0.5  # two sentences that alternate
    evaluated = [(r["step"], r["val_loss"]) for r in Run(out).records() if "val_loss" in r]
    assert list(noted_curve(training)[1]) == evaluated
    assert gpt.load(out / "best").training["floor"] == training["floor"]
    assert "What would help most: " in told
    assert "This model, run" in told
    report = (out / "report.md").read_text()
    assert "## Where it stands" in report
    assert "| This model, run |" in report


def test_where_the_text_cannot_be_counted_the_model_stays_and_it_is_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(_: object) -> dict[str, object]:
        raise MemoryError

    monkeypatch.setattr(quality, "floor_facts", too_large)
    finished = run(TINY, data, tmp_path / "run")
    told = quality.note_course(finished, load_data(data))
    assert told == "where the model stands could not be told: MemoryError"
    assert floor_in(read_training(finished.best)) is None


@pytest.mark.heavy
def test_a_fine_tuned_model_has_the_floor_of_the_new_text(data: Path, tmp_path: Path) -> None:
    source = run(TINY, data, tmp_path / "source").best
    (tmp_path / "new.txt").write_text("The dog sat on the cat.\n" * 30)
    options = ["--from", str(source), "--data", str(tmp_path / "new.txt"), "--max-steps", "2"]
    options += ["--eval-every", "2", "--sample-tokens", "0", "--precision", "float32"]
    options += ["--device", "cpu", "--threads", "1", "--out", str(tmp_path / "run")]
    finetune.main(options)
    training = read_training(tmp_path / "run" / "best")
    found = floor_in(training)
    assert found is not None
    assert found.train_tokens == training["data"]["train"]["tokens"]
    assert len(noted_curve(training)[1]) == 2


def test_the_floor_is_added_to_a_checkpoint_without_one_and_the_weights_stay(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = run(TINY, data, tmp_path / "run").best
    assert floor_in(read_training(best)) is None
    before = {path.name: path.read_bytes() for path in best.iterdir()}
    capsys.readouterr()
    assert floor.main([str(best), "--data", str(data)]) == 0
    told = capsys.readouterr().out
    assert "It knows which letters are common, no words yet." in told
    assert "What would help most: More steps, or else a larger model." in told
    after = {path.name: path.read_bytes() for path in best.iterdir()}
    assert [name for name in before if before[name] != after[name]] == ["training.json"]
    assert floor_in(read_training(best)) is not None
    # With the notes it needs the text no more.
    (data / "train.bin").unlink()
    assert floor.main([str(best)]) == 0
    assert capsys.readouterr().out == told


def test_another_validation_text_than_the_model_was_judged_on_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = run(TINY, data, tmp_path / "run").best
    (tmp_path / "other.txt").write_text(TEXT[:200])
    facts = json.loads((data / "data.json").read_text())
    cut = len(TEXT) - facts["valid"]["bytes"]
    (tmp_path / "same.txt").write_text(TEXT[:cut])
    text = Text(path=tmp_path / "same.txt", valid=tmp_path / "other.txt")
    prepare([text], tmp_path / "others", kind="char")
    assert floor.main([str(best), "--data", str(tmp_path / "others")]) == 2
    assert "another validation text than" in capsys.readouterr().err
    assert floor_in(read_training(best)) is None


def test_of_a_long_run_few_points_are_noted_with_the_best_and_the_last() -> None:
    records = [{"step": step, "val_loss": abs(step - 333) + 1.0} for step in range(1000)]
    points = curve_facts(records)["curve"]["valid"]
    assert len(points) <= POINTS + 1
    assert [333, 1.0] in points
    assert points[-1][0] == 999
    assert points == sorted(points)
