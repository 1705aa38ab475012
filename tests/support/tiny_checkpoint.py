"""Tiny random checkpoints on disk, for everything that needs a model folder and no sense."""

from dataclasses import replace
from pathlib import Path

from gpt import checkpoint
from gpt.checkpoint.generation_config import read_defaults, write_defaults
from gpt.config import GPTConfig
from gpt.tokenizers import BPETokenizer, CharTokenizer
from tests.support.tiny import tiny_model

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ,.:;!?'\"*#_<>/\n"


def save_characters(
    folder: Path,
    *,
    letters: str = LETTERS,
    block_size: int = 64,
    n_layer: int = 1,
    n_embd: int = 16,
    ends: bool = False,
    **training,
) -> Path:
    """A model of `letters` that writes noise, and ends its story never or at once.

    Args:
        training: What its training.json says.
    """
    tokenizer = CharTokenizer.train([letters])
    config = GPTConfig(
        family="gpt2",
        vocab_size=tokenizer.vocab_size,
        block_size=block_size,
        n_layer=n_layer,
        n_head=2,
        n_embd=n_embd,
    )
    model = tiny_model(config, scale=1.0)
    # One channel of the last norm is constant, and among the tokens only the end's has a share in
    # it: its logit lies far from all others, which are about alike.
    weights = dict(model.named_parameters())
    weights["norm.weight"][0], weights["norm.bias"][0] = 0.0, 10.0
    weights["tokens.weight"][:, 0] = 0.0
    weights["tokens.weight"][tokenizer.eos_id, 0] = 3.0 if ends else -3.0
    checkpoint.save(folder, model, tokenizer, card="Noise.", training=training)
    return _cut_at_length(folder)


def save_bytes(folder: Path, *, noise: str, block_size: int = 256) -> Path:
    """A byte-level model that writes the bytes of `noise` at random and never ends its story."""
    tokenizer = BPETokenizer.train([noise], 257)
    config = GPTConfig(
        family="gpt2",
        vocab_size=tokenizer.vocab_size,
        block_size=block_size,
        n_layer=1,
        n_head=2,
        n_embd=16,
    )
    model = tiny_model(config, scale=1.0)
    # As above: one constant channel tells the bytes of `noise` from all others.
    weights = dict(model.named_parameters())
    weights["norm.weight"][0], weights["norm.bias"][0] = 0.0, 10.0
    weights["tokens.weight"][:, 0] = -3.0
    weights["tokens.weight"][sorted(set(tokenizer.encode(noise))), 0] = 0.0
    checkpoint.save(folder, model, tokenizer, card="Noise.", training={})
    return _cut_at_length(folder)


def _cut_at_length(folder: Path) -> Path:
    """Noise has no sentences that would be worth the wait for their ends."""
    write_defaults(folder, replace(read_defaults(folder), finish_chars=0))
    return folder
