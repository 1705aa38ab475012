"""What a client gets, as OpenAI's completions API has it."""

from typing import Literal

from pydantic import BaseModel


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
