"""Tiny random checkpoints on disk, for everything that needs a model folder and no sense."""

from pathlib import Path

from gpt import checkpoint
from gpt.config import GPTConfig
from gpt.tokenizer import CharTokenizer
from tests.tiny import tiny_model

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ,.:;!?'\"*#_<>/\n"


def save_characters(
    folder: Path, *, letters: str = LETTERS, block_size: int = 64, **training
) -> Path:
    """A model of `letters` that writes noise, quickly."""
    tokenizer = CharTokenizer.train([letters])
    config = GPTConfig(
        vocab_size=tokenizer.vocab_size, block_size=block_size, n_layer=1, n_head=2, n_embd=16
    )
    # Small weights leave all tokens about alike: no end of story for a good while.
    model = tiny_model(config, scale=1.0)
    checkpoint.save(folder, model, tokenizer, card="Noise.", training=training)
    return folder
