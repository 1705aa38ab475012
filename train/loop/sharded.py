"""A model that outgrows a GPU, cut up over several processes (FSDP2): `--parallel fsdp`.

Weights, gradients and the states of the optimizers are cut along their first dimension, a part for
each process (Zhao et al. 2023). A block is put together where it computes, forward and again
backward, and let go after it; its gradients are summed where their parts belong.
"""

from collections import ChainMap
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_saver import save  # pyright: ignore[reportUnknownVariableType]
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from torch.optim import Optimizer

from gpt.model import GPT
from train.loop.distributed import Processes, whole_tensor
from train.loop.ema import EMA
from train.loop.optimize import StackedMuon
from train.loop.state import (
    State,
    begin_state,
    hashed,
    is_cut_up,
    none_whole,
    read_parts,
    read_progress,
    seal_state,
    unsealed,
    whole_states,
)


class ShardedMuon(StackedMuon):
    """Muon for matrices that are cut up: each process makes some of them whole, orthogonalises
    them, and hands every process its part of the result (after Liu et al. 2025, section 2.3).

    A matrix travels twice, in bfloat16, and is computed once. The momentum stays cut up.
    """

    def orthogonal(self, means: Tensor, group: dict[str, Any]) -> Tensor:
        assert isinstance(means, DTensor)  # (n, rows, columns), the rows cut up
        mesh, cut = means.device_mesh, means.placements
        halves = cast("DTensor", means.bfloat16())
        mine = halves.redistribute(placements=[Shard(0)])  # some of the n, whole
        update = super().orthogonal(mine.to_local(), group)
        shape, stride = means.shape, means.stride()
        every = DTensor.from_local(update, mesh, [Shard(0)], shape=shape, stride=stride)
        return every.redistribute(placements=cut)


class Sharded(Processes):
    """FSDP2: every process has a part of each weight, gradient and state of an optimizer."""

    muon = ShardedMuon

    def spread(self, model: GPT, device: torch.device) -> nn.Module:
        self._device = device
        mesh = init_device_mesh(device.type, (self.count,))
        for part in (*model.blocks, model):  # each goes to the device alone, and is cut up there
            fully_shard(part, mesh=mesh)
            assert isinstance(part, FSDPModule)
            part.set_gradient_divide_factor(1.0)  # the sum: the loss is a mean already
            part.set_force_sum_reduction_for_comms(True)  # all that gloo can
        return model

    def whole(self, ema: EMA) -> GPT | None:
        """On the first process's device: 4 bytes a parameter, while it evaluates and saves."""
        weights: dict[str, Tensor] = {}
        for name, parameter in ema.model.named_parameters():
            tensor = whole_tensor(ema.means.get(name, parameter).detach())
            if self.first:  # the others let go of each before the next
                weights[name] = tensor.cpu()
        if not self.first:
            return None
        with torch.device("meta"):
            model = GPT(ema.model.config)
        model.load_state_dict(weights, assign=True)
        model.fill_tables()
        return model.to(self._device)

    def save(self, run: Path, state: State) -> None:
        """Each process writes its parts, as safetensors, which open at any number of processes."""
        there = self.first and begin_state(run, state.step) is None
        if self.any(there):
            return
        new = unsealed(run, state.step)
        flat: dict[str, Any] = {}
        for kind, tensors in state.tensors.items():
            flat |= {f"{kind}/{name}": tensor for name, tensor in tensors.items()}
        try:
            save(flat, storage_writer=HuggingFaceStorageWriter(str(new), save_distributed=True))
        except CheckpointException as error:
            raise OSError(f"the parts of the state of step {state.step}: {error}") from error
        own = {path.name: hashed(path) for path in new.glob(f"shard-{self.rank + 1:05}-*")}
        every: list[dict[str, Any]] = [{}] * self.count
        dist.all_gather_object(every, own)  # pyright: ignore[reportUnknownMemberType]
        if self.first:
            seal_state(new, state.progress, dict(ChainMap(*every)))

    def load(
        self, run: Path, model: GPT, optimizers: list[Optimizer], say: Callable[[str], None]
    ) -> State:
        newest: list[Path | None] = [None]
        if self.first:
            newest = [next(whole_states(run, say), None)]
        dist.broadcast_object_list(newest)  # pyright: ignore[reportUnknownMemberType]
        if (folder := newest[0]) is None:
            raise none_whole(run)
        cuts = Cuts(model, optimizers)
        if is_cut_up(folder):
            tensors = read_parts(folder, cuts.room, alone=False)
        else:
            tensors = {each.stem: cuts.of_file(each) for each in folder.glob("*.safetensors")}
        return State(tensors, read_progress(folder))


class Cuts:
    """How the tensors of a state are cut up, which is as the parameters are."""

    def __init__(self, model: GPT, optimizers: list[Optimizer]) -> None:
        self._parameters: dict[str, Tensor] = {}
        for name, parameter in model.named_parameters():
            self._parameters |= {f"model/{name}": parameter, f"average/{name}": parameter}
        for number, optimizer in enumerate(optimizers):
            learning = [each for group in optimizer.param_groups for each in group["params"]]
            self._parameters |= {f"optimizer-{number}/{i}": p for i, p in enumerate(learning)}

    def _like(self, path: str, size: torch.Size) -> DTensor | None:
        """The parameter that the tensor KIND/NAME goes with; None where it is not cut up."""
        of_optimizer = self._parameters.get(path.rpartition("/")[0])  # optimizer-0/INDEX/exp_avg
        found = self._parameters.get(path, of_optimizer)
        return found if isinstance(found, DTensor) and found.shape == size else None

    def room(self, path: str, size: torch.Size, dtype: torch.dtype) -> Tensor:
        """For `read_parts`."""
        like = self._like(path, size)
        if like is None:
            return torch.empty(size, dtype=dtype)
        return torch.empty_like(like, dtype=dtype)

    def of_file(self, path: Path) -> dict[str, Tensor]:
        """This process's parts of the tensors in a file that has them whole."""
        found: dict[str, Tensor] = {}
        for name, tensor in load_file(path).items():  # mapped into memory, not read
            like = self._like(f"{path.stem}/{name}", tensor.shape)
            if like is not None:
                at = (like.device_mesh, like.placements)
                tensor = distribute_tensor(tensor, *at, src_data_rank=None)
            found[name] = tensor
        return found
