"""A model's weights as the core reads them: plain arrays, one row after the other.

Shapes: L layers, C channels, H query heads, G heads of keys and values, D per head, F channels in
the MLP, V vocabulary, S positions. N' is N rounded up to a multiple of `BLOCK` with zeros, which
change no sum, so that no kernel has an end of a row to treat apart.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gpt.decode.memory import in_huge_pages
from gpt.decode.precision import Precision
from gpt.decode.simd import LANES
from gpt.model import GPT

BLOCK = LANES
"""Rows and columns come in multiples of it."""
Floats = NDArray[np.float32]


class Matrices(NamedTuple):
    """One kind of matrix, of every layer."""

    weights: NDArray[Any]
    """(L, N', K'): bfloat16 as uint16, int8 or float32."""
    scales: Floats
    """(L, N'): what each row of int8 is multiplied with; else all 1."""
    biases: Floats
    """(L, N'), zeros where there are none."""


class Norms(NamedTuple):
    """LayerNorm or RMSNorm, of every layer."""

    weights: Floats
    """(L, C)."""
    biases: Floats
    """(L, C)."""


class Weights(NamedTuple):
    """All of a model."""

    tokens: Matrices
    """(1, V', C'): the embedding."""
    head: Matrices
    """(1, V', C'): the output layer; the embedding itself where it is tied."""
    positions: Floats
    """(S, C) of gpt2; (0, C) of llama."""
    qkv: Matrices
    """Rows of q, then of k, then of v: (H + 2 G) D."""
    o: Matrices
    up: Matrices
    """2 F' rows (llama), 16 of gate and 16 of up in turn; F' rows of up (gpt2)."""
    down: Matrices
    norms: tuple[Norms, Norms, Norms]
    """Before attention, before the MLP, and (of one layer) at the end."""
    cos: Floats
    """(S, D / 2) of llama; (0, 0) of gpt2."""
    sin: Floats
    shape: tuple[int, int, int]
    """H, G, D."""
    eps: float


def rounded(n: int) -> int:
    """n rounded up to a multiple of `BLOCK`."""
    return -(-n // BLOCK) * BLOCK


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().float().numpy()


def _padded(parts: list[Tensor]) -> Floats:
    """Matrices (N, K) one below the other, each padded to N' rows only at the end of all: K'."""
    rows = np.concatenate([_array(part) for part in parts])
    n, k = rows.shape
    padded = np.zeros((rounded(n), rounded(k)), np.float32)
    padded[:n, :k] = rows
    return padded


def _stored(matrix: Floats, precision: Precision) -> tuple[NDArray[Any], Floats]:
    """The rows (N', K') at a precision, and the scale of each (N',)."""
    scales = np.ones(len(matrix), np.float32)
    if precision == "float32":
        return matrix, scales
    if precision == "bfloat16":
        halves = torch.from_numpy(matrix).bfloat16().view(torch.uint16).numpy()  # pyright: ignore[reportUnknownMemberType]
        return halves, scales
    largest = np.abs(matrix).max(axis=1)
    scales = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
    return np.rint(matrix / scales[:, None]).astype(np.int8), scales


def _matrices(layers: list[list[Any]], precision: Precision) -> Matrices:
    """One `Matrices` of the linear layers, or embeddings, that stand one below the other."""
    stored = [_stored(_padded([one.weight for one in layer]), precision) for layer in layers]
    weights, scales = (np.stack(parts) for parts in zip(*stored, strict=True))
    biases = np.zeros_like(scales)
    for row, layer in zip(biases, layers, strict=True):
        if getattr(layer[0], "bias", None) is not None:
            given = np.concatenate([_array(one.bias) for one in layer])
            row[: len(given)] = given
    return Matrices(weights, scales, biases)


def _norms(modules: list[Any]) -> Norms:
    weights = np.stack([_array(module.weight) for module in modules])
    biases = np.zeros_like(weights)
    for row, module in zip(biases, modules, strict=True):
        if getattr(module, "bias", None) is not None:
            row[:] = _array(module.bias)
    return Norms(weights, biases)


class _Rows(NamedTuple):
    """Rows of a matrix, as a linear layer has them."""

    weight: Tensor
    bias: Tensor | None


def _mlp_rows(gate: Any, up: Any) -> _Rows:
    """The MLP's first matrix with rows up to F': of up alone, or 16 of gate and 16 of up in
    turn, so that a few rows that stand together make a few channels."""

    def padded(linear: Any) -> Tensor:
        return pad(linear.weight, (0, 0, 0, rounded(len(linear.weight)) - len(linear.weight)))

    pad = torch.nn.functional.pad
    if gate is None:
        missing = rounded(len(up.weight)) - len(up.weight)
        return _Rows(padded(up), None if up.bias is None else pad(up.bias, (0, missing)))
    both: list[Tensor] = [padded(linear).unflatten(0, (-1, BLOCK)) for linear in (gate, up)]
    return _Rows(torch.stack(both, 1).flatten(0, 2), None)


def pack(model: GPT, precision: Precision) -> Weights:
    """The weights of a model on the CPU at a precision, a copy of them."""
    config, blocks = model.config, list(model.blocks)
    llama = config.family == "llama"
    half = config.head_dim // 2
    nothing = torch.empty(0, 0)

    def each(name: str) -> list[Any]:
        return [block.get_submodule(name) for block in blocks]

    attention, mlp = each("attention"), each("mlp")
    matrices = {
        "tokens": _matrices([[model.tokens]], precision),
        "qkv": _matrices([[one.q, one.k, one.v] for one in attention], precision),
        "o": _matrices([[one.o] for one in attention], precision),
        "up": _matrices([[_mlp_rows(one.gate, one.up)] for one in mlp], precision),
        "down": _matrices([[one.down] for one in mlp], precision),
    }
    if model.head is not None:
        matrices["head"] = _matrices([[model.head]], precision)
    moved = in_huge_pages([each.weights for each in matrices.values()])
    for name, weights in zip(list(matrices), moved, strict=True):
        matrices[name] = matrices[name]._replace(weights=weights)
    matrices.setdefault("head", matrices["tokens"])
    return Weights(
        **matrices,
        positions=_array(
            torch.empty(0, config.n_embd) if model.positions is None else model.positions.weight
        ),
        norms=(_norms(each("attention_norm")), _norms(each("mlp_norm")), _norms([model.norm])),
        cos=np.ascontiguousarray(_array(model.cos if llama else nothing)[:, :half]),
        sin=np.ascontiguousarray(_array(model.sin if llama else nothing)[:, :half]),
        shape=(config.n_head, config.n_kv_head, config.head_dim),
        eps=config.norm_eps,
    )
