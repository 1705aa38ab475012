"""DRY is what its author describes, with both cores, and stands where llama.cpp has it."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt.sampling import (
    NOTHING_LEFT,
    Bias,
    SamplingParams,
    dry_penalties,
    probabilities,
    sample,
    seeded,
)
from tests.gpt.test_draw import CORES

PIECES = (b"a", b"b", b"\n", b" c", b'." ', b"", b"User", b":", b"de")
"""Some hold a breaker, one is half of a breaker that spans two tokens."""


def naive(seen: Sequence[int], params: SamplingParams, breakers: Sequence[int]) -> dict[int, float]:
    """The description, word by word: every earlier place of the last token is walked back from."""
    ids = list(seen)[-params.dry_range :] if params.dry_range else list(seen)
    lengths: dict[int, int] = {}
    if not ids or ids[-1] in breakers:
        return {}
    for at in range(len(ids) - 1):
        if ids[at] != ids[-1] or ids[at + 1] in breakers:
            continue
        length = 1
        while length <= at and ids[at - length] == ids[-1 - length]:
            if ids[at - length] in breakers:
                break
            length += 1
        lengths[ids[at + 1]] = max(length, lengths.get(ids[at + 1], 0))
    return {
        id: params.dry_multiplier * params.dry_base ** (length - params.dry_allowed_length)
        for id, length in lengths.items()
        if length >= params.dry_allowed_length
    }


PARAMS = st.builds(
    SamplingParams,
    dry_multiplier=st.sampled_from((0.0, 0.8, 3)),
    dry_base=st.sampled_from((1, 1.75, 4)),
    dry_allowed_length=st.integers(1, 4),
    dry_range=st.sampled_from((0, 1, 5, 30)),
    dry_breakers=st.sampled_from(((), ("\n",), ("\n", '"', ":"))),
)


@settings(max_examples=500, deadline=None)
@given(seen=st.lists(st.integers(0, 8), max_size=60), params=PARAMS)
def test_the_penalties_are_those_of_the_published_description(
    seen: list[int], params: SamplingParams
) -> None:
    breaks = [
        id
        for id, piece in enumerate(PIECES)
        if any(each.encode() in piece for each in params.dry_breakers)
    ]
    expected = naive(seen, params, breaks) if params.dry_multiplier else {}
    assert dry_penalties(seen, params, PIECES) == pytest.approx(expected)


def test_a_breaker_may_span_several_tokens() -> None:
    params = SamplingParams(dry_multiplier=1, dry_allowed_length=1, dry_breakers=("User:",))
    assert dry_penalties([0, 6, 7, 1, 0, 6, 7], params, PIECES) == {}
    # b follows the breaker both times: one token is repeated since, not four.
    assert dry_penalties([0, 6, 7, 1, 3, 0, 6, 7, 1], params, PIECES) == {3: 1.0}
    assert dry_penalties([0, 6, 0, 1, 3, 0, 6, 0, 1], params, PIECES) == {3: 1.75**3}


def test_the_longest_repeat_that_can_be_is_a_number_still() -> None:
    params = SamplingParams(dry_multiplier=5, dry_base=4)
    (penalty,) = dry_penalties([1] * 3000, params, PIECES).values()
    assert penalty == pytest.approx(3.4e38, rel=0.01)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    temperature=st.sampled_from((0, 0.7, 1.3)),
    penalty=st.sampled_from((1.0, 1.3)),
    forbidden=st.integers(0, 63),
)
def test_a_bias_comes_after_the_penalty_and_before_all_else_in_both_cores(
    seed: int, temperature: float, penalty: float, forbidden: int
) -> None:
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.standard_normal(64).astype(np.float32))
    ids = random.permutation(64)[: forbidden + 5 if forbidden < 59 else 63].astype(np.int64)
    values = np.where(random.random(len(ids)) < 0.5, -np.inf, -random.random(len(ids)))
    params = SamplingParams(
        temperature=temperature, repetition_penalty=penalty, top_k=9, top_p=0.917, min_p=0.031
    )
    bias, seen = Bias(ids, values), (1, 2, 3)
    expected = sample(logits, params, seen, seeded(seed), 10, bias)
    found = CORES[64].draw(logits, params, seen, seeded(seed), 10, bias)
    assert (found.id, found.alternatives[0][0]) == (expected.id, expected.alternatives[0][0])
    assert found.probability == pytest.approx(expected.probability, rel=1e-9)
    assert found.raw_probability == pytest.approx(float(logits.double().softmax(-1)[found.id]))
    assert found.id not in ids[values == -np.inf]
    if temperature:
        lowered = logits.double()
        lowered[[1, 2, 3]] = torch.where(
            lowered[[1, 2, 3]] > 0, lowered[[1, 2, 3]] / penalty, lowered[[1, 2, 3]] * penalty
        )
        lowered[torch.from_numpy(ids)] += torch.from_numpy(values)
        rest = SamplingParams(temperature=temperature, top_k=9, top_p=0.917, min_p=0.031)
        assert torch.allclose(
            probabilities(logits, params, seen, bias), probabilities(lowered, rest), atol=1e-12
        )


@pytest.mark.parametrize("temperature", [0, 1])
def test_where_all_is_forbidden_both_cores_say_so(temperature: float) -> None:
    bias = Bias(np.arange(11), np.full(11, -np.inf))
    params = SamplingParams(temperature=temperature)
    for draw in (CORES[11].draw, sample):
        with pytest.raises(ValueError, match="nothing may be written") as error:
            draw(torch.zeros(11), params, (), seeded(1), 0, bias)
        assert str(error.value) == NOTHING_LEFT
