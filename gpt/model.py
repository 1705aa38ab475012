"""`GPT`: tokens → logits. One decoder-only Transformer, in the two families of `GPTConfig`.

Shapes: B batch, T new tokens, S keys attended to, C channels, H heads, D per head, V vocabulary.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gpt.config import GPTConfig

if TYPE_CHECKING:
    from gpt.cache import KVCache


def rotary_frequencies(config: GPTConfig) -> Tensor:
    """How far each pair of channels turns at one position, in radians, (D/2,)."""
    # transformers' order of operations: another one rounds the same angles differently, and at
    # position 500 that moves the logits of a trained model by 7e-5.
    plain = 1.0 / config.rope_theta ** (
        torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    )
    scaling = config.rope_scaling
    if scaling is None:
        return plain
    slow = plain / scaling.factor
    if scaling.kind == "linear":
        return slow
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    length = 2 * math.pi / plain  # of one turn, in tokens
    # 0 where a turn takes the whole window of the first training or more, 1 where it is short.
    share = (scaling.original_block_size / length - low) / (high - low)
    between = (1 - share) * plain / scaling.factor + share * plain
    between = torch.where(length < scaling.original_block_size / high, plain, between)
    return torch.where(length > scaling.original_block_size / low, slow, between)


def rotary_tables(config: GPTConfig) -> tuple[Tensor, Tensor]:
    """Cosines and sines for every position, (block_size, D) each (Su et al. 2021, 3.4.2)."""
    frequency = rotary_frequencies(config)
    angle = torch.arange(config.block_size, dtype=torch.float32)[:, None] * frequency
    angle = torch.cat([angle, angle], dim=-1)  # (block_size, D)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn (B, H, T, D) by its positions, pairing halves, not neighbours, as transformers does."""
    left, right = x.chunk(2, dim=-1)
    return (x * cos + torch.cat([-right, left], dim=-1) * sin).to(x.dtype)


def by_row(layer: Callable[[Tensor], Tensor], x: Tensor, cache: "KVCache | None") -> Tensor:
    """Apply `layer` to (B, T, C), each row alone while stories share a cache.

    A matrix product sums in another order when it has more rows, and an activation rounds the end
    of a vector differently, so a story's text would depend on its company; row by row it cannot.
    """
    if cache is None or len(x) == 1:
        return layer(x)
    return torch.cat([layer(x[i : i + 1]) for i in range(len(x))])


class Attention(nn.Module):
    """Causal self-attention (Vaswani et al. 2017), grouped keys (Ainslie et al. 2023)."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.head_dim
        self.grouped = config.n_kv_head != config.n_head
        # Published Llama recipes drop nothing inside attention; GPT-2's does.
        self.dropout = config.dropout if config.family == "gpt2" else 0.0
        wide, narrow = config.n_head * config.head_dim, config.n_kv_head * config.head_dim
        self.q = nn.Linear(config.n_embd, wide, bias=config.bias)
        self.k = nn.Linear(config.n_embd, narrow, bias=config.bias)
        self.v = nn.Linear(config.n_embd, narrow, bias=config.bias)
        self.o = nn.Linear(wide, config.n_embd, bias=config.bias)
        self.trained_by: Callable[[Tensor, Tensor, Tensor, float], Tensor] | None = None
        """What a training sets in the place of PyTorch's kernel: q, k, v, dropout → y."""

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        cache: "KVCache | None",
        rows: Sequence[int],
    ) -> Tensor:
        B, T, _ = x.shape
        q, k, v = (
            by_row(project, x, cache).view(B, T, -1, self.head_dim).transpose(1, 2)
            for project in (self.q, self.k, self.v)
        )  # (B, H, T, D), (B, H_kv, T, D) twice
        if rotary is not None:
            q, k = rotate(q, *rotary), rotate(k, *rotary)
        if cache is None:
            y = self.attend(q, k, v, past=0)
        else:
            # Stories differ in length: each attends over its own keys, with no padding to mask.
            parts: list[Tensor] = []
            for i, row in enumerate(rows):
                keys, values = cache.extend(self.layer, row, k[i : i + 1], v[i : i + 1])
                parts.append(self.attend(q[i : i + 1], keys, values, past=cache.lengths[row]))
            y = torch.cat(parts)
        y = y.transpose(1, 2).reshape(B, T, -1)  # (B, T, H·D)
        return by_row(self.o, y, cache)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, past: int) -> Tensor:
        """(B, H, T, D) queries over (B, H_kv, S, D) keys, S = past + T."""
        if self.training and self.trained_by is not None:
            return self.trained_by(q, k, v, self.dropout)
        T, S = q.shape[2], k.shape[2]
        mask = None
        if past and T > 1:
            # Query i sits at absolute position past + i, so it may see keys 0 .. past + i.
            mask = torch.ones(T, S, dtype=torch.bool, device=q.device).tril(diagonal=past)
        dropout, causal = self.dropout if self.training else 0.0, not past and T > 1
        return F.scaled_dot_product_attention(
            q, k, v, mask, dropout, causal, enable_gqa=self.grouped
        )


class MLP(nn.Module):
    """GELU (gpt2; Hendrycks & Gimpel 2016) or SwiGLU (llama; Shazeer 2020)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.gate = None
        if config.family == "llama":
            self.gate = nn.Linear(config.n_embd, config.n_inner, bias=False)
        self.up = nn.Linear(config.n_embd, config.n_inner, bias=config.bias)
        self.down = nn.Linear(config.n_inner, config.n_embd, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        up = self.up(x)  # (B, T, n_inner)
        if self.gate is None:
            return self.down(F.gelu(up, approximate="tanh"))
        return self.down(F.silu(self.gate(x)) * up)


def norm(config: GPTConfig) -> nn.Module:
    """LayerNorm (Ba et al. 2016) for gpt2, RMSNorm (Zhang & Sennrich 2019) for llama."""
    if config.family == "gpt2":
        return nn.LayerNorm(config.n_embd, eps=config.norm_eps, bias=config.bias)
    return nn.RMSNorm(config.n_embd, eps=config.norm_eps)


class Block(nn.Module):
    """Attention, then MLP, each behind its norm and added to the stream."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = norm(config)
        self.attention = Attention(config, layer)
        self.mlp_norm = norm(config)
        self.mlp = MLP(config)
        self.drop: nn.Module = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor] | None,
        cache: "KVCache | None",
        rows: Sequence[int],
    ) -> Tensor:
        x = x + self.drop(self.attention(self.attention_norm(x), rotary, cache, rows))
        return x + self.drop(by_row(self.mlp, self.mlp_norm(x), cache))


def embedding(rows: int, n_embd: int) -> nn.Embedding:
    """On the "meta" device it draws no values: PyTorch would load its compiler to do so there."""
    if torch.get_default_device().type != "meta":
        return nn.Embedding(rows, n_embd)
    return nn.Embedding(rows, n_embd, _weight=torch.empty(rows, n_embd))


class GPT(nn.Module):
    """A decoder-only Transformer language model: it knows tokens, and no text.

    Training passes whole windows and no cache. Generation passes a `KVCache` and only the tokens
    that are new; `model(x)` and the same tokens fed to a cache in any pieces give the same logits.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = embedding(config.vocab_size, config.n_embd)
        self.positions = None
        if config.family == "gpt2":
            self.positions = embedding(config.block_size, config.n_embd)
        else:
            empty = torch.empty(config.block_size, config.head_dim)
            self.register_buffer("cos", empty, persistent=False)
            self.register_buffer("sin", empty, persistent=False)
            self.fill_tables()
        self.drop: nn.Module = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.norm = norm(config)
        self.head = None
        if not config.tie_embeddings:
            self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        if not self.tokens.weight.is_meta:
            self.apply(self._init)

    def _init(self, module: nn.Module) -> None:
        """N(0, 0.02), residual projections smaller by √(2 n_layer) (GPT-2, section 2.3)."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
            nn.init.zeros_(module.bias)
        if isinstance(module, Block):
            std = 0.02 / math.sqrt(2 * self.config.n_layer)
            nn.init.normal_(module.attention.o.weight, std=std)
            nn.init.normal_(module.mlp.down.weight, std=std)

    def fill_tables(self) -> None:
        """Compute the rotary tables; a model made on the "meta" device needs it once loaded."""
        if self.positions is None and not self.tokens.weight.is_meta:
            self.cos, self.sin = (table.to(self.device) for table in rotary_tables(self.config))

    @property
    def n_params(self) -> int:
        """Parameters, embeddings included, a tied output layer counted once."""
        return sum(p.numel() for p in self.parameters())

    @property
    def device(self) -> torch.device:
        return self.tokens.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.tokens.weight.dtype

    def forward(
        self,
        tokens: Tensor,
        cache: "KVCache | None" = None,
        rows: Sequence[int] | None = None,
        *,
        last: bool = False,
    ) -> Tensor:
        """Logits for the token after each given one: (B, T) → (B, T, V).

        Args:
            cache: Where keys and values are kept; row i of `tokens` goes on where its row ended.
            rows: Which rows of the cache take part, by default the first B. A row's logits do not
                depend on the others, bit for bit.
            last: Only the last position's logits, (B, 1, V).

        Raises:
            ValueError: a sequence would grow longer than block_size, or the rows do not fit.
        """
        B, T = tokens.shape
        rows = range(B) if rows is None else rows
        if len(rows) != B:
            raise ValueError(f"expected a cache row for each of {B} sequences, got {len(rows)}")
        past = [0] * B if cache is None else [cache.lengths[row] for row in rows]
        if max(past) + T > self.config.block_size:
            raise ValueError(
                f"sequence of {max(past) + T} tokens exceeds block_size={self.config.block_size}"
            )
        x, rotary = self._embed(tokens, past)
        for block in self.blocks:
            x = block(x, rotary, cache, rows)
        if cache is not None:
            for row in rows:
                cache.advance(row, T)
        x = self.norm(x[:, -1:] if last else x)
        return by_row(self.logits, x, cache)

    def logits(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, T, V), through the output layer or the embedding it is tied to."""
        return F.linear(x, self.tokens.weight) if self.head is None else self.head(x)

    def _embed(
        self, tokens: Tensor, past: list[int]
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Token embeddings (B, T, C), and the rotary tables for their positions."""
        T = tokens.shape[1]
        x = self.tokens(tokens)
        if any(past):
            start = torch.tensor(past, device=tokens.device)[:, None]
            at: Tensor | slice = start + torch.arange(T, device=tokens.device)  # (B, T)
        else:
            at = slice(0, T)
        if self.positions is not None:
            return self.drop(x + self.positions.weight[at]), None
        cos, sin = self.cos[at].to(x.dtype), self.sin[at].to(x.dtype)  # (T, D) or (B, T, D)
        if cos.dim() == 3:
            cos, sin = cos[:, None], sin[:, None]  # (B, 1, T, D)
        return self.drop(x), (cos, sin)
