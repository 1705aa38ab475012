"""The compiled core computes what the model does, and a story's numbers are its own to the bit."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt.cache import KVCache
from gpt.config import GPTConfig
from gpt.decode import atomics
from gpt.decode.draw import draw
from gpt.decode.forward import BITS, HELPERS, LEAVE, MASK, TICKET, forward, help_out
from gpt.decode.jit import compiled
from gpt.decode.numba_core import MAX_ROWS, NumbaCore
from gpt.decode.precision import Precision, exact_precision
from gpt.model import GPT
from gpt.sampling import SamplingParams, seeded

PRECISIONS = get_args(Precision)
ROWS = 12
"""Stories that a cache has room for."""
WIDE = GPTConfig(vocab_size=500, n_layer=3, n_head=4, n_embd=128, block_size=64)


@st.composite
def configs(draw: st.DrawFn) -> GPTConfig:
    """Small shapes of both families; sizes that are no multiples of anything among them."""
    block_size, n_layer = draw(st.integers(4, 80)), draw(st.integers(1, 3))
    vocab_size, n_inner = draw(st.integers(3, 70)), draw(st.integers(1, 70))
    if draw(st.booleans()):
        head_dim, n_kv_head = 2 * draw(st.integers(1, 12)), draw(st.integers(1, 3))
        return GPTConfig(
            family="llama",
            block_size=block_size,
            n_layer=n_layer,
            vocab_size=vocab_size,
            n_inner=n_inner,
            n_embd=draw(st.integers(1, 50)),
            head_dim=head_dim,
            n_kv_head=n_kv_head,
            n_head=n_kv_head * draw(st.integers(1, 3)),
            tie_embeddings=draw(st.booleans()),
        )
    n_head = draw(st.integers(1, 4))
    return GPTConfig(
        family="gpt2",
        block_size=block_size,
        n_layer=n_layer,
        vocab_size=vocab_size,
        n_inner=n_inner,
        n_head=n_head,
        n_embd=n_head * draw(st.integers(1, 12)),
        bias=draw(st.booleans()),
    )


def lively(config: GPTConfig, seed: int, *, rounded: bool) -> GPT:
    """A model whose every parameter says something, biases and norms too."""
    torch.manual_seed(seed)
    model = GPT(config).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=random) * 0.3
            parameter.add_(noise)
            if rounded and parameter.dim() == 2:
                parameter.copy_(parameter.bfloat16())
    return model


def core_of(model: GPT, **options: Any) -> NumbaCore:
    cache = KVCache(model.config, ROWS)
    return NumbaCore(model, model.config.vocab_size, cache, **options)


def text_of(config: GPTConfig, seed: int, length: int) -> list[int]:
    return np.random.default_rng(seed).integers(0, config.vocab_size, length).tolist()


def split(ids: Sequence[int], cuts: Sequence[int]) -> list[Sequence[int]]:
    return [ids[a:b] for a, b in pairwise([0, *cuts, len(ids)])]


@settings(max_examples=60, deadline=None)
@given(config=configs(), seed=st.integers(0, 99), rounded=st.booleans(), data=st.data())
def test_logits_are_the_model_s_however_a_sequence_is_split(
    config: GPTConfig, seed: int, rounded: bool, data: st.DataObject
) -> None:
    model = lively(config, seed, rounded=rounded)
    core = core_of(model)
    assert core.name == ("numba bfloat16" if rounded else "numba float32")
    ids = text_of(config, seed, data.draw(st.integers(1, config.block_size)))
    with torch.inference_mode():
        expected = model(torch.tensor([ids]))[0]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(ids) - 1)))) if len(ids) > 1 else []
    parts = split(ids, cuts)
    scale = float(expected.abs().max())
    for end, part in zip([*cuts, len(ids)], parts, strict=True):
        (found,) = core.read([3], [part])
        assert torch.allclose(found, expected[end - 1], rtol=0, atol=1e-4 * max(1, scale))


@settings(max_examples=40, deadline=None)
@given(
    config=configs(), seed=st.integers(0, 99), precision=st.sampled_from(PRECISIONS), data=st.data()
)
def test_a_story_s_logits_are_the_same_to_the_bit_alone_and_among_others(
    config: GPTConfig, seed: int, precision: Precision, data: st.DataObject
) -> None:
    model = lively(config, seed, rounded=True)
    lengths = data.draw(st.lists(st.integers(1, config.block_size), min_size=1, max_size=ROWS))
    stories = [text_of(config, seed + i, length) for i, length in enumerate(lengths)]
    together, alone = (core_of(model, precision=precision) for _ in range(2))
    company = together.read(range(len(stories)), stories)
    for slot, (ids, found) in enumerate(zip(stories, company, strict=True)):
        for id in ids:  # one by one
            (one,) = alone.read([slot], [[id]])
        assert torch.equal(one, found)
    slots = [i for i, ids in enumerate(stories) if len(ids) < config.block_size]
    following = together.read(slots, [[0]] * len(slots))
    for slot, found in zip(slots, following, strict=True):
        assert torch.equal(alone.read([slot], [[0]])[0], found)


def test_no_array_that_a_pass_writes_lies_close_to_another() -> None:
    """A loop of LLVM's takes its narrow form there, with other last bits."""
    core = core_of(lively(WIDE, 1, rounded=True), threads=2)
    written = [
        array
        for scratch in (core._alone, core._together)
        for array in scratch
        if array.dtype == np.float32
    ]
    assert len(written) == 18
    others = [core._keys, core._values, *written]
    for array in written:
        for other in others:
            if array is not other:
                begin, end = np.lib.array_utils.byte_bounds(array)
                first, last = np.lib.array_utils.byte_bounds(other)
                assert first - end >= 4096 or begin - last >= 4096


@given(config=configs(), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_int8_is_the_model_with_each_row_rounded_to_255_steps(config: GPTConfig, seed: int) -> None:
    model = lively(config, seed, rounded=False)
    core = core_of(model, precision="int8")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and name != "positions.weight":
                step = parameter.abs().amax(1, keepdim=True) / 127
                parameter.copy_((parameter / step).round() * step)
        ids = text_of(config, seed, config.block_size)
        expected = model(torch.tensor([ids]))[0, -1]
    scale = max(1, float(expected.abs().max()))
    assert torch.allclose(core.read([0], [ids])[0], expected, rtol=0, atol=2e-4 * scale)


def test_bfloat16_is_taken_only_where_it_rounds_nothing() -> None:
    config = GPTConfig(vocab_size=9, n_layer=1, n_head=1, n_embd=16, block_size=8)
    model = lively(config, 1, rounded=True)
    assert exact_precision(model) == "bfloat16"
    with torch.no_grad():
        model.blocks[0].get_submodule("mlp.up").weight[3, 5] += 1e-4  # pyright: ignore[reportIndexIssue, reportArgumentType, reportOperatorIssue]
    assert exact_precision(model) == "float32"


def test_a_core_that_was_made_has_all_the_code_that_a_story_needs() -> None:
    model = lively(WIDE, 1, rounded=True)
    core = core_of(model, threads=2)
    functions = (forward, help_out, draw)
    before = [len(each.signatures) for each in functions]
    assert min(before) >= 1
    params = SamplingParams(top_k=5, min_p=0.1, repetition_penalty=1.3)
    (logits,) = core.read([0], [[1, 2, 3]])
    core.draw(logits, params, [1, 2, 3], seeded(1), 10)
    for at in range(4):
        core.read([0, 1], [[at], [at]])
    assert [len(each.signatures) for each in functions] == before
    core.close()


def test_more_than_the_model_can_see_is_refused_before_anything_is_read() -> None:
    config = GPTConfig(vocab_size=9, n_layer=1, n_head=1, n_embd=16, block_size=8)
    core = core_of(lively(config, 1, rounded=True))
    with pytest.raises(ValueError, match="sequence of 9 tokens exceeds block_size=8"):
        core.read([0, 1], [[1], [1] * 9])
    (fresh,) = core.read([0], [[1, 2]])
    assert torch.equal(fresh, core.read([1], [[1, 2]])[0])


@contextmanager
def busy_processes(n: int) -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_two_threads_give_the_same_bits_as_one_beside_busy_processes() -> None:
    model = lively(WIDE, 1, rounded=True)
    alone, helped = core_of(model), core_of(model, threads=2)
    helped._pace.gains = True
    helped._pace._passes = 10**9
    with busy_processes(os.cpu_count() or 1):
        for story in range(12):
            ids = text_of(WIDE, story, 60)
            for at, id in enumerate(ids):
                (one,), (two,) = alone.read([story], [[id]]), helped.read([story], [[id]])
                assert torch.equal(one, two), (story, at)
            helped._pace._passes = 10**9
    helped.close()


@compiled()
def _take_a_piece_and_sleep(shared: Any) -> None:
    """A helper that has lost its processor: it takes a piece, and comes back when it is told to."""
    atomics.fetch_add(shared, HELPERS, 1)
    while atomics.load(shared, LEAVE) == 0:
        ticket = atomics.load(shared, TICKET)
        if ticket & MASK < ticket >> BITS & MASK:
            atomics.fetch_add(shared, TICKET, 1)
            while atomics.load(shared, LEAVE) != 2:
                atomics.pause()
    atomics.fetch_add(shared, HELPERS, -1)


def test_a_pass_whose_helper_lost_its_processor_is_done_again_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = lively(WIDE, 2, rounded=True)
    alone, helped = core_of(model), core_of(model, threads=2)
    monkeypatch.setattr(helped._helpers, "wake", lambda: None)  # the one here is to be lost
    shared = helped._together.shared
    thread = threading.Thread(target=_take_a_piece_and_sleep, args=(shared,), daemon=True)
    thread.start()
    ids = text_of(WIDE, 7, MAX_ROWS)
    expected = alone.read([0], [ids])[0]

    def read_together() -> torch.Tensor:
        helped._pace._passes = 1
        helped._cache.reset(0)
        return helped.read([0], [ids])[0]

    try:
        deadline = time.monotonic() + 60
        while not shared[LEAVE] and time.monotonic() < deadline:  # until it got to take a piece
            assert torch.equal(read_together(), expected)
        assert shared[LEAVE] == 1, "no pass was given up"
        assert shared[HELPERS] == 1, "the helper is still away"
        assert torch.equal(read_together(), expected)
        assert shared[LEAVE] == 1
    finally:
        shared[LEAVE] = 2
        thread.join()
    shared[LEAVE] = 1
    while shared[HELPERS]:
        time.sleep(0.001)
    assert torch.equal(read_together(), expected)
    assert shared[LEAVE] == 0, "helpers are asked again once the lost one is back"
    monkeypatch.undo()
    helped.close()
