"""Several processes that train together: `torchrun --nproc-per-node N -m train.pretrain …`.

Each takes its share of the passes of a step and reads their windows alone; the gradients summed
over the processes. With DDP (`Replicated`) every process has the whole model; FSDP2
(train/loop/sharded.py) cuts it up. Nothing here happens to a process that is `ALONE`.
"""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.futures import Future
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Muon, Optimizer

from gpt.model import GPT
from train.loop.ema import EMA
from train.loop.state import State, load_state, save_state

LONGEST = timedelta(days=1)
"""How long the others wait for the first to evaluate and save."""
BUCKET_MIB = 25
"""Of gradients that are summed together."""


class Processes:
    """One of `count` processes, and what the loop asks of them; here for one that is alone."""

    muon: type[Muon] | None = None
    """The Muon that this model's matrices need; None: the usual one."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

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

    def spread(self, model: GPT, device: torch.device) -> nn.Module:
        """Send the model to where it trains; what is called forward there."""
        return model.to(device)

    def begin_pass(self) -> None:
        """Before each pass; after it the gradients are the sum over all processes and passes of the
        step so far."""

    def whole(self, ema: EMA) -> GPT | None:
        """The averaged weights as one model, to evaluate and to save; None but in the first.

        All processes must ask for it.
        """
        return ema.applied() if self.first else None

    def save(self, run: Path, state: State) -> None:
        """Save the state of the training, all processes together; see `save_state`."""
        if self.first:
            save_state(run, state)

    def load(
        self, run: Path, model: GPT, optimizers: list[Optimizer], say: Callable[[str], None]
    ) -> State:
        """The newest whole state of a run; see `load_state`."""
        return load_state(run, say)


class Replicated(Processes):
    """DDP: every process has the whole model, and sums the gradients bucket by bucket while
    backward() still runs (Li et al. 2020).

    The sums are made in the order of the passes, as one process makes them, so that a training is
    the same bit for bit at any number of processes: sums of floats depend on their order, and Muon,
    which computes in bfloat16, makes 1e-5 of the loss of a last bit in twenty steps (LOG.md). As
    much is sent as in any all-reduce, but after every pass of a process instead of once a step.
    """

    def spread(self, model: GPT, device: torch.device) -> nn.Module:
        self._learning = [p for p in model.parameters() if p.requires_grad]
        self._before: dict[Tensor, Tensor | None] = {}
        replica = DistributedDataParallel(
            super().spread(model, device), forward_sync_buffers=False, bucket_cap_mb=BUCKET_MIB
        )
        replica.register_comm_hook(None, self._sum)  # pyright: ignore[reportUnknownMemberType]
        return replica

    def begin_pass(self) -> None:
        self._before = {parameter: parameter.grad for parameter in self._learning}
        for parameter in self._learning:
            parameter.grad = None

    def _sum(self, _: None, bucket: dist.GradBucket) -> Future[Tensor]:  # pyright: ignore[reportPrivateImportUsage]
        """Sum a bucket of gradients: each process one part of it, in the order of the ranks."""
        size = bucket.buffer().numel()
        padding = (0, -size % self.count)
        own = F.pad(bucket.buffer(), padding)
        parts = torch.empty_like(own)
        exchanged = cast("dist.Work", dist.all_to_all_single(parts, own, async_op=True))  # pyright: ignore[reportUnknownMemberType]
        if not own.is_cuda:
            exchanged.wait()  # gloo's few threads must not wait for one another
        known = [self._before[parameter] for parameter in bucket.parameters()]
        before = [each.flatten() for each in known if each is not None]

        def add(_: object) -> Tensor:
            each = list(parts.chunk(self.count))
            if before:  # the passes of earlier rounds
                each.insert(0, F.pad(torch.cat(before), padding).chunk(self.count)[self.rank])
            dist.all_gather_single(own, reduce(torch.add, each))  # pyright: ignore[reportUnknownMemberType]
            return own[:size]

        return exchanged.get_future().then(add)  # pyright: ignore[reportUnknownMemberType]


def whole_tensor(tensor: Tensor) -> Tensor:
    """A tensor of which each process has a part, put together in all of them, who must all ask;
    any other as it is."""
    gather: Callable[[], Tensor] | None = getattr(tensor, "full_tensor", None)
    return tensor if gather is None else gather()


ALONE = Processes()


def join(kind: type[Processes] = Replicated) -> Processes:
    """Find the other processes that torchrun started; alone where it did not.

    Raises:
        ValueError: torchrun may start them again, and could not: it says what to set.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return ALONE
    backend, rank = "gloo", int(os.environ["RANK"])
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=LONGEST, store=_store(), rank=rank, world_size=count)
    return kind(rank, count)


def _store() -> dist.Store | None:  # pyright: ignore[reportPrivateImportUsage]
    """Where the processes leave their addresses; None: where torch looks for it.

    torchrun's agent keeps one store for all its restarts (torch 2.13), in which a process that
    starts again finds the addresses of the dead ones: it is refused, or waits for ever. So each
    start has names of its own, by the restarts that the agent of this machine counts. Those of
    several machines count apart (pytorch/pytorch#135712).
    """
    environment = os.environ
    if environment.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    if int(environment["GROUP_WORLD_SIZE"]) > 1:
        if int(environment["TORCHELASTIC_MAX_RESTARTS"]) > 0:
            raise ValueError(
                "torchrun --max-restarts on several machines needs the variable "
                "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 on each of them (docs/scale.md)"
            )
        return None
    address, port = environment["MASTER_ADDR"], int(environment["MASTER_PORT"])
    store = dist.TCPStore(address, port, is_master=False, timeout=LONGEST)  # pyright: ignore[reportPrivateImportUsage]
    return dist.PrefixStore(f"start-{environment['TORCHELASTIC_RESTART_COUNT']}", store)  # pyright: ignore[reportPrivateImportUsage]


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
