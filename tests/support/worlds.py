"""Several processes that train together, in a row of worlds, all forked from one process, which
loads what FSDP needs of torch once."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch.distributed as dist

from tests.support.app_server import free_port
from tests.support.forks import FORKS
from tests.support.torture import LONGEST_S
from tests.support.training import train_into
from train.data.folder import load_data
from train.loop import distributed
from train.loop.config import TrainConfig
from train.loop.distributed import ALONE, Processes, Replicated, join, leave
from train.loop.run import Run
from train.run import validate
from train.run.validate import Validation


@dataclass(frozen=True, slots=True)
class Training:
    """One training of a world; it goes on where there is something to go on with."""

    folder: Path
    config: TrainConfig
    parallel: str = "ddp"
    signal_at: int = -1
    """The step in which the last process, and no other, gets `signal`."""
    signal: int = signal.SIGTERM


World = tuple[int, Sequence[Training]]
"""How many processes, and the trainings that they take one after the other."""


def train_in_worlds(worlds: Sequence[World], data: Path, said: Path) -> None:
    """Take all trainings; every process must end well."""
    process = FORKS.Process(target=_base, args=(worlds, data, said))
    process.start()
    try:
        process.join(LONGEST_S)
    finally:
        process.kill()
    assert process.exitcode == 0, said.read_text()


def take(training: Training, data: Path, processes: Processes = ALONE) -> bool:
    """One training, in this process; as `train.loop.train.train`."""
    if training.signal_at >= 0 and processes.rank == processes.count - 1:
        _signal_in_step(training.signal_at, training.signal)
    run, config = Run(training.folder), training.config
    return train_into(run, config, load_data(data), resume=True, processes=processes)


def take_elastic(training: Training, data: Path) -> int:
    """One training by a worker of torchrun's agent, where only the first start gets the signal.

    Returns:
        How often the agent had started its workers again.
    """
    processes, restarts = join(Replicated), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    take(replace(training, signal_at=-1) if restarts else training, data, processes)
    processes.wait()
    dist.destroy_process_group()
    return restarts


def _signal_in_step(at: int, number: int) -> None:
    keeps = Validation.keeps

    def signalled(self: Validation, step: int, *, last: bool) -> bool:
        if step == at:
            os.kill(os.getpid(), number)
        return keeps(self, step, last=last)

    Validation.keeps = signalled


def _base(worlds: Sequence[World], data: Path, said: Path) -> None:
    handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(handle, number)
    from train.loop.sharded import Sharded

    validate.plot_losses = lambda *_: None  # other tests draw
    distributed.BUCKET_MIB = 0.004  # several of a model so small
    for count, trainings in worlds:
        port, pids = free_port(), list[int]()
        for rank in range(count):
            pids.append(os.fork())
            if pids[-1] == 0:
                _rank(rank, count, port, data, trainings, Sharded)
        ended = [os.waitpid(pid, 0)[1] for pid in pids]
        if any(ended):
            os._exit(1)


def _rank(
    rank: int,
    count: int,
    port: int,
    data: Path,
    trainings: Sequence[Training],
    fsdp: type[Processes],
) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    keeps, replicated = Validation.keeps, join(Replicated)
    for training in trainings:
        Validation.keeps = keeps
        sharded = training.parallel == "fsdp"
        take(training, data, fsdp(rank, count) if sharded else replicated)
    leave(replicated)
