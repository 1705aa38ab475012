"""Several processes that train together take the steps that one would, and survive one's death."""

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import gpt
from tests.support.forks import ROOT
from tests.support.torture import LONGEST_S
from tests.support.worlds import Training, take, take_elastic, train_in_worlds
from tests.train.test_pretrain import TINY, data
from train import pretrain
from train.loop.batches import Batches
from train.loop.distributed import Processes
from train.loop.run import Run
from train.loop.state import FOLDER, load_state, saved

__all__ = ["data"]  # the fixture
SMALL = replace(
    TINY,
    n_head=3,
    n_embd=18,  # no multiple of 4: FSDP's parts differ in size
    dropout=0.0,
    batch_size=2,
    accumulate=4,
    max_steps=12,
    eval_every=6,
    save_steps=0,
    sample_tokens=2,
    average_decay=0.9,
)
LONG = replace(SMALL, max_steps=300, eval_every=10, sample_tokens=0)
DIVERGES = replace(SMALL, learning_rate=1.0, patience=1, grad_clip=0.0)


def differ(folder: Path, whole: Path) -> float:
    """The largest difference of two runs' losses, trained and validated."""
    ours, theirs = (Run(each).records() for each in (folder, whole))
    assert [each["step"] for each in ours] == [each["step"] for each in theirs]
    pairs = zip(ours, theirs, strict=True)
    names = ("train_loss", "val_loss")
    return max(abs(our[name] - their[name]) for our, their in pairs for name in names & our.keys())


@pytest.mark.slow
def test_a_training_moves_from_two_processes_to_four_and_to_one_and_ends_where_one_does(
    data: Path, tmp_path: Path
) -> None:
    def stage(name: str, parallel: str, stop_at: int) -> Training:
        return Training(tmp_path / name, SMALL, parallel, signal_at=stop_at)

    (said := tmp_path / "said.txt").touch()
    stops = Training(tmp_path / "stops", DIVERGES, "fsdp")
    two = [stage("ddp", "ddp", 4), stage("fsdp", "fsdp", 4), stage("mixed", "ddp", 3), stops]
    four = [stage("ddp", "ddp", 8), stage("fsdp", "fsdp", 8), stage("mixed", "fsdp", 9)]
    train_in_worlds([(2, two), (4, four)], data, said)
    told = said.read_text()
    for step in (4, 5, 9, 10):
        assert f"stopped at step {step} and saved" in told
    assert "ended at step 6: 1 evaluations were no better" in told
    for each in four:
        assert take(replace(each, signal_at=-1), data)
    whole = Training(tmp_path / "whole", SMALL)
    assert take(whole, data)

    assert differ(tmp_path / "ddp", whole.folder) == 0
    ours, theirs = (load_state(each, pytest.fail) for each in (tmp_path / "ddp", whole.folder))
    for kind in theirs.tensors.keys() - {"random"}:
        for name, tensor in theirs.tensors[kind].items():
            assert torch.equal(ours.tensors[kind][name], tensor), f"{kind} {name}"
    for name in ("fsdp", "mixed"):
        assert 0 < differ(tmp_path / name, whole.folder) < 1e-4
        text = [sample["text"] for sample in Run(tmp_path / name).samples()]
        assert text == [sample["text"] for sample in Run(whole.folder).samples()]
        assert gpt.load(tmp_path / name / "best").model.n_params == 9936


@pytest.mark.slow
def test_torchruns_agent_starts_a_training_again_when_a_worker_is_killed(
    data: Path, tmp_path: Path
) -> None:
    agent = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=1,
        monitor_interval=0.05,
        start_method="forkserver",
    )
    killed = Training(tmp_path / "killed", SMALL, signal_at=9, signal=signal.SIGKILL)
    restarts = elastic_launch(agent, take_elastic)(killed, data)
    assert restarts == {0: 1, 1: 1}
    whole = Training(tmp_path / "whole", SMALL)
    take(whole, data)
    assert differ(killed.folder, whole.folder) == 0


@pytest.mark.torture
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
@pytest.mark.parametrize("count", [2, 4])
def test_a_training_under_torchrun_outlives_ten_killed_workers(
    count: int, parallel: str, data: Path, tmp_path: Path
) -> None:
    kills, draw = 10, random.Random(count)
    whole = Training(tmp_path / "whole", LONG, parallel)
    if parallel == "ddp":
        take(whole, data)
    else:  # at the same number of processes FSDP sums alike too
        train_in_worlds([(count, [whole])], data, tmp_path / "world.txt")
    (tmp_path / "config.json").write_text(json.dumps(LONG.to_dict()))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += [f"--nproc-per-node={count}", f"--max-restarts={kills}", "--monitor-interval=0.1"]
    command = ["-m", "train.pretrain", "--config", str(tmp_path / "config.json")]
    command += ["--data", str(data), "--parallel", parallel]
    folder, said, killed = tmp_path / "killed", tmp_path / "said.txt", list[int]()
    with said.open("wb") as out:
        agent = psutil.Popen(
            [*torchrun, *command, "--out", str(folder), "--resume"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=out,
            stderr=out,
        )
    try:
        while len(killed) < kills and agent.poll() is None:
            newest = max((int(each.name) for each in saved(folder / FOLDER)), default=0)
            if newest > max(killed, default=0):  # it got further, and may be anywhere now
                time.sleep(draw.random() / 2)
                draw.choice(agent.children()).kill()
                killed.append(newest)
            time.sleep(0.02)
        assert agent.wait(LONGEST_S) == 0, said.read_text()
    finally:
        if agent.poll() is None:
            for each in (*agent.children(), agent):
                each.kill()
    assert len(killed) == kills, said.read_text()
    assert differ(folder, whole.folder) == 0
    print(f"{parallel}, {count} processes: {kills} kills after the states of steps {killed}")


def test_passes_are_dealt_out_each_to_one_process() -> None:
    for count in (1, 2, 3, 6):
        shares = [Processes(rank, count).share(6) for rank in range(count)]
        assert sorted(part for share in shares for part in share) == list(range(6))
        assert [part for turn in zip(*shares, strict=True) for part in turn] == list(range(6))
    with pytest.raises(ValueError, match="accumulate=6 cannot be dealt out to 4 processes"):
        Processes(0, 4).share(6)


@pytest.mark.parametrize("order", ["epochs", "documents"])
def test_no_process_reads_what_another_reads(order: str) -> None:
    config = replace(SMALL, order=order, block_size=4)
    tokens = np.arange(1000, dtype=np.uint16)  # each is where it stands
    batches = Batches(tokens, config, end=50)
    read: list[set[int]] = []
    for rank in range(4):
        windows = [
            batches.micro_batch(step, part)[0]
            for step in range(7)
            for part in Processes(rank, 4).share(config.accumulate)
        ]
        read.append(set(torch.cat(windows).flatten().tolist()))
    assert len(set.union(*read)) == sum(map(len, read)) == 7 * 4 * 2 * 4


def test_fsdp_without_torchrun_says_how_to_begin_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        pretrain.main(["--data", str(data), "--out", str(tmp_path / "run"), "--parallel", "fsdp"])
    assert "begin them with torchrun --nproc-per-node N" in capsys.readouterr().err


def test_passes_that_cannot_be_dealt_out_are_one_clear_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class First(Processes):
        def wait(self) -> None:
            pass

    monkeypatch.setattr(pretrain, "join", lambda kind: First(0, 2))
    options = ["--data", str(data), "--out", str(tmp_path / "run"), "--accumulate", "3"]
    with pytest.raises(SystemExit):
        pretrain.main([*options, "--max-steps", "1"])
    said = capsys.readouterr().err
    assert "accumulate=3 cannot be dealt out to 2 processes" in said
    assert "Traceback" not in said
