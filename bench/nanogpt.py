"""The peer of bench.train: a GPT-2 and its training step as nanoGPT has them, written from its
description (https://github.com/karpathy/nanoGPT).

One product for queries, keys and values, `F.scaled_dot_product_attention` with dropout inside,
`nn.Dropout`, the output layer tied to the embedding, cross-entropy over all positions, gradients
clipped at 1.0, fused AdamW. It imports nothing of ours, so that nothing of ours sets torch up.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """Attention and MLP, each behind a LayerNorm without bias."""

    def __init__(self, n_embd: int, n_head: int, dropout: float) -> None:
        super().__init__()
        self.n_head, self.dropout = n_head, dropout
        self.ln_1 = nn.LayerNorm(n_embd, bias=False)
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.c_proj = nn.Linear(n_embd, n_embd, bias=False)
        self.ln_2 = nn.LayerNorm(n_embd, bias=False)
        self.c_fc = nn.Linear(n_embd, 4 * n_embd, bias=False)
        self.down = nn.Linear(4 * n_embd, n_embd, bias=False)
        self.drop_attn, self.drop_mlp = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → the same."""
        B, T, C = x.shape
        q, k, v = (
            each.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            for each in self.c_attn(self.ln_1(x)).split(C, dim=2)
        )
        y = F.scaled_dot_product_attention(
            q, k, v, dropout_p=self.dropout if self.training else 0.0, is_causal=True
        )
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        x = x + self.drop_attn(self.c_proj(y))
        up = F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh")
        return x + self.drop_mlp(self.down(up))


class NanoGPT(nn.Module):
    """Tokens and targets (B, T) → the loss."""

    def __init__(
        self, vocab_size: int, window: int, n_layer: int, n_head: int, n_embd: int, dropout: float
    ) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab_size, n_embd), nn.Embedding(window, n_embd)
        self.drop = nn.Dropout(dropout)
        self.h = nn.ModuleList(Block(n_embd, n_head, dropout) for _ in range(n_layer))
        self.ln_f = nn.LayerNorm(n_embd, bias=False)
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        at = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.drop(self.wte(tokens) + self.wpe(at))
        for block in self.h:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


def step_of(
    model: NanoGPT, batches: Iterator[tuple[Tensor, Tensor]], autocast: bool
) -> Callable[[], float]:
    """One training step as a call, on the next batch; it returns the loss."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)

    def step() -> float:
        tokens, targets = next(batches)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = model(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def read_given(path: str) -> tuple[dict[str, Any], NanoGPT, list[tuple[Tensor, Tensor]]]:
    """What `bench.train.peer_file` wrote: the settings, the model with its weights, the batches."""
    with safe_open(path, "pt") as file:
        given = json.loads(file.metadata()["given"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    model = NanoGPT(**given["shape"]).train()
    batches = list(zip(tensors.pop("inputs"), tensors.pop("targets"), strict=True))
    model.load_state_dict({name.removeprefix("weights."): each for name, each in tensors.items()})
    return given, model, batches


def main() -> None:
    """Answer each line of stdin, a number of steps, with the seconds they took and the last loss.

    Arguments: a file with the shape, the weights and the batches; "float32" or "autocast".
    """
    path, precision = sys.argv[1:]
    given, model, batches = read_given(path)
    torch.set_num_threads(given["threads"])
    step = step_of(model, itertools.cycle(batches), precision == "autocast")
    for line in sys.stdin:
        loss, began = 0.0, time.perf_counter()
        for _ in range(int(line)):
            loss = step()
        print(json.dumps([time.perf_counter() - began, loss]), flush=True)


if __name__ == "__main__":
    main()
