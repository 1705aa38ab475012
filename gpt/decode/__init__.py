"""The decode core: a token of several stories in one compiled call.

In the order one reads it: `core` (what a core is, and PyTorch's), `numba_core` (the compiled one),
`precision` and `weights` (how exactly it keeps
a model, and how it lays it out), `forward` (one pass), `layers` (its steps), `simd` and `atomics`
(what Numba has no word for), `draw` (the samplers), `threads` (who helps), `jit`, `disk`, `compile`
and `choose` (when it is compiled, where that is kept, which core writes).
"""
