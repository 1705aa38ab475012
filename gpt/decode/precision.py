"""How exactly the compiled core keeps a model's matrices."""

from typing import Literal

import torch

from gpt.model import GPT

Precision = Literal["bfloat16", "float32", "int8"]


def exact_precision(model: GPT) -> Precision:
    """ "bfloat16" if that rounds none of the model's matrices, else "float32"."""
    matrices = (p for p in model.parameters() if p.dim() == 2)
    exact = all(torch.equal(p, p.bfloat16().to(p.dtype)) for p in matrices)
    return "bfloat16" if exact else "float32"
