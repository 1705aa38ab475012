"""What a request gives to read → the ids that a model reads, and how likely it found each."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gpt.engine.fair_queue import Path
from gpt.sampling import NOT_FINITE, likeliest
from gpt.server.errors import ApiError
from gpt.server.served import Served
from gpt.text.prompt import prompt_ids, window_start
from gpt.tokenizers import Tokenizer
from gpt.tokenizers.pieces import whole_characters

MOST_LISTED = 16_384
"""Tokens of all prompts of one request of which the probabilities are told."""
LOWEST = -9999.0
"""Stands for the logarithm of 0, which JSON has no number for."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is read before the first token is written.

    Attributes:
        text: As it is given back.
        ids: As the model reads it.
        given: Of `ids`, those that the client gave: all, or all but the beginning of a story.
    """

    text: str
    ids: list[int]
    given: list[int]


@dataclass(frozen=True, slots=True)
class Scored:
    """How likely the model found a token of a prompt.

    Attributes:
        logprob: In nats; None for the very first token that it read.
        top: (id, logarithm of its probability) of what it found likeliest there.
    """

    logprob: float | None
    top: tuple[tuple[int, float], ...]


def read_prompts(
    given: str | Sequence[str] | Sequence[int] | Sequence[Sequence[int]] | None,
    tokenizer: Tokenizer,
) -> list[Prompt]:
    """The prompts of a request, encoded.

    Raises:
        ApiError: there is none, or one that the model cannot read.
    """
    several: list[str | Sequence[int]]
    if given is None or isinstance(given, str):
        several = [given or ""]
    elif given and isinstance(given[0], int):
        several = [[id for id in given if isinstance(id, int)]]
    else:
        several = [each for each in given if not isinstance(each, int)]
    if not several:
        raise ApiError(400, "prompt must be one at least, not an empty list", param="prompt")
    try:
        return [_read(each, tokenizer) for each in several]
    except ValueError as error:
        raise ApiError(400, f"prompt: {error}", param="prompt") from error


def _read(given: str | Sequence[int], tokenizer: Tokenizer) -> Prompt:
    ids = prompt_ids(tokenizer, given)
    if isinstance(given, str):
        return Prompt(whole_characters(given), ids, ids[1:])
    return Prompt(tokenizer.decode(given), ids, list(given))


def log(probability: float) -> float:
    """Its natural logarithm, or `LOWEST`."""
    return max(LOWEST, math.log(probability)) if probability > 0 else LOWEST


async def scored(model: Served, ids: Sequence[int], n_top: int, *, writer: Path) -> list[Scored]:
    """How likely the model found each of `ids`, window by window: it sees before each what it
    would see if it wrote it.

    Args:
        writer: See `gpt.engine.Engine.logits`.

    Raises:
        EngineBusy, EngineClosed: as `Engine.logits`.
        ValueError: the model's logits are not finite.
    """
    found = [Scored(None, ())]
    while len(found) < len(ids):
        start = window_start(len(found), model.window)
        seen = ids[start : start + model.window]
        targets = ids[len(found) : start + len(seen) + 1]
        before = len(found) - start - 1
        async with model.scoring:
            logits = await model.engine.logits(seen, writer=writer, every=True)  # (T, V)
            rows = logits[before : before + len(targets)]
            found += await asyncio.to_thread(_score, rows, targets, n_top)
    return found


def _score(logits: Tensor, ids: Sequence[int], n_top: int) -> list[Scored]:
    """One row of logits (T, V) for each of `ids`."""
    found: list[Scored] = []
    for row, id in zip(logits, ids, strict=True):
        log_probability = row.double().log_softmax(-1)
        if torch.isnan(log_probability).any():
            raise ValueError(NOT_FINITE)
        raw = log_probability.exp()
        top = likeliest(raw, raw, n_top) if n_top else ()
        logprob = max(LOWEST, float(log_probability[id]))
        found.append(Scored(logprob, tuple((other, log(p)) for other, p, _ in top)))
    return found
