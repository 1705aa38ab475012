"""Several processes that train together take the steps that one would."""

import os
import shutil
import subprocess
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch

from tests.support.app_server import free_port
from tests.support.torture import LONGEST_S, begin_training
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


def by_torchrun(data: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Train with two processes, as the documentation says."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [sys.executable, *launcher, "-m", "train.pretrain", *options(data, folder, *more)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def options(data: Path, folder: Path, *more: str) -> list[str]:
    return ["--data", str(data), "--out", str(folder), *SMALL.split(), *more]


def train(count: int, data: Path, folder: Path, *more: str, ends: int = 0) -> str:
    """Train with `count` processes that find each other as torchrun's do.

    Args:
        ends: The exit code of each of them.

    Returns:
        What they said.
    """
    said = folder.with_suffix(".txt")
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(count)}
    processes: list[BaseProcess] = []
    for rank in range(count):
        variables = {**where, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        processes.append(begin_training(options(data, folder, *more), said, variables))
    try:
        for process in processes:
            process.join(LONGEST_S)
    finally:
        for process in processes:
            process.kill()
    assert [process.exitcode for process in processes] == [ends] * count, said.read_text()
    return said.read_text()


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
    train(1, data, one, *more)
    if optimizer == "adamw":
        ended = by_torchrun(data, two, *more)
        assert ended.returncode == 0, ended.stderr
    else:
        train(2, data, two, *more)
    close(two, one)
    for processes in (1, 4):
        folder = tmp_path / f"from-two-at-{processes}"
        shutil.copytree(two, folder)
        shutil.rmtree(folder / FOLDER / "000020")
        train(processes, data, folder, *more, "--resume")
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
    said = train(2, data, tmp_path / "run", "--accumulate", "3", ends=2)
    assert "accumulate=3 cannot be dealt out to 2 processes" in said
    assert "several.py" not in said  # no traceback of ours
