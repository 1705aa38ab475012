"""What is told of a distribution is what the samplers draw from."""

import math

import pytest
import torch

from gpt.distribution import log_probability, token_distribution
from gpt.sampling import SamplingParams, probabilities, sample, seeded

OFF = SamplingParams(temperature=1, top_p=1)


def test_equal_chances_are_as_many_as_they_are() -> None:
    told = token_distribution(torch.zeros(50), OFF, (), 5)
    assert [id for id, _, _ in told.top] == [0, 1, 2, 3, 4]
    assert math.exp(told.raw_entropy) == pytest.approx(50)
    assert (told.entropy, told.kept, told.vocab_size) == (told.raw_entropy, 50, 50)


def test_what_is_cut_is_counted_and_the_rest_shares_its_chance() -> None:
    logits = torch.arange(10.0)
    told = token_distribution(logits, SamplingParams(temperature=1, top_p=1, top_k=3), (), 5)
    assert told.kept == 3
    assert [id for id, _, _ in told.top] == [9, 8, 7, 6, 5]
    assert sum(after for _, _, after in told.top) == pytest.approx(1)
    assert [after > 0 for _, _, after in told.top] == [True, True, True, False, False]
    assert told.entropy < told.raw_entropy


def test_greedy_leaves_one() -> None:
    told = token_distribution(torch.arange(10.0), SamplingParams(temperature=0), (), 3)
    assert (told.kept, told.entropy) == (1, 0)
    assert [after for _, _, after in told.top] == [1, 0, 0]


def test_it_tells_what_a_draw_tells() -> None:
    logits = torch.randn(200, generator=torch.Generator().manual_seed(1)) * 3
    params = SamplingParams(temperature=0.7, top_k=40, min_p=0.02, repetition_penalty=1.3)
    told = token_distribution(logits, params, [3, 4], 10)
    drawn = sample(logits, params, [3, 4], seeded(1))
    assert [id for id, _, _ in told.top] == [id for id, _, _ in drawn.alternatives]
    for one, other in zip(told.top, drawn.alternatives, strict=True):
        assert one == pytest.approx(other)
    assert told.raw_entropy == pytest.approx(drawn.entropy)
    assert told.kept == int((probabilities(logits, params, [3, 4]) > 0).sum()) < 40


def test_a_run_of_tokens_is_as_likely_as_its_tokens_one_after_the_other() -> None:
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(1))
    chances = [logits[at].softmax(0)[id].item() for at, id in enumerate((2, 0, 6))]
    assert log_probability(logits, (2, 0, 6)) == pytest.approx(math.log(math.prod(chances)))
