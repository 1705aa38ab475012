"""Stacked Muon is torch's Muon."""

import copy
import time
from statistics import median

import pytest
import torch
from torch import nn
from torch.optim import Muon

from gpt.model import GPT
from tests.train.test_pretrain import TINY
from train.loop.device import has_fast_bfloat16
from train.loop.optimize import StackedMuon, make_optimizers, orthogonal

SHAPES = [(8, 24), (24, 8), (8, 24), (16, 16), (24, 8), (8, 24)]


def matrices() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def give_gradients(parameters: list[nn.Parameter], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("adjust", ["match_rms_adamw", "original"])
def test_it_ends_where_torchs_ends_and_each_goes_on_from_the_others_state(
    nesterov: bool, adjust: str
) -> None:
    kinds = (Muon, StackedMuon)
    sides = [matrices() for _ in kinds]
    options = {"lr": 0.02, "weight_decay": 0.1, "nesterov": nesterov, "adjust_lr_fn": adjust}
    optimizers = [kind(side, **options) for kind, side in zip(kinds, sides, strict=True)]
    for step in range(4):
        if step == 2:  # each takes over the other's state
            states = [copy.deepcopy(each.state_dict()) for each in reversed(optimizers)]
            for optimizer, state in zip(optimizers, states, strict=True):
                optimizer.load_state_dict(state)
        for side, optimizer in zip(sides, optimizers, strict=True):
            give_gradients(side, step)
            optimizer.step()
    for own, other, start in zip(*sides, matrices(), strict=True):
        assert (other - start).abs().max() > 0.02
        torch.testing.assert_close(own, other, rtol=0.02, atol=0.004)  # Newton-Schulz in bfloat16


def test_a_matrix_without_a_gradient_stays() -> None:
    parameters = matrices()
    give_gradients(parameters, 1)
    parameters[2].grad = None
    before = [p.detach().clone() for p in parameters]
    StackedMuon(parameters, lr=0.1).step()
    assert [torch.equal(p, b) for p, b in zip(parameters, before, strict=True)].count(True) == 1
    assert torch.equal(parameters[2], before[2])


def test_on_a_cpu_torchs_own_muon_stays_where_bfloat16_is_in_hardware(monkeypatch) -> None:
    monkeypatch.setattr("train.loop.optimize.has_fast_bfloat16", lambda device: True)
    kinds = [type(each) for each in make_optimizers(GPT(TINY.model_config(20)), TINY)]
    assert Muon in kinds
    assert StackedMuon not in kinds


@pytest.mark.parametrize(("fast", "precision"), [(True, torch.bfloat16), (False, torch.float32)])
def test_where_bfloat16_is_not_in_hardware_nothing_is_computed_in_it(
    monkeypatch, fast: bool, precision: torch.dtype
) -> None:
    monkeypatch.setattr("train.loop.optimize.has_fast_bfloat16", lambda device: fast)
    optimizers = make_optimizers(GPT(TINY.model_config(20)), TINY)
    assert any(isinstance(each, StackedMuon) for each in optimizers) is not fast
    matrices = torch.randn(2, 6, 9, generator=torch.Generator().manual_seed(1))
    found = orthogonal(matrices, (2.0, -1.5, 0.5), 20, 1e-7)
    assert found.dtype == precision
    exact = torch.linalg.svd(matrices.double(), full_matrices=False)
    off = (found.double() - exact.U @ exact.Vh).abs().max()
    assert (off < 1e-5) is not fast
    assert off < 0.05


@pytest.mark.torture
@pytest.mark.parametrize("columns", [384, 1024])
def test_the_form_that_is_chosen_is_not_the_slower_one(monkeypatch, columns: int) -> None:
    chosen = has_fast_bfloat16(torch.device("cpu"))
    matrices, taken = torch.randn(6, 384, columns), {True: list[float](), False: list[float]()}
    for fast in (True, False) * 3:
        monkeypatch.setattr("train.loop.optimize.has_fast_bfloat16", lambda device, fast=fast: fast)
        began = time.perf_counter()
        orthogonal(matrices, (3.4445, -4.775, 2.0315), 5, 1e-7)
        taken[fast].append(time.perf_counter() - began)
    print(f"6 of 384 × {columns}: bfloat16 {taken[True]}, float32 {taken[False]} s")
    assert median(taken[chosen]) < 1.5 * median(taken[not chosen])
