"""Layers of settings → `SamplingParams`, and how they are shown again.

The last layer wins: the defaults, the model's own (generation_config.json), the chat's (gear,
preset), those of one message (Tune, a button), the text's own (`/with t=1.2 k=20 …`), a variant's
(`chat.generate.request.Variant`); `chat.generate.resolve.resolve_request` puts them together.
Everything that comes from a page is untrusted: numbers as text, counts as floats, any key. A value
is converted and checked, or refused with its range; none is ever clamped.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gpt.sampling import LIMITS, SamplingParams
from gpt.text.sentences import FINISH_CHARS

LABELS = {
    "temperature": "Temperature",
    "top_k": "Top-k",
    "top_p": "Top-p",
    "min_p": "Min-p",
    "repetition_penalty": "Repetition penalty",
    "max_new_tokens": "Length",
    "finish_chars": "Sentence end",
    "seed": "Seed",
}
"""The settings a writer meets, in the order they are shown. A setting without a label here is not
known to the chat: no dial, no `/with`."""

ALIASES = {
    "t": "temperature",
    "temp": "temperature",
    "k": "top_k",
    "p": "top_p",
    "minp": "min_p",
    "rp": "repetition_penalty",
    "max": "max_new_tokens",
    "length": "max_new_tokens",
    "end": "finish_chars",
    **{name: name for name in LABELS},
}
"""What `/with` calls them; a hyphen is as good as an underscore."""
SHORT = {name: next(each for each in ALIASES if ALIASES[each] == name) for name in LABELS}
"""How a writer types each one."""

NO_PENALTY_FOR_CHARACTERS = (
    "A repetition penalty cannot be used with a model of characters: every letter has already "
    "appeared, so it would only spoil the spelling. Set it to 1 (off)."
)
SLIDER_STEP = 0.01
DIRECTIVE = re.compile(r"\s*/with\b((?:\s+[A-Za-z_-]+=\S*)*)(?:[ \t]|\n|$)", re.S)


class SettingsError(ValueError):
    """A value that cannot be used; the message says which would do."""


def parse_value(name: str, raw: object) -> float | int | None:
    """The value that a page or a writer gave for `name`, checked.

    Left empty it is None: a seed is drawn anew each time, and of any other setting whatever lies
    below decides.

    Raises:
        SettingsError: It is not a number, or outside the range; the message names the range.
    """
    limit, label = LIMITS[name], LABELS[name]
    if raw is None or raw == "":
        return None
    text = str(raw).strip().replace(",", ".")[:40]
    # Whole numbers are read as such first: a float holds no seed above 2**53 exactly.
    if re.fullmatch(r"[+-]?\d+", text):
        number: float | int = int(text)
    elif re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.I):
        number = float(text)
    else:
        raise SettingsError(f"{label} “{text}” is no number. It takes {limit.range}.")
    if limit.kind == "whole number":
        if not (isinstance(number, int) or number.is_integer()):
            raise SettingsError(f"{label} takes a whole number, {limit.range}, not {text}.")
        number = int(number)
    try:
        limit.check(number)
    except ValueError as error:
        raise SettingsError(f"{label} {text} is out of range. It takes {limit.range}.") from error
    return number


def layer(raw: Mapping[str, object]) -> dict[str, float | int | None]:
    """The settings that `raw` gives, checked; what names none, or is left empty, is left out.

    Raises:
        SettingsError: At least one value cannot be used; the message says each.
    """
    values, refused = usable(raw)
    if refused:
        raise SettingsError(" ".join(refused.values()))
    return values


def usable(
    raw: Mapping[str, object],
) -> tuple[dict[str, float | int | None], dict[str, str]]:
    """As `layer`, with what cannot be used beside the rest.

    Returns:
        The values that can be used, and by name why each other one cannot.
    """
    values: dict[str, float | int | None] = {}
    refused: dict[str, str] = {}
    for name in LABELS:
        if name in raw:
            try:
                value = parse_value(name, raw[name])
                if value is not None or name == "seed":
                    values[name] = value
            except SettingsError as error:
                refused[name] = str(error)
    return values, refused


def sampling_params(
    *layers: Mapping[str, float | int | None], character_model: bool = False
) -> SamplingParams:
    """The settings of one generation: defaults, then each layer over the one before.

    Args:
        layers: What `layer` or `directive` gave, the weakest first.
        character_model: The model's tokens are single characters.

    Raises:
        SettingsError: They cannot be used together, or with this model.
    """
    # Each is of its field's type: `parse_value` saw to it.
    values: dict[str, Any] = {
        name: value for each in (defaults(), *layers) for name, value in each.items()
    }
    params = SamplingParams(**values)
    if character_model and params.repetition_penalty != 1:
        raise SettingsError(NO_PENALTY_FOR_CHARACTERS)
    return params


def directive(text: str) -> tuple[dict[str, float | int | None], str]:
    """Settings for one message, written before it: `/with t=1.2 k=20 Once upon a time`.

    Returns:
        The settings, and the message without them; no settings where the text has no directive.

    Raises:
        SettingsError: A name that is no setting, a value that cannot be used, or no setting at all.
    """
    found = DIRECTIVE.match(text)
    if found is None:
        return {}, text
    raw: dict[str, object] = {}
    for pair in found[1].split():
        alias, value = pair.split("=", 1)
        name = ALIASES.get(alias.lower().replace("-", "_"))
        if name is None:
            known = ", ".join(f"{SHORT[each]} ({LABELS[each]})" for each in LABELS)
            raise SettingsError(f"“{alias[:30]}” is no setting. Write one of these: {known}.")
        if not value:
            raise SettingsError(f"{LABELS[name]} needs a value. It takes {LIMITS[name].range}.")
        raw[name] = value
    if not raw:
        raise SettingsError("Write the settings after /with, as in: /with t=1.2 k=20 Once upon …")
    return layer(raw), text[found.end() :]


def slider(name: str) -> tuple[float, float, float] | None:
    """Lowest, highest and step of a slider for `name`; None for one that is better typed."""
    limit = LIMITS[name]
    if limit.kind != "number" or limit.high is None:
        return None
    # A slider cannot stop just above its lower end, so it begins one step higher.
    return limit.low + SLIDER_STEP * limit.above_low, limit.high, SLIDER_STEP


def defaults() -> dict[str, float | int | None]:
    """What is used where neither a writer nor a model says otherwise."""
    values = asdict(SamplingParams(finish_chars=FINISH_CHARS))
    return {name: values[name] for name in LABELS}


def used(params: SamplingParams) -> dict[str, Any]:
    """The settings of a passage, as they are kept with it."""
    values = asdict(params)
    return {name: values[name] for name in LABELS if name != "seed"}


def shown(name: str, value: float | int | None) -> str:
    """A value as a person reads it: "Off" where it changes nothing."""
    if value is None:
        return "random"
    if name == "temperature":
        return "0, always the likeliest" if value == 0 else f"{value:g}"
    if value == LIMITS[name].off:
        return "Off"
    return str(value) if isinstance(value, int) else f"{value:.6g}"
