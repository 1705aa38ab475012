"""The panel of all settings, as plain data for a page: every dial with its range and its value."""

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from typing import Any

from chat import settings
from chat.errors import RefusedError, in_one_line, reason
from chat.generate.request import OTHER_PAGE
from chat.panels.context import act_on_context
from chat.session import Session
from chat.settings.presets import Preset
from gpt.files.strict_json import is_object
from gpt.sampling import LIMITS

log = logging.getLogger(__name__)

WITH_COMMAS = " Put commas between them; off is none."
SETTING_ACTS = ("once", "preset", "preset_keep", "preset_forget", "context")
"""Acts that change what the next words are written with, and leave the story alone."""


async def tune(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """What a panel of all settings needs to be drawn.

    Args:
        request: With `passage`, the values that made it; else those in force for the next message,
            which `model` writes, or the one that is picked.

    Returns:
        fields, one for each setting: name, label, about, range, value as text, by (who decides it,
        in words; "" for a passage), off (the value that changes nothing, or None) and slider (low,
        high, step; None for one that is typed); and presets: name, about, own, settings.

    Raises:
        RefusedError: The passage is not one that a model wrote.
    """
    model = session.usual(str(request.get("model") or "") or None)
    values = session.tuning.in_force(model)
    by = {name: session.tuning.decides(name, model) for name in settings.LABELS}
    by |= dict.fromkeys(session.tuning.once, "for this message")
    by |= session.undone(str(request.get("model") or "") or None)
    if "passage" in request:
        passage = session.story.passage(str(request["passage"]))
        if not passage.settings:
            raise RefusedError("No settings made these words: they are a writer's.")
        # A new seed, for the same one would bring the same words.
        values, by = (
            {**values, **settings.as_made(passage.settings), "seed": None},
            dict.fromkeys(by, ""),
        )
    return {
        "fields": [{**field_data(name, values[name]), "by": by[name]} for name in settings.LABELS],
        "presets": [preset_data(preset) for preset in (await session.presets()).values()],
    }


def field_data(name: str, value: settings.Value) -> dict[str, Any]:
    """One setting, as a slider or a field shows it."""
    limit = LIMITS[name]
    slider = settings.slider(name)
    return {
        "name": name,
        "label": settings.LABELS[name],
        "about": limit.explanation + (WITH_COMMAS if limit.kind == "strings" else ""),
        "range": limit.range,
        # A browser's numbers are exact only to 2**53, so a seed travels as text.
        "value": "" if value is None else settings.typed(value),
        # At 1 a temperature changes nothing, but nobody calls it off.
        "off": limit.off if name != "temperature" and isinstance(limit.off, int | float) else None,
        "kind": limit.kind,
        "slider": slider and dict(zip(("low", "high", "step"), slider, strict=True)),
    }


def preset_data(preset: Preset) -> dict[str, Any]:
    return {
        "name": preset.name,
        "about": preset.about,
        "own": preset.own,
        "settings": {name: settings.typed(value) for name, value in preset.settings.items()},
    }


async def act_on_settings(session: Session, request: Mapping[str, object]) -> None:
    """Take settings for the next message, pick a preset, keep one or take one away.

    Args:
        request: `act` and what it needs: "once" `settings` (none takes them back), "preset" a
            `name`, "preset_keep" a `name` and its `settings`, "preset_forget" a `name`, "context"
            what `act_on_context` reads. Untrusted.
    """
    if request.get("act") == "context":
        return await act_on_context(session, request)
    tuning = session.tuning
    try:
        match request:
            case {"act": "once", "settings": raw} if is_object(raw):
                if (refused := tuning.arm(raw)) is not None:
                    await session.page.tell(refused, "error")
            case {"act": "preset", "name": str(name)}:
                tuning.pick(name, await session.presets())
            case {"act": "preset_keep", "name": str(name), "settings": raw} if is_object(raw):
                preset = await asyncio.to_thread(tuning.keep_preset, name, raw)
                await session.page.tell(f"“{preset.name}” is kept, and picked from now on.")
            case {"act": "preset_forget", "name": str(name)}:
                await asyncio.to_thread(tuning.forget_preset, name)
            case _:
                raise RefusedError(OTHER_PAGE)
    except (RefusedError, settings.SettingsError) as error:
        return await session.page.tell(str(error), "error")
    except (sqlite3.Error, OSError) as error:
        log.error("presets could not be changed: %s", in_one_line(error))
        why = reason(error).rstrip(".")
        return await session.page.tell(f"The preset stays as it was: {why}.", "error")
    # A picker that changes before the page knows why is taken for the writer's own doing.
    await session.show()
    if request["act"] != "once":
        await session.offer()


async def pick(session: Session, preset: str | None, words: str) -> bool:
    """Take the preset that came with a message; what is none is said, and the words go back.

    Args:
        preset: Its name; None where the message says nothing of it.
    """
    try:
        if preset is not None:
            session.tuning.pick(preset, await session.presets())
    except settings.SettingsError as error:
        await session.offer()
        await session.give_back(words, str(error))
        return False
    return True


async def set_one(session: Session, name: str, value: settings.Value) -> None:
    """Set one value for all that follows, and say so."""
    await session.page.tell(session.tuning.set_one(name, value))
    await session.show()
    await session.offer()
