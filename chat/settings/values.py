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

from chat.settings.texts import OFF, text_of, texts_of
from gpt.sampling import LIMITS, SamplingParams
from gpt.text.prompt import SHORTEST_REPEAT
from gpt.text.sentences import FINISH_CHARS

Value = float | int | str | None
"""A setting as the chat keeps it, ready for JSON: a number, a switch as a bool, texts as one text
with commas (`texts_of`), and None where a seed is drawn anew."""

LABELS = {
    "temperature": "Temperature",
    "top_k": "Top-k",
    "top_p": "Top-p",
    "min_p": "Min-p",
    "repetition_penalty": "Repetition penalty",
    "max_new_tokens": "Length",
    "finish_chars": "Sentence end",
    "no_end": "Never end",
    "banned": "Banned words",
    "heal": "Complete words",
    "dry_multiplier": "DRY",
    "dry_base": "DRY base",
    "dry_allowed_length": "DRY allowed length",
    "dry_range": "DRY range",
    "dry_breakers": "DRY breakers",
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
    "ban": "banned",
    "heal": "heal",
    "dry": "dry_multiplier",
    "drybase": "dry_base",
    "drylength": "dry_allowed_length",
    "dryrange": "dry_range",
    "drybreakers": "dry_breakers",
    "never": "no_end",
    **{name: name for name in LABELS},
}
"""What `/with` calls them; a hyphen is as good as an underscore."""
SHORT = {name: next(each for each in ALIASES if ALIASES[each] == name) for name in LABELS}
"""How a writer types each one."""

NO_PENALTY_FOR_CHARACTERS = (
    "A repetition penalty cannot be used with a model of characters: every letter has already "
    "appeared, so it would only spoil the spelling. Set it to 1 (off)."
)
DRY_DETAILS = ("dry_base", "dry_allowed_length", "dry_range", "dry_breakers")
NO_NUMBERS = tuple(name for name in LABELS if "number" not in LIMITS[name].kind)
"""Switches and texts."""
SELDOM = ("no_end", "banned", "heal", "dry_multiplier")
"""Told of a passage only where they are on; so are the others of DRY."""
BY_STORY = ("heal",)
"""Lies with the model and with where the story stands, as much as with the writer: it makes no
other version of a passage, and two models no other pair."""
SWITCHED = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}
SLIDER_STEP = 0.01
DIRECTIVE = re.compile(r"\s*/with\b((?:\s+[A-Za-z_-]+=\S*)*)(?:[ \t]|\n|$)", re.S)


class SettingsError(ValueError):
    """A value that cannot be used; the message says which would do."""


def parse_value(name: str, raw: object) -> Value:
    """The value that a page or a writer gave for `name`, checked.

    Left empty it is None: a seed is drawn anew each time, and of any other setting whatever lies
    below decides.

    Raises:
        SettingsError: It is not a number, or outside the range; the message names the range.
    """
    limit, label = LIMITS[name], LABELS[name]
    if raw is None or raw == "":
        return None
    if limit.kind == "switch":
        switched = SWITCHED.get(str(raw).strip().lower())
        if switched is None:
            raise SettingsError(f"{label} is on or off, not “{str(raw)[:40]}”.")
        return switched
    if limit.kind == "strings":
        texts = texts_of(str(raw))
        try:
            SamplingParams(**{name: texts})  # type: ignore[arg-type] - it is one of texts
        except ValueError as error:
            raise SettingsError(f"{label} takes {limit.range}, with commas between.") from error
        return text_of(texts)
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


def named(alias: str, value: str) -> tuple[str | None, str]:
    """The setting that a writer calls `alias`, and its value: `end=off` says that the story may not
    end, and `end=400` how far to the end of a sentence. None where it is no setting."""
    name = ALIASES.get(alias.lower().replace("-", "_"))
    if name == "finish_chars" and value.lower() in ("on", "off") and alias.lower() == "end":
        return "no_end", "off" if value.lower() == "on" else "on"
    return name, value


def layer(raw: Mapping[str, object]) -> dict[str, Value]:
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
) -> tuple[dict[str, Value], dict[str, str]]:
    """As `layer`, with what cannot be used beside the rest.

    Returns:
        The values that can be used, and by name why each other one cannot.
    """
    values: dict[str, Value] = {}
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


def sampling_params(*layers: Mapping[str, Value], character_model: bool = False) -> SamplingParams:
    """The settings of one generation: defaults, then each layer over the one before.

    Args:
        layers: What `layer` or `directive` gave, the weakest first.
        character_model: The model's tokens are single characters.

    Raises:
        SettingsError: They cannot be used together, or with this model.
    """
    # Each is of its field's type: `parse_value` saw to it.
    values: dict[str, Any] = {
        name: texts_of(value) if isinstance(value, str) else value
        for each in (defaults(), *layers)
        for name, value in each.items()
    }
    params = SamplingParams(**values)
    if character_model and params.repetition_penalty != 1:
        raise SettingsError(NO_PENALTY_FOR_CHARACTERS)
    if character_model and params.dry_multiplier and params.dry_allowed_length < SHORTEST_REPEAT:
        raise SettingsError(
            f"With a model of characters DRY counts letters: set {LABELS['dry_allowed_length']} to "
            f"{SHORTEST_REPEAT} or more, or DRY to 0 (off)."
        )
    return params


def directive(text: str) -> tuple[dict[str, Value], str]:
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
        name, value = named(alias, value)
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


def defaults() -> dict[str, Value]:
    """What is used where neither a writer nor a model says otherwise."""
    return _kept(SamplingParams(finish_chars=FINISH_CHARS, heal=True))


def used(params: SamplingParams) -> dict[str, Any]:
    """The settings of a passage, as they are kept with it."""
    values = _kept(params)
    del values["seed"]
    return values


def _kept(params: SamplingParams) -> dict[str, Value]:
    values = asdict(params)
    return {
        name: text_of(values[name]) if LIMITS[name].kind == "strings" else values[name]
        for name in LABELS
    }


def as_made(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that made a passage, those that were not there yet among them."""
    off = _kept(SamplingParams())
    return {**{name: off[name] for name in (*SELDOM, *DRY_DETAILS)}, **values}


def told(values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The settings that made a passage as a person reads them: name, label, value. What is off and
    seldom on is left out."""
    quiet = {name for name in SELDOM if shown(name, values.get(name, False)) == "Off"}
    if not values.get("dry_multiplier"):
        quiet.update(DRY_DETAILS)
    return [
        (name, label, shown(name, values[name]))
        for name, label in LABELS.items()
        if name in values and name not in quiet
    ]


def typed(value: Value) -> str:
    """A value as one would type it."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def shown(name: str, value: Value) -> str:
    """A value as a person reads it: "Off" where it changes nothing."""
    if value is None:
        return "random"
    if name == "temperature":
        return "0, always the likeliest" if value == 0 else f"{value:g}"
    if isinstance(value, bool):
        return "On" if value else "Off"
    if isinstance(value, str):
        return "Off" if value == OFF else value
    if value == LIMITS[name].off:
        return "Off"
    return str(value) if isinstance(value, int) else f"{value:.6g}"
