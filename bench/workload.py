"""What is written in a measurement: a model, a prompt, and how many tokens behind it."""

import random
from dataclasses import dataclass
from pathlib import Path

import torch

from gpt import checkpoint
from gpt.config import GPTConfig
from gpt.model import GPT
from gpt.tokenizers import CharTokenizer, Tokenizer

ROOT = Path(__file__).parents[1]
STORIES = ROOT / "checkpoints" / "stories"
GPT2 = GPTConfig(
    family="gpt2", vocab_size=50257, block_size=1024, n_layer=12, n_head=12, n_embd=768
)
"""GPT-2 with 124 million parameters (Radford et al. 2019)."""
TINY = {
    "gpt2": GPTConfig(family="gpt2", vocab_size=96, block_size=96, n_layer=1, n_head=2, n_embd=32),
    "stories": GPTConfig(vocab_size=96, block_size=96, n_layer=1, n_head=2, n_embd=32),
}
MODELS = ("stories", "gpt2")
OPENING = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the sun "
    "with her dog. One day, they found a big box under the old tree, and"
)


@dataclass(frozen=True, slots=True)
class Work:
    """One story to write, by whoever is measured.

    Its tokenizer knows no end of a story, so that all write equally much.
    """

    name: str
    model: GPT
    tokenizer: Tokenizer
    prompt: list[int]
    new_tokens: int


def characters(vocab_size: int) -> CharTokenizer:
    """A tokenizer of so many ids, each a character of its own."""
    first = 0x4E00 if vocab_size < 20_000 else 0x20000  # there are as many in a row, all alike
    return CharTokenizer.train(["".join(map(chr, range(first, first + vocab_size - 1)))])


def random_model(config: GPTConfig, scale: float = 1.0) -> GPT:
    """A model that was never trained; a larger scale makes its greedy text less monotonous."""
    torch.manual_seed(1)
    model = GPT(config).eval().requires_grad_(False)
    for parameter in model.blocks.parameters():
        if parameter.dim() == 2:
            parameter.mul_(scale)
    return model


def load(name: str, *, quick: bool = False, prompt_tokens: int = 32, new_tokens: int = 200) -> Work:
    """The work with one of `MODELS`: the shipped stories model, or random weights in GPT-2's shape.

    Args:
        quick: A tiny random model of the same family in its place.
    """
    if name == "stories" and not quick:
        opened = checkpoint.load(STORIES)
        model, tokenizer = opened.model, opened.tokenizer
        text = tokenizer.encode(OPENING)
        prompt = (text * (prompt_tokens // len(text) + 1))[:prompt_tokens]
    else:
        model = random_model(TINY[name], scale=20) if quick else random_model(GPT2)
        tokenizer = characters(model.config.vocab_size)
        draw = random.Random(1)
        prompt = [draw.randrange(1, model.config.vocab_size) for _ in range(prompt_tokens)]
    tokenizer.end_ids = frozenset()
    return Work(name, model, tokenizer, prompt, new_tokens)
