"""Memory and author's note: what they cost of a model's window, and the act that sets them."""

from collections.abc import Mapping
from typing import Any

from chat.errors import RefusedError
from chat.generate.placing import Prompt
from chat.generate.prompt import most_beside, off_the_loop, prompt_of
from chat.generate.resolve import NO_MODEL
from chat.models.engines import Loaded
from chat.session import Session
from chat.story import Context, ContextError

ROOMY = 2048
"""Tokens of a window from which on memory and note are recommended."""


async def context(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """What `memory` and `note`, at its `depth`, would cost of the window of `model`, or of the
    model that is picked.

    Returns:
        memory, note, story: tokens of each. window: how many the model reads at once. most: how
        many memory and note may have together. about: these are estimates. said: what it comes to,
        in sentences.

    Raises:
        RefusedError: There is no such model, it cannot read them, or they are too long.
    """
    beside = _context(request)
    key = str(request.get("model") or session.model or "")
    if key not in session.models:
        raise RefusedError(NO_MODEL)
    with session.engines.lease() as engines:
        loaded, story = await engines.get(session.models[key]), session.story
        prompt = await off_the_loop(lambda: prompt_of(story, loaded, beside))
    return {
        "memory": prompt.memory,
        "note": prompt.note,
        "story": len(prompt.of_story) - (not prompt.memory),
        "window": loaded.window,
        "most": most_beside(loaded),
        "about": loaded.listing.remote is not None,
        "said": _said(prompt, loaded),
    }


def _context(request: Mapping[str, object]) -> Context:
    try:
        return Context.of(request)
    except ContextError as error:
        raise RefusedError(f"This cannot be set: {error}.") from error


def _said(prompt: Prompt, loaded: Loaded) -> str:
    """What memory and note come to, honestly."""
    key, cost, window = loaded.listing.key, prompt.memory + prompt.note, loaded.window
    about = "" if loaded.listing.remote is None else "about "
    estimate = " The model is on a server, so its tokens are estimated here." if about else ""
    takes = (
        f"They take {about}{cost:,} of the {about}{window:,} tokens that “{key}” reads at once: "
        f"{about}{window - cost:,} are left for the story."
        if cost
        else f"“{key}” reads {about}{window:,} tokens at once; {most_beside(loaded):,} of them may "
        "be memory and note."
    )
    small = (
        f" A small window: memory and note are for models that read {ROOMY:,} tokens and more. "
        "Smaller ones take up names from a note near the end, and forget a memory after a page."
        if window < ROOMY
        else ""
    )
    return takes + small + estimate


async def act_on_context(session: Session, request: Mapping[str, object]) -> None:
    """Set memory and note for all that is written from now on.

    Args:
        request: `memory`, `note` and its `depth`; untrusted.
    """
    try:
        await session.put_context(_context(request))
    except RefusedError as error:
        await session.page.tell(str(error), "error")
