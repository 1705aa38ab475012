"""How a model is best sampled: the settings in `generation_config.json` of its folder.

The file is transformers' own, so `model.generate()` and vLLM follow the same settings.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from gpt.files import CheckpointError, MissingFileError, read_json, write_whole
from gpt.sampling import LIMITS, SamplingParams
from gpt.tokenizers import kind_in

FILE = "generation_config.json"
LENGTHS = ("max_new_tokens", "finish_chars")
KEYS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", *LENGTHS)
"""What it may hold of `SamplingParams`, under the same names; others leave `finish_chars` alone."""


@dataclass(frozen=True, slots=True)
class GenerationDefaults:
    """What a folder asks for, as far as it can be used.

    Attributes:
        values: Settings by name, each within its range; those that it does not name are left out.
        notes: Why a value, or the whole file, counts for nothing.
    """

    values: Mapping[str, float | int] = field(default_factory=dict[str, float | int])
    notes: tuple[str, ...] = ()


def usable_defaults(folder: str | Path) -> GenerationDefaults:
    """The settings that a checkpoint folder asks for; what cannot be used is noted, no error.

    The folder may come from anywhere, and a model that can be opened shall write. Among what
    cannot be used is a repetition penalty with a model of characters: every letter has already
    appeared.
    """
    folder = Path(folder)
    values: dict[str, float | int] = {}
    notes: list[str] = []
    try:
        given = _given(folder / FILE)
    except CheckpointError as error:
        return GenerationDefaults(notes=(f"{str(error)[:300]}: it is left out.",))
    for name, value in given.items():
        if isinstance(value, float) and LIMITS[name].kind == "whole number" and value.is_integer():
            value = int(value)
        try:
            LIMITS[name].check(value)
        except ValueError as error:
            notes.append(f"{FILE}: {str(error)[:200]}: it is left out.")
        else:
            values[name] = value
    if values.get("repetition_penalty", 1) != 1 and _of_characters(folder):
        del values["repetition_penalty"]
        notes.append(f"{FILE}: a model of characters takes no repetition_penalty: it is left out.")
    return GenerationDefaults(values, tuple(notes))


def read_defaults(folder: str | Path) -> SamplingParams:
    """The settings that a checkpoint folder asks for; ours where it names none.

    Raises:
        CheckpointError: a value is outside its range, or the file is no JSON object.
    """
    path = Path(folder) / FILE
    try:
        return replace(SamplingParams(), **_given(path))
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def write_defaults(folder: str | Path, params: SamplingParams) -> None:
    """Put settings into a checkpoint folder; whatever else the file says is kept.

    Raises:
        CheckpointError: the file is no JSON object.
    """
    path = Path(folder) / FILE
    # transformers warns of settings that greedy text does not use.
    keys = KEYS if params.temperature else ("repetition_penalty", *LENGTHS)
    chosen = {key: getattr(params, key) for key in keys}
    values = {key: value for key, value in _read(path).items() if key not in KEYS}
    values = {**values, "do_sample": params.temperature > 0, **chosen}
    write_whole(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def as_options(params: SamplingParams) -> str:
    """The settings as `gpt.generate` takes them, those left out that it has anyway.

    >>> as_options(SamplingParams(temperature=0.7, seed=3))
    '--temperature 0.7 --seed 3'
    """
    usual = SamplingParams()
    return " ".join(
        f"--{field.name.replace('_', '-')} {getattr(params, field.name):g}"
        for field in fields(SamplingParams)
        if LIMITS[field.name].kind not in ("strings", "switch")
        and getattr(params, field.name) != getattr(usual, field.name)
    )


def _given(path: Path) -> dict[str, Any]:
    """What the file says of each of `KEYS`, unchecked; `do_sample: false` is temperature 0.

    Raises:
        CheckpointError: the file is no JSON object.
    """
    values = _read(path)
    given = {key: values[key] for key in KEYS if values.get(key) is not None}
    return {**given, "temperature": 0} if values.get("do_sample") is False else given


def _of_characters(folder: Path) -> bool:
    try:
        return kind_in(folder) == "char"
    except (OSError, ValueError):
        return False


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path.parent, path.name, finite=False)
    except MissingFileError:
        return {}
