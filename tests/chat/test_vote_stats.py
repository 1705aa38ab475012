"""Votes summed up: intervals as the literature has them, and words that do not say too much."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.compare.vote_stats import (
    Pair,
    Record,
    VoteChoice,
    pairs,
    rounds_for,
    sign_test,
    standings,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", Statistics in
    # Medicine 17, pages 857 to 872, table I, method 3 (score, no continuity correction).
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_the_published_one(successes, count, low, high):
    assert wilson(successes, count) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_solves_wilsons_equation():
    # Its ends are where (rate - p)² = z² p (1 - p) / n, by which it is defined.
    for p in wilson(7.5, 12):
        assert (7.5 / 12 - p) ** 2 == pytest.approx(1.959963984540054**2 * p * (1 - p) / 12)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, 2 * n), st.just(n))))
def test_the_interval_holds_the_rate_and_mirrors(halves_and_count):
    halves, count = halves_and_count
    low, high = wilson(halves / 2, count)
    assert 0 <= low <= halves / 2 / count <= high <= 1
    assert wilson(count - halves / 2, count) == pytest.approx((1 - high, 1 - low))


def test_with_no_votes_everything_is_possible_and_nonsense_is_refused():
    assert wilson(0, 0) == (0, 1)
    assert Record().rate == 0.5
    assert not Record().decided
    with pytest.raises(ValueError, match="0 to 3"):
        wilson(4, 3)


def test_the_sign_test_is_the_binomial_one():
    # By hand: P(0 or 6 heads in 6 throws) = 2/64; P(at most 1 or at least 9 of 10) = 22/1024.
    assert sign_test(6, 0) == 2 / 64
    assert sign_test(1, 9) == 22 / 1024
    assert sign_test(3, 3) == sign_test(0, 0) == 1


@pytest.mark.parametrize(
    ("record", "decided"),
    [(Record(4, 0), False), (Record(5, 0), False), (Record(6, 0), True), (Record(6, 0, 9), True)],
)
def test_four_of_four_are_not_enough_though_the_interval_leaves_out_a_half(record, decided):
    assert record.decided is decided
    if record.ties == 0:
        assert record.interval[0] > 0.5


def test_a_tie_is_half_a_win():
    assert Record(2, 1, 1).rate == 0.625
    assert Record(0, 0, 4).rate == 0.5


def test_a_pair_is_one_whoever_stood_left_and_the_better_one_comes_first():
    votes: list[tuple[str, str, VoteChoice]] = [
        ("x", "y", "a"),
        ("y", "x", "b"),
        ("x", "y", "b"),
        ("y", "x", "tie"),
        ("z", "x", "a"),
    ]
    assert pairs(votes) == [
        Pair("x", "y", Record(2, 1, 1)),
        Pair("z", "x", Record(1, 0)),
    ]


def test_the_standings_count_each_vote_for_both():
    votes: list[tuple[str, str, VoteChoice]] = [
        ("x", "y", "a"),
        ("y", "x", "b"),
        ("z", "x", "tie"),
        ("y", "z", "b"),
    ]
    assert standings(votes) == [
        ("x", Record(2, 0, 1)),
        ("z", Record(1, 0, 1)),
        ("y", Record(0, 3)),
    ]


def test_the_rounds_still_needed_would_do():
    record = Record(6, 4, 2)
    needed = rounds_for(record)
    assert needed is not None
    share = needed / record.count
    grown = Record(math.ceil(6 * share), math.floor(4 * share), math.ceil(2 * share))
    assert not record.decided
    assert grown.p_value == pytest.approx(0.05, abs=0.02)
    assert rounds_for(Record(3, 3)) is None
    assert rounds_for(Record(1, 0)) == 6
