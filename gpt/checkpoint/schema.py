"""What the JSON files of a model folder may say, as one schema.

Nothing is taken for what it is not: "no" is no truth value. In config.json a value of another type,
or a size that no model has, is an error. Of training.json, which only tells how a model came to be,
such a value is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Norm = Annotated[float, Field(gt=0, le=1)]
Theta = Annotated[float, Field(gt=0, le=1e12)]


# More than any model for one machine has, so that a config.json cannot ask for endless work.
Vocabulary = Annotated[int, Field(ge=1, le=1 << 21)]
Window = Annotated[int, Field(ge=1, le=1 << 18)]
Layers = Annotated[int, Field(ge=1, le=1 << 10)]
Heads = Annotated[int, Field(ge=1, le=1 << 10)]
Channels = Annotated[int, Field(ge=1, le=1 << 16)]
Inner = Annotated[int, Field(ge=1, le=1 << 18)]
# These may be 0 or null, and then follow from the others.
InnerOrNone = Annotated[int, Field(ge=0, le=1 << 18)]
HeadsOrNone = Annotated[int, Field(ge=0, le=1 << 10)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class Gpt2Values(_Strict):
    """What is read of the config.json of a GPT-2."""

    vocab_size: Vocabulary
    n_positions: Window
    n_layer: Layers
    n_head: Heads
    n_embd: Channels
    n_inner: InnerOrNone | None = None
    layer_norm_epsilon: Norm = 1e-5


Factor = Annotated[float, Field(gt=0, le=1e6)]


class Rope(_Strict):
    """What is read of `rope_parameters`, and of `rope_scaling` in files from before 2026."""

    rope_theta: Theta | None = None
    factor: Factor | None = None
    low_freq_factor: Factor | None = None
    high_freq_factor: Factor | None = None
    original_max_position_embeddings: Window | None = None


class LlamaValues(_Strict):
    """What is read of the config.json of a Llama, or of a Mistral, whose names are the same."""

    vocab_size: Vocabulary
    max_position_embeddings: Window
    num_hidden_layers: Layers
    num_attention_heads: Heads
    num_key_value_heads: HeadsOrNone | None = None
    hidden_size: Channels
    head_dim: HeadsOrNone | None = None
    intermediate_size: Inner
    tie_word_embeddings: bool = False
    rope_theta: Theta | None = None
    rope_parameters: Rope | None = None
    rope_scaling: Rope | None = None
    original_max_position_embeddings: Window | None = None
    rms_norm_eps: Norm = 1e-6


Words = Annotated[str, Field(max_length=4000)]
Count = Annotated[int, Field(ge=0, le=1 << 62)]
Number = Annotated[float, Field(ge=-1e12, le=1e12)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


MISSING: Any = None
"""A null is as wrong as any other value of another kind; only what is not there is fine."""


class _Told(BaseModel):
    """Every value may be missing; one that is of another kind is left out."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class SplitValues(_Strict):
    """What is read of one half of a data folder."""

    tokens: Annotated[int, Field(ge=1, le=1 << 50)]
    bytes: Annotated[int, Field(ge=1, le=1 << 50)]
    documents: Annotated[int, Field(ge=0, le=1 << 50)]
    sha256: Sha256


class SourceValues(_Strict):
    """A file that a data folder was made of."""

    name: Words
    serves: Words


class DataValues(_Strict):
    """What is read of data.json in a folder of train.prepare."""

    dtype: Annotated[str, Field(pattern=r"^uint(16|32)$")]
    train: SplitValues
    valid: SplitValues
    sources: list[SourceValues]


def data_values(values: Mapping[str, Any]) -> DataValues:
    """What a data.json says, checked.

    Raises:
        ValueError: it misstates something; the message goes on after its name.
    """
    try:
        return DataValues.model_validate(values)
    except ValidationError as error:
        raise ValueError(explained(error)) from error


class _Split(_Told):
    tokens: Count = MISSING
    bytes: Count = MISSING
    documents: Count = MISSING
    sha256: Sha256 = MISSING


class _Source(_Told):
    name: Words = MISSING
    sha256: Sha256 = MISSING
    serves: Words = MISSING


class _Data(_Told):
    tokenizer: Words = MISSING
    vocab_size: Count = MISSING
    dtype: Annotated[str, Field(pattern=r"^uint(8|16|32)$")] = MISSING
    eos_id: Count = MISSING
    train: _Split = MISSING
    valid: _Split = MISSING
    sources: list[_Source] = MISSING


class _Config(_Told):
    max_steps: Count = MISSING
    optimizer: Annotated[str, Field(pattern=r"^(adamw|muon)$")] = MISSING
    sample_prompt: Words = MISSING


class _Machine(_Told):
    device: Words = MISSING
    threads: Count = MISSING
    cores: Count = MISSING


class _Teacher(_Told):
    name: Words = MISSING


class _Distilled(_Told):
    teachers: list[_Teacher] = MISSING
    share: Number = MISSING


Loss = Annotated[float, Field(ge=0, le=1e6)]
Losses = Annotated[list[Loss], Field(min_length=2, max_length=32)]
Point = Annotated[list[Number], Field(min_length=2, max_length=2)]
Points = Annotated[list[Point], Field(max_length=64)]


class _Floor(_Told):
    loss: Losses = MISSING
    bpb: Losses = MISSING
    train_tokens: Count = MISSING
    valid_tokens: Count = MISSING


class _Curve(_Told):
    train: Points = MISSING
    valid: Points = MISSING


class TrainingValues(_Told):
    """What training.json says, as far as anything reads it."""

    command: Words = MISSING
    date: Annotated[str, Field(max_length=40)] = MISSING
    commit: Words = MISSING
    license: Words = MISSING
    parameters: Count = MISSING
    step: Count = MISSING
    tokens: Count = MISSING
    window: Count = MISSING
    val_loss: Number = MISSING
    val_bpb: Number = MISSING
    elapsed_s: Annotated[float, Field(ge=0, le=1e12)] = MISSING
    starters: list[Annotated[str, Field(max_length=1000)]] = MISSING
    data: _Data = MISSING
    config: _Config = MISSING
    machine: _Machine = MISSING
    distilled: _Distilled = MISSING
    floor: _Floor = MISSING
    curve: _Curve = MISSING
    sha256: dict[str, Sha256] = MISSING


OURS = {"max_position_embeddings": "block_size", "n_positions": "block_size"}
"""What a message calls these beside."""


def explained(error: ValidationError) -> str:
    """The first thing that a schema found wrong, in one line."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    where += f" ({OURS[where]})" if where in OURS else ""
    if first["type"] == "missing":
        return f"lacks or misstates {where}: it is not there"
    got = repr(first["input"])
    got = got if len(got) <= 80 else f"{got[:80]}…"
    what = first["msg"][0].lower() + first["msg"][1:]
    return f"lacks or misstates {where}: {what}, not {got}"


def usable_training(values: Mapping[str, Any]) -> dict[str, Any]:
    """What training.json says, without the values that are not what their names promise."""
    found = dict(values)
    try:
        TrainingValues.model_validate(found)
    except ValidationError as error:
        for wrong in error.errors(include_url=False, include_input=False):
            _leave_out(found, wrong["loc"])
    return found


def _leave_out(values: dict[str, Any], place: Sequence[int | str]) -> None:
    """Take out the value at `place`, or the list that it stands in; what held it is copied."""
    name, rest = str(place[0]), place[1:]
    inner: object = values.get(name)
    if isinstance(inner, dict) and rest and rest[0] in inner:
        values[name] = dict(cast("dict[str, Any]", inner))
        _leave_out(values[name], rest)
    else:
        values.pop(name, None)
