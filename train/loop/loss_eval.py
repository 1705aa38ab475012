"""The loss of a model on a text: every token scored exactly once."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gpt.dataset import TokenizedText
from gpt.model import GPT

PASS_TOKENS = 8192
"""Tokens in one pass: enough to keep the machine busy, little enough to stay small in memory."""


def windows(n_tokens: int, block_size: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Windows (start, first scored target, end) that score targets 1 .. n_tokens - 1 once each.

    A window reads tokens start .. end - 2 and predicts start + 1 .. end - 1. With stride
    block_size they are disjoint; with a smaller one each scores the `stride` targets that the one
    before did not reach, so that all but the first have at least block_size - stride of context.
    """
    scored = 1
    for start in range(0, n_tokens - 1, stride):
        end = min(start + block_size + 1, n_tokens)
        yield start, scored, end
        scored = end
        if end == n_tokens:
            return


@torch.inference_mode()
def score(
    model: GPT,
    tokens: NDArray[np.unsignedinteger],
    stride: int,
    context: AbstractContextManager[Any] | None = None,
) -> Tensor:
    """Nats of every token but the first, (len(tokens) - 1,) in float64.

    Args:
        stride: Targets per window; block_size gives disjoint windows.
        context: Around every pass, for instance an autocast.

    Raises:
        ValueError: fewer than two tokens, or a stride outside 1 .. block_size.
    """
    block = model.config.block_size
    if len(tokens) < 2:
        raise ValueError(f"expected at least 2 tokens to score, got {len(tokens)}")
    if not 1 <= stride <= block:
        raise ValueError(f"stride must be between 1 and block_size={block}, not {stride}")
    was_training = model.training
    model.eval()
    nats = torch.empty(len(tokens) - 1, dtype=torch.float64)
    batch: list[tuple[int, int, int]] = []
    per_pass = max(1, PASS_TOKENS // block)
    for window in windows(len(tokens), block, stride):
        if batch and (len(batch) == per_pass or window[2] - window[0] != batch[0][2] - batch[0][0]):
            _score_batch(model, tokens, batch, nats, context or nullcontext())
            batch = []
        batch.append(window)
    _score_batch(model, tokens, batch, nats, context or nullcontext())
    model.train(was_training)
    return nats


def _score_batch(
    model: GPT,
    tokens: NDArray[np.unsignedinteger],
    batch: list[tuple[int, int, int]],
    nats: Tensor,
    context: AbstractContextManager[Any],
) -> None:
    """Score windows of one length and write the targets that each is to score into `nats`."""
    read = np.stack([tokens[start:end] for start, _, end in batch]).astype(np.int64)
    window = torch.as_tensor(read).to(model.device)  # (B, T + 1)
    with context:
        logits = model(window[:, :-1])  # (B, T, V)
    loss = F.cross_entropy(
        logits.flatten(0, 1).float(), window[:, 1:].flatten(), reduction="none"
    ).view(len(batch), -1)  # (B, T)
    for row, (start, first, end) in zip(loss, batch, strict=True):
        nats[first - 1 : end - 1] = row[first - start - 1 :].double().cpu()


def summary(
    nats: Tensor, targets: NDArray[np.unsignedinteger], eos_id: int, n_bytes: int
) -> dict[str, float]:
    """Mean nats per token, and bits per byte of the original text.

    The end-of-story token is a token like any other in `loss`; it stands for no bytes, so neither
    its nats nor a byte of it count in `bpb`.
    """
    is_text = torch.as_tensor(np.asarray(targets) != eos_id)
    bits = float(nats[is_text].sum()) / math.log(2)
    return {"loss": float(nats.mean()), "bpb": bits / n_bytes if n_bytes else math.nan}


def losses_of_text(model: GPT, text: TokenizedText, eos_id: int) -> dict[str, float | int]:
    """The loss on one text by both protocols, disjoint and sliding windows.

    Returns:
        The keys that `python -m train.evaluate --help` explains.

    Raises:
        ValueError: the text is empty.
    """
    if not text.bytes:
        raise ValueError("expected some text to evaluate on, the file holds none")
    block, targets = model.config.block_size, text.tokens[1:]
    disjoint = score(model, text.tokens, block)
    sliding = score(model, text.tokens, max(1, block // 8))
    whole, near = (summary(nats, targets, eos_id, text.bytes) for nats in (disjoint, sliding))
    return {
        "val_loss": whole["loss"],
        "val_loss_sliding": near["loss"],
        "val_bpb": whole["bpb"],
        "val_bpb_sliding": near["bpb"],
        "perplexity": math.exp(whole["loss"]),
        "tokens": len(targets),
        "bytes": text.bytes,
    }
