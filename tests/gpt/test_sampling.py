"""Sampling: the same distributions as transformers' processors, and draws that follow them."""

import math
import random
from collections import Counter
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import LongTensor, Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from gpt.sampling import (
    HEAD,
    LIMITS,
    N_SEEDS,
    Bias,
    SamplingParams,
    add_bias,
    draw,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalise_repetition,
    probabilities,
    sample,
    scale_temperature,
    seeded,
    uniform,
)

OFF: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0}
"""Every sampler off."""
KNOWN = {
    0: [0.9700530018065531, 0.707819864399788],
    1: [0.08351747110920216, 0.3762244775375261],
    7 + 2**40: [0.045234059258925985, 0.6336068412492756],
    N_SEEDS - 1: [0.2717487685456751, 0.4354667386604425],
}
"""The first throws of some seeds: a story that was written says the seed that brings it again."""


def random_logits(seed: int, *shape: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=rng, dtype=torch.float64) * 3


def random_settings(seed: int) -> SamplingParams:
    rng = random.Random(seed)
    return SamplingParams(
        temperature=rng.uniform(0.05, 2),
        top_k=rng.choice([0, 1, rng.randint(2, 60), 10_000]),
        top_p=rng.choice([1.0, rng.uniform(0.01, 0.999)]),
        min_p=rng.choice([0.0, 1.0, rng.uniform(0, 0.5)]),
        repetition_penalty=rng.choice([1.0, rng.uniform(1, 2)]),
    )


def theirs(logits: Tensor, params: SamplingParams, seen: list[int]) -> Tensor:
    """What transformers makes of the same logits (B, V), in the order its generate applies."""
    processors = LogitsProcessorList()
    if params.repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(params.repetition_penalty))
    processors.append(TemperatureLogitsWarper(params.temperature))
    if params.top_k:
        processors.append(TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        processors.append(TopPLogitsWarper(params.top_p))
    if params.min_p > 0:
        processors.append(MinPLogitsWarper(params.min_p))
    input_ids = torch.tensor(seen).expand(len(logits), -1)
    return processors(cast(LongTensor, input_ids), logits.clone()).softmax(-1)


@pytest.mark.parametrize("V", [2, 65, 700])
@pytest.mark.parametrize("seed", range(40))
def test_probabilities_equal_those_of_transformers(V: int, seed: int) -> None:
    logits, params = random_logits(seed, 4, V), random_settings(seed)
    seen = [random.Random(seed).randrange(V) for _ in range(20)]
    ours = probabilities(logits, params, seen)
    torch.testing.assert_close(ours, theirs(logits, params, seen))


@pytest.mark.parametrize("seed", range(10))
def test_each_sampler_alone_equals_that_of_transformers(seed: int) -> None:
    logits = random_logits(seed, 3, 300)
    rng = torch.Generator().manual_seed(seed)
    ids = cast(LongTensor, torch.randint(300, (3, 50), generator=rng))
    k, p = 1 + 29 * seed, 0.05 + 0.09 * seed
    for ours, processor in (
        (penalise_repetition(logits, ids, 1 + p), RepetitionPenaltyLogitsProcessor(1 + p)),
        (keep_top_k(logits, k), TopKLogitsWarper(k)),
        (keep_top_p(logits, p), TopPLogitsWarper(p)),
        (keep_min_p(logits, p), MinPLogitsWarper(p)),
    ):
        torch.testing.assert_close(ours, processor(ids, logits.clone()))
    torch.testing.assert_close(
        scale_temperature(logits, p).softmax(-1),
        TemperatureLogitsWarper(p)(ids, logits.clone()).softmax(-1),
    )


def test_rows_do_not_depend_on_each_other() -> None:
    # The nucleus of the flat row is wider than HEAD, those of the others are not.
    logits = random_logits(1, 3, 4 * HEAD)
    logits[1] = 0.01 * logits[1]
    for seed in range(20):
        params, seen = random_settings(seed), [1, 5, 5]
        alone = [probabilities(row, params, seen) for row in logits]
        assert torch.equal(probabilities(logits, params, seen), torch.stack(alone))


def test_top_k_keeps_exactly_k_and_of_equal_tokens_the_lowest_ids() -> None:
    kept = keep_top_k(torch.tensor([[1.0, 3.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0, 9.0]]), 3)
    assert kept.isfinite().tolist() == [
        [False, True, True, True, False],
        [True, True, False, False, True],
    ]


def test_top_k_larger_than_the_vocabulary_is_the_vocabulary() -> None:
    logits = random_logits(1, 10)
    assert torch.equal(keep_top_k(logits, 11), logits)
    assert torch.equal(keep_top_k(logits, 0), logits)


def test_top_p_keeps_the_token_that_crosses_p_and_at_least_one() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64).log()
    for p, kept in ((0.01, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.81, 3), (0.96, 4), (1.0, 4)):
        assert int(keep_top_p(logits, p).isfinite().sum()) == kept


def test_of_equal_tokens_where_top_p_ends_the_lowest_ids_stay() -> None:
    flat = torch.zeros(2 * HEAD, dtype=torch.float64)
    for p, kept in ((0.1, 26), (0.75, int(1.5 * HEAD))):
        assert keep_top_p(flat, p).isfinite().nonzero().flatten().tolist() == list(range(kept))


def test_top_p_of_one_drops_nothing_however_unlikely() -> None:
    logits = torch.tensor([0.0, -60.0, -90.0], dtype=torch.float64)
    assert torch.equal(keep_top_p(logits, 1.0), logits)


def test_where_the_likeliest_reach_top_p_exactly_none_follows() -> None:
    assert keep_top_p(torch.zeros(4, dtype=torch.float64), 0.5).isfinite().sum() == 2


def test_min_p_of_one_keeps_the_likeliest_alone() -> None:
    assert keep_min_p(torch.tensor([1.0, 2.0, 2.0]), 1.0).tolist() == [-math.inf, 2.0, 2.0]


def test_the_penalty_counts_a_repeated_token_once_and_moves_both_signs_down() -> None:
    logits = penalise_repetition(torch.tensor([4.0, -4.0, 4.0]), torch.tensor([0, 1, 0, 0]), 2.0)
    assert logits.tolist() == [2.0, -8.0, 4.0]


def test_the_penalty_counts_as_soon_as_something_was_seen_and_not_before() -> None:
    logits = torch.tensor([2.0, 1.0], dtype=torch.float64)
    params = SamplingParams(**OFF, repetition_penalty=2.0)
    assert torch.equal(probabilities(logits, params), logits.softmax(-1))
    assert probabilities(logits, params, [0]).tolist() == [0.5, 0.5]


def test_no_temperature_is_too_small() -> None:
    logits = torch.tensor([-1000.0, 1000.0, 1000.0, 5.0])
    for temperature in (5e-324, 1e-300, 1e-30, 1e-3):
        shares = probabilities(logits, SamplingParams(temperature=temperature))
        assert shares.tolist() == [0.0, 0.5, 0.5, 0.0]


def test_temperature_0_takes_the_lowest_of_the_likeliest_ids_and_no_randomness() -> None:
    params = SamplingParams(
        temperature=0, top_k=1, top_p=0.1, min_p=1.0, repetition_penalty=2.0, seed=1
    )
    logits, rng = torch.tensor([0.0, 3.0, 3.0, 1.0]), seeded(1)
    before = rng.get_state()
    drawn = sample(logits, params, [1, 1], rng)
    assert torch.equal(rng.get_state(), before)
    assert (drawn.id, drawn.probability) == (1, 1.0)
    # What the model itself said is told all the same.
    assert drawn.raw_probability == pytest.approx(float(logits.softmax(-1)[1]))
    assert [p for _, _, p in drawn.alternatives] == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(**OFF),
        SamplingParams(temperature=0.7, top_k=20, top_p=0.9),
        SamplingParams(temperature=1.5, min_p=0.05, repetition_penalty=1.3),
    ],
    ids=["off", "narrow", "wild"],
)
def test_frequencies_of_20000_draws_agree_with_the_probabilities(params: SamplingParams) -> None:
    n, logits, rng = 20_000, random_logits(5, 40), seeded(11)
    expected = probabilities(logits, params, [3, 4])
    counts = Counter(draw(expected, rng) for _ in range(n))
    assert all(expected[id] > 0 for id in counts)
    # Cells that expect few are counted as one; χ² is then nearly normal around its degrees.
    many = [i for i in range(40) if expected[i] * n >= 5]
    cells = [(counts[i], float(expected[i]) * n) for i in many]
    rest = n - sum(count for count, _ in cells), n - sum(mean for _, mean in cells)
    cells += [rest] if rest[1] >= 5 else []
    chi2 = sum((count - mean) ** 2 / mean for count, mean in cells)
    degrees = len(cells) - 1
    assert abs(chi2 - degrees) < 4 * math.sqrt(2 * degrees)


@pytest.mark.parametrize("seed", range(5))
def test_sample_draws_from_the_probabilities_after_all_samplers(seed: int) -> None:
    logits, rng, same = random_logits(seed, 90), seeded(4), seeded(4)
    params = SamplingParams(
        temperature=1.9, top_k=60, top_p=0.98, min_p=0.001, repetition_penalty=1.9
    )
    seen, bias = logits.topk(3).indices.tolist(), bias_of({5: 9.0, 7: -math.inf})
    after = probabilities(logits, params, seen, bias)
    assert int((after > 0).sum()) > 20
    for without in (probabilities(logits, params, (), bias), probabilities(logits, params, seen)):
        assert not torch.allclose(after, without)
    for _ in range(20):
        drawn = sample(logits, params, seen, rng, bias=bias)
        assert (drawn.id, drawn.probability) == (draw(after, same), float(after[drawn.id]))


def bias_of(values: dict[int, float]) -> Bias:
    return Bias(np.array([*values]), np.array([*values.values()]))


def test_a_bias_is_added_to_its_own_tokens_of_every_row() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.float64)
    biased = add_bias(logits, bias_of({2: -math.inf, 0: 0.5}))
    assert biased.tolist() == [[1.5, 2.0, -math.inf], [4.5, 5.0, -math.inf]]
    assert logits[0, 0] == 1.0
    for temperature in (0, 1):
        params = SamplingParams(**{**OFF, "temperature": temperature})
        assert probabilities(logits, params, (), bias_of({1: 99.0})).argmax(-1).tolist() == [1, 1]


@pytest.mark.parametrize("temperature", [0, 1])
def test_a_bias_that_leaves_no_token_in_a_row_is_an_error_that_says_what_to_do(
    temperature: float,
) -> None:
    rows = torch.tensor([[1.0, 2.0], [-math.inf, 2.0]])
    params = SamplingParams(temperature=temperature)
    assert probabilities(rows, params, (), bias_of({0: -math.inf}))[:, 1].tolist() == [1, 1]
    with pytest.raises(ValueError) as error:
        probabilities(rows, params, (), bias_of({1: -math.inf}))
    assert str(error.value) == (
        "nothing may be written here: every token is banned or cut away. "
        "Ban less, or write on yourself"
    )


def test_as_many_alternatives_are_told_as_are_asked_for_and_of_equal_ones_the_lowest_ids() -> None:
    logits = torch.tensor([0.0, 2.0, 1.0, 2.0, 2.0])
    for n, ids in ((0, []), (2, [1, 3]), (4, [1, 3, 4, 2]), (9, [1, 3, 4, 2, 0])):
        drawn = sample(logits, SamplingParams(**OFF), [], seeded(1), n)
        assert [id for id, _, _ in drawn.alternatives] == ids


def test_what_is_no_switch_is_refused_by_name() -> None:
    for name in ("no_end", "heal"):
        with pytest.raises(ValueError) as error:
            SamplingParams(**{name: "y" * 300})  # type: ignore[arg-type]
        assert str(error.value) == f"{name} must be True or False, not '{'y' * 199}"


@pytest.mark.parametrize("seed", range(5))
def test_a_token_of_probability_0_is_never_drawn(seed: int) -> None:
    shares = torch.tensor([0.0, 0.0, 1e-300, 0.0, 0.5, 0.0, 0.5, 1e-30, 0.0], dtype=torch.float64)
    rng = seeded(seed)
    assert {draw(shares, rng) for _ in range(2000)} == {4, 6}


@pytest.mark.parametrize("part", [0.0, 0.5, 1 - 2**-53])
def test_even_the_outermost_throws_fall_on_a_possible_token(
    part: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor(part, dtype=torch.float64))
    for seed in range(200):
        shares = random_logits(seed, 50).softmax(-1)
        shares[::3] = 0.0
        shares[-1] = 0.0
        assert shares[draw(shares, seeded(0))] > 0


def test_the_same_seed_throws_the_same_and_all_its_bits_count() -> None:
    def throws(seed: int) -> list[float]:
        return torch.rand(3, generator=seeded(seed)).tolist()

    assert throws(7) == throws(7)
    seeds = [0, 1, 7, 7 + 2**32, 7 + 2**62, N_SEEDS - 1]
    assert len({tuple(throws(seed)) for seed in seeds}) == len(seeds)


def test_a_seed_throws_what_it_always_threw() -> None:
    for seed, thrown in KNOWN.items():
        rng = seeded(seed)
        assert [uniform(rng), uniform(rng)] == thrown
        even = torch.full((10_000,), 1e-4, dtype=torch.float64)
        assert draw(even, seeded(seed)) == int(thrown[0] * 10_000)


def test_a_draw_reports_both_probabilities_the_entropy_and_the_likeliest() -> None:
    logits, params = random_logits(2, 100), SamplingParams(temperature=0.5, top_k=5, top_p=1.0)
    drawn = sample(logits, params, [], seeded(3))
    raw, after = logits.softmax(-1), probabilities(logits, params)
    assert drawn.raw_probability == pytest.approx(float(raw[drawn.id]))
    assert drawn.probability == pytest.approx(float(after[drawn.id]))
    assert drawn.entropy == pytest.approx(float(torch.special.entr(raw).sum()))
    order = raw.argsort(descending=True)[:10].tolist()
    assert [id for id, _, _ in drawn.alternatives] == order
    for id, raw_probability, probability in drawn.alternatives:
        assert raw_probability == pytest.approx(float(raw[id]))
        assert probability == pytest.approx(float(after[id]))
    assert [p > 0 for _, _, p in drawn.alternatives] == [True] * 5 + [False] * 5


def test_logits_may_forbid_tokens() -> None:
    logits = torch.tensor([0.0, -torch.inf, 0.0])
    drawn = [sample(logits, SamplingParams(**OFF), [], seeded(seed)) for seed in range(50)]
    assert {each.id for each in drawn} == {0, 2}
    assert drawn[0].entropy == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    "logits", [[1.0, math.nan], [1.0, math.inf], [-math.inf, -math.inf]], ids=str
)
@pytest.mark.parametrize("temperature", [0, 1])
def test_broken_logits_are_a_clear_error(logits: list[float], temperature: float) -> None:
    params = SamplingParams(temperature=temperature)
    with pytest.raises(ValueError, match=r"not finite.*weights are damaged"):
        sample(torch.tensor(logits), params, [], seeded(1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", math.nan),
        ("temperature", "0.8"),
        ("temperature", True),
        ("temperature", None),
        ("top_k", -1),
        ("top_k", 50.0),
        ("top_p", 0),
        ("top_p", 1.01),
        ("min_p", -0.01),
        ("min_p", 1.5),
        ("repetition_penalty", 0.9),
        ("repetition_penalty", 2.5),
        ("max_new_tokens", 0),
        ("max_new_tokens", 2049),
        ("max_new_tokens", 1e9),
        ("seed", -1),
        ("seed", 2**63),
        ("seed", 1.0),
        ("n", 0),
        ("n", 9),
        ("stop", "The end"),
        ("stop", ["The end"]),
        ("stop", ("",)),
        ("stop", (1,)),
        ("stop", ("a", "b", "c", "d", "e")),
        ("banned", ("a", " ")),
        ("banned", ("a" * 101,)),
        ("dry_multiplier", -0.1),
        ("dry_base", 0.9),
        ("dry_allowed_length", 0),
        ("dry_breakers", ("",)),
        ("min_new_tokens", 2049),
    ],
)
def test_a_value_outside_its_range_is_an_error_that_names_the_range(
    name: str, value: object
) -> None:
    with pytest.raises(ValueError) as caught:
        SamplingParams(**{name: value})  # type: ignore[arg-type]
    assert name in str(caught.value)
    assert LIMITS[name].range in str(caught.value)
    assert repr(value) in str(caught.value)


def test_the_ends_of_each_range_are_allowed_and_the_table_holds_the_defaults() -> None:
    defaults = SamplingParams()
    for name, limit in LIMITS.items():
        assert getattr(defaults, name) == limit.default
        assert limit.explanation.endswith(".")
        if limit.kind == "strings":
            SamplingParams(**{name: ("a",) * int(limit.high or 0)})  # type: ignore[arg-type]
            SamplingParams(**{name: ("a" * (limit.longest or 999),)})  # type: ignore[arg-type]
            continue
        if limit.kind == "switch":
            SamplingParams(**{name: True})  # type: ignore[arg-type]
            continue
        low = 1e-9 if limit.above_low else limit.low
        for value in (low, limit.high or 10**9, limit.off):
            if value is not None:
                SamplingParams(**{name: value})  # type: ignore[arg-type]
    assert set(LIMITS) == set(SamplingParams.__slots__)


def test_takes_have_one_seed_after_the_other() -> None:
    takes = SamplingParams(seed=N_SEEDS - 2, n=3, top_k=7).takes()
    assert [take.seed for take in takes] == [N_SEEDS - 2, N_SEEDS - 1, 0]
    assert all(take.n == 1 and take.top_k == 7 for take in takes)


def test_a_seed_that_nobody_chose_is_drawn_once_and_differs_each_time() -> None:
    first, second = SamplingParams(n=2).takes(), SamplingParams(n=2).takes()
    assert first[0].seed is not None
    assert first[1].seed == (first[0].seed + 1) % N_SEEDS
    assert first[0].seed != second[0].seed


def test_temperature_0_makes_one_take() -> None:
    assert [take.seed for take in SamplingParams(temperature=0, n=5, seed=3).takes()] == [3]
