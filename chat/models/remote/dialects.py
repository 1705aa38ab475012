"""What each program that serves models calls a parameter: a table, and how it is read.

A setting that stands in no row's `names` cannot be asked of that program: it is left out, and the
writer is told. `off` is what a program does of its own accord and Inkling does not ask for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from gpt.sampling import LIMITS, SamplingParams

_MEANS_THE_SAME = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
}
_DRY = {
    "dry_multiplier": "dry_multiplier",
    "dry_base": "dry_base",
    "dry_allowed_length": "dry_allowed_length",
    "dry_range": "dry_penalty_last_n",
    "dry_breakers": "dry_sequence_breakers",
}
USUAL = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
SAMPLERS = (*USUAL, "dry_multiplier", "no_end", "banned")
"""What a writer can set and a server is told, where it has a name for it; the length and the stop
strings go by one name everywhere. None completes a broken-off word: its first token would begin in
the prompt."""


NEEDED = {"min_new_tokens": "No end before the first word"}
"""What no writer sets and a request may need, in words for where it cannot be: going on after the
end of a story."""
NOWHERE = "\U0010ffff"
"""Stands in no text: llama.cpp refuses an empty list of breakers."""
ALL = 16384
"""As many tokens as any of these models sees."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """One program's way with the completions API.

    Attributes:
        label: The program's name.
        owners: What it writes as `owned_by` in its list of models, which tells it from others.
        names: Its name for each of our samplers; one that is missing, it cannot do.
        off: Fields that are always sent.
        seeds: Seeds are below this; None where it takes none.
        logprobs: The most likely tokens it tells beside each; 0 for none.
        streams_logprobs: Whether it tells them while it writes, and not only of a whole answer.
        most: Tokens that it writes for one request; None where the model's context is the bound.
    """

    label: str
    owners: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=lambda: _MEANS_THE_SAME)
    off: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seeds: int | None = 2**31
    logprobs: int = 0
    streams_logprobs: bool = True
    most: int | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Our samplers that it cannot do."""
        return tuple(name for name in SAMPLERS if name not in self.names)


DIALECTS: dict[str, Dialect] = {
    "inkling": Dialect(
        label="Inkling",
        owners=("inkling",),
        names={
            **(_MEANS_THE_SAME | _DRY | {"repetition_penalty": "repetition_penalty"}),
            "no_end": "ignore_eos",
            "min_new_tokens": "min_tokens",
            "banned": "banned_strings",
        },
        seeds=2**63,
        logprobs=10,
        most=int(LIMITS["max_new_tokens"].high or 0),
    ),
    "llama.cpp": Dialect(
        label="llama.cpp",
        owners=("llamacpp",),
        names={
            **(_MEANS_THE_SAME | _DRY),
            "repetition_penalty": "repeat_penalty",
            "no_end": "ignore_eos",
        },
        # Its order by itself is top-k, top-p, min-p, temperature: ours has the temperature first,
        # and is followed where it is sent. Its penalty looks back 64 tokens, ours at all of them.
        off={
            "samplers": ["penalties", "dry", "temperature", "top_k", "top_p", "min_p"],
            "repeat_last_n": ALL,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "dynatemp_range": 0,
            "mirostat": 0,
        },
        logprobs=20,
    ),
    "vllm": Dialect(
        label="vLLM",
        owners=("vllm",),
        names={
            **_MEANS_THE_SAME,
            "repetition_penalty": "repetition_penalty",
            "min_new_tokens": "min_tokens",
        },
        off={"presence_penalty": 0, "frequency_penalty": 0},
        seeds=2**63,
        logprobs=10,
    ),
    "ollama": Dialect(
        label="Ollama",
        owners=("library", "ollama"),
        names={"temperature": "temperature", "top_p": "top_p"},
        off={"presence_penalty": 0, "frequency_penalty": 0},
    ),
    "lmstudio": Dialect(
        label="LM Studio",
        owners=("organization_owner", "lmstudio"),
        names={
            "temperature": "temperature",
            "top_k": "top_k",
            "top_p": "top_p",
            "repetition_penalty": "repeat_penalty",
        },
        off={"presence_penalty": 0, "frequency_penalty": 0},
    ),
    "koboldcpp": Dialect(
        label="KoboldCpp",
        owners=("koboldcpp",),
        names=_MEANS_THE_SAME | {"repetition_penalty": "rep_pen"},
        # 6 is its repetition penalty: numbers are its names for samplers.
        off={"sampler_order": [6, 5, 0, 1, 3, 4, 2], "presence_penalty": 0, "typical": 1, "tfs": 1},
        logprobs=5,
        streams_logprobs=False,
    ),
    "openai": Dialect(
        label="an OpenAI-compatible server",
        names={"temperature": "temperature", "top_p": "top_p"},
        logprobs=5,
    ),
}
"""By the word that an operator may write as `kind`; docs/engines.md says what of it was seen, and
what is by documentation alone."""


def dialect_of(owners: Sequence[str]) -> Dialect:
    """The dialect of a server whose models are `owned_by` these; the plainest where none is known.

    >>> dialect_of(["llamacpp"]).label
    'llama.cpp'
    """
    for dialect in DIALECTS.values():
        if any(owner.lower() in dialect.owners for owner in owners):
            return dialect
    return DIALECTS["openai"]


def possible(params: SamplingParams, dialect: Dialect) -> tuple[SamplingParams, list[str]]:
    """The settings as far as a program can do them, and the names of those that it cannot and
    that were asked for: they are off."""
    missing = (name for name in (*SAMPLERS, *NEEDED) if name not in dialect.names)
    asked = [name for name in missing if getattr(params, name) != LIMITS[name].off]
    return replace(params, **{name: LIMITS[name].off for name in asked}), asked


def body(
    dialect: Dialect, params: SamplingParams, *, model: str, prompt: str, length: int
) -> dict[str, Any]:
    """The JSON of a request for one story, streamed.

    Args:
        params: With n = 1.
        length: The most tokens to write.
    """
    asked: dict[str, Any] = {"model": model, "prompt": prompt, "max_tokens": length}
    asked |= dialect.off
    asked |= {theirs: _said(ours, params) for ours, theirs in dialect.names.items()}
    if params.stop:
        asked["stop"] = list(params.stop)
    if dialect.seeds is not None and params.seed is not None:
        asked["seed"] = params.seed % dialect.seeds
    if dialect.logprobs and dialect.streams_logprobs:
        asked["logprobs"] = min(10, dialect.logprobs)
    return asked | {"stream": True, "stream_options": {"include_usage": True}}


def _said(name: str, params: SamplingParams) -> Any:
    """A setting's value, as servers say it."""
    value: Any = getattr(params, name)
    if name == "dry_breakers":
        return list(value or [NOWHERE])
    if name == "dry_range":
        return value or ALL  # to us 0 is all that the model sees, to them it is nothing
    return list(cast(tuple[str, ...], value)) if isinstance(value, tuple) else value


def odds_body(dialect: Dialect, *, model: str, prompt: str, most: int) -> dict[str, Any]:
    """The JSON of a request for the likeliest next tokens: one is written, and thrown away."""
    return {
        **dialect.off,
        "model": model,
        "prompt": prompt,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": min(most, dialect.logprobs),
        "stream": False,
    }
