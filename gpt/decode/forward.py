"""One pass through the model: tokens of several stories in, logits out, by one thread or more.

A pass is a list of phases (four products and the attention in each layer, the output at the end).
A phase is cut into pieces, and the threads take pieces until none is left; between the phases the
thread that called does the rest alone. It never needs the others: it takes every piece itself that
nobody takes, and where another thread has taken one and lost its processor, it gives the whole
pass up and begins again alone (`Scratch` says why that is safe).
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gpt.config import GPTConfig
from gpt.decode import atomics
from gpt.decode.layers import (
    exponentials,
    gelu,
    layer_norm,
    mixed,
    multiply,
    rms_norm,
    rotate,
    scale,
    scores_of,
    swiglu,
)
from gpt.decode.simd import widen
from gpt.decode.weights import Floats, Weights, rounded

TICKET, DONE, HELPERS, LEAVE = (i * atomics.SPACING for i in range(4))
"""Where the shared numbers stand: the phase and its next piece; pieces the helpers have finished;
helpers that are there; 1 when they are to go."""
PIECE_BITS, COUNT_BITS = 16, 16
"""A ticket is one number, so that it is taken whole: phase << 32 | pieces in it << 16 | next."""
PIECES = 8
"""Of each product, for several threads: enough for an even share, few enough to cost nothing."""
PATIENCE = 20_000
"""How often a piece that a helper holds is asked for before the pass is given up: about as long as
one token takes."""
IDLE = 10_000
"""How often a helper looks for a new pass before it goes to sleep."""

QKV, ATTEND, OUT, UP, DOWN = range(5)
"""The phases of a layer; the logits are phase 0 of a layer behind the last."""


class Scratch(NamedTuple):
    """What one pass works on. A pass that was given up leaves its scratch to the thread that still
    holds a piece of it, and begins anew on another: nothing that the late thread writes matters."""

    shared: NDArray[np.int64]
    rows: NDArray[np.int64]
    """(3, B): token, cache row and position of each."""
    wanted: NDArray[np.int64]
    """(B + 2,): how many rows; how many logits; then the rows whose logits are wanted."""
    x: Floats
    """(B, C'): the residual stream."""
    h: Floats
    """(B, C'): normed."""
    qkv: Floats
    attended: Floats
    """(B, (H D)')."""
    up: Floats
    inner: Floats
    """(B, F')."""
    out: Floats
    """(B, C')."""
    logits: Floats
    """(B, V')."""
    scores: Floats
    """(threads, S)."""


def make_scratch(config: GPTConfig, weights: Weights, max_rows: int, threads: int) -> Scratch:
    """Scratch for passes of up to `max_rows` rows."""
    B = -(-max_rows // 8) * 8

    def floats(n: int) -> Floats:
        return np.zeros((B, n), np.float32)

    C, F = rounded(config.n_embd), rounded(config.n_inner)
    return Scratch(
        shared=np.zeros(4 * atomics.SPACING, np.int64),
        rows=np.zeros((3, B), np.int64),
        wanted=np.zeros(B + 2, np.int64),
        x=floats(C),
        h=floats(C),
        qkv=floats(weights.qkv.weights.shape[1]),
        attended=floats(weights.o.weights.shape[2]),
        up=floats(weights.up.weights.shape[1]),
        inner=floats(F),
        out=floats(C),
        logits=floats(weights.head.weights.shape[1]),
        scores=np.zeros((threads, config.block_size), np.float32),
    )


@njit(nogil=True, cache=True)
def product(m: Any, layer: int, piece: int, pieces: int, x: Any, n: int, y: Any) -> None:
    """A piece of y[:n] = x[:n] weightsᵀ · scales + biases."""
    blocks = m.weights.shape[1] // 8
    first, last = 8 * (blocks * piece // pieces), 8 * (blocks * (piece + 1) // pieces)
    multiply(m.weights[layer], first, last, x, n, y)
    scale(y, first, last, n, m.scales[layer], m.biases[layer])


@njit(nogil=True, cache=True)
def feed(w: Any, s: Any, layer: int, piece: int, pieces: int, n: int) -> None:
    """A piece of the MLP's first half: some rows of gate and up, and the activation."""
    F = s.inner.shape[1]
    blocks = F // 8
    first, last = 8 * (blocks * piece // pieces), 8 * (blocks * (piece + 1) // pieces)
    for offset in range(0, s.up.shape[1], F):
        multiply(w.up.weights[layer], offset + first, offset + last, s.h, n, s.up)
        scale(s.up, offset + first, offset + last, n, w.up.scales[layer], w.up.biases[layer])
    for b in range(n):
        up, inner = s.up[b], s.inner[b]
        if len(up) > F:
            swiglu(up[first:last], up[F + first : F + last], inner[first:last])
        else:
            gelu(up[first:last], inner[first:last])


@njit(nogil=True, cache=True)
def attend(w: Any, s: Any, layer: int, piece: int, keys: Any, values: Any, thread: int) -> None:
    """The query heads of one row that share one head of keys and values."""
    H, G, D = w.shape
    row, group = piece // G, piece % G
    slot, n = s.rows[1, row], s.rows[2, row] + 1
    scores = s.scores[thread]
    for h in range(group * (H // G), (group + 1) * (H // G)):
        q = s.qkv[row, h * D : (h + 1) * D]
        largest = scores_of(q, keys[layer, slot, group], n, scores)
        exponentials(scores, n, largest)
        mixed(scores, values[layer, slot, group], n, s.attended[row, h * D : (h + 1) * D])


@njit(nogil=True, cache=True)
def work(
    w: Any, s: Any, keys: Any, values: Any, phase: int, piece: int, pieces: int, thread: int
) -> None:
    """Do one piece of one phase."""
    layer, kind = phase // 5, phase % 5
    n = s.wanted[0]
    if layer == w.qkv.weights.shape[0]:
        product(w.head, 0, piece, pieces, s.h, s.wanted[1], s.logits)
    elif kind == QKV:
        product(w.qkv, layer, piece, pieces, s.h, n, s.qkv)
    elif kind == ATTEND:
        attend(w, s, layer, piece, keys, values, thread)
    elif kind == OUT:
        product(w.o, layer, piece, pieces, s.attended, n, s.out)
    elif kind == UP:
        feed(w, s, layer, piece, pieces, n)
    else:
        product(w.down, layer, piece, pieces, s.inner, n, s.out)


@njit(nogil=True, cache=True)
def run_phase(w: Any, s: Any, keys: Any, values: Any, phase: int, pieces: int) -> bool:
    """Do one phase, with whoever helps; False where a helper was waited for in vain."""
    if atomics.load(s.shared, HELPERS) == 0 and phase % 5 != ATTEND:
        work(w, s, keys, values, phase, 0, 1, 0)
        return True
    atomics.store(s.shared, DONE, 0)
    atomics.store(s.shared, TICKET, phase << 32 | pieces << 16)
    mine = 0
    piece = atomics.fetch_add(s.shared, TICKET, 1) & 0xFFFF
    while piece < pieces:
        work(w, s, keys, values, phase, piece, pieces, 0)
        mine += 1
        piece = atomics.fetch_add(s.shared, TICKET, 1) & 0xFFFF
    for _ in range(PATIENCE):
        if mine + atomics.load(s.shared, DONE) == pieces:
            return True
        atomics.pause()
    return False


@njit(nogil=True, cache=True)
def help_out(w: Any, s: Any, keys: Any, values: Any, thread: int) -> None:
    """Take pieces of any pass on this scratch, until there has been none for a while."""
    atomics.fetch_add(s.shared, HELPERS, 1)
    idle = 0
    while idle < IDLE and atomics.load(s.shared, LEAVE) == 0:
        ticket = atomics.load(s.shared, TICKET)
        if ticket & 0xFFFF < ticket >> 16 & 0xFFFF:
            ticket = atomics.fetch_add(s.shared, TICKET, 1)
            pieces, piece = ticket >> 16 & 0xFFFF, ticket & 0xFFFF
            if piece < pieces:
                work(w, s, keys, values, ticket >> 32, piece, pieces, thread)
                atomics.fetch_add(s.shared, DONE, 1)
                idle = 0
                continue
        idle += 1
        atomics.pause()
    atomics.fetch_add(s.shared, HELPERS, -1)


@njit(nogil=True, cache=True)
def embed(w: Any, s: Any, n: int) -> None:
    """x = the embeddings of the tokens, and of their positions for gpt2."""
    C = w.norms[0].weights.shape[1]
    for b in range(n):
        token, position = s.rows[0, b], s.rows[2, b]
        row, size = w.tokens.weights[0, token], w.tokens.scales[0, token]
        for i in range(C):
            s.x[b, i] = widen(row[i]) * size
        if len(w.positions):
            for i in range(C):
                s.x[b, i] += w.positions[position, i]


@njit(nogil=True, cache=True)
def normed(w: Any, norm: Any, layer: int, x: Any, out: Any) -> None:
    """One row, by the family's norm."""
    if len(w.positions):
        layer_norm(x, norm.weights[layer], norm.biases[layer], w.eps, out)
    else:
        rms_norm(x, norm.weights[layer], w.eps, out)


@njit(nogil=True, cache=True)
def remember(w: Any, s: Any, layer: int, n: int, keys: Any, values: Any) -> None:
    """Turn queries and keys by their positions; write keys and values into the cache."""
    H, G, D = w.shape
    for b in range(n):
        slot, position = s.rows[1, b], s.rows[2, b]
        heads = s.qkv[b, : (H + 2 * G) * D].reshape(H + 2 * G, D)
        if len(w.cos):
            for head in range(H + G):
                rotate(heads[head], w.cos[position], w.sin[position])
        for g in range(G):
            keys[layer, slot, g, position] = heads[H + g]
            values[layer, slot, g, position] = heads[H + G + g]


@njit(nogil=True, cache=True)
def add_and_norm(w: Any, s: Any, n: int, norm: Any, layer: int) -> None:
    """x += out; h = x, normed."""
    for b in range(n):
        for i in range(s.x.shape[1]):
            s.x[b, i] += s.out[b, i]
        normed(w, norm, layer, s.x[b], s.h[b])


@njit(nogil=True, cache=True)
def forward(w: Any, s: Any, keys: Any, values: Any) -> bool:
    """Logits of the wanted rows of `s`; False where a helper was lost, and all is to do again.

    Rows of one story stand in the order of their positions, and the cache holds what is before.
    """
    L, n, G = w.qkv.weights.shape[0], s.wanted[0], w.shape[1]
    embed(w, s, n)
    for b in range(n):
        normed(w, w.norms[0], 0, s.x[b], s.h[b])
    for layer in range(L):
        phase = 5 * layer
        if not run_phase(w, s, keys, values, phase + QKV, PIECES):
            return False
        remember(w, s, layer, n, keys, values)
        if not run_phase(w, s, keys, values, phase + ATTEND, n * G):
            return False
        if not run_phase(w, s, keys, values, phase + OUT, PIECES):
            return False
        add_and_norm(w, s, n, w.norms[1], layer)
        if not run_phase(w, s, keys, values, phase + UP, PIECES):
            return False
        if not run_phase(w, s, keys, values, phase + DOWN, PIECES):
            return False
        if layer + 1 < L:
            add_and_norm(w, s, n, w.norms[0], layer + 1)
    for i in range(s.wanted[1]):
        b = s.wanted[2 + i]
        for c in range(s.x.shape[1]):
            s.x[b, c] += s.out[b, c]
        normed(w, w.norms[2], 0, s.x[b], s.h[i])
    return run_phase(w, s, keys, values, 5 * L, PIECES)
