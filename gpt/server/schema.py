"""What a client may send and what it gets, as OpenAI's completions API has it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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


# Without fail_fast a long list of the wrong kind is as many errors, which take seconds to make.
Ids = Annotated[list[int], Field(fail_fast=True)]
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
    stop: str | Annotated[list[str], Field(fail_fast=True)] | None = Field(
        None, description=LIMITS["stop"].explanation, json_schema_extra={"maxItems": 4}
    )
    seed: int | None = Field(
        None,
        description=LIMITS["seed"].explanation + " -1 is a random one.",
        json_schema_extra={"minimum": -1, "maximum": LIMITS["seed"].high},
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
            message = str(error).replace("a tuple of ", "")
            raise ApiError(400, message, param=message.split()[0]) from error
        return params

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


def _within(name: str, value: int, high: int) -> int:
    if not 0 <= value <= high:
        raise ApiError(400, f"{name} must be a whole number, 0 to {high}, not {value}", param=name)
    return value


class Logprobs(BaseModel):
    """The tokens of a choice, one by one, with natural logarithms of the model's probabilities."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]
    """Where each token begins in the text of its choice."""

    def extend(self, other: "Logprobs") -> None:
        """Add the tokens that follow."""
        self.tokens += other.tokens
        self.token_logprobs += other.token_logprobs
        self.top_logprobs += other.top_logprobs
        self.text_offset += other.text_offset

    def copied(self) -> "Logprobs":
        """The same, to be extended by itself."""
        lists = {name: list(getattr(self, name)) for name in type(self).model_fields}
        return self.model_copy(update=lists)


FinishReason = Literal["stop", "length"]


class Choice(BaseModel):
    """One version of what follows, or a piece of one."""

    text: str
    index: int
    logprobs: Logprobs | None
    finish_reason: FinishReason | None


class Usage(BaseModel):
    """How many tokens were read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_seen: int
    """Those of the prompts that fitted the model's window, the last ones of each."""


class Completion(BaseModel):
    """An answer, or a chunk of one that streams."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    """What computes the tokens: the same text comes again from the same one."""
    choices: list[Choice]
    usage: Usage | None = None


class Model(BaseModel):
    """A model that writes here."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "inkling"
    max_model_len: int
    """The tokens that it sees at once."""


class Models(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]


class Health(BaseModel):
    """That it runs, and what computes the tokens of each model."""

    status: Literal["ok"] = "ok"
    decoding: dict[str, str]
