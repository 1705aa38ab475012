"""What a client may send: OpenAI's completions API, and what programs that write stories add."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gpt.files.strict_json import is_list, parsed
from gpt.sampling import LIMITS, N_ALTERNATIVES, SamplingParams
from gpt.server.errors import ApiError
from gpt.text.prompt import check_for
from gpt.tokenizers import Tokenizer

MAX_TOKENS = int(LIMITS["max_new_tokens"].high or 0)
DEFAULT_MAX_TOKENS = 16
"""OpenAI's."""
MAX_PROMPTS = 32
MAX_STOP = 200
"""Characters of a stop string: each token is held against all of it."""
OWN = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
"""What a checkpoint's own settings say where a request does not."""


THEIR_NAMES = {
    "min_new_tokens": "min_tokens",
    "banned": "banned_strings",
    "dry_range": "dry_penalty_last_n",
    "dry_breakers": "dry_sequence_breakers",
}
"""Where other programs call a setting otherwise: vLLM, KoboldCpp, llama.cpp."""


# Without fail_fast a long list of the wrong kind is as many errors, which take seconds to make.
Ids = Annotated[list[int], Field(fail_fast=True)]
Strings = Annotated[list[str], Field(fail_fast=True)]
Texts = Annotated[list[str], Field(fail_fast=True, max_length=MAX_PROMPTS)]
ManyIds = Annotated[list[Ids], Field(fail_fast=True, max_length=MAX_PROMPTS)]


def _setting(name: str, default: Any = None) -> Any:
    """A field whose range is that of `SamplingParams`, which checks it and says it in words."""
    limit = LIMITS[name]
    schema: dict[str, Any] = {"minimum": limit.low}
    if limit.above_low:
        schema = {"exclusiveMinimum": limit.low}
    if limit.high is not None:
        schema["maximum"] = limit.high
    return Field(default, description=limit.explanation, json_schema_extra=schema)


def _unsupported(description: str) -> Any:
    return Field(None, description=f"Not supported: {description}.")


class _Sent(BaseModel):
    """Nothing is converted, and what we do not know is left out, since clients send much of it."""

    model_config = ConfigDict(strict=True, extra="ignore")


class StreamOptions(_Sent):
    """How a stream ends."""

    include_usage: bool | None = Field(None, description="One more chunk, with the token counts.")


class CompletionRequest(_Sent):
    """What is to be written on."""

    model: str | None = Field(
        None, description="One of /v1/models; may be left out where there is only one."
    )
    prompt: str | Texts | Ids | ManyIds | None = Field(
        "", description="Text or token ids, or several of one kind; nothing begins a new story."
    )
    max_tokens: int | None = Field(
        DEFAULT_MAX_TOKENS, json_schema_extra={"minimum": 0, "maximum": MAX_TOKENS}
    )
    temperature: float | None = _setting("temperature")
    top_p: float | None = _setting("top_p")
    top_k: int | None = _setting("top_k")
    min_p: float | None = _setting("min_p")
    repetition_penalty: float | None = _setting("repetition_penalty")
    n: int | None = _setting("n", 1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    logprobs: int | None = Field(None, json_schema_extra={"minimum": 0, "maximum": N_ALTERNATIVES})
    echo: bool | None = Field(False, description="The prompt before what is written.")
    stop: str | Strings | None = Field(
        None, description=LIMITS["stop"].explanation, json_schema_extra={"maxItems": 4}
    )
    seed: int | None = Field(
        None,
        description=LIMITS["seed"].explanation + " -1 is a random one.",
        json_schema_extra={"minimum": -1, "maximum": LIMITS["seed"].high},
    )
    min_tokens: int | None = _setting("min_new_tokens")
    ignore_eos: bool | None = Field(None, description=LIMITS["no_end"].explanation)
    ban_eos_token: bool | None = Field(None, description="As ignore_eos.")
    token_healing: bool | None = Field(None, description=LIMITS["heal"].explanation)
    banned_strings: Strings | None = Field(None, description=LIMITS["banned"].explanation)
    dry_multiplier: float | None = _setting("dry_multiplier")
    dry_base: float | None = _setting("dry_base")
    dry_allowed_length: int | None = _setting("dry_allowed_length")
    dry_penalty_last_n: int | None = Field(
        None,
        description=LIMITS["dry_range"].explanation.replace("; 0", "; 0 is none, and -1"),
        json_schema_extra={"minimum": -1},
    )
    dry_sequence_breakers: str | Strings | None = Field(
        None, description=LIMITS["dry_breakers"].explanation + " A list, or one as JSON text."
    )
    user: str | None = Field(None, description="Whose turn it is among your users; any text.")
    presence_penalty: float | None = _unsupported("0 or nothing; see repetition_penalty")
    frequency_penalty: float | None = _unsupported("0 or nothing; see repetition_penalty")
    best_of: int | None = _unsupported("1, n or nothing")
    suffix: str | None = _unsupported("empty or nothing")
    logit_bias: dict[str, Any] | None = _unsupported("empty or nothing")

    @property
    def length(self) -> int:
        """How many tokens to write at most; 0 where only the prompt is looked at.

        Raises:
            ApiError: it is out of range.
        """
        length = DEFAULT_MAX_TOKENS if self.max_tokens is None else self.max_tokens
        return _within("max_tokens", length, MAX_TOKENS)

    @property
    def n_top(self) -> int | None:
        """How many likely tokens to list beside each one; None for no probabilities.

        Raises:
            ApiError: it is out of range.
        """
        n = self.logprobs
        return None if n is None else _within("logprobs", n, N_ALTERNATIVES)

    def params(self, own: Mapping[str, float | int], tokenizer: Tokenizer) -> SamplingParams:
        """The settings to write with.

        Args:
            own: The checkpoint's own, for what the request leaves open.
            tokenizer: What they must suit.

        Raises:
            ApiError: a value out of range, or one that we cannot follow.
        """
        self._refuse_unsupported()
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if any(len(stop) > MAX_STOP for stop in stops):
            raise ApiError(
                400, f"stop must be strings of at most {MAX_STOP} characters", param="stop"
            )
        given = {name: value for name in OWN if (value := getattr(self, name)) is not None}
        values: dict[str, Any] = {name: own[name] for name in OWN if name in own} | given
        values |= self._constraints()
        try:
            params = SamplingParams(
                **values,
                max_new_tokens=max(1, self.length),
                n=1 if self.n is None else self.n,
                seed=None if self.seed == -1 else self.seed,
                stop=tuple(stops),
            )
            check_for(params, tokenizer)
        except ValueError as error:
            message = str(error).replace("a tuple of ", "").replace("not (", "not [")
            name = message.split()[0]
            theirs = THEIR_NAMES.get(name, name)
            raise ApiError(400, message.replace(name, theirs, 1), param=theirs) from error
        return params

    def _constraints(self) -> dict[str, Any]:
        """What is forbidden, and DRY, of which the rest counts only where it is on.

        Raises:
            ApiError: a text is no list in JSON.
        """
        values: dict[str, Any] = {
            "min_new_tokens": self.min_tokens or 0,
            "no_end": bool(self.ignore_eos or self.ban_eos_token),
            "heal": bool(self.token_healing),
            "banned": tuple(self.banned_strings or ()),
        }
        if self.token_healing and self.logprobs is not None:
            raise ApiError(
                400,
                "token_healing must be left out with logprobs: its first token begins in the "
                "prompt, so it has no place in the text",
                param="token_healing",
            )
        if not self.dry_multiplier or self.dry_penalty_last_n == 0:
            return values
        given: dict[str, Any] = {
            "dry_multiplier": self.dry_multiplier,
            "dry_base": self.dry_base,
            "dry_allowed_length": self.dry_allowed_length,
            "dry_range": 0 if self.dry_penalty_last_n == -1 else self.dry_penalty_last_n,
            "dry_breakers": _listed(self.dry_sequence_breakers),
        }
        return values | {name: value for name, value in given.items() if value is not None}

    def _refuse_unsupported(self) -> None:
        for name in ("presence_penalty", "frequency_penalty"):
            if getattr(self, name):
                raise ApiError(
                    400,
                    f"{name} must be 0 or left out: the engine has no such penalty. Use "
                    "repetition_penalty, 1 to 2",
                    param=name,
                )
        if self.best_of not in (None, 1, self.n):
            raise ApiError(
                400,
                f"best_of must be left out: all versions are handed out, not {self.best_of}",
                param="best_of",
            )
        if self.suffix:
            raise ApiError(
                400, "suffix must be left out: the models write on, not in between", param="suffix"
            )
        if self.logit_bias:
            raise ApiError(
                400, "logit_bias must be left out: the engine has none", param="logit_bias"
            )


def _listed(breakers: str | list[str] | None) -> tuple[str, ...] | None:
    """Sequence breakers as a list, or as SillyTavern sends one: in JSON."""
    if breakers is None:
        return None
    given: object = breakers
    if isinstance(breakers, str):
        with suppress(ValueError, RecursionError):
            given = parsed(breakers.encode())
    if not is_list(given) or not all(isinstance(each, str) for each in given):
        message = "dry_sequence_breakers must be a list of texts, or one as JSON text"
        raise ApiError(400, message, param="dry_sequence_breakers")
    return tuple(given)


def _within(name: str, value: int, high: int) -> int:
    if not 0 <= value <= high:
        raise ApiError(400, f"{name} must be a whole number, 0 to {high}, not {value}", param=name)
    return value
