"""Did it copy? A passage held against the text that its model learnt from."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from chat.errors import RefusedError
from chat.models.training_texts import NotHereError, text_command
from chat.session import Session
from gpt.files import CheckpointError
from gpt.text.memorization import COPIED_WORDS, Memorization, ReferenceText
from gpt.text.run_hashes import LEAST, ONE_IN, HashedOverlap, RunHashes

AROUND = 12
"""Words of the training text that are shown before and after the longest run."""
MOST_PLACES = 200_000_000
"""Of the training text that are looked at for one passage, 40 ns each: thousands of words of a
story, but not of one that says "the" a hundred thousand times."""
TOO_MUCH = (
    "This passage has too many words that stand in the training text too often: it would take "
    "minutes to look them all up. Cut it shorter."
)


async def copied(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """What of a `passage` stands word for word in the text its model learnt from.

    Returns:
        model, words, new (share of the words that stand in no copied run), copied_words (the
        shortest run that counts), source_words, and pieces: the text in order, each [kind, text]
        with kind "new", "copied" or "longest"; longest: words, and before, quote and after as the
        training text has them, or None. By hashes alone (`gpt.text.run_hashes`) the three are "",
        and hashed tells of them: run_words, one_in (of so many places where nothing is copied one
        is marked), and the command as in missing; else it is None. Where neither is on this
        machine, instead missing: why, and command, which brings the text here ("" where nobody
        knows).

    Raises:
        RefusedError: It would take too long, or too many wait; no model wrote it, that model is
            gone, or another writer trained it: then not even a count is given, for words put to it
            one by one would spell that text out.
    """
    passage = session.story.passage(str(request.get("passage")))
    key = passage.model if passage.author == "model" else None
    if key is None:
        raise RefusedError("These words are no model's, so there is nothing they were learnt from.")
    session.models = await asyncio.to_thread(session.find_models)
    if key not in session.models:
        raise RefusedError(f"There is no model “{key[:60]}” any more, so this cannot be checked.")
    loaded = await session.engines.get(session.models[key])
    try:
        source = await session.sources.searched(loaded)
    except NotHereError as error:
        return {"missing": {"why": str(error), "command": error.command}}
    except CheckpointError as error:
        raise RefusedError(str(error)) from error
    async with session.sources.searches.turn(session.writer):
        found = await asyncio.to_thread(_found, source, passage.text)
    if found["hashed"] and loaded.checkpoint:
        found["hashed"]["command"] = text_command(loaded.checkpoint)
    return {"model": key, **found}


def _found(source: ReferenceText | RunHashes, text: str) -> dict[str, Any]:
    """The answer, but for the model."""
    if isinstance(source, RunHashes):
        hashed = source.overlap(text)
        start, end, words = hashed.longest or (0, 0, 0)
        longest = {"words": words, "before": "", "quote": "", "after": ""} if words else None
        return {
            **_shares(text, hashed, (start, end)),
            "copied_words": LEAST,
            "source_words": source.source_words,
            "longest": longest,
            "hashed": {"run_words": COPIED_WORDS, "one_in": ONE_IN},
        }
    overlap = _overlap(source, text)
    run = overlap.longest
    return {
        **_shares(text, overlap, (run.start, run.end) if run else (0, 0)),
        "copied_words": COPIED_WORDS,
        "source_words": len(source),
        "longest": _longest(source, overlap),
        "hashed": None,
    }


def _shares(
    text: str, overlap: Memorization | HashedOverlap, longest: tuple[int, int]
) -> dict[str, Any]:
    pieces = _pieces(text, overlap.copied, longest)
    return {"words": overlap.words, "new": overlap.new, "pieces": pieces}


def _overlap(source: ReferenceText, text: str) -> Memorization:
    if source.effort(text) > MOST_PLACES:
        raise RefusedError(TOO_MUCH)
    return source.overlap(text)


def _pieces(
    text: str, copied: Iterable[tuple[int, int]], longest: tuple[int, int]
) -> list[tuple[str, str]]:
    """The text cut where its colour changes; an empty `longest` is none."""
    marked = [(start, end, "copied") for start, end in copied]
    if longest[0] < longest[1]:
        marked.append((*longest, "longest"))
    edges = sorted({0, len(text), *(at for start, end, _ in marked for at in (start, end))})
    pieces: list[tuple[str, str]] = []
    for start, end in pairwise(edges):
        kinds = {kind for first, last, kind in marked if first <= start < last}
        kind = "longest" if "longest" in kinds else "copied" if kinds else "new"
        pieces.append((kind, text[start:end]))
    return pieces


def _longest(source: ReferenceText, overlap: Memorization) -> dict[str, Any] | None:
    run = overlap.longest
    return run and {
        "words": run.words,
        "before": source.before(run.at, AROUND),
        "quote": source.quote(run.at, run.words),
        "after": source.quote(run.at + run.words, AROUND),
    }
