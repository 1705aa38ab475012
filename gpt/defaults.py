"""How a model is best sampled: the settings in `generation_config.json` of its folder.

The file is transformers' own, so `model.generate()` and vLLM follow the same settings.
"""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from gpt.checkpoint import CheckpointError
from gpt.sampling import SamplingParams

FILE = "generation_config.json"
KEYS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_new_tokens")
"""What it may hold of `SamplingParams`, under the same names."""


def read_defaults(folder: str | Path) -> SamplingParams:
    """The settings that a checkpoint folder asks for; ours where it names none.

    Raises:
        CheckpointError: a value is outside its range, or the file is no JSON object.
    """
    path = Path(folder) / FILE
    values = _read(path)
    given = {key: values[key] for key in KEYS if values.get(key) is not None}
    if values.get("do_sample") is False:
        given["temperature"] = 0
    try:
        return replace(SamplingParams(), **given)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def write_defaults(folder: str | Path, params: SamplingParams) -> None:
    """Put settings into a checkpoint folder; whatever else the file says is kept.

    Raises:
        CheckpointError: the file is no JSON object.
    """
    path = Path(folder) / FILE
    # transformers warns of settings that greedy text does not use.
    keys = KEYS if params.temperature else ("repetition_penalty", "max_new_tokens")
    chosen = {key: getattr(params, key) for key in keys}
    values = {key: value for key, value in _read(path).items() if key not in KEYS}
    values = {**values, "do_sample": params.temperature > 0, **chosen}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)


def as_options(params: SamplingParams) -> str:
    """The settings as `gpt.generate` takes them, those left out that it has anyway.

    >>> as_options(SamplingParams(temperature=0.7, seed=3))
    '--temperature 0.7 --seed 3'
    """
    usual = SamplingParams()
    return " ".join(
        f"--{field.name.replace('_', '-')} {getattr(params, field.name):g}"
        for field in fields(SamplingParams)
        if field.name != "stop" and getattr(params, field.name) != getattr(usual, field.name)
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"expected JSON in {path}: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"expected a JSON object in {path}, got {type(values).__name__}")
    return values  # pyright: ignore[reportUnknownVariableType]
