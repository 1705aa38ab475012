"""How long a training would take: a few steps are tried, and on a slow machine one."""

from dataclasses import replace

import pytest

from tests.train.test_pretrain import TINY, data
from train import estimate
from train.data.folder import load_data

__all__ = ["data"]  # the fixture


@pytest.mark.parametrize(
    ("first_s", "tried", "step_s"), [(0.9, [1, estimate.TRIED_STEPS], 0.5), (20.0, [1], 20.0)]
)
def test_only_a_slow_machine_is_judged_by_its_first_step(
    monkeypatch, data, first_s, tried, step_s
) -> None:
    asked: list[int] = []

    class Pace:
        model = type("Model", (), {"n_params": 7})

        def __init__(self, config, data) -> None:
            pass

        def seconds(self, steps: int) -> float:
            asked.append(steps)
            return first_s if len(asked) == 1 else 0.5 * steps

    monkeypatch.setattr(estimate, "Throughput", Pace)
    text = load_data(data)
    config = replace(TINY, max_steps=100, eval_every=100)
    whole, parameters = estimate.seconds(config, text)
    evaluating = 2 * len(text.valid) / config.tokens_per_step * step_s * estimate.FORWARD_SHARE
    assert (asked, parameters) == (tried, 7)
    assert whole == pytest.approx(100 * step_s + evaluating)
