"""What decides how words are picked: values, their layers, presets."""

from chat.settings.values import (
    ALIASES,
    DIRECTIVE,
    LABELS,
    SHORT,
    SettingsError,
    defaults,
    directive,
    layer,
    parse_value,
    sampling_params,
    shown,
    slider,
    used,
)

__all__ = [
    "ALIASES",
    "DIRECTIVE",
    "LABELS",
    "SHORT",
    "SettingsError",
    "defaults",
    "directive",
    "layer",
    "parse_value",
    "sampling_params",
    "shown",
    "slider",
    "used",
]
