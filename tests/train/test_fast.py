"""What makes a step fast on a CPU means what it stands for, and is chosen once for a run."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gpt.model import GPT, Attention
from tests.support.stopping import stopped_after
from tests.train.test_pretrain import TINY, data, losses, run, same_state
from train.loop import fast, train
from train.loop.config import TrainConfig
from train.loop.fast import ByteDropout, Way, choose, plain_attention, quicken, usual
from train.loop.state import load_state

__all__ = ["data"]  # the fixture
CPU = torch.device("cpu")
PLAIN, FUSED = Way("float32", plain=True), Way("float32", plain=False)


def ways_seen(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> list[Way]:
    """What `choose` measures for a config."""
    seen: list[Way] = []

    def measure(ways: list[Way], *_: object) -> dict[Way, float]:
        seen.extend(ways)
        return dict.fromkeys(ways, 1.0)

    monkeypatch.setattr(fast, "measure", measure)
    choose(config, 20, CPU)
    return seen


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5])
def test_each_of_the_four_numbers_in_a_word_is_dropped_with_its_probability(p: float) -> None:
    torch.manual_seed(1)
    kept = fast.drop(torch.ones(400_000), p).view(-1, 4)
    assert ((kept == 0).float().mean(0) - p).abs().max() < 0.006  # 4 standard deviations
    assert (kept.mean(0) - 1).abs().max() < 0.013


def test_what_is_kept_is_scaled_by_the_probability_that_is_drawn() -> None:
    p = 1.4 / fast.LEVELS  # drawn as 1 / LEVELS
    kept = fast.drop(torch.ones(8, dtype=torch.float64), p)
    assert kept.max().item() == fast.LEVELS / (fast.LEVELS - 1)
    assert torch.equal(fast.drop(torch.ones(64), 0.999999).isfinite(), torch.ones(64).bool())


def test_the_gradient_is_dropped_where_the_value_was_and_evaluation_drops_nothing() -> None:
    x = torch.randn(3, 5, 7, requires_grad=True)
    layer = ByteDropout(0.4)
    y = layer(x)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad * x, y)
    assert 0 < (y == 0).sum() < y.numel()
    assert layer.eval()(x) is x


def test_masks_are_drawn_from_torchs_generator_and_from_nothing_else() -> None:
    def three(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        return [fast.drop(torch.ones(9), 0.5) for _ in range(3)]

    first, again, other = three(1), three(1), three(2)
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize(("queries", "kv_heads"), [(128, 4), (3, 4), (4, 2)])
def test_plain_attention_is_attention_with_its_gradients(
    queries: int, kv_heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "QUERIES", queries)
    q = torch.randn(2, 4, 10, 8, requires_grad=True)
    k, v = (torch.randn(2, kv_heads, 10, 8, requires_grad=True) for _ in range(2))
    ours = plain_attention(q, k, v, 0.0)
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    torch.testing.assert_close(ours, theirs)
    toward = torch.randn_like(ours)
    for own, other in zip(
        *(torch.autograd.grad(y, (q, k, v), toward) for y in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(own, other)


def test_dropout_inside_plain_attention_keeps_the_mean() -> None:
    q, k, v = (torch.randn(1, 1, 6, 4) for _ in range(3))
    torch.manual_seed(1)
    mean = torch.stack([plain_attention(q, k, v, 0.3) for _ in range(3000)]).mean(0)
    assert (mean - plain_attention(q, k, v, 0.0)).abs().max() < 0.1


def test_a_model_writes_with_pytorchs_kernel_whatever_it_is_trained_by() -> None:
    config = replace(TINY, dropout=0.0)
    model, tokens = GPT(config.model_config(20)).eval(), torch.arange(16)[None]
    before = model(tokens)
    quicken(model, config, PLAIN)
    assert torch.equal(model(tokens), before)
    torch.testing.assert_close(model.train()(tokens), before)
    quicken(model, config, FUSED)
    assert torch.equal(model(tokens), before)


def test_without_dropout_a_float32_training_is_what_it_was() -> None:
    config = replace(TINY, dropout=0.0)
    assert choose(config, 20, CPU) == usual(config, CPU) == FUSED
    model = GPT(config.model_config(20))
    parts = [type(module) for module in model.modules()]
    quicken(model, config, FUSED)
    assert [type(module) for module in model.modules()] == parts
    attentions = [module for module in model.modules() if isinstance(module, Attention)]
    assert [each.trained_by for each in attentions] == [None] * config.n_layer


def test_only_where_there_is_a_choice_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    auto = replace(TINY, precision="auto", dropout=0.0)
    monkeypatch.setattr(fast, "has_fast_bfloat16", lambda device: True)
    assert len(ways_seen(auto, monkeypatch)) == 4
    assert len(ways_seen(replace(auto, family="gpt2", dropout=0.1), monkeypatch)) == 2
    monkeypatch.setattr(fast, "has_fast_bfloat16", lambda device: False)
    assert len(ways_seen(auto, monkeypatch)) == 2
    for fixed in (
        replace(auto, compile=True),
        replace(auto, precision="bfloat16"),
        replace(auto, block_size=8192, batch_size=64),  # a gigabyte of attention weights
    ):
        assert ways_seen(fixed, monkeypatch) == []


def test_measuring_takes_no_random_number_of_the_training() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    choose(replace(TINY, precision="auto"), 20, CPU)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_resumed_run_goes_on_as_it_began_though_another_way_is_faster_now(
    family: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, precision="auto", family=family)
    began, later = Way("bfloat16", plain=True), FUSED
    monkeypatch.setattr(train, "choose", lambda *_: began)
    whole = run(config, data, tmp_path / "whole")
    with stopped_after(13):
        run(config, data, tmp_path / "halves")

    monkeypatch.setattr(train, "choose", lambda *_: later)
    halves = run(config, data, tmp_path / "halves", resume=True)
    assert losses(halves) == losses(whole)
    same_state(halves, whole)
    assert losses(run(config, data, tmp_path / "later")) != losses(whole)
    assert load_state(halves.folder, say=pytest.fail).progress["plain_attention"] is True
