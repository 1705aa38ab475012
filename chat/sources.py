"""The texts that models learnt from, where their tokens lie on this machine."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chat.refusal import RefusedError
from gpt.checkpoint import Checkpoint
from gpt.dataset import open_tokens
from gpt.overlap import Source

FOLDERS_VARIABLE = "INKLING_DATA"
KEPT = 2
"""So many training texts stay in memory; one of 15 million characters takes about 60 MB."""


class Sources:
    """The training texts that lie on this machine, read when they are first asked for.

    Args:
        folder: Its folders are looked through, and those that INKLING_DATA names, with a colon
            between them.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._read: dict[str, Source] = {}
        self._turn = asyncio.Lock()

    def find(self, training: Mapping[str, Any]) -> Path | None:
        """The folder with the tokens that a model learnt from; None where there is none.

        Args:
            training: The model's training.json.
        """
        wanted = training.get("data", {}).get("train", {}).get("sha256")
        extra = [Path(each) for each in os.environ.get(FOLDERS_VARIABLE, "").split(":") if each]
        own = sorted(self.folder.glob("*/")) if self.folder else []
        for folder in [*own, *extra]:
            try:
                facts = json.loads((folder / "data.json").read_text(encoding="utf-8"))
                if wanted and facts["train"]["sha256"] == wanted:
                    return folder
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return None

    async def get(self, checkpoint: Checkpoint) -> Source:
        """The text that a model learnt from, as words.

        Raises:
            RefusedError: It is not on this machine.
        """
        folder = self.find(checkpoint.training)
        if folder is None:
            raise RefusedError(_missing(checkpoint))
        key = str(checkpoint.training["data"]["train"]["sha256"])
        # Two who ask at once wait for one reading.
        async with self._turn:
            source = self._read.pop(key, None)
            if source is None:
                source = await asyncio.to_thread(_read, folder, checkpoint)
            self._read[key] = source
            while len(self._read) > KEPT:
                del self._read[next(iter(self._read))]
            return source


def _read(folder: Path, checkpoint: Checkpoint) -> Source:
    """Decode the training tokens, story by story."""
    dtype = checkpoint.training["data"]["dtype"]
    tokens = open_tokens(folder / "train.bin", dtype)

    def documents() -> Iterator[str]:
        ends = np.flatnonzero(np.asarray(tokens) == checkpoint.tokenizer.eos_id).tolist()
        for start, end in pairwise([-1, *ends, len(tokens)]):
            yield checkpoint.tokenizer.decode(tokens[start + 1 : end].tolist())

    return Source(documents())


def _missing(checkpoint: Checkpoint) -> str:
    sources = checkpoint.training.get("data", {}).get("sources", [])
    names = ", ".join(str(each.get("name")) for each in sources)
    which = f" ({names})" if names else ""
    return (
        f"The text that “{checkpoint.name}” learnt from{which} is not on this machine. With the "
        "text at hand, `python -m train.prepare` with the model's own tokenizer puts it into data/."
    )
