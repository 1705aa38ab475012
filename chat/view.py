"""The story as plain data (JSON) for the page; the shapes are in public/payloads.d.ts.

`chat.session_state` sends all of it ("story_state") when something other than the tail changed,
else the tokens that the page does not have yet ("story_delta").
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chat.errors import RefusedError
from chat.generate.draft import Draft
from chat.generate.prompt import prompt_of
from chat.models import Listing
from chat.models.engines import Loaded
from chat.settings import told
from chat.story import ENDINGS, Context, Passage, Story, StoryToken
from chat.story.authors import runs_in
from chat.story.books import story_language
from chat.story.context import NO_CONTEXT
from chat.story.tokens import raw_probabilities_of, texts_of
from gpt.text.prompt import kept_count, window_start
from gpt.text.sentences import ends_sentence


def facts(passage: Passage) -> dict[str, Any] | None:
    """Model, settings, seed, tokens and tokens/s of a passage; None for the writer's own words."""
    if passage.author != "model":
        return None
    settings = [
        {"name": name, "label": label, "value": value}
        for name, label, value in told(passage.settings)
    ]
    if passage.context:
        value = passage.context.parts
        settings.append({"name": "context", "label": "Read beside it", "value": value})
    seconds, count = passage.elapsed_s, len(passage.ids)
    return {
        "model": passage.model,
        "settings": settings,
        # A browser's numbers are exact only to 2**53, so a seed travels as text.
        "seed": None if passage.seed is None else str(passage.seed),
        "tokens": count,
        "rate": _rate(count, seconds),
        "ending": ENDINGS.get(passage.finish_reason or ""),
        "moved": passage.moved,
        "core": passage.core,
    }


CLOCK_S = 1e-6
"""No passage was written in less, whatever a file says of it."""


def _rate(count: int, seconds: float | None) -> float | int | None:
    """Tokens a second, as exact as a reader needs it."""
    if not seconds or seconds < CLOCK_S:
        return None
    rate = count / seconds
    return round(rate) if rate >= 10 else round(rate, 1)


def pieces(passage: Passage) -> list[tuple[str, bool]]:
    """The text in the parts it came in, each with whether the writer changed it: tokens of the
    model, what an edit left and brought, or one part."""
    tokens = [(text, False) for text in texts_of(passage.tokens)]
    if not passage.runs:
        return tokens or [(text, False) for text in [passage.text] if text]
    start = sum(len(text) for text, _ in tokens)
    return [*tokens, *runs_in(passage.text, passage.runs, start)]


def odds(tokens: Sequence[StoryToken]) -> list[float | None]:
    """The model's probability of each token before any sampler (no odds ratio), to three digits;
    None where it is not known. The rest of the distribution: `chat.panels.dispatch.token`.
    """
    known = raw_probabilities_of(tokens)
    return [None if each is None else float(f"{each:.3g}") for each in known]


def passage_data(passage: Passage, story: Story | None = None) -> dict[str, Any]:
    """A passage as the page shows it.

    Args:
        story: Where it stands, for its place among its alternatives; None while it is written.
    """
    ids = [each.id for each in story.alternatives(passage.id)] if story else [passage.id]
    parts = pieces(passage)
    own = [at for at, (_, mine) in enumerate(parts) if mine] if passage.runs else None
    return {
        "id": passage.id,
        "place": ids.index(passage.id) + 1,
        "places": len(ids),
        "author": passage.author,
        "tokens": [text for text, _ in parts],
        "own": own,
        "odds": odds(passage.tokens),
        "facts": facts(passage),
        "finish": passage.finish_reason,
    }


def meter(
    ids: Sequence[int],
    window: int,
    text: str,
    decode: Callable[[Sequence[int]], str],
    start: int | None = None,
    memory: int = 0,
    note: int = 0,
) -> dict[str, Any]:
    """What the model sees of the story before its next token.

    Args:
        ids: Of the story; before them what a story begins after, unless a memory stands there.
        memory, note: Tokens that stand beside the story, and are seen always.
        start: The first token in sight; None where the window slides as `window_start` says.

    Returns:
        used, window: Tokens in sight, and how many can be. story: all of its tokens. memory, note:
        theirs, which are in `used`. unseen: how much of the text is out of sight, counted as a
        browser counts it (UTF-16 units).
    """
    beside = memory + note + bool(memory)
    start = window_start(len(ids), window - beside) if start is None else start
    hidden = text[: max(0, len(text) - len(decode(ids[start:])))] if start else ""
    return {
        "used": len(ids) - start + beside,
        "window": window,
        "story": len(ids) - (not memory),
        "memory": memory,
        "note": note,
        "unseen": len(hidden.encode("utf-16-le", "surrogatepass")) // 2,
    }


def story_meter(
    story: Story, drafts: Sequence[Draft], loaded: Loaded, context: Context = NO_CONTEXT
) -> dict[str, Any] | None:
    """`meter` of a story and the longest draft that goes on from it; None where the model cannot
    read them, for it knows some of their characters not, or what stands beside is too long.

    Args:
        context: What will stand beside the story; a draft has its own.
    """
    text, drafted, length, written = story.text, 0, None, list[int]()
    if own := [draft for draft in drafts if draft.model == loaded.listing.key]:
        draft = max(own, key=lambda each: len(each.tokens))
        text, prompt, written = text + draft.text, draft.prompt, draft.ids
        drafted, length = len(draft.ids), draft.params.max_new_tokens
    else:
        try:
            prompt = prompt_of(story, loaded, context)
        except RefusedError:
            return None
    ids, memory, note = [*prompt.of_story, *written], prompt.memory, prompt.note
    start = loaded.first_seen(len(ids), drafted, length, kept_count(prompt.keep))
    decode = loaded.tokenizer.decode
    told = meter(ids, loaded.window, text, decode, start, memory=memory, note=note)
    # Of a model on a server the tokens are an estimate.
    return {**told, "about": loaded.listing.remote is not None}


def outgrown(meter: Mapping[str, Any]) -> str:
    """What a writer is told when the model loses sight of the beginning."""
    about = "about " if meter["about"] else ""
    return (
        f"The story has outgrown the {about}{meter['window']} tokens this model can read. "
        "It goes on from what it still sees; the rest is dimmed."
    )


def undone(listing: Listing) -> dict[str, str]:
    """The settings that a model's server cannot do, each with that in words."""
    if listing.remote is None:
        return {}
    dialect = listing.remote.dialect
    missing = (*dialect.missing, *(["seed"] if dialect.seeds is None else []), "heal")
    return dict.fromkeys(missing, f"not done by “{listing.server}”, whatever stands here")


def story_data(
    story: Story, drafts: Sequence[Draft] = (), choice: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The story as it is read; `whole` where there is no sentence to be finished.

    Args:
        drafts: What is being written now; several are takes, side by side.
        choice: Ids of takes that wait to be picked from, with their labels; the path goes through
            one of them.
    """
    path = [passage_data(passage, story) for passage in story.path]
    takes = [{**passage_data(draft.passage()), "label": draft.label} for draft in drafts]
    if len(takes) == 1:
        path, takes = [*path, *takes], []
    if choice:
        takes = [
            {**passage_data(story.passage(id), story), "label": label}
            for id, label in choice.items()
        ]
        path = [passage for passage in path if passage["id"] not in choice]
    return {
        "story": story.id,
        "language": story_language(story.text),
        "passages": path,
        "takes": takes,
        "ended": not drafts and not choice and story.ended,
        "whole": not drafts and not choice and ends_sentence(story.text),
    }


def model_data(listings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The models to pick from: key, summary and starters (beginnings to click) of each, and whether
    a server of another program runs it."""
    return [
        {
            "key": listing.key,
            "summary": listing.summary,
            "starters": list(listing.starters),
            "remote": listing.remote is not None,
        }
        for listing in listings.values()
    ]
