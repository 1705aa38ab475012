"""FLOPs: of a model as the papers count them, and of a device as it is measured."""

from dataclasses import replace

import torch

from gpt.model import GPT
from train.loop.config import gpt2, nanogpt, stories
from train.loop.device import Utilisation, flops_per_token, peak_flops

CPU = torch.device("cpu")


def test_gpt2_124m_takes_what_nanogpt_counts() -> None:
    config = replace(gpt2(), bias=True).model_config(50_257)
    with torch.device("meta"):
        n_params = GPT(config).n_params
    # 6 N with N = 124,439,808 less the 1,024 positions, and 12 · 12 layers · 12 heads · 64 · 1,024
    expected = 6 * (124_439_808 - 1024 * 768) + 12 * 12 * 12 * 64 * 1024
    assert flops_per_token(config, n_params) == expected


def test_what_is_only_looked_up_is_no_product() -> None:
    config = replace(stories(), n_layer=1, n_embd=32, n_head=2, n_inner=64)
    tied, untied = (
        GPT(replace(config, tie_embeddings=tie).model_config(100)) for tie in (True, False)
    )
    tied, untied = (flops_per_token(model.config, model.n_params) for model in (tied, untied))
    assert tied == untied


def test_the_peak_is_measured_and_a_share_of_it_is_said_of_a_gpu_alone() -> None:
    assert 1e6 < peak_flops(CPU, torch.float32, size=64) < 1e15
    used = Utilisation(GPT(nanogpt().model_config(65)), "bfloat16")
    assert used.said(1000.0) == ""
    used.peak = 4 * used.per_token * 1000
    assert used.said(1000.0).startswith(", 25% of ")
