"""One pass through the model: tokens of several stories in, logits out, by one thread or more.

A pass is a list of phases (four products and the attention in each layer, the output at the end).
A phase is cut into pieces, and the threads take pieces until none is left; between the phases the
thread that called does the rest alone. It never needs the others: it takes every piece itself that
nobody takes, and where another thread has taken one and lost its processor, it gives the whole
pass up and begins again alone (`Scratch` says why that is safe).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpt.config import GPTConfig
from gpt.decode import atomics
from gpt.decode.jit import compiled, inner
from gpt.decode.layers import (
    exponentials,
    gelu,
    layer_norm,
    mixed,
    multiply,
    rms_norm,
    rotate,
    scores_of,
    swiglu,
)
from gpt.decode.simd import widen
from gpt.decode.weights import Floats, Weights, rounded

TICKET, DONE, HELPERS, LEAVE = (i * atomics.SPACING for i in range(4))
"""Where the shared numbers stand: the phase and its next piece; pieces the helpers have finished;
helpers that are there; 1 when they are to go."""
BITS = 16
MASK = (1 << BITS) - 1
"""A ticket is one number, so that it is taken whole: the phase, how many pieces it has, and which
is next, the last two in `BITS` each."""
PIECES = 4
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


APART = 1024
"""Numbers between an array that is written and any other. A loop that LLVM made wide for one that
lies closer than a few registers runs in its narrow form, which may round otherwise: small models,
whose arrays lie side by side, had other last bits in one core of 250."""


def make_scratch(config: GPTConfig, weights: Weights, max_rows: int, threads: int) -> Scratch:
    """Scratch for passes of up to `max_rows` rows."""
    B = -(-max_rows // 8) * 8

    def floats(n: int, rows: int = B) -> Floats:
        room = np.zeros(2 * APART + rows * n, np.float32)
        return room[APART : APART + rows * n].reshape(rows, n)

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
        scores=floats(config.block_size, threads),
    )


@inner()
def product(m: Any, layer: int, first: int, last: int, x: Any, n: int, y: Any) -> None:
    """y[:n, first:last] = x[:n] weightsᵀ · scales + biases."""
    multiply(m.weights[layer], first, last, x, n, y)
    scales, biases = m.scales[layer], m.biases[layer]
    for b in range(n):
        for r in range(first, last):
            y[b, r] = y[b, r] * scales[r] + biases[r]


@inner()
def activate(s: Any, first: int, last: int, n: int) -> None:
    """inner = the activation of the columns first..last of up."""
    gated = s.up.shape[1] > s.inner.shape[1]
    for b in range(n):
        if gated:  # sixteen of gate, then sixteen of up
            for at in range(first, last, 32):
                swiglu(s.up[b, at : at + 16], s.up[b, at + 16 : at + 32], s.inner[b, at // 2 :])
        else:
            gelu(s.up[b, first:last], s.inner[b, first:last])


@inner()
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


@inner()
def work(
    w: Any, s: Any, keys: Any, values: Any, phase: int, piece: int, pieces: int, thread: int
) -> None:
    """Do one piece of one phase."""
    layer, kind, n = phase // 5, phase % 5, s.wanted[0]
    if kind == ATTEND:
        attend(w, s, layer, piece, keys, values, thread)
        return
    # One call for all products, and not one in each branch: it is compiled once.
    m, x, y = w.qkv, s.h, s.qkv
    if layer == w.qkv.weights.shape[0]:
        m, x, y, layer, n = w.head, s.h, s.logits, 0, s.wanted[1]
    elif kind == OUT:
        m, x, y = w.o, s.attended, s.out
    elif kind == UP:
        m, x, y = w.up, s.h, s.up
    elif kind == DOWN:
        m, x, y = w.down, s.inner, s.out
    block = 32 if kind == UP and y.shape[1] > s.inner.shape[1] else 16
    blocks = m.weights.shape[1] // block
    first, last = block * (blocks * piece // pieces), block * (blocks * (piece + 1) // pieces)
    product(m, layer, first, last, x, n, y)
    if kind == UP:
        activate(s, first, last, n)


@inner()
def run_phase(w: Any, s: Any, keys: Any, values: Any, phase: int, pieces: int) -> bool:
    """Do one phase, with whoever helps; False where a helper was waited for in vain."""
    alone = atomics.load(s.shared, HELPERS) == 0
    if alone and phase % 5 != ATTEND:
        pieces = 1
    if not alone:
        atomics.store(s.shared, DONE, 0)
        atomics.store(s.shared, TICKET, (phase << BITS | pieces) << BITS)
    mine = 0
    piece = 0 if alone else atomics.fetch_add(s.shared, TICKET, 1) & MASK
    while piece < pieces:
        work(w, s, keys, values, phase, piece, pieces, 0)
        mine += 1
        # Each ticket waits for the memory behind it, a tenth of the time of a small model's pass.
        piece = mine if alone else atomics.fetch_add(s.shared, TICKET, 1) & MASK
    if alone:
        return True
    for _ in range(PATIENCE):
        if mine + atomics.load(s.shared, DONE) == pieces:
            return True
        atomics.pause()
    return False


@compiled()
def help_out(w: Any, s: Any, keys: Any, values: Any, thread: int) -> None:
    """Take pieces of any pass on this scratch, until there has been none for a while."""
    atomics.fetch_add(s.shared, HELPERS, 1)
    idle = 0
    while idle < IDLE and atomics.load(s.shared, LEAVE) == 0:
        ticket = atomics.load(s.shared, TICKET)
        if ticket & MASK < ticket >> BITS & MASK:
            ticket = atomics.fetch_add(s.shared, TICKET, 1)
            pieces, piece = ticket >> BITS & MASK, ticket & MASK
            if piece < pieces:
                work(w, s, keys, values, ticket >> 2 * BITS, piece, pieces, thread)
                atomics.fetch_add(s.shared, DONE, 1)
                idle = 0
                continue
        idle += 1
        atomics.pause()
    atomics.fetch_add(s.shared, HELPERS, -1)


@inner()
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


@inner()
def remember(w: Any, s: Any, layer: int, n: int, keys: Any, values: Any) -> None:
    """Turn queries and keys by their positions; write keys and values into the cache."""
    H, G, D = w.shape
    for b in range(n):
        row, slot, position = s.qkv[b], s.rows[1, b], s.rows[2, b]
        if len(w.cos):
            for head in range(H + G):
                rotate(row[head * D : (head + 1) * D], w.cos[position], w.sin[position])
        for g in range(G):
            key, value = keys[layer, slot, g, position], values[layer, slot, g, position]
            for d in range(D):
                key[d] = row[(H + g) * D + d]
                value[d] = row[(H + G + g) * D + d]


@inner()
def between(w: Any, s: Any, phase: int, keys: Any, values: Any) -> None:
    """What the calling thread does alone before a phase."""
    L, n = w.qkv.weights.shape[0], s.wanted[0]
    layer, kind = phase // 5, phase % 5
    if phase == 0:
        embed(w, s, n)
    if kind == ATTEND:
        remember(w, s, layer, n, keys, values)
    if kind not in (QKV, UP):
        return
    if phase > 0:
        for b in range(n):
            for i in range(s.x.shape[1]):
                s.x[b, i] += s.out[b, i]
    norm, at, wanted = w.norms[0], layer, n
    if kind == UP:
        norm = w.norms[1]
    elif layer == L:
        norm, at, wanted = w.norms[2], 0, s.wanted[1]
    for i in range(wanted):
        b = s.wanted[2 + i] if layer == L else i
        if len(w.positions):
            layer_norm(s.x[b], norm.weights[at], norm.biases[at], w.eps, s.h[i])
        else:
            rms_norm(s.x[b], norm.weights[at], w.eps, s.h[i])


@compiled()
def forward(w: Any, s: Any, keys: Any, values: Any) -> bool:
    """Logits of the wanted rows of `s`; False where a helper was lost, and all is to do again.

    Rows of one story stand in the order of their positions, and the cache holds what is before.
    """
    for phase in range(5 * w.qkv.weights.shape[0] + 1):
        between(w, s, phase, keys, values)
        pieces = s.wanted[0] * w.shape[1] if phase % 5 == ATTEND else PIECES
        if not run_phase(w, s, keys, values, phase, pieces):
            return False
    return True
