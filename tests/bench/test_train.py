"""bench.train compares one model with itself: the peer has our weights and our batches."""

import json
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
import torch

from bench import prepare
from bench import train as bench
from bench.nanogpt import read_given, step_of
from train.loop.step import cross_entropy
from train.loop.throughput import Throughput

TINY = replace(bench.SMALL, n_layer=2, n_embd=32, n_head=2, block_size=16, threads=1)


def test_the_peer_has_the_same_loss_on_the_same_batch(tmp_path: Path) -> None:
    pace = Throughput(replace(TINY, precision="float32"), bench.text())
    _, model, batches = read_given(str(bench.peer_file(pace, tmp_path)))
    inputs, targets = pace.batches.micro_batch(0, 0)
    assert torch.equal(batches[0][0], inputs)
    assert torch.equal(batches[0][1], targets)
    ours, _ = cross_entropy(inputs, pace.model.eval()(inputs), targets)
    torch.testing.assert_close(model.eval()(inputs, targets), ours)


def test_the_peer_trains_in_a_process_of_its_own(tmp_path: Path) -> None:
    pace = Throughput(TINY, bench.text())
    path = bench.peer_file(pace, tmp_path)
    with ExitStack() as stack:
        steps = bench.peer(path, "float32", stack)
        (_, first), (seconds, last) = steps(1), steps(300)
    assert seconds > 0
    assert last < first  # 32 batches, learnt by heart a little


def peer_in_this_process(path: Path, precision: str, stack: ExitStack) -> bench.Steps:
    """What `bench.peer` gives, without the two seconds in which a Python imports torch."""
    _, model, batches = read_given(str(path))
    step = step_of(model, cycle(batches), precision == "autocast")

    def steps(count: int) -> tuple[float, float]:
        began = time.perf_counter()
        losses = [step() for _ in range(count)]
        return time.perf_counter() - began, losses[-1]

    return steps


def test_the_last_line_has_the_ratios_and_the_share_of_the_peak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "LARGE", replace(TINY, dropout=0.2))
    monkeypatch.setattr(bench, "peer", peer_in_this_process)
    monkeypatch.setattr(bench, "SMALL", TINY)
    bench.main(["--rounds", "1", "--steps", "1", "--threads", "1"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found.keys() == {"ratio", "of_peak"}
    assert found["ratio"].keys() == {"nanogpt", "small"}
    assert found["ratio"]["nanogpt"].keys() == {"float32", "autocast"}


def test_the_text_is_repeated_and_cut_at_a_line_end(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("Öne\ntwo\n")
    sample = prepare.write_text(tmp_path / "texts", tmp_path / "out", 30)
    made = (tmp_path / "out").read_text()
    assert made == "Öne\ntwo\n\n" * 3
    assert sample == "Öne\ntwo\n\n"
    with pytest.raises(SystemExit, match="found none"):
        prepare.write_text(tmp_path / "out-of-the-way", tmp_path / "out", 30)
