"""Data-parallel training (DDP): `torchrun --nproc-per-node N -m train.pretrain …`.

Every process has the whole model and takes its share of the passes of a step. After each round of
passes they exchange the gradients and add them in the order of the passes, as one process would:
sums of floats depend on their order, and Muon, which computes in bfloat16, makes 2e-4 of a last bit
in twenty steps (measured). The first process alone evaluates and writes.
"""

import os
import sys
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

LONGEST = timedelta(days=1)
"""How long the others wait for the first to evaluate and save."""


@dataclass(frozen=True, slots=True)
class Processes:
    """One of `count` processes; alone unless `join` found others."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, passes: int) -> range:
        """Which of the passes of a step are this one's.

        Raises:
            ValueError: they cannot be dealt out evenly.
        """
        if passes % self.count:
            raise ValueError(
                f"accumulate={passes} cannot be dealt out to {self.count} processes: "
                f"make it a multiple of {self.count}"
            )
        return range(self.rank, passes, self.count)

    def total(self, value: float) -> float:
        """The sum of what the processes found."""
        if self.count == 1:
            return value
        found = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(found)  # pyright: ignore[reportUnknownMemberType]
        return float(found)

    def any(self, flag: bool) -> bool:
        """Whether one of the processes says so: all of them get the same answer."""
        return self.total(float(flag)) > 0

    def wait(self) -> None:
        """Go on when all processes are here."""
        self.any(False)


class Gradients:
    """The sum of the gradients of a step's passes, whoever takes them, in the order of the passes.

    Alone nothing is to be done: backward() adds to the gradients that are there.
    """

    def __init__(self, processes: Processes, model: nn.Module) -> None:
        self.processes = processes
        self.learning = [p for p in model.parameters() if p.requires_grad]
        self.total: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is, and its batches belong."""
        return self.learning[0].device

    def take(self) -> None:
        """Exchange the gradients of the passes that were just taken, and add them up."""
        if self.processes.count == 1:
            return
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.learning]
        own = torch.cat([grad.flatten() for grad in grads])
        every = [torch.empty_like(own) for _ in range(self.processes.count)]
        dist.all_gather(every, own)  # pyright: ignore[reportUnknownMemberType]
        for one in every:
            self.total = one if self.total is None else self.total + one
        for parameter in self.learning:
            parameter.grad = None

    def give(self) -> None:
        """Make the sum the gradients of the model, and begin the next one."""
        if self.total is None:
            return
        parts = torch.split(self.total, [p.numel() for p in self.learning])
        for parameter, part in zip(self.learning, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        self.total = None


ALONE = Processes()


def join() -> Processes:
    """Find the other processes that torchrun started; alone where it did not."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return ALONE
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=LONGEST)
    return Processes(dist.get_rank(), count)


def leave(processes: Processes) -> None:
    """Take leave of the others, and end the process; alone, do nothing."""
    if processes.count > 1:
        processes.wait()  # while the first still evaluates and saves, nobody hangs up on it
        dist.destroy_process_group()
        sys.stdout.flush()
        sys.stderr.flush()
        # A thread of gloo's may still hold a tensor, which it cannot let go while Python ends: now
        # and then that aborts a process that has done its work (pytorch/pytorch#179291).
        os._exit(0)
