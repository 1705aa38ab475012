"""gpt.text.ngram against the formula written out in dictionaries, and against what must be true."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt.text import ngram
from gpt.text.ngram import LEAST_DISCOUNT, MOST_DISCOUNT, floor_of, ngram_nats, sample

IDS = st.lists(st.integers(0, 3), min_size=2, max_size=40)


def tokens(ids: list[int]) -> np.ndarray:
    return np.array(ids, np.uint16)


def reference(train: list[int], order: int, size: int):
    """Interpolated Kneser-Ney, a run at a time: the probability of a token after a context."""

    def table(n: int, top: bool) -> dict[tuple[int, ...], Counter[int]]:
        found: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        runs = [tuple(train[at : at + n]) for at in range(len(train) - n + 1)]
        if not top:  # how many different tokens each has before it
            longer = {tuple(train[at : at + n + 1]) for at in range(len(train) - n)}
            runs = [each[1:] for each in longer]
        for each in runs:
            found[each[:-1]][each[-1]] += 1
        return found

    def probability(token: int, context: tuple[int, ...], n: int, top: bool) -> float:
        if n == 0:
            return 1 / size
        context = context[len(context) - n + 1 :] if n > 1 else ()
        lower = probability(token, context, n - 1, False)
        counts = table(n, top)
        if not (after := counts.get(context)):
            return lower
        every = [count for each in counts.values() for count in each.values()]
        once, twice = every.count(1), every.count(2)
        discount = once / (once + 2 * twice) if once else 0
        discount = min(max(discount, LEAST_DISCOUNT), MOST_DISCOUNT)
        own = max(after[token] - discount, 0) if token in after else 0
        return (own + discount * len(after) * lower) / after.total()

    return lambda token, context: probability(token, context, order, True)


@given(IDS, IDS, st.integers(1, 4))
def test_the_nats_are_those_of_the_formula(train, valid, order):
    order = min(order, len(train))
    exact = reference(train, order, 5)
    nats = list(ngram_nats(tokens(train), tokens(valid), 5, order))[order]
    for at in range(1, len(valid)):
        # A context that begins before the text is as long as what is there.
        if at >= order - 1:
            expected = exact(valid[at], tuple(valid[:at]))
            assert nats[at - 1] == pytest.approx(-math.log(expected))


@given(IDS, st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_after_every_context_the_probabilities_sum_to_one(train, context):
    # 4 never stands in the text
    asked = [ngram_nats(tokens(train), tokens([*context, token]), 5, 4) for token in range(5)]
    for nats in zip(*asked, strict=True):
        assert sum(math.exp(-each[-1]) for each in nats) == pytest.approx(1)


def test_order_0_is_a_uniform_guess_and_order_1_goes_by_how_common_each_token_is():
    uniform, common, *_ = ngram_nats(tokens([0] * 90 + [1] * 10), tokens([0, 0, 1]), 4)
    assert uniform == pytest.approx([math.log(4)] * 2)
    # Neither stands there once, so the least discount is dealt to a uniform guess.
    dealt = LEAST_DISCOUNT * 2 / 100 / 4
    assert np.exp(-common) == pytest.approx([0.9 - 0.001 + dealt, 0.1 - 0.001 + dealt])


def test_a_pattern_that_repeats_costs_next_to_nothing():
    text = tokens([0, 1, 2, 3] * 500)
    found = floor_of(text, text, vocab_size=4, eos_id=3, valid_bytes=1500)
    assert found["loss"][0] == pytest.approx(math.log(4))
    assert found["loss"][-1] < 0.01
    assert found["bpb"][-1] < 0.01
    assert len(found["loss"]) <= 4  # and a longer table is not tried for nothing


def test_bits_per_byte_leave_out_the_end_of_a_story_as_a_model_s_do():
    train, valid = tokens([0, 1, 0, 2] * 30), tokens([0, 1, 2, 0, 1])
    found = floor_of(train, valid, vocab_size=3, eos_id=2, valid_bytes=8)
    assert found["bpb"][0] == pytest.approx(3 * math.log2(3) / 8)


def test_of_a_long_text_a_sample_is_counted_and_its_size_is_said(monkeypatch):
    monkeypatch.setattr(ngram, "MOST_VALID", 640)
    text = tokens([0, 1] * 5000)
    found = floor_of(text, text, vocab_size=2, eos_id=9, valid_bytes=10_000, most_train=1280)
    assert (found["train_tokens"], found["valid_tokens"]) == (1280, 640)
    # The bits are told of the whole text, however little of it was judged.
    assert found["bpb"][0] == pytest.approx(1, rel=1e-3)
    picked = sample(np.arange(10_000, dtype=np.uint16), 640)
    assert (picked[0], picked[-1], len(picked)) == (0, 9999, 640)


@pytest.mark.parametrize("train", [[0], [0, 4]])
def test_texts_that_cannot_be_counted_are_refused(train):
    with pytest.raises(ValueError, match=r"at least 2 tokens|not among the 4"):
        next(ngram_nats(tokens(train), tokens([0, 1]), 4))
