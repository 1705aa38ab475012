"""Eight short tales as training and validation text, with a tiny model that claims to know them."""

from pathlib import Path

import gpt
from gpt.checkpoint.generation_config import write_defaults
from gpt.sampling import SamplingParams
from tests.support.tiny_checkpoint import save_characters
from train.data.prepare import prepare
from train.data.texts import Text

SENTENCE = "The fox saw a hen in the long grass. "
TALE = SENTENCE * 9


def story(at: int) -> str:
    return f"Story {'abcdefgh'[at]} begins. " + TALE


def corpus(folder: Path, **training) -> Path:
    """A data folder, and a checkpoint of noise in `folder`/noise that was trained from it.

    Args:
        training: What its training.json says beside the data.
    """
    train, valid = folder / "train.txt", folder / "valid.txt"
    train.write_text("<|endoftext|>\n".join(f"{story(at)}\n" for at in range(3)))
    valid.write_text("<|endoftext|>\n".join(f"{story(at)}\n" for at in range(8)))
    out = folder / "data"
    tokenizer = gpt.load(save_characters(folder / "first")).tokenizer
    facts = prepare([Text(path=train)], out, kind=tokenizer, valid_files=[valid])
    save_characters(folder / "noise", data=facts, **training)
    write_defaults(folder / "noise", SamplingParams(temperature=0.9, max_new_tokens=12))
    return out
