"""Does a model tell a story that hangs together from a copy that is spoilt in one respect?

The copies depend on the text and the seed alone, not on the model, so that models can be compared.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gpt.cache import KVCache
from gpt.checkpoint import Checkpoint
from gpt.text.prompt import prompt_ids
from train.loop.loss_eval import score
from train.quality.lexicon import Lexicon
from train.quality.spoil import SPOILINGS, Spoiling, Story

STORIES = 300
LEAST_STORIES = 10
"""So many are read where tokens are bounded, too."""
LONGEST = 3000
"""A longer text is no short story, and is cut into passages."""
PASSAGE, SHORTEST = 2000, 500
"""How long a passage is at the most, and what is too short to be one, in characters."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one way to spoil a story.

    Attributes:
        right: How often the true story was the likelier one.
        of: Stories that could be spoilt so.
        skipped: Those that could not.
    """

    spoiling: Spoiling
    right: int
    of: int
    skipped: int

    @property
    def share(self) -> float | None:
        """None where nothing could be judged."""
        return self.right / self.of if self.of else None

    @property
    def error(self) -> float | None:
        """The standard error of the share, that of a binomial; None where there is no share."""
        if (share := self.share) is None:
            return None
        return math.sqrt(share * (1 - share) / self.of)


@dataclass(frozen=True, slots=True)
class Coherence:
    """A model's judgement of stories.

    Attributes:
        judged: In the order of SPOILINGS.
        stories: How many were read.
        tokens: Tokens that passed the model, copies included.
        seconds: How long it took.
    """

    judged: tuple[Judged, ...]
    stories: int
    tokens: int
    seconds: float


def coherence(
    checkpoint: Checkpoint,
    documents: Iterable[str],
    *,
    stories: int = STORIES,
    seed: int = 1,
    most_tokens: float = math.inf,
) -> Coherence:
    """Let a model judge stories of a held-out text, evenly spaced in it, against spoilt copies.

    Args:
        stories: How many at the most.
        seed: Of what chance decides in the copies.
        most_tokens: No further story is begun beyond it, but for LEAST_STORIES.

    Raises:
        UnknownCharacterError: a story has characters that the model never saw.
    """
    began = time.perf_counter()
    found = list(passages(documents))
    lexicon = Lexicon(story.text for story in found)
    right, of = Counter[Spoiling](), Counter[Spoiling]()
    read = tokens = 0
    for at in evenly_mixed(len(found), stories):
        if tokens > most_tokens and read >= LEAST_STORIES:
            break
        read += 1
        story, other = found[at], found[(at + 1) % len(found)]
        chance = Random(f"{seed} {at}")
        judge = Judge(checkpoint, story.text)
        for spoiling in SPOILINGS:
            copy = spoiling.spoilt(story, lexicon, other, chance)
            if copy is not None:
                of[spoiling] += 1
                right[spoiling] += judge.prefers_true(copy, per_token=spoiling.per_token)
        tokens += judge.tokens
    judged = tuple(Judged(each, right[each], of[each], read - of[each]) for each in SPOILINGS)
    return Coherence(judged, read, tokens, time.perf_counter() - began)


def passages(documents: Iterable[str]) -> Iterator[Story]:
    """Documents as stories; one longer than LONGEST in passages that begin and end with paragraphs
    (what stands between empty lines, else between line ends)."""
    for document in documents:
        document = document.strip()
        if len(document) <= LONGEST:
            if document:
                yield Story(document)
            continue
        boundary = "\n\n" if "\n\n" in document else "\n"
        passage = ""
        for paragraph in document.split(boundary):
            if passage and len(passage) + len(paragraph) > PASSAGE:
                if len(passage) >= SHORTEST:
                    yield Story(passage.strip())
                passage = ""
            passage += boundary * bool(passage) + paragraph
        if len(passage) >= SHORTEST:
            yield Story(passage.strip())


def evenly_mixed(count: int, most: int) -> list[int]:
    """Evenly spaced numbers below `count`, `most` at the most, in an order of which every beginning
    is spread over all."""
    chosen = [at * count // most for at in range(most)] if count > most else list(range(count))
    Random(count).shuffle(chosen)
    return chosen


TRUE, COPY = range(2)
"""Rows of the cache."""


class Judge:
    """A model that has read the true story.

    Where the story fits the window, of a copy only what comes after the first change is read: keys
    and values of what stands before are there.
    """

    def __init__(self, checkpoint: Checkpoint, true: str) -> None:
        self._checkpoint, self._model = checkpoint, checkpoint.model
        device = str(self._model.device)
        self._cache = KVCache(self._model.config, 2, dtype=self._model.dtype, device=device)
        self.tokens = 0
        self._ids = prompt_ids(checkpoint.tokenizer, true)
        self._nats = self._read(self._ids, 1, TRUE)

    def prefers_true(self, copy: str, *, per_token: bool) -> bool:
        """Whether the true story is likelier than a copy, from where the two part on.

        Args:
            per_token: By the likelihood of a token, in the mean, instead of the whole.
        """
        ids = prompt_ids(self._checkpoint.tokenizer, copy)
        pairs = zip(self._ids, ids, strict=False)
        same = next((at for at, (one, two) in enumerate(pairs) if one != two), len(ids))
        true = self._nats[same - 1 :]
        if not len(true) or same == len(ids):
            return False
        spoilt = self._read(ids, same, COPY)
        if per_token:
            return bool(true.mean() < spoilt.mean())
        return bool(true.sum() < spoilt.sum())

    def _read(self, ids: list[int], start: int, row: int) -> Tensor:
        """Nats of the ids from `start` on; those before are those of the true story."""
        block = self._model.config.block_size
        if max(len(ids), len(self._ids)) > block:
            self.tokens += len(ids)
            return score(self._model, np.array(ids, np.uint32), max(1, block // 2))[start - 1 :]
        self.tokens += len(ids) - start
        self._cache.lengths[TRUE] = start - 1
        if row != TRUE:
            self._cache.copy(TRUE, row)
        with torch.inference_mode():
            tokens = torch.tensor([ids], device=self._model.device)
            logits = self._model(tokens[:, start - 1 : -1], self._cache, [row])
            return F.cross_entropy(logits[0].float(), tokens[0, start:], reduction="none").cpu()
