"""What the JSON files of a run folder must say before a command counts on them.

A folder may be half copied, edited by hand or forged. Each file is read through `gpt.files`, and
what is needed of it is held against a shape: a missing name, another type, NaN or a number beyond
all bounds is a CheckpointError that names the file, what was expected, what came and what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from gpt.files import CheckpointError, MissingFileError, read_json, said
from gpt.files.strict_json import is_list, is_object
from train.loop.config import TrainConfig

MOST_WHOLE, MOST_NUMBER, MOST_TEXT = 1 << 53, 1e12, 100_000
"""More than any training counts or measures, and characters in a command or a name."""


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value that may be missing; null is as wrong as any other."""

    shape: Any


@dataclass(frozen=True, slots=True)
class OrNull:
    """A value that may be null, and must be there."""

    shape: Any


TEXT, WHOLE, COUNT, NUMBER = "text", "a whole number", "a whole number above 0", "a number"
_PART = {"bytes": COUNT, "tokens": COUNT, "sha256": TEXT}
DATA = {
    "sources": [{"name": TEXT, "serves": TEXT}],
    "tokenizer": TEXT,
    "vocab_size": COUNT,
    "train": _PART,
    "valid": _PART,
}
_CONFIG = {
    **dict.fromkeys(("max_steps", "batch_size", "accumulate", "block_size", "eval_every"), COUNT),
    **dict.fromkeys(("n_layer", "n_head", "n_embd"), COUNT),
    **dict.fromkeys(("family", "device", "sample_prompt"), TEXT),
}
_MODEL = {"name": TEXT, "sha256": TEXT}
_BEGUN = {
    "from": Maybe(_MODEL),
    "finetune": Maybe({"said": TEXT, "parameters": WHOLE}),
    "distilled": Maybe({"teachers": [{**_MODEL, "command": Maybe(TEXT)}], "share": NUMBER}),
}
CONFIG_JSON = {
    "command": TEXT,
    "config": _CONFIG,
    "data": DATA,
    "cost_per_hour": Maybe(NUMBER),
    **_BEGUN,
}
RESUMED = {"config": {}, "data": {"train": {"sha256": TEXT}}, **_BEGUN}
"""What a run that goes on must say of itself."""
_MACHINE = {"device": TEXT, "threads": WHOLE, "cores": WHOLE, "torch": TEXT}
TRAINING_JSON = {
    **CONFIG_JSON,
    "parameters": WHOLE,
    "window": Maybe(COUNT),
    "step": WHOLE,
    "tokens": WHOLE,
    "elapsed_s": NUMBER,
    "val_loss": Maybe(NUMBER),
    "val_bpb": Maybe(NUMBER),
    "machine": _MACHINE,
    "commit": Maybe(TEXT),
    "date": TEXT,
}
LEARNT_FROM = {"command": Maybe(TEXT), "data": DATA}
"""What a model must say of its text, so that it can be found again."""
_LOSSES = {"loss": NUMBER, "bpb": NUMBER}
_BOTH = {"text": TEXT, "before": OrNull(_LOSSES), "after": OrNull(_LOSSES)}
REPORT_JSON = {"new": _BOTH, "old": OrNull(_BOTH)}
RECORD = {
    "step": WHOLE,
    "tokens": Maybe(WHOLE),
    **dict.fromkeys(
        ("elapsed_s", "train_loss", "learning_rate", "val_loss", "val_bpb"), Maybe(NUMBER)
    ),
}
SAMPLE = {"step": WHOLE, "text": TEXT, "greedy": Maybe([{"prompt": TEXT, "text": TEXT}])}


def read_config_json(folder: Path, shape: Mapping[str, Any] = CONFIG_JSON) -> dict[str, Any]:
    """config.json of the run in `folder`, with the fields that we know in their ranges.

    Raises:
        CheckpointError: it is missing or says something else.
    """
    path = folder / "config.json"
    try:
        about = read_json(folder, path.name)
    except MissingFileError as error:
        raise CheckpointError(
            f"{said(path)} is missing: expected a run folder as train.pretrain makes it"
        ) from error
    hold(about, shape, path)
    known = {field.name for field in fields(TrainConfig)}
    try:  # a run of an earlier version may have fields that are no more
        TrainConfig.from_dict({n: v for n, v in about["config"].items() if n in known})
    except ValueError as error:
        raise CheckpointError(f"{said(path)}: {str(error)[:300]}; {_REMEDY}") from error
    both = (about.get("from") is None, about.get("finetune") is None)
    if both[0] != both[1]:
        raise CheckpointError(
            f"{said(path)}: expected “from” and “finetune” together, got one of them; {_REMEDY}"
        )
    return about


_REMEDY = "copy the folder anew, or train again into another --out"


def hold(values: object, shape: Any, path: Path) -> None:
    """Raise a CheckpointError that names `path` unless the values have the shape."""
    if why := fault(values, shape):
        raise CheckpointError(f"{said(path)}: expected {why}; {_REMEDY}")


def fault(value: object, shape: Any, name: str = "") -> str:
    """What of a value has not the shape: what was expected, and what came; "" where all has."""
    if isinstance(shape, OrNull):
        return "" if value is None else fault(value, shape.shape, name)
    if isinstance(shape, Mapping):
        if not is_object(value):
            return _unlike("an object", name, value)
        inner = cast("Mapping[str, Any]", shape).items()
        for key, each in inner:
            place = f"{name}.{key}".strip(".")
            if key not in value:
                why = "" if isinstance(each, Maybe) else f"a value as “{place}”, got none"
            else:
                kind = each.shape if isinstance(each, Maybe) else each
                why = fault(value[key], kind, place)
            if why:
                return why
        return ""
    if isinstance(shape, list):
        if not is_list(value):
            return _unlike("a list", name, value)
        one = cast("list[Any]", shape)[0]
        found = (fault(each, one, f"{name}[{at}]") for at, each in enumerate(value))
        return next(filter(None, found), "")
    return "" if _is(value, shape) else _unlike(shape, name, value)


def _is(value: object, kind: str) -> bool:
    if kind == TEXT:
        return isinstance(value, str) and len(value) <= MOST_TEXT
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind == NUMBER:
        return abs(value) <= MOST_NUMBER  # not of NaN or Infinity
    return isinstance(value, int) and (kind == COUNT) <= value <= MOST_WHOLE


def _unlike(kind: str, name: str, value: object) -> str:
    came = "null" if value is None else repr(value)
    return f"{kind} as “{name}”, got {came if len(came) <= 60 else came[:60] + '…'}"
