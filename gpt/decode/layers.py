"""The steps inside a layer, each for a few rows: products, norms, rotary positions, attention.

A row is one position of one story. Shapes as in `gpt.decode.weights`; B rows. What each function
computes for a row does not depend on the other rows, to the bit.
"""

import math
from typing import Any

import numpy as np

from gpt.decode.jit import SUMS, inner
from gpt.decode.simd import eight_rows, eight_stories, exp

FULL = 5
"""From so many rows on, eight are computed together, though some are not wanted."""


@inner()
def multiply(weights: Any, first: int, last: int, x: Any, n: int, y: Any) -> None:
    """y[:n, first:last] = x[:n] weightsᵀ; the weights are read once for eight rows.

    Args:
        weights: (N', K').
        first, last: Multiples of 8.
        x, y: (B', K') and (B', N'), B' a multiple of 8 with n <= B'.
    """
    for b in range(0, n, 8):
        if n - b >= FULL:
            for r in range(first, last, 2):
                eight_stories(weights, r, x, b, y)
        else:
            for one in range(b, n):
                for r in range(first, last, 8):
                    eight_rows(weights, r, x, one, y)


@inner(fastmath=SUMS)
def rms_norm(x: Any, weight: Any, eps: float, out: Any) -> None:
    """Of one row (C',), the first C (Zhang & Sennrich 2019)."""
    C = len(weight)
    square = np.float32(0)
    for i in range(C):
        square += x[i] * x[i]
    scale = np.float32(1) / np.sqrt(square / np.float32(C) + np.float32(eps))
    for i in range(C):
        out[i] = x[i] * scale * weight[i]


@inner(fastmath=SUMS)
def layer_norm(x: Any, weight: Any, bias: Any, eps: float, out: Any) -> None:
    """Of one row (C',), the first C (Ba et al. 2016)."""
    C = len(weight)
    mean = np.float32(0)
    for i in range(C):
        mean += x[i]
    mean /= np.float32(C)
    square = np.float32(0)
    for i in range(C):
        square += (x[i] - mean) * (x[i] - mean)
    scale = np.float32(1) / np.sqrt(square / np.float32(C) + np.float32(eps))
    for i in range(C):
        out[i] = (x[i] - mean) * scale * weight[i] + bias[i]


@inner()
def rotate(x: Any, cos: Any, sin: Any) -> None:
    """Turn one head (D,) by its position, pairing halves (Su et al. 2021, as transformers does)."""
    half = len(cos)
    for i in range(half):
        left, right = x[i], x[i + half]
        x[i] = left * cos[i] - right * sin[i]
        x[i + half] = right * cos[i] + left * sin[i]


@inner()
def swiglu(gate: Any, up: Any, out: Any) -> None:
    """out[:16] = silu(gate) · up (Shazeer 2020), of sixteen."""
    for i in range(16):
        out[i] = gate[i] / (np.float32(1) + exp(-gate[i])) * up[i]


@inner()
def gelu(up: Any, out: Any) -> None:
    """GELU by tanh (Hendrycks & Gimpel 2016): x times the logistic function of twice its inner."""
    c = np.float32(2 * math.sqrt(2 / math.pi))
    for i in range(len(out)):
        x = up[i]
        inner = c * (x + np.float32(0.044715) * x * x * x)
        out[i] = x / (np.float32(1) + exp(-inner))


@inner(fastmath=SUMS)
def scores_of(q: Any, keys: Any, n: int, scores: Any) -> np.float32:
    """scores[:n] = q · keys / √D; the largest of them."""
    D = len(q)
    root = np.float32(1 / math.sqrt(D))
    largest = np.float32(-math.inf)
    for t in range(n):
        key = keys[t]
        s = np.float32(0)
        for d in range(D):
            s += q[d] * key[d]
        scores[t] = s * root
        largest = max(largest, scores[t])
    return largest


@inner()
def exponentials(scores: Any, n: int, largest: np.float32) -> None:
    """scores[:n] = exp(scores - largest)."""
    for t in range(n):
        scores[t] = exp(scores[t] - largest)


@inner(fastmath=SUMS)
def mixed(scores: Any, values: Any, n: int, out: Any) -> None:
    """out (D,) = the values (S, D), weighted with scores[:n] and divided by their sum."""
    D = len(out)
    total = np.float32(0)
    for t in range(n):
        total += scores[t]
    for d in range(D):
        out[d] = 0
    for t in range(n):
        share = scores[t] / total
        value = values[t]
        for d in range(D):
            out[d] += share * value[d]
