"""Training: the order of the data, the recipe, resuming, a run from text to checkpoint."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import gpt
from gpt.dataset import SlidingWindowDataset
from gpt.generator import Generator
from gpt.model import GPT
from gpt.sampling import SamplingParams
from tests.support.stopping import stopped_after
from tests.support.training import train_into
from train import pretrain
from train.data.derived import open_or_prepare
from train.data.folder import DataError, load_data
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop import train as loop
from train.loop.batches import Batches
from train.loop.config import PRESETS, TrainConfig
from train.loop.optimize import learning_rate, make_optimizers
from train.loop.options import field_help
from train.loop.run import Run, TrainingError
from train.loop.state import StateError, load_state
from train.run.validate import steps_to_keep

TINY = TrainConfig(
    block_size=16,
    n_layer=2,
    n_head=2,
    n_embd=16,
    dropout=0.1,
    max_steps=20,
    batch_size=3,
    accumulate=2,
    warmup_steps=2,
    eval_every=10,
    save_steps=5,
    sample_tokens=12,
    device="cpu",
    precision="float32",
    threads=1,
)
TEXT = "The cat sat on the mat.\nThe dog ran in the fog.\n" * 12


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT)
    prepare([Text(path=tmp_path / "text.txt")], tmp_path / "data", kind="char")
    return tmp_path / "data"


def run(config: TrainConfig, data: Path, folder: Path, *, resume: bool = False) -> Run:
    run = Run(folder)
    train_into(run, config, load_data(data), resume=resume)
    return run


def losses(run: Run) -> list[tuple[float, ...]]:
    return [
        (r["step"], r.get("train_loss", 0), r.get("val_loss", 0), r.get("learning_rate", 0))
        for r in run.records()
    ]


def same_state(run: Run, other: Run) -> None:
    """The newest states of two runs are equal bit for bit, but for the time they took."""
    ours, theirs = (load_state(r.folder, say=pytest.fail) for r in (run, other))
    assert {**ours.progress, "elapsed_s": 0} == {**theirs.progress, "elapsed_s": 0}
    assert ours.tensors.keys() == theirs.tensors.keys()
    for kind, tensors in theirs.tensors.items():
        assert ours.tensors[kind].keys() == tensors.keys()
        for name, tensor in tensors.items():
            assert torch.equal(ours.tensors[kind][name], tensor), (kind, name)


def test_ten_steps_and_ten_resumed_are_twenty_bit_for_bit(data: Path, tmp_path: Path) -> None:
    whole = run(TINY, data, tmp_path / "whole")

    halves = tmp_path / "halves"
    with stopped_after(10):
        run(TINY, data, halves)
    stopped = load_state(halves, say=pytest.fail)
    assert stopped.step == 10
    assert "0/momentum_buffer" in stopped.tensors["optimizer-1"]
    resumed = run(TINY, data, halves, resume=True)
    assert losses(resumed) == losses(whole)
    same_state(resumed, whole)


def test_a_state_that_was_copied_from_a_run_on_another_text_is_refused(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.txt").write_text(TEXT.replace("cat", "dog"))
    prepare([Text(path=tmp_path / "other.txt")], tmp_path / "other", kind=load_data(data).tokenizer)
    for name in ("mine", "other"):
        with stopped_after(10):
            run(TINY, data if name == "mine" else tmp_path / "other", tmp_path / f"run-{name}")
    shutil.rmtree(tmp_path / "run-mine" / "state")
    shutil.copytree(tmp_path / "run-other" / "state", tmp_path / "run-mine" / "state")
    with pytest.raises(StateError, match="give the data it began with, or, if it was copied"):
        run(TINY, data, tmp_path / "run-mine", resume=True)


def test_a_run_leaves_its_files_and_a_checkpoint_that_writes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(TINY, data, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        *("best", "config.json", "loss.png", "metrics.jsonl", "samples.jsonl", "samples.md"),
        *("state", "steps"),
    }
    checkpoint = gpt.load(tmp_path / "run" / "best")
    records = [
        json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    best = min(record["val_loss"] for record in records if "val_loss" in record)
    assert checkpoint.training["val_loss"] == best
    assert checkpoint.training["tokens"] == checkpoint.training["step"] * TINY.tokens_per_step
    assert f"{best:.4f} nats per token" in checkpoint.card
    assert "  | " in capsys.readouterr().out  # the printed sample


def test_weights_are_kept_along_the_run_and_say_what_was_measured(
    data: Path, tmp_path: Path
) -> None:
    steps = run(TINY, data, tmp_path / "run").steps
    kept = sorted(path.name for path in steps.iterdir())
    assert kept == ["000000", "000001", "000003", "000007", "000020"]
    found = {name: gpt.load(steps / name) for name in kept}
    assert [int(name) for name in kept] == [found[name].training["step"] for name in kept]
    assert [name for name in kept if "val_loss" in found[name].training] == ["000000", "000020"]
    assert "not measured at this step" in found["000003"].card
    for name, later in pairwise(kept):
        before, after = (found[n].model.state_dict() for n in (name, later))
        assert any(not torch.equal(before[key], after[key]) for key in before)
    assert run(replace(TINY, save_steps=0), data, tmp_path / "none").steps.exists() is False


@pytest.mark.parametrize("asked", [1, 5, 9, 20])
def test_a_resumed_run_keeps_the_weights_of_the_same_steps(
    asked: int, data: Path, tmp_path: Path
) -> None:
    whole = run(TINY, data, tmp_path / "whole")

    class Stop:
        looks = 0

        @property
        def asked(self) -> bool:
            self.looks += 1
            return self.looks > asked

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "StopSignal", Stop)
        run(TINY, data, tmp_path / "halves")
    halves = run(TINY, data, tmp_path / "halves", resume=True)
    assert {p.name for p in halves.steps.iterdir()} == {p.name for p in whole.steps.iterdir()}
    for folder in whole.steps.iterdir():
        ours, theirs = (
            load_file(steps / folder.name / "model.safetensors")
            for steps in (halves.steps, whole.steps)
        )
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_steps_kept_are_distinct_and_on_a_log_scale() -> None:
    assert steps_to_keep(1000, 8) == (0, 1, 3, 10, 32, 100, 316, 1000)
    for max_steps in (1, 2, 3, 7, 20, 300, 600_000):
        for count in range(1, 30):
            steps = steps_to_keep(max_steps, count)
            assert len(steps) == min(count, max_steps + 1)
            assert all(a < b for a, b in pairwise(steps))
            assert steps[-1] == max_steps
            assert count == 1 or steps[0] == 0
    assert steps_to_keep(300, 0) == ()


def test_two_lines_are_learnt_by_heart(tmp_path: Path) -> None:
    text = "One two three four five six seven.\nA bird in the hand is worth two in the bush.\n"
    (tmp_path / "text.txt").write_text(text * 10)
    prepare([Text(path=tmp_path / "text.txt")], tmp_path / "data", kind="char", valid_fraction=0.5)
    config = replace(TINY, max_steps=200, batch_size=8, accumulate=1, dropout=0.0, eval_every=100)
    config = replace(config, block_size=32, n_embd=48, n_head=3)
    folder = run(config, tmp_path / "data", tmp_path / "run").best
    model, tokenizer = gpt.load(folder).model, gpt.load(folder).tokenizer
    greedy = SamplingParams(temperature=0, max_new_tokens=len(text))
    stream = Generator(model, tokenizer).stream(tokenizer.encode(text[:12]), greedy)
    assert "".join(token.text for token in stream) == (text * 2)[12 : 12 + len(text)]


@pytest.mark.parametrize("accumulate", [1, 2, 4])
def test_every_window_comes_once_an_epoch(accumulate: int) -> None:
    tokens = np.arange(1000, dtype=np.uint16)
    config = replace(TINY, batch_size=4 // accumulate, accumulate=accumulate)
    batches = Batches(tokens, config)
    assert batches.per_epoch == 61
    firsts = [
        int(row[0])
        for step in range(3 * 61 // 4 + 1)
        for part in range(accumulate)
        for row in batches.micro_batch(step, part)[0]
    ]
    for epoch in range(3):
        seen = sorted(firsts[epoch * 61 : (epoch + 1) * 61])
        assert len(set(seen)) == 61
        assert {b - a for a, b in pairwise(seen)} == {16}
    assert firsts[:61] != firsts[61:122]


def test_the_order_is_a_pure_function_of_seed_and_step() -> None:
    tokens = np.random.default_rng(0).integers(60, size=700).astype(np.uint16)
    for order in ("epochs", "random"):
        config = replace(TINY, order=order)
        forward, again = Batches(tokens, config), Batches(tokens, config)
        whole = [forward.micro_batch(step, 1) for step in range(30)]
        for step in reversed(range(30)):
            inputs, targets = again.micro_batch(step, 1)
            assert torch.equal(inputs, whole[step][0])
            assert torch.equal(targets, whole[step][1])
            assert torch.equal(inputs[:, 1:], targets[:, :-1])
        other = Batches(tokens, replace(config, seed=2)).micro_batch(0, 1)[0]
        assert not torch.equal(other, whole[0][0])


def test_training_windows_stay_inside_the_training_text() -> None:
    text = np.arange(300, dtype=np.uint16)
    batches = Batches(text[:200], TINY)
    for step in range(40):
        for part in range(2):
            assert int(batches.micro_batch(step, part)[1].max()) < 200
    assert len(SlidingWindowDataset(text[:200], 16, 1)) == 184


def test_a_text_too_short_for_the_window_says_so() -> None:
    with pytest.raises(ValueError, match="expected more than 32 training tokens"):
        Batches(np.arange(30, dtype=np.uint16), TINY)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_exactly_the_matrices_decay_and_every_parameter_has_one_place(
    optimizer: str, family: str
) -> None:
    config = replace(TINY, optimizer=optimizer, family=family, tie_embeddings=family == "gpt2")
    model = GPT(config.model_config(50))
    groups = [group for o in make_optimizers(model, config) for group in o.param_groups]
    placed = [id(p) for group in groups for p in group["params"]]
    assert sorted(placed) == sorted(id(p) for p in model.parameters())
    for group in groups:
        for parameter in group["params"]:
            assert (group["weight_decay"] > 0) == (parameter.dim() >= 2)


def test_the_learning_rate_warms_up_holds_and_falls_to_zero() -> None:
    config = replace(TINY, max_steps=100, warmup_steps=10, decay_fraction=0.5, learning_rate=1.0)
    rates = [learning_rate(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:51] == [1.0] * 42
    assert rates[75] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.02)
    cosine = replace(config, schedule="cosine")
    assert learning_rate(10, cosine) == pytest.approx(1.0)
    assert learning_rate(55, cosine) == pytest.approx(0.55)
    assert learning_rate(100, cosine) == pytest.approx(0.1)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(
    data: Path, tmp_path: Path
) -> None:
    wild = {"learning_rate": 1e20, "optimizer": "adamw", "grad_clip": 0, "warmup_steps": 0}
    with pytest.raises(TrainingError, match="try a lower --learning-rate"):
        run(
            replace(TINY, nan_patience=3, **wild),
            data,
            tmp_path / "run",
        )
    assert gpt.load(tmp_path / "run" / "best").training["step"] == 0
    assert load_state(tmp_path / "run", say=pytest.fail).step == 0


def test_presets_are_valid_and_every_field_is_explained_by_help() -> None:
    for name, preset in PRESETS.items():
        assert preset.__doc__, name
        assert TrainConfig.from_dict(preset().to_dict()) == preset()
        preset().model_config(100)
    assert field_help().keys() == TrainConfig().to_dict().keys()
    assert "tokens_per_step" in field_help()["accumulate"]


def test_gpt2_preset_is_gpt2_124m() -> None:
    with torch.device("meta"):
        assert GPT(PRESETS["gpt2"]().model_config(50257)).n_params == 124_439_808


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-step", "3"], "unrecognized arguments"),
        (["--max-steps", "many"], "invalid int value"),
        (["--max-steps", "0"], "max_steps must be above 0"),
        (["--dropout", "1.5"], "dropout must be between 0 and 1"),
        (["--n-head", "3"], "not a multiple of n_head=3"),
        (["--preset", "giant"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_one_clear_line(
    options: list[str],
    message: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        pretrain.main(["--data", str(data), "--out", str(tmp_path / "run"), *options])
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_run_is_not_overwritten_by_accident(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(data), "--out", str(tmp_path / "run"), "--max-steps", "2"]
    small = ["--n-layer", "1", "--n-embd", "8", "--n-head", "1", "--block-size", "8"]
    pretrain.main([*arguments, *small, "--sample-tokens", "0", "--precision", "float32"])
    with pytest.raises(SystemExit):
        pretrain.main([*arguments, *small])
    assert "holds a run: go on with --resume" in capsys.readouterr().err


def test_one_command_line_begins_a_run_and_goes_on_with_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(data), "--out", str(tmp_path / "run"), "--resume"]
    small = ["--n-layer", "1", "--n-embd", "8", "--n-head", "1", "--block-size", "8"]
    for steps in ("2", "3"):
        options = [*arguments, *small, "--sample-tokens", "0", "--precision", "float32"]
        pretrain.main([*options, "--max-steps", steps])
        said = capsys.readouterr().out
        assert ("nothing to resume" in said) == (steps == "2")
    assert load_state(tmp_path / "run", pytest.fail).step == 3


def test_a_state_of_another_model_is_refused(data: Path, tmp_path: Path) -> None:
    run(replace(TINY, max_steps=2, sample_tokens=0), data, tmp_path / "run")
    with pytest.raises(StateError, match="is of another model"):
        run(replace(TINY, n_layer=1), data, tmp_path / "run", resume=True)


def test_data_that_is_not_whole_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"make it with `python -m train.prepare"):
        load_data(tmp_path / "nothing")
    (data / "train.bin").write_bytes((data / "train.bin").read_bytes()[:-2])
    with pytest.raises(DataError, match="prepare the text again"):
        load_data(data)


SMALL = [
    *("--n-layer", "1", "--n-embd", "8", "--n-head", "1", "--block-size", "32"),
    *("--max-steps", "4", "--eval-every", "2", "--sample-tokens", "0", "--save-steps", "0"),
    *("--precision", "float32", "--device", "cpu", "--threads", "1"),
]


def test_a_text_that_changed_is_prepared_anew_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, out = tmp_path / "g.txt", tmp_path / "run"
    text.write_text("A fox met the king. " * 2)
    command = ["--data", str(text), "--out", str(out), *SMALL]
    with pytest.raises(SystemExit):
        pretrain.main(command)
    assert "use more text" in capsys.readouterr().err
    text.write_text(TEXT)
    pretrain.main(command)
    assert f"prepared anew from g.txt ({len(TEXT)} bytes" in capsys.readouterr().out
    assert load_data(out / "data").facts["sources"][0]["bytes"] == len(TEXT)


@pytest.mark.parametrize("name", ["train.bin", "tokenizer.json", "data.json"])
def test_tokens_of_ours_that_are_damaged_are_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text, folder = tmp_path / "g.txt", tmp_path / "run/data"
    text.write_text(TEXT)
    prepare([Text(path=text)], folder, kind="char")
    (folder / name).write_bytes((folder / name).read_bytes()[:-7])
    data = open_or_prepare(text, tmp_path / "run")
    assert "prepared anew" in capsys.readouterr().out
    assert data.tokenizer.decode(data.train[1:].tolist()) == TEXT[: len(data.train) - 1]


def test_tokens_of_a_run_that_are_damaged_or_cut_otherwise_are_told_of(tmp_path: Path) -> None:
    text, run = tmp_path / "g.txt", tmp_path / "run"
    text.write_text(TEXT)
    prepare([Text(path=text)], run / "data", kind="char")
    tokens = (run / "data/train.bin").read_bytes()
    (run / "data/train.bin").write_bytes(tokens[2:] + tokens[:2])
    with pytest.raises(DataError, match=r"train\.bin is not the file that data\.json"):
        open_or_prepare(text, run, run)
    prepare([Text(path=text)], run / "data", kind="bpe", vocab_size=270)
    with pytest.raises(DataError, match="was cut by another tokenizer than is asked for"):
        open_or_prepare(text, run, run)


def test_a_run_that_an_older_version_began_on_json_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, run = tmp_path / "g.txt", tmp_path / "run"
    text.write_text(f'{{"text": "{TEXT}"}}')
    with monkeypatch.context() as older:
        older.setattr("train.data.texts.check_prose", lambda path: None)
        open_or_prepare(text, run)
    open_or_prepare(text, run, run)
    text.write_text(text.read_text() + "\n")
    with pytest.raises(ValueError, match=r"g\.txt is JSON"):
        open_or_prepare(text, run, run)


def test_a_run_goes_on_with_the_text_it_began_with_or_says_both_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, out = tmp_path / "g.txt", tmp_path / "run"
    text.write_text(TEXT)
    command = ["--data", str(text), "--out", str(out), *SMALL]
    pretrain.main(command)
    tokens = (out / "data/train.bin").read_bytes()
    other = tmp_path / "other.txt"
    other.write_text(TEXT + "More.\n")
    prepare([Text(path=other)], tmp_path / "anew", kind="char")
    text.write_text(TEXT + "Less.\n")
    for data in (other, tmp_path / "anew", text):
        with pytest.raises(SystemExit):
            pretrain.main(["--data", str(data), "--out", str(out), *SMALL, "--resume"])
        said = capsys.readouterr().err
        assert f"g.txt ({len(TEXT)} bytes" in said
        assert f"{'g' if data == text else 'other'}.txt ({len(TEXT) + 6} bytes" in said
    assert (out / "data/train.bin").read_bytes() == tokens
    text.write_text(TEXT)
    pretrain.main([*command, "--resume"])


def test_a_run_that_goes_on_with_more_steps_says_what_becomes_of_the_learning_rate(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--data", str(data), "--out", str(tmp_path / "run"), *SMALL, "--warmup-steps", "0"]
    pretrain.main(command)
    capsys.readouterr()
    pretrain.main([*command, "--resume"])
    assert "learning rate" not in capsys.readouterr().out
    pretrain.main([*command, "--max-steps", "12", "--resume"])
    said = capsys.readouterr().out
    assert "goes on with other settings than it began with: max_steps 4 → 12" in said
    assert "2.4 times that" in said
