"""The one door for what a server sends: values of the right kind and size, or an error."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from chat.models.remote.characters import line_of
from gpt.files import printable
from gpt.files.strict_json import is_list, is_object, parsed
from gpt.tokenizers.pieces import whole_characters

MOST_MODELS = 200
MOST_NAME = 200
"""Characters of a model's name; a longer one is none."""
MOST_TOP = 20
"""Alternatives of one token."""
MOST_PIECE = 1000
"""Characters of one token."""
MOST_TOKENS = 20_000
"""In one event."""
MOST_SAID = 200
"""Characters of a server's own words that a writer is shown."""
LEAST_CONTEXT, MOST_CONTEXT = 16, 1 << 24
"""Tokens; a server that says that a model reads fewer or more is not believed."""
FAILED = ("error", "abort", "cancelled")
"""How a server says that it could not write on."""
UNLIKELY = -9999.0
"""How servers write the logarithm of nothing."""


class AnswerError(ValueError):
    """It is no answer of the completions API; the message says what of it is wrong."""


class GaveUpError(ValueError):
    """A server says in the middle of an answer that it cannot go on; the message is its own words,
    or none, as `said_in` has them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model that a server has.

    Attributes:
        id: What the server calls it.
        owner: Its `owned_by`, which tells the program.
        context: The tokens that it reads; None where the server does not say.
    """

    id: str
    owner: str = ""
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Chance:
    """A token that might come, and its probability before any sampler; None where that is no
    number."""

    text: str
    probability: float | None


@dataclass(frozen=True, slots=True)
class Spoken:
    """A token that was written, with the likeliest in its place, best first."""

    text: str
    probability: float | None
    top: tuple[Chance, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """What an event brings: text, maybe with its tokens; why the text ends; counts of tokens.

    Attributes:
        text: May end in half a character; see `chat.models.remote.characters`.
        prompt_tokens: Of the whole prompt; None where it does not say.
        last: The server says that nothing more will come.
    """

    text: str = ""
    tokens: tuple[Spoken, ...] = ()
    finish: str | None = None
    prompt_tokens: int | None = None
    last: bool = False


def models_in(data: bytes) -> list[Model]:
    """The models in the answer to GET /models; one with a name that is none is left out.

    Raises:
        AnswerError: It is no list of models.
    """
    value = _object(data)
    entries = value.get("data")
    if not is_list(entries):
        raise AnswerError("no list of models under “data”")
    found: dict[str, Model] = {}
    for entry in entries[:MOST_MODELS]:
        if not is_object(entry) or not isinstance(id := entry.get("id"), str):
            continue
        if not 0 < len(id) <= MOST_NAME or printable(id) != id:
            continue
        owner = entry.get("owned_by")
        found[id] = Model(
            id=id,
            owner=owner[:MOST_NAME] if isinstance(owner, str) else "",
            context=_context(entry),
        )
    return list(found.values())


def _context(entry: Mapping[str, Any]) -> int | None:
    meta = entry.get("meta")
    said = [entry.get("max_model_len"), entry.get("max_context_length")]
    if is_object(meta):
        said = [*said, meta.get("n_ctx"), meta.get("n_ctx_train")]
    return next((each for each in said if _is_context(each)), None)


def piece_in(data: bytes) -> Piece:
    """What one event of a stream brings, or a whole answer.

    Raises:
        AnswerError: It is none.
        GaveUpError: It says that no more will come.
    """
    value = _object(data)
    if value.get("error") is not None:
        raise GaveUpError(said_in(data))
    usage, choices = value.get("usage"), value.get("choices")
    count = usage.get("prompt_tokens") if is_object(usage) else None
    counted = count if _is_count(count, MOST_CONTEXT) else None
    if choices is None or choices == []:  # the counts come in an event of their own
        return Piece(prompt_tokens=counted)
    if not is_list(choices) or not is_object(choice := choices[0]):
        raise AnswerError("its “choices” are no list of objects")
    text, finish = choice.get("text"), choice.get("finish_reason")
    if text is None:
        text = ""
    if not isinstance(text, str) or not isinstance(finish, str | None):
        raise AnswerError("its text is no text")
    if finish in FAILED:
        raise GaveUpError("")
    return Piece(
        text=text,
        tokens=tuple(_tokens(choice.get("logprobs"))),
        finish=finish or None,
        prompt_tokens=counted,
    )


def said_in(data: bytes) -> str:
    """What a server says went wrong, as it came: it may hold a key, and have any length and lines
    (`connection` takes out and shortens, in this order); "" where it says nothing that is text."""
    try:
        value = _object(data)
    except AnswerError:
        return ""
    fields = (value.get(name) for name in ("error", "detail", "message"))
    said: object = next((each for each in fields if each is not None), None)
    if is_object(said):
        said = said.get("message")
    return said if isinstance(said, str) else ""


def in_short(said: str) -> str:
    """A server's words as one line of up to `MOST_SAID` characters."""
    return printable(" ".join(said.split()))[:MOST_SAID]


def counts_in(data: bytes) -> tuple[int | None, int | None] | None:
    """The prompt's tokens and the room for them, where an error says that the prompt is too long;
    None for another error."""
    try:
        error: object = _object(data).get("error")
    except AnswerError:
        return None
    words = said_in(data).lower()
    if is_object(error):
        count, room = error.get("n_prompt_tokens"), error.get("n_ctx")
        if _is_count(count, 1 << 40) and _is_context(room):
            return count, room
    return (None, None) if "context" in words and ("length" in words or "size" in words) else None


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = parsed(line_of(data), finite=False)
    except json.JSONDecodeError as error:
        raise AnswerError(f"no JSON ({error})") from None
    except (ValueError, RecursionError):
        # What our own bounds say may quote the server, cut in the middle of a key.
        raise AnswerError("no JSON within the bounds of an answer") from None
    if not is_object(value):
        raise AnswerError("no object of JSON")
    return value


def _tokens(logprobs: object) -> Iterator[Spoken]:
    """The tokens of a choice: as a list under "content", or in lists side by side."""
    if not is_object(logprobs):
        return
    content = logprobs.get("content")
    if is_list(content):
        for entry in content[:MOST_TOKENS]:
            if not is_object(entry):
                raise AnswerError("a token that is no object")
            tops = entry.get("top_logprobs")
            top = [_chance(each) for each in tops[:MOST_TOP]] if is_list(tops) else []
            mine = _chance(entry)
            yield Spoken(mine.text, mine.probability, _best_first(top))
        return
    texts, values = logprobs.get("tokens"), logprobs.get("token_logprobs")
    if not is_list(texts):
        return
    tops = logprobs.get("top_logprobs")
    values = values if is_list(values) else []
    tops = tops if is_list(tops) else []
    for place, text in enumerate(texts[:MOST_TOKENS]):
        likely = tops[place] if place < len(tops) else None
        top = list(likely.items())[:MOST_TOP] if is_object(likely) else []
        yield Spoken(
            _piece(text),
            probability(values[place]) if place < len(values) else None,
            _best_first([Chance(_piece(each), probability(value)) for each, value in top]),
        )


def _chance(entry: object) -> Chance:
    if not is_object(entry):
        raise AnswerError("a token that is no object")
    return Chance(_piece(entry.get("token")), probability(entry.get("logprob")))


def _best_first(top: list[Chance]) -> tuple[Chance, ...]:
    known = [each for each in top if each.probability is not None]
    return tuple(sorted(known, key=lambda each: -(each.probability or 0)))


def _piece(text: object) -> str:
    if not isinstance(text, str) or len(text) > MOST_PIECE:
        raise AnswerError("a token that is no text, or too long a one")
    return whole_characters(text)


def probability(value: object) -> float | None:
    """The probability that a logarithm stands for; None where it is none.

    >>> probability(-9999.0), probability(float("nan")), probability(3)
    (0.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value <= UNLIKELY:
        return 0.0
    # A little above 0 is how a server rounds; NaN is not.
    return math.exp(min(0.0, value)) if value <= 0.01 else None


def _is_context(value: object) -> TypeGuard[int]:
    return _is_count(value, MOST_CONTEXT) and value >= LEAST_CONTEXT


def _is_count(value: object, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
