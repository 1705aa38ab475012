"""A passage of a story: its words, who wrote them, and the tokens that a model wrote them in."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from chat.story.context import Context
from chat.story.tokens import PackedTokens, StoryToken, entry_of_token, packed, token_of
from gpt.files.strict_json import is_object
from gpt.tokenizers import Tokenizer

Author = Literal["writer", "model", "edited"]
FinishReason = Literal["end", "stop", "length", "stopped", "failed", "sentence", "loop", "cut"]
ENDINGS = {
    "end": "came to its end",
    "stop": "met a stop string",
    "length": "reached its length",
    "stopped": "stopped by you",
    "failed": "broken off by an error",
    "sentence": "finished the sentence",
    "loop": "stopped: it repeated itself",
    "cut": "cut by you",
}
"""How a passage came to its end, in words."""
OLDER_CORE = "torch float32"
"""What wrote the passages that do not say it."""


class StoryError(ValueError):
    """A story that was read from outside does not hold together."""


def new_id() -> str:
    return uuid.uuid4().hex


def now_s() -> float:
    """Seconds since 1970, to the millisecond."""
    return round(time.time(), 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """One turn of the story.

    Attributes:
        text: What stands in the story, the space that joins it to the passage before included.
        ids: The same text as `model`'s tokens, without the end-of-story token; none where it was
            edited.
        model: Whose tokens `ids` are, or whose words were edited.
        tokens: How each of them came; where it was edited, those before the first change.
        runs: Where it was edited, so many characters are the model's, so many the writer's, by
            turns. Empty in what older versions kept.
        settings: The values that were in force, by name; empty for the writer's words.
        finish_reason: Why the model ended: "end" of the story, a "stop" string, "length",
            "stopped" by the writer, "failed", at the end of a "sentence" that it was to finish, in
            a "loop" of the same words; or the writer "cut" it shorter later.
        moved: The words before it were changed after it was written. Its seed and its
            probabilities tell of the words that stood there then.
        core: What computed its tokens, and how exactly (`gpt.text.token.Token.core`): its seed
            brings it again with that one. None in what older versions kept, see `OLDER_CORE`.
        whole: The writer's words had a space after them, which was left out: their last word is not
            to be completed.
        context: The memory and the note that it was written with; None for none.
        written_s: When it was, in seconds since 1970. None in what older versions kept.
    """

    id: str = field(default_factory=new_id)
    parent: str | None = None
    author: Author
    text: str
    ids: tuple[int, ...] = ()
    model: str | None = None
    tokens: Sequence[StoryToken] = ()
    runs: tuple[int, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seed: int | None = None
    finish_reason: FinishReason | None = None
    elapsed_s: float | None = None
    moved: bool = False
    core: str | None = None
    whole: bool = False
    context: Context | None = None
    written_s: float | None = field(default_factory=now_s)


_FIELDS = tuple(each.name for each in fields(Passage))


def says_its_ids(tokenizer: Tokenizer, passage: Passage) -> bool:
    """Whether the ids of a passage are its text."""
    known = all(0 <= id < tokenizer.vocab_size for id in passage.ids)
    return known and tokenizer.decode(passage.ids) == passage.text


def passage_of(entry: Mapping[str, Any]) -> Passage:
    """The passage that `entry_of` made a dictionary of; one of an older version too. Its tokens may
    be `PackedTokens` already.

    Raises:
        StoryError, ContextError, KeyError, TypeError: It is none.
    """
    unknown = set(entry) - set(_FIELDS)
    if unknown or entry["author"] not in get_args(Author) or not isinstance(entry["text"], str):
        raise StoryError(f"passage {str(entry.get('id'))[:40]} is not one of ours")
    tokens = entry["tokens"]
    if not isinstance(tokens, PackedTokens):
        tokens = tuple(map(token_of, tokens))
    settings = entry.get("settings", {})
    # The length alone decided before there was a setting for what comes after it; but what Finish
    # the sentence wrote cannot be written by a setting that was not there.
    old = "max_new_tokens" in settings and "finish_chars" not in settings
    if old and entry.get("finish_reason") != "sentence":
        settings = {**settings, "finish_chars": 0}
    read: dict[str, Any] = {"settings": settings, "ids": tuple(entry["ids"]), "tokens": tokens}
    if "runs" in entry:
        read["runs"] = _runs_from(entry)
    read["written_s"] = entry.get("written_s")
    if "context" in entry:
        read["context"] = Context.of(entry["context"])
    return Passage(**{**entry, **read})


def _runs_from(entry: Mapping[str, Any]) -> tuple[int, ...]:
    """Raises StoryError for runs that are not those of the text."""
    runs = tuple(entry["runs"])
    whole = all(type(run) is int and run >= 0 for run in runs)
    if not whole or entry["author"] != "edited" or sum(runs) != len(entry["text"]):
        raise StoryError(f"who wrote passage {str(entry.get('id'))[:40]} is not told by its runs")
    return runs


def entry_of(passage: Passage) -> dict[str, Any]:
    """The dictionary that `passage_of` reads. What older versions kept of a passage stays as it is:
    what they did not know is left out where it says nothing."""
    entry: dict[str, Any] = {name: getattr(passage, name) for name in _FIELDS}
    entry["settings"] = dict(passage.settings)
    entry["tokens"] = [entry_of_token(token) for token in passage.tokens]
    if not passage.runs:
        del entry["runs"]
    if passage.core is None:
        del entry["core"]
    if not passage.whole:
        del entry["whole"]
    if passage.context:
        entry["context"] = passage.context.to_dict()
    else:
        del entry["context"]
    if passage.written_s is None:
        del entry["written_s"]
    return entry


def passage_json(passage: Passage) -> str:
    """A passage as the library keeps it: as `entry_of`, but its tokens in columns."""
    columns = packed(passage.tokens) if passage.tokens else None
    if columns is None:
        return json.dumps(entry_of(passage))
    return json.dumps({**entry_of(replace(passage, tokens=())), "tokens": columns})


def with_tokens(entry: dict[str, Any]) -> dict[str, Any]:
    """What `passage_of` reads, from what `passage_json` wrote, or `entry_of`.

    Raises:
        KeyError, TypeError, ValueError: It is damaged.
    """
    columns = entry["tokens"]
    return {**entry, "tokens": PackedTokens(columns)} if is_object(columns) else entry
