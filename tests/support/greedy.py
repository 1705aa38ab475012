"""Whether what another program writes is our greedy text."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

import gpt
from gpt.text.prompt import prompt_ids
from tests.support.trained_tokenizers import STORY

TIE = 1e-4
"""Logits this near are equal: two programs add the same numbers in another order."""


def prompts_of(count: int, seed: int = 0) -> list[str]:
    """Pieces of a story, cut anywhere."""
    rng = random.Random(seed)
    text = STORY.replace("<|endoftext|>", "")
    starts = [rng.randrange(len(text) - 40) for _ in range(count)]
    return [text[at : at + rng.randrange(1, 40)] for at in starts]


@dataclass
class Compared:
    """How tokens that another program wrote compare with the likeliest of our model."""

    tokens: int = 0
    ties: int = 0
    """Those that are not our likeliest, but as good within TIE."""
    worst: float = 0.0
    """By how much the worst token's logit lies below the likeliest's."""


@torch.inference_mode()
def compare(
    checkpoint: gpt.Checkpoint, prompts: Sequence[str], written: Sequence[list[int]]
) -> Compared:
    """Each token is held against our logits after all the tokens before it.

    All of a text is equal to our greedy text exactly when each of its tokens is our likeliest.
    """
    found = Compared()
    for prompt, ids in zip(prompts, written, strict=True):
        begin = prompt_ids(checkpoint.tokenizer, prompt)
        logits = checkpoint.model(torch.tensor([begin + ids[:-1]]))[0, len(begin) - 1 :]
        below = logits.max(-1).values - logits[torch.arange(len(ids)), torch.tensor(ids)]
        found.tokens += len(ids)
        found.ties += int((below > 0).sum())
        found.worst = max(found.worst, float(below.max()))
    return found
