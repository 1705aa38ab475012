"""How the next token is chosen: `params` says by what, `samplers` do it."""

from gpt.sampling.params import LIMITS, N_SEEDS, Limit, SamplingParams
from gpt.sampling.samplers import (
    HEAD,
    N_ALTERNATIVES,
    NOT_FINITE,
    Draw,
    draw,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    likeliest,
    penalise_repetition,
    probabilities,
    sample,
    scale_temperature,
    seeded,
    uniform,
)

__all__ = [
    "HEAD",
    "LIMITS",
    "NOT_FINITE",
    "N_ALTERNATIVES",
    "N_SEEDS",
    "Draw",
    "Limit",
    "SamplingParams",
    "draw",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "likeliest",
    "penalise_repetition",
    "probabilities",
    "sample",
    "scale_temperature",
    "seeded",
    "uniform",
]
