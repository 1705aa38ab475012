"""The parts of the recipe that are off by default: averages, schedules, patience, documents."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import gpt
from gpt.model import GPT
from tests.support.stopping import stopped_after
from tests.train.test_pretrain import TINY, data, losses, run, same_state
from train import pretrain
from train.data.folder import load_data
from train.loop.batches import Batches, noise_seed, steps_in
from train.loop.config import TrainConfig
from train.loop.ema import EMA
from train.loop.optimize import decay_factor, make_optimizers, set_weight_decay
from train.loop.progress import Progress
from train.loop.state import load_state
from train.run.validate import Validation

pytestmark = pytest.mark.heavy

__all__ = ["data"]  # the fixture
ALL = replace(
    TINY, average_decay=0.9, weight_decay_schedule="linear", order="documents", patience=50
)


@pytest.mark.parametrize(
    ("config", "golden"),
    [
        (TINY, [2.9905993650699485, 2.8488415002822878, 2.709191819717144, 2.6410231232643127]),
        (
            replace(TINY, order="random", optimizer="adamw", schedule="cosine", family="gpt2"),
            [2.962739553944818, 2.777982997894287, 2.6006729767240326, 2.557075929641724],
        ),
        (
            replace(TINY, dropout=0.0),
            [2.9905993650699485, 2.838659393787384, 2.7014249111043998, 2.6177211880683897],
        ),
    ],
)
def test_a_seed_gives_the_losses_it_always_gave(
    config: TrainConfig, golden: list[float], data: Path, tmp_path: Path
) -> None:
    found = losses(run(config, data, tmp_path / "run"))
    assert [train or valid for _, train, valid, _ in found[:4]] == pytest.approx(golden, abs=1e-4)


def test_with_all_of_them_a_resumed_run_is_the_undisturbed_one(data: Path, tmp_path: Path) -> None:
    whole = run(ALL, data, tmp_path / "whole")

    with stopped_after(13):
        run(ALL, data, tmp_path / "halves")
    halves = run(ALL, data, tmp_path / "halves", resume=True)
    assert losses(halves) == losses(whole)
    same_state(halves, whole)
    assert "average" in load_state(whole.folder, say=pytest.fail).tensors


def test_the_averaged_weights_are_what_is_judged_and_saved(data: Path, tmp_path: Path) -> None:
    config = replace(TINY, average_decay=0.9)
    done = run(config, data, tmp_path / "run")
    state = load_state(done.folder, say=pytest.fail)
    assert state.progress["best_step"] == 20
    saved = gpt.load(done.best).model.state_dict()
    for name, mean in state.tensors["average"].items():
        assert torch.equal(saved[name], mean.bfloat16().float())
        assert not torch.equal(saved[name], state.tensors["model"][name].bfloat16().float())


def test_the_average_is_the_running_mean_that_its_formula_says() -> None:
    model = GPT(TINY.model_config(20))
    average, weight = EMA(model, 0.8), next(model.blocks.parameters())
    mean = weight.detach().clone().double()
    for step in range(60):
        with torch.no_grad():
            weight.add_(torch.randn_like(weight))
        average.update(step)
        decay = min(0.8, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * weight.detach().double()
    name = next(n for n, p in model.named_parameters() if p is weight)
    torch.testing.assert_close(average.means[name].double(), mean, rtol=0, atol=1e-5)
    assert torch.equal(dict(average.applied().named_parameters())[name], average.means[name])
    assert EMA(model, 0.0).applied() is model


def test_the_weight_decay_falls_to_zero_and_never_touches_what_has_none() -> None:
    config = replace(TINY, weight_decay=0.5, weight_decay_schedule="linear")
    optimizers = make_optimizers(GPT(config.model_config(20)), config)
    assert [decay_factor(step, config) for step in (0, 5, 19)] == [1.0, 0.75, 0.05]
    assert decay_factor(19, TINY) == 1.0
    for factor in (0.5, 0.25):  # of the full one each time, not of the one before
        set_weight_decay(optimizers, factor)
        found = {group["weight_decay"] for o in optimizers for group in o.param_groups}
        assert found == {0.0, 0.5 * factor}


def test_training_ends_early_when_nothing_gets_better(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = iter([3.0, 2.0, 2.5, 2.1, 1.0])

    def judge(validation: Validation, model: GPT, progress: Progress) -> dict[str, float]:
        loss = next(found)
        if loss < progress.best_loss:
            progress.best_loss, progress.best_step = loss, progress.step
        return {"loss": loss, "bpb": loss}

    config = replace(TINY, max_steps=40, eval_every=5, patience=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Validation, "evaluate", judge)
        done = run(config, data, tmp_path / "run")
    assert load_state(done.folder, say=pytest.fail).step == 15
    assert gpt.load(done.steps / "000015").training["step"] == 15
    assert "ended at step 15: 2 evaluations were no better" in capsys.readouterr().out


def test_documents_come_in_another_order_each_epoch_and_each_token_once() -> None:
    end, length = 0, 10
    documents = [np.full(length, n + 1) for n in range(60)]
    tokens = np.concatenate([np.append(d, end) for d in documents]).astype(np.uint16)
    config = replace(TINY, order="documents", block_size=8, batch_size=1, accumulate=1)
    batches = Batches(tokens, config, end)
    seen: list[list[int]] = []
    for epoch in range(3):
        windows, order = batches._plan(epoch)
        assert sorted(order.tolist()) == list(range(batches.per_epoch))
        stream = [int(windows[i][0][0]) for i in range(batches.per_epoch)]
        text = np.concatenate([windows[i][0].numpy() for i in range(batches.per_epoch)])
        assert (np.unique(text, return_counts=True)[1][1:] <= length).all()
        names = [int(n) for n in text if n]
        runs = [a for a, b in pairwise([*names, -1]) if a != b]
        assert len(runs) == len(set(runs)) >= 58  # whole documents, each in one place
        seen.append(stream)
    assert seen[0] != seen[1] != seen[2]
    again = Batches(tokens, config, end)
    late = again.micro_batch(150, 0)[0]
    assert torch.equal(late, batches.micro_batch(150, 0)[0])


def test_a_pass_reads_the_same_whichever_process_takes_it() -> None:
    seeds = {noise_seed(1, step, part) for step in range(50) for part in range(8)}
    assert len(seeds) == 400


def test_a_length_in_epochs_reads_the_text_so_often() -> None:
    config = replace(TINY, batch_size=4, accumulate=1, block_size=16)
    batches = Batches(np.arange(1000, dtype=np.uint16), config)
    assert (
        steps_in(3, 1000, config) * 4 >= 3 * batches.per_epoch > (steps_in(3, 1000, config) - 1) * 4
    )
    assert steps_in(0.01, 1000, config) == 1
    with pytest.raises(ValueError, match="--epochs must be above 0"):
        steps_in(0, 1000, config)


def test_epochs_on_the_command_line_become_steps_in_the_config(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = "--n-layer 1 --n-embd 8 --n-head 1 --block-size 8 --batch-size 8 --eval-every 20"
    words = ["--data", str(data), *small.split(), "--sample-tokens", "0", "--precision", "float32"]
    pretrain.main([*words, "--out", str(tmp_path / "run"), "--epochs", "1", "--threads", "1"])
    tokens = len(load_data(data).train)
    config = pretrain.config_from(
        pretrain.make_parser().parse_args(["--config", str(tmp_path / "run" / "config.json")])
    )
    assert config.max_steps == -(-((tokens - 8) // 8) // 8)
    with pytest.raises(SystemExit):
        pretrain.main([*words, "--out", str(tmp_path / "no"), "--epochs", "1", "--max-steps", "9"])
    assert "by --epochs or by --max-steps, not by both" in capsys.readouterr().err
