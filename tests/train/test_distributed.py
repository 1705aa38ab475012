"""Several processes that train together take the steps that one would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.train.test_pretrain import data
from train.loop.distributed import Processes
from train.loop.run import Run
from train.loop.state import FOLDER, load_state

__all__ = ["data"]  # the fixture
SMALL = (
    "--max-steps 20 --eval-every 10 --n-layer 2 --n-head 2 --n-embd 16 --block-size 16 "
    "--batch-size 2 --accumulate 4 --warmup-steps 2 --dropout 0 --save-steps 0 --sample-tokens 0 "
    "--device cpu --threads 1 --precision float32"
)


def train(processes: int, data: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = ["-m", "train.pretrain", "--data", str(data), "--out", str(folder)]
    if processes > 1:
        words = [
            *("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"),
            *words,
        ]
    return subprocess.run(
        [sys.executable, *words, *SMALL.split(), *more],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def close(folder: Path, whole: Path) -> None:
    """Weights, optimizer states and averages are within 1e-6, and so are the losses."""
    ours, theirs = (load_state(run, say=pytest.fail) for run in (folder, whole))
    assert ours.step == theirs.step == 20
    for kind in theirs.tensors.keys() - {"random"}:
        for name, tensor in theirs.tensors[kind].items():
            torch.testing.assert_close(ours.tensors[kind][name], tensor, rtol=0, atol=1e-6)
    records = [Run(run).records() for run in (folder, whole)]
    assert [r["step"] for r in records[0]] == [r["step"] for r in records[1]]
    for ours_then, theirs_then in zip(*records, strict=True):
        for key in theirs_then.keys() - {"elapsed_s"}:
            assert ours_then[key] == pytest.approx(theirs_then[key], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_two_processes_end_where_one_does_and_their_state_goes_on_at_one_and_at_four(
    optimizer: str, data: Path, tmp_path: Path
) -> None:
    more = ["--optimizer", optimizer, "--average-decay", "0.9"]
    one, two = tmp_path / "one", tmp_path / "two"
    for processes, folder in ((1, one), (2, two)):
        ended = train(processes, data, folder, *more)
        assert ended.returncode == 0, ended.stderr
    close(two, one)
    for processes in (1, 4):
        folder = tmp_path / f"from-two-at-{processes}"
        shutil.copytree(two, folder)
        shutil.rmtree(folder / FOLDER / "000020")
        ended = train(processes, data, folder, *more, "--resume")
        assert ended.returncode == 0, ended.stderr
        close(folder, one)


def test_passes_are_dealt_out_each_to_one_process() -> None:
    for count in (1, 2, 3, 6):
        shares = [Processes(rank, count).share(6) for rank in range(count)]
        assert sorted(part for share in shares for part in share) == list(range(6))
        assert [part for turn in zip(*shares, strict=True) for part in turn] == list(range(6))
    with pytest.raises(ValueError, match="accumulate=6 cannot be dealt out to 4 processes"):
        Processes(0, 4).share(6)


@pytest.mark.slow
def test_passes_that_cannot_be_dealt_out_are_one_clear_line(data: Path, tmp_path: Path) -> None:
    ended = train(2, data, tmp_path / "run", "--accumulate", "3")
    assert ended.returncode != 0
    assert "accumulate=3 cannot be dealt out to 2 processes" in ended.stderr
    assert "several.py" not in ended.stderr  # no traceback of ours
