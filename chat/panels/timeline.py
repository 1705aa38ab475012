"""What can be said of a saved step in plain words: only what was measured, or is always true."""

import asyncio
import math
from collections.abc import Callable, Container, Mapping
from typing import Any

from chat.models import UNITS, Listing
from chat.models.saved_steps import Curve, SavedStep, find_steps, read_curve, run_folder
from chat.session import Session
from chat.settings import defaults
from gpt.files.strict_json import is_object
from gpt.text.scripts import SPELT

RISE = 1.005
"""A loss counts as risen above this multiple of the lowest: less is within the noise."""


def runs_data(find_models: Callable[[], Mapping[str, Listing]]) -> list[dict[str, Any]]:
    """Every run that has saved steps, as a page shows it. Reads files; call it off the event loop.

    Returns:
        For each: key, starters, temperature (its own), window, length (tokens that make a
        paragraph), steps (key, version, step, val_loss, says) and curve (train, valid: [step, loss]
        in order).
    """
    models = find_models()
    found: list[dict[str, Any]] = []
    for key, steps in find_steps(models).items():
        run, curve = models[key], read_curve(run_folder(models[key]))
        letters = any(_data(each).get("tokenizer") == "char" for each in steps)
        found.append(
            {
                "key": key,
                "starters": list(run.starters),
                "temperature": {**defaults(), **run.own}["temperature"],
                "window": run.block_size,
                "length": 300 if letters else 100,
                "steps": [
                    {
                        "key": each.listing.key,
                        # Written again it is another; a browser's numbers end at 2**53.
                        "version": str(each.listing.version),
                        "step": each.step,
                        "val_loss": val_loss(each, curve),
                        "says": remarks(each, curve),
                    }
                    for each in steps
                ],
                "curve": {"train": curve.train, "valid": curve.valid},
            }
        )
    return found


async def runs(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`runs`: those that have saved steps, as in `runs_data`."""
    return {"runs": await asyncio.to_thread(runs_data, session.find_models)}


def spelt_words(text: str, after: int, known: Container[str], *, cut: bool) -> tuple[int, int]:
    """How many words of `text` were written behind its first `after` characters, and how many of
    them are `known`, whatever their case.

    Args:
        cut: The text may end in the middle of a word, which then is not counted.
    """
    words = [
        match[0].lower()
        for match in SPELT.finditer(text)
        if match.end() > after and not (cut and match.end() == len(text))
    ]
    return len(words), sum(word in known for word in words)


def val_loss(step: SavedStep, curve: Curve) -> float | None:
    """The validation loss at just this step, from its own notes or the run's log."""
    return step.val_loss if step.val_loss is not None else dict(curve.valid).get(step.step)


def remarks(step: SavedStep, curve: Curve) -> list[str]:
    """Sentences on how far the model is at this step."""
    return [each for each in (_read(step), _hesitates(step, curve), _risen(step, curve)) if each]


def _data(step: SavedStep) -> Mapping[str, Any]:
    data = step.training.get("data")
    return data if is_object(data) else {}


def _unit(step: SavedStep) -> str:
    kind = _data(step).get("tokenizer")
    return UNITS.get(kind, "tokens") if isinstance(kind, str) else "tokens"


def _read(step: SavedStep) -> str:
    """How much text it has seen."""
    if step.step == 0:
        if "from" in step.training:
            return "Before the first step: it is still the model that the training began with."
        return "Before the first step: it has read nothing, its numbers are as chance threw them."
    if step.tokens is None:
        return ""
    unit, train = _unit(step), _data(step).get("train")
    whole = train.get("tokens") if is_object(train) else None
    read = f"It has read {step.tokens:,} {unit}"
    if not isinstance(whole, int) or whole <= 0:
        return f"{read}."
    times = step.tokens / whole
    if times < 1:
        return f"{read}: {_share(times)} of its training text."
    return f"{read}: its whole training text {times:.1f} times over."


def _share(part: float) -> str:
    percent = 100 * part
    return f"{percent:.0f} %" if percent >= 1 else "less than 1 %"


def _hesitates(step: SavedStep, curve: Curve) -> str:
    """Its perplexity, exp(loss): among how many equally likely tokens it would be as unsure."""
    loss = val_loss(step, curve)
    if loss is None or loss > math.log(1e9):
        return ""
    among, data = math.exp(loss), _data(step)
    size, unit = data.get("vocab_size"), _unit(step)
    if isinstance(size, int) and among >= size:
        return (
            f"Before each next one it is no better than a blind guess among all {size:,} {unit} "
            "(on text it never saw)."
        )
    of = f" of the {size:,} it knows" if isinstance(size, int) else ""
    shown = f"{among:,.0f}" if among >= 10 else f"{among:.1f}"
    return (
        f"Before each next one it is as unsure as among {shown} equally likely {unit}{of} "
        "(on text it never saw)."
    )


def _risen(step: SavedStep, curve: Curve) -> str:
    """Whether it got worse on new text since its best."""
    loss = val_loss(step, curve)
    earlier = [(value, at) for at, value in curve.valid if at < step.step]
    if loss is None or not earlier:
        return ""
    lowest, best = min(earlier)
    if loss <= lowest * RISE:
        return ""
    return f"On text it never saw it was better at step {best:,}."
