"""`GenerationRequest`: what the page asks a model to write. `chat.generate.resolve` goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chat import settings
from chat.errors import RefusedError
from chat.settings import Value
from chat.story import Context
from gpt.files.strict_json import is_object
from gpt.sampling import LIMITS

TAKES = range(1, int(LIMITS["n"].high or 1) + 1)
LAST = "last"
LADDER = (0.2, 0.5, 0.8, 1.0, 1.3)
"""Temperatures that stand side by side, from careful to wild."""
OTHER_PAGE = "This page asks for what this version does not know: reload it."


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One of several takes that differ on purpose: in the model, or in the settings.

    Attributes:
        label: What tells it from the others, in a word or two.
        model: Who shall write; None for whom the rest was asked of.
        settings: What is different, checked (`chat.settings.layer`); the last layer of all.
    """

    label: str
    model: str | None = None
    settings: Mapping[str, Value] = field(default_factory=dict[str, Value])


@dataclass(frozen=True, slots=True)
class Fork:
    """Another token in the place of one that a model wrote; see `chat.story.editing.fork`.

    Attributes:
        at: The place of the token in the passage.
        token: The id of the one that shall stand there.
    """

    passage: str
    at: int
    token: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """What the page asks a model to write; nothing of it is looked up yet.

    Attributes:
        words: The writer's own, which come first; none to just go on.
        model: Who shall write; None for whoever wrote last.
        retry: The passage to write another alternative of, or LAST: the last one a model wrote.
        takes: How many alternatives at once.
        sentence: Go on to the end of the sentence only.
        fork: Put another token in the place of one, and go on from there.
        variants: Takes that differ on purpose, all from one seed; instead of `takes`.
        contest: The two variants are compared, with their names in sight or not
            (chat/compare/contest.py).
        settings: For this request alone, checked (`chat.settings.layer`).
        again: The retry is to bring the same text once more (chat/generate/reproduce.py).
        context: What is read beside the story; None for what the chat is set to.
        core: What shall compute it (`gpt.engine.Engine.submit`); None for what is best here.
    """

    words: str = ""
    model: str | None = None
    retry: str | None = None
    takes: int = 1
    sentence: bool = False
    fork: Fork | None = None
    variants: tuple[Variant, ...] = ()
    contest: Literal["open", "blind"] | None = None
    settings: Mapping[str, Value] = field(default_factory=dict[str, Value])
    again: bool = False
    context: Context | None = None
    core: str | None = None


def request_from_page(data: Mapping[str, object], model: str | None) -> GenerationRequest:
    """The request in the payload that a button of the page sends, which is untrusted.

    Args:
        data: `ask` is "continue", "retry", "finish", "ladder" or "fork"; `passage`, `takes` and
            `settings`: see `GenerationRequest`; to continue, `words` as well; `at`, `token`: see
            `Fork`.

    Raises:
        RefusedError: It is no request that we know, or for too many takes.
        SettingsError: A setting cannot be used.
    """
    raw = data.get("settings")
    own = settings.layer(raw) if is_object(raw) else {}
    takes, passage = data.get("takes", 1), data.get("passage", LAST)
    if not isinstance(takes, int) or takes not in TAKES:
        raise RefusedError(f"Not so many versions can be written at once: {LIMITS['n'].range}.")
    match data:
        case {"ask": "retry"}:
            return GenerationRequest(retry=str(passage), takes=takes, model=model, settings=own)
        case {"ask": "finish"}:
            return GenerationRequest(sentence=True, model=model, settings=own)
        case {"ask": "continue"}:
            words = data.get("words")
            words = words if isinstance(words, str) else ""
            return GenerationRequest(words=words, takes=takes, model=model, settings=own)
        case {"ask": "ladder"}:
            return GenerationRequest(variants=ladder(), model=model)
        case {"ask": "fork", "passage": str(id), "at": int(at), "token": int(token)}:
            return GenerationRequest(fork=Fork(id, at, token), model=model)
        case _:
            raise RefusedError(OTHER_PAGE)


def ladder() -> tuple[Variant, ...]:
    """A take at each temperature of `LADDER`, all from one seed."""
    return tuple(Variant(label=f"Temperature {t}", settings={"temperature": t}) for t in LADDER)
