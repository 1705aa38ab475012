"""Requests of the panels, answered with plain data: a query changes nothing, a command does.

Each is a function in a file of this folder, with a name in `QUERIES` (the event "story_query") or
in `COMMANDS` ("story_command"): from the writer's session and the page's payload (untrusted) to a
dict that is JSON. A name is served by its own event alone. Neither kind changes the story: a
command changes what lies beside it, the votes and the trainings. So a query may be asked again at
any time, and a command may not.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chat.errors import RefusedError, fault
from chat.generate.draft import Draft
from chat.generate.request import OTHER_PAGE
from chat.panels import training, votes
from chat.panels.branches import branches
from chat.panels.cards import card, models
from chat.panels.context import context
from chat.panels.copied import copied
from chat.panels.find import find
from chat.panels.ghost import ghost
from chat.panels.settings import tune
from chat.panels.standing import standing
from chat.panels.timeline import runs
from chat.panels.token_probabilities import dice
from chat.session import REFUSALS, Session
from chat.story import Passage

NO_TOKEN = "There is no such token of the model's in the story."
log = logging.getLogger(__name__)

Query = Callable[[Session, Mapping[str, object]], Awaitable[dict[str, Any]]]
"""Only reads, whatever the payload."""
Command = Callable[[Session, Mapping[str, object]], Awaitable[dict[str, Any]]]
"""Changes something that lasts: votes, a text that was brought, a plan, a training."""


async def token(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """The distribution one token was drawn from: `passage` (an id), and its index `at` in it.

    Returns:
        id, text, raw_probability, probability, entropy (nats), moved (the words before it were
        changed since), and top: the likeliest tokens, best first, each with id, text,
        raw_probability and probability.

    Raises:
        RefusedError: There is no such token, or a writer wrote it.
    """
    drafts: dict[str, Draft | Passage] = {draft.id: draft for draft in session.drafts}
    match request:
        case {"passage": str(id), "at": int(at)} if id in (known := session.story.by_id | drafts):
            passage = known[id]
        case _:
            raise RefusedError(NO_TOKEN)
    if not 0 <= at < len(passage.tokens):
        raise RefusedError(NO_TOKEN)
    found = passage.tokens[at]
    top = [
        {
            "id": each.id,
            "text": each.text,
            "raw_probability": each.raw_probability,
            "probability": each.probability,
        }
        for each in found.top
    ]
    return {
        "id": found.id,
        "text": found.text,
        "raw_probability": found.raw_probability,
        "probability": found.probability,
        "entropy": found.entropy,
        "moved": isinstance(passage, Passage) and passage.moved,
        "top": top,
    }


QUERIES: dict[str, Query] = {
    "branches": branches,
    "card": card,
    "compare": votes.compare,
    "context": context,
    "copied": copied,
    "dice": dice,
    "find": find,
    "ghost": ghost,
    "models": models,
    "runs": runs,
    "standing": standing,
    "token": token,
    "training": training.training,
    "tune": tune,
    "votes": votes.votes,
    "votes_csv": votes.votes_csv,
}
COMMANDS: dict[str, Command] = {
    "training_halt": training.training_halt,
    "training_plan": training.training_plan,
    "training_resume": training.training_resume,
    "training_share": training.training_share,
    "training_start": training.training_start,
    "training_text": training.training_text,
    "votes_forget": votes.votes_forget,
}


async def answer_query(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """What the function that `request["query"]` names in `QUERIES` says, or {"error": …}."""
    return await _call(QUERIES, "query", session, request)


async def run_command(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """What the function that `request["command"]` names in `COMMANDS` did, or {"error": …}."""
    return await _call(COMMANDS, "command", session, request)


async def _call(
    served: Mapping[str, Query | Command],
    kind: str,
    session: Session,
    request: Mapping[str, object],
) -> dict[str, Any]:
    function = served.get(str(request.get(kind)))
    if function is None:
        return {"error": OTHER_PAGE}
    try:
        return await function(session, request)
    except REFUSALS as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - `fault` logs it
        return {"error": fault(log, f"{kind} {request[kind]}", error)}
