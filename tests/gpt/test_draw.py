"""The compiled draw is `gpt.sampling.sample`: for a seed the same token, with the same numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpt.cache import KVCache
from gpt.config import GPTConfig
from gpt.decode.core import TorchCore
from gpt.decode.numba_core import NumbaCore
from gpt.model import GPT
from gpt.sampling import NOT_FINITE, Draw, SamplingParams, probabilities, sample, seeded

SIZES = (3, 11, 64, 1000, 4096)


def core(vocab_size: int) -> NumbaCore:
    config = GPTConfig(vocab_size=vocab_size, n_layer=1, n_head=1, n_embd=2, block_size=4)
    return NumbaCore(GPT(config).eval(), vocab_size, KVCache(config, 1), precision="float32")


CORES = {size: core(size) for size in SIZES}


def drawn(
    logits: NDArray[np.float32], params: SamplingParams, seed: int, *, seen: tuple[int, ...] = ()
) -> Draw:
    one = CORES[len(logits)]
    return one.draw(torch.from_numpy(logits), params, seen, seeded(seed), 10)


@st.composite
def some_logits(draw: st.DrawFn) -> NDArray[np.float32]:
    """Flat and steep, with ties, and with tokens that are forbidden."""
    size, steep = draw(st.sampled_from(SIZES)), draw(st.sampled_from((0.1, 1.0, 4.0, 20.0)))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    logits = (random.standard_normal(size) * steep).astype(np.float32)
    if draw(st.booleans()):
        logits = np.round(logits)
    if draw(st.booleans()):
        logits[random.integers(size)] = -np.inf
    return logits


PARAMS = st.builds(
    SamplingParams,
    temperature=st.sampled_from((0, 1e-3, 0.5, 1.0, 2)),
    top_k=st.sampled_from((0, 1, 5, 40, 5000)),
    # No round share: where equal tokens add up to it exactly, rounding decides.
    top_p=st.sampled_from((1, 0.953, 0.517, 0.0131)),
    min_p=st.sampled_from((0.0, 0.053, 1.0)),
    repetition_penalty=st.sampled_from((1.0, 1.3)),
)


@settings(max_examples=400, deadline=None)
@given(logits=some_logits(), params=PARAMS, seed=st.integers(0, 2**63 - 1))
def test_the_same_seed_draws_the_same_token_with_the_same_numbers(
    logits: NDArray[np.float32], params: SamplingParams, seed: int
) -> None:
    seen = tuple(np.random.default_rng(seed % 1000).integers(0, len(logits), 7).tolist())
    expected = sample(torch.from_numpy(logits), params, seen, seeded(seed))
    found = drawn(logits, params, seed, seen=seen)
    assert found.id == expected.id
    numbers = (found.raw_probability, found.probability, found.entropy)
    assert numbers == pytest.approx(
        (expected.raw_probability, expected.probability, expected.entropy), rel=1e-9, abs=1e-12
    )
    assert [each[0] for each in found.alternatives] == [each[0] for each in expected.alternatives]
    for one, other in zip(found.alternatives, expected.alternatives, strict=True):
        assert one[1:] == pytest.approx(other[1:], rel=1e-9, abs=1e-14)


def test_greedy_takes_the_lowest_id_of_equal_ones_and_nothing_from_the_generator() -> None:
    logits = np.zeros(11, np.float32)
    logits[[4, 7]] = 2
    rng = seeded(1)
    before = rng.get_state()
    draw = CORES[11].draw(torch.from_numpy(logits), SamplingParams(temperature=0), (), rng, 3)
    assert (draw.id, draw.probability, len(draw.alternatives)) == (4, 1.0, 3)
    assert torch.equal(rng.get_state(), before)


def test_top_k_keeps_exactly_k_of_equal_tokens_and_top_p_the_one_that_crosses() -> None:
    flat = np.zeros(64, np.float32)
    ids = {drawn(flat, SamplingParams(temperature=1, top_p=1, top_k=5), s).id for s in range(200)}
    assert ids == {0, 1, 2, 3, 4}
    ids = {drawn(flat, SamplingParams(temperature=1, top_p=0.04), s).id for s in range(200)}
    assert ids == {0, 1, 2}  # 3/64 is the first above 0.04


def test_tokens_come_as_often_as_their_probability_says() -> None:
    logits = np.random.default_rng(3).standard_normal(11).astype(np.float32)
    params = SamplingParams(temperature=1.2, top_p=0.9)
    expected = probabilities(torch.from_numpy(logits), params).numpy() * 4000
    rng = seeded(5)
    one = CORES[11]
    counts = np.zeros(11)
    for _ in range(4000):
        counts[one.draw(torch.from_numpy(logits), params, (), rng, 0).id] += 1
    kept = expected > 0
    assert not counts[~kept].any()
    # Pearson's statistic; 99.99% of right ones lie below 33 with up to 8 degrees of freedom.
    assert ((counts - expected)[kept] ** 2 / expected[kept]).sum() < 33


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused_as_by_the_reference(bad: float) -> None:
    logits = np.zeros(11, np.float32)
    logits[3] = bad
    for greedy in (0.0, 1.0):
        with pytest.raises(ValueError, match="not finite") as error:
            drawn(logits, SamplingParams(temperature=greedy), 1)
        assert str(error.value) == NOT_FINITE
    with pytest.raises(ValueError, match="not finite"):
        drawn(np.full(11, -np.inf, np.float32), SamplingParams(), 1)


def test_a_forbidden_token_is_never_drawn_and_has_no_chance() -> None:
    logits = np.array([0, -np.inf, 0], np.float32)
    draws = [drawn(logits, SamplingParams(temperature=2, top_p=1), seed) for seed in range(100)]
    assert {draw.id for draw in draws} == {0, 2}
    assert draws[0].alternatives[-1] == (1, 0.0, 0.0)


def test_both_cores_draw_by_the_interface() -> None:
    config = GPTConfig(vocab_size=11, n_layer=1, n_head=1, n_embd=2, block_size=4)
    cache = KVCache(config, 1)
    reference = TorchCore(GPT(config).eval(), 11, cache)
    logits = torch.linspace(-1, 1, 11)
    params = SamplingParams(temperature=1)
    draws = [each.draw(logits, params, (), seeded(2), 4) for each in (reference, CORES[11])]
    assert [draw.id for draw in draws[:1]] == [draw.id for draw in draws[1:]]
    assert [len(draw.alternatives) for draw in draws] == [4, 4]
