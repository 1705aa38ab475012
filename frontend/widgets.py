"""Settings and models as Chainlit's widgets."""

from collections.abc import Mapping, Sequence
from typing import Any

import chainlit as cl
from chainlit.input_widget import InputWidget, Slider, Switch, TextInput

from chat.models import Listing
from chat.settings import LABELS, Value, shown, slider
from chat.settings.presets import AS_SET, Preset
from gpt.sampling import LIMITS

MODEL_PICKER = "model"
PRESET_PICKER = "preset"


def setting_widgets(dials: Sequence[Mapping[str, Any]]) -> list[InputWidget]:
    """The settings dialog: a slider where the range is short, a field where it is not.

    Args:
        dials: See `chat.settings.layers.SettingLayers.dials`.
    """
    return [_widget(**dial) for dial in dials]


def _widget(name: str, value: Value, own: Value, by: str) -> InputWidget:
    limit, usual = LIMITS[name], shown(name, own)
    whose = f"Now {by}" + ("" if value == own else f"; otherwise {usual}")
    about = f"{limit.explanation} Range: {limit.range}. {whose}."
    if (ends := slider(name)) is not None:
        low, high, step = ends
        return Slider(
            id=name,
            label=LABELS[name],
            description=about,
            initial=float(value or 0),
            min=low,
            max=high,
            step=step,
        )
    if limit.kind == "switch":
        return Switch(id=name, label=LABELS[name], description=about, initial=bool(value))
    # Text, for a number field keeps no more than 2**53 of a seed.
    return TextInput(
        id=name,
        label=LABELS[name],
        description=about,
        initial="" if value is None else str(value),
        placeholder="a new one each time" if name == "seed" else usual,
    )


def model_picker(models: Mapping[str, Listing], chosen: str | None) -> cl.Mode:
    """The models in the composer, each with what it is."""
    options = [
        cl.ModeOption(id=key, name=key, description=each.summary, default=key == chosen)
        for key, each in models.items()
    ]
    return cl.Mode(id=MODEL_PICKER, name="Model", options=options)


def preset_picker(presets: Mapping[str, Preset], chosen: str) -> cl.Mode:
    """What decides how words are picked: what the chat is set to, or a preset."""
    about = {AS_SET: "What you set (the gear), and for the rest the model's own"}
    about |= {name: preset.about for name, preset in presets.items()}
    options = [
        cl.ModeOption(id=name, name=name, description=each, default=name == chosen)
        for name, each in about.items()
    ]
    return cl.Mode(id=PRESET_PICKER, name="Preset", options=options)
