"""Why is it gibberish? Where a model stands between noise and the best, and what would help."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chat.errors import RefusedError
from chat.models import Listing
from chat.models.saved_steps import read_curve
from chat.panels.cards import training_of
from chat.session import Session
from chat.settings import defaults
from gpt.checkpoint.evidence import Evidence, Floor, floor_in, noted_curve
from gpt.checkpoint.standing import Standing, standing_of


async def standing(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`standing`: of the model `model`, or the one that is picked.

    Returns:
        model, and what `gpt.checkpoint.standing.Standing` says: level, where, expect, scale (from
        the most bits to the fewest, each kind, label and bits), note, and advice (kind, text,
        panel).

    Raises:
        RefusedError: There is no such model any more.
    """
    session.models = await asyncio.to_thread(session.find_models)
    key = str(request.get("model") or session.model)
    if key not in session.models:
        raise RefusedError(f"There is no model “{key[:60]}” any more: pick another one.")
    listing, own = session.models[key], session.usual(key)
    training = await asyncio.to_thread(training_of, listing)
    floor = floor_in(training) or await session.sources.floor(listing, training)
    temperature = session.tuning.in_force(own)["temperature"]
    found = await asyncio.to_thread(_standing, listing, training, floor, temperature)
    return {"model": key, **asdict(found)}


def _standing(
    listing: Listing, training: Mapping[str, Any], floor: Floor | None, temperature: object
) -> Standing:
    """Reads the log of its run."""
    train, valid = noted_curve(training)
    if listing.here and (curve := read_curve(listing.folder)).valid:
        train, valid = curve.train, curve.valid
    own = {**defaults(), **listing.own}["temperature"]
    return standing_of(
        Evidence(
            name=listing.key,
            training=training,
            floor=floor,
            train=train,
            valid=valid,
            temperature=temperature if isinstance(temperature, int | float) else None,
            own=own if isinstance(own, int | float) else 1.0,
            server=bool(listing.server),
            here=listing.here or bool(listing.server),
        )
    )
