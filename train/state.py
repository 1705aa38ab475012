"""The state of a training on disk: one safetensors file, replaced in one step, no pickle."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from gpt.model import GPT

FILE = "state.safetensors"


class StateError(Exception):
    """A training state that cannot be resumed, with what to do instead."""


def save_state(
    folder: Path, model: GPT, optimizers: list[Optimizer], progress: dict[str, Any]
) -> None:
    """Write weights, optimizer states, the dropout's random state and `progress` (JSON).

    A reader finds the old file or the new one, never half of one.
    """
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                tensors[f"optimizer/{number}/{index}/{key}"] = value
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / (FILE + ".part")
    whole = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    save_file(whole, part, metadata={"progress": json.dumps(progress)})
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(folder / FILE)


def load_state(folder: Path, model: GPT, optimizers: list[Optimizer]) -> dict[str, Any]:
    """Put a saved state back into `model`, `optimizers` and the random generators.

    Returns:
        The progress that was saved with it.

    Raises:
        StateError: there is no state, or it belongs to another model.
    """
    path = folder / FILE
    if not path.exists():
        raise StateError(f"no training state in {folder}: start without --resume")
    with safe_open(path, framework="pt") as file:
        progress = json.loads(file.metadata()["progress"])
        tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    weights = {name[6:]: tensor for name, tensor in tensors.items() if name.startswith("model/")}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise StateError(
            f"the state in {folder} is of another model: give the options it was started with"
        ) from error
    for number, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith(f"optimizer/{number}/"):
                _, _, index, key = name.split("/")
                state.setdefault(int(index), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    torch.set_rng_state(tensors["random/cpu"])
    if torch.cuda.is_available() and "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"])
    return progress
