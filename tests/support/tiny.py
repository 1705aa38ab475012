"""Tiny random models and the grid of shapes that parity tests run over."""

import torch

from gpt.config import GPTConfig
from gpt.model import GPT

SHAPES: dict[str, GPTConfig] = {
    "gpt2": GPTConfig(family="gpt2", vocab_size=61, block_size=24, n_layer=2, n_head=4, n_embd=32),
    "gpt2-no-bias": GPTConfig(
        family="gpt2", vocab_size=61, block_size=24, n_layer=2, n_head=4, n_embd=32, bias=False
    ),
    "llama": GPTConfig(vocab_size=61, block_size=24, n_layer=2, n_head=4, n_embd=32),
    "llama-untied-grouped": GPTConfig(
        vocab_size=61,
        block_size=24,
        n_layer=2,
        n_head=4,
        n_kv_head=2,
        n_embd=32,
        tie_embeddings=False,
    ),
    "llama-odd": GPTConfig(
        vocab_size=61,
        block_size=24,
        n_layer=2,
        n_head=3,
        n_kv_head=1,
        n_embd=24,
        head_dim=16,
        n_inner=40,
        rope_theta=500.0,
        norm_eps=1e-6,
    ),
}


def tiny_model(config: GPTConfig, *, seed: int = 0, scale: float = 10.0) -> GPT:
    """A random model in eval mode, its weights large enough that its logits are not all alike."""
    torch.manual_seed(seed)
    model = GPT(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.add_(0.1 * torch.randn_like(parameter))
        elif parameter.dim() == 1:
            parameter.normal_(std=0.1)
        else:
            parameter.mul_(scale)
    return model
