"""Does a model know the language of a text that it never read?

It does where it needs fewer bits for a passage than the entropy of its letters: than somebody does
who knows no language, but how often each letter stands there. No list of languages, and no
threshold that was set; LOG.md has what it says of twenty texts.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from gpt.checkpoint import Checkpoint
from gpt.text.prompt import prompt_ids
from gpt.tokenizers import UnknownCharacterError
from train.loop.loss_eval import score

SAMPLE = 8000
"""Characters of the passage, from the middle of the text: some seconds' work."""


@dataclass(frozen=True, slots=True)
class Known:
    """Bits per byte of one passage.

    Attributes:
        bpb: The model's; None where it cannot read the passage at all.
        letters_bpb: Shannon's entropy of its letters.
    """

    bpb: float | None
    letters_bpb: float

    @property
    def known(self) -> bool:
        """Whether the model knows the language."""
        return self.bpb is not None and self.bpb < self.letters_bpb


def language(checkpoint: Checkpoint, text: str) -> Known:
    """How well a model predicts the middle of a text, beside its letters' entropy.

    Raises:
        ValueError: there is no text.
    """
    passage = text[max(0, (len(text) - SAMPLE) // 2) :][:SAMPLE]
    n_bytes = len(passage.encode())
    if not n_bytes:
        raise ValueError("expected some text to know the language of, got none")
    counts = Counter(passage).values()
    bits = sum(-count * math.log2(count / len(passage)) for count in counts)
    letters_bpb = bits / n_bytes
    try:
        ids = prompt_ids(checkpoint.tokenizer, passage)
    except UnknownCharacterError:
        return Known(None, letters_bpb)
    nats = score(checkpoint.model, np.array(ids, np.uint32), checkpoint.config.block_size)
    return Known(float(nats.sum()) / math.log(2) / n_bytes, letters_bpb)
