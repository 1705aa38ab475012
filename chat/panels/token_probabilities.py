"""The Dice panel: the distribution of the next token, before and after the samplers."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

from chat import commands, settings
from chat.errors import RefusedError
from chat.generate.placing import Prompt
from chat.generate.prompt import off_the_loop, prompt_of, with_words
from chat.generate.resolve import NO_MODEL
from chat.models import Listing
from chat.models.engines import Loaded
from chat.models.remote.answers import Chance
from chat.models.remote.engine import RemoteEngine
from chat.session import Session
from chat.story.joining import strip_trailing_spaces
from gpt.distribution import token_distribution
from gpt.engine import Engine
from gpt.files.strict_json import is_object
from gpt.sampling import SamplingParams
from gpt.text.bias import bias_of
from gpt.tokenizers.pieces import whole_characters

SHOWN = 20
"""How many of the likeliest tokens are listed."""
PROMPTS = 4
"""How many prompts have their logits cached, so that only the samplers run anew."""
SAMPLERS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
TAIL = 80
"""Characters of the story before the token that are shown."""


async def dice(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """What may stand at the story's end, nothing drawn yet.

    Args:
        request: `model`, else whoever wrote last; `words` that stand in the composer; `settings`,
            the samplers where they differ from those of the next message.

    Returns:
        model, after (the end of the text before it), characters (whether each token is one),
        settings (each name, label, value and how it is shown), top (the likeliest tokens, best
        first, each with id, text, raw_probability and probability), raw_entropy and entropy (nats,
        before and after the samplers), kept (how many tokens may still be drawn) and vocab_size.
        Of a model on a server only the raw probabilities are known; the rest is None.

    Raises:
        RefusedError, SettingsError: There is no such model, the words or the settings cannot be
            used.
    """
    given = request.get("settings")
    asked = settings.layer(given) if is_object(given) else {}
    with session.engines.lease() as engines:
        return await _dice(
            session, request, asked, await engines.get(_listing(session, request.get("model")))
        )


async def _dice(
    session: Session,
    request: Mapping[str, object],
    asked: dict[str, settings.Value],
    loaded: Loaded,
) -> dict[str, Any]:
    """The distribution of a model that is held in memory; see `dice`."""
    tokenizer = loaded.tokenizer
    beside, words = _words(str(request.get("words") or ""))
    params = settings.sampling_params(
        session.tuning.in_force(loaded.listing.own),
        asked,
        beside,
        character_model=tokenizer.kind == "char",
    )
    before = session.story
    story = await off_the_loop(lambda: with_words(before, words, loaded))
    prompt = await off_the_loop(lambda: prompt_of(story, loaded, session.context))
    if story.ended:
        params = replace(params, min_new_tokens=1)
    told = (
        await _told_by_server(session, loaded.listing.remote, prompt)
        if loaded.listing.remote is not None
        else await _told_here(session, loaded, prompt, params)
    )
    used = settings.used(params)
    return {
        "model": loaded.listing.key,
        "after": story.text[-TAIL:],
        "characters": tokenizer.kind == "char",
        "settings": [
            {
                "name": name,
                "label": settings.LABELS[name],
                "value": used[name],
                "shown": settings.shown(name, used[name]),
            }
            for name in SAMPLERS
        ],
        **told,
    }


async def _told_here(
    session: Session, loaded: Loaded, prompt: Prompt, params: SamplingParams
) -> dict[str, Any]:
    """The whole distribution, of a model in this process."""
    seen = prompt.seen(loaded.listing.block_size)
    bias = bias_of(params, seen, loaded.tokenizer)
    told = token_distribution(await _logits(session, loaded, seen), params, seen, SHOWN, bias)
    piece = loaded.tokenizer.piece
    return {
        "top": [
            {"id": id, "text": piece(id), "raw_probability": raw, "probability": after}
            for id, raw, after in told.top
        ],
        "raw_entropy": told.raw_entropy,
        "entropy": told.entropy,
        "kept": told.kept,
        "vocab_size": told.vocab_size,
    }


async def _told_by_server(session: Session, engine: RemoteEngine, prompt: Prompt) -> dict[str, Any]:
    """The likeliest tokens, of a model on a server."""
    ids, keep = prompt.ids, prompt.keep
    key = (engine, tuple(ids), keep)
    if key not in session.logits:
        _keep(session, key, await engine.odds(ids, SHOWN, writer=session.writer, keep=keep))
    top: tuple[Chance, ...] = session.logits[key]
    known = [(engine.tokenizer.id_of(each.text), each) for each in top]
    return {
        "top": [
            {
                "id": id,
                "text": each.text,
                "raw_probability": each.probability,
                "probability": None,
            }
            for id, each in known
            if id is not None
        ],
        **dict.fromkeys(("raw_entropy", "entropy", "kept", "vocab_size")),
    }


def _listing(session: Session, asked: object) -> Listing:
    key = str(asked) if asked else session.model
    if key is None:
        raise RefusedError(NO_MODEL)
    # It may have been taken away since, or shared no longer.
    session.models = session.find_models()
    if key not in session.models:
        raise RefusedError(f"There is no model “{key[:60]}” any more: pick another one.")
    return session.models[key]


def _words(line: str) -> tuple[dict[str, settings.Value], str]:
    """The settings and the words of a line that was not sent yet; a command has none."""
    try:
        if commands.parse_line(line) is not None:
            return {}, ""
    except commands.CommandError:
        return {}, ""
    beside, words = settings.directive(whole_characters(commands.words(line)))
    return beside, strip_trailing_spaces(words)[0]


async def _logits(session: Session, loaded: Loaded, ids: list[int]) -> Any:
    """The model's logits (V,) after `ids`, from what was kept where it was asked before."""
    key = (loaded.listing.key, loaded.listing.version, tuple(ids))
    if key not in session.logits:
        assert isinstance(loaded.engine, Engine)
        _keep(session, key, await loaded.engine.logits(ids, writer=session.writer))
    return session.logits[key]


def _keep(session: Session, key: Hashable, told: object) -> None:
    session.logits[key] = told
    while len(session.logits) > PROMPTS:
        del session.logits[next(iter(session.logits))]
