"""What the votes say: the panel's tables, in numbers and in plain words, and as a file."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from chat.compare.vote_stats import Pair, Record, VoteChoice, pairs, rounds_for, standings
from chat.compare.votes import Ballot, Contestant, Vote, contestants, to_csv
from chat.errors import RefusedError
from chat.generate.readable import unreadable
from chat.models import Listing
from chat.models.saved_steps import step_listings
from chat.panels.settings import preset_data
from chat.session import Session
from chat.settings import LABELS, shown
from gpt.files.strict_json import is_list
from gpt.sampling import LIMITS

SHORT = 6
"""Digits of a fingerprint that tell two models of one name apart."""


async def compare(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`compare`: the `settings` that two can differ in, each with name, label, about, range and
    what the next message of each of the `models` is `set` to; the `presets` to begin from; and
    `unread`, for each of the models why it cannot read the story, or ""."""
    asked = request.get("models")
    keys = [str(each) for each in asked] if is_list(asked) else []
    values = [session.tuning.in_force(session.usual(key)) for key in keys or [""]]
    unread = await asyncio.to_thread(_unread, session, keys, session.story.text)
    return {
        "unread": unread,
        "presets": [preset_data(preset) for preset in (await session.presets()).values()],
        "settings": [
            {
                "name": name,
                "label": label,
                "about": LIMITS[name].explanation,
                "range": LIMITS[name].range,
                "set": [shown(name, each[name]) for each in values],
            }
            for name, label in LABELS.items()
            if name != "seed"
        ],
    }


def _unread(session: Session, keys: Sequence[str], text: str) -> list[str]:
    listings = _listings(session, keys)
    return [unreadable(listings[key], text) if key in listings else "" for key in keys]


def _listings(session: Session, keys: Sequence[str]) -> Mapping[str, Listing]:
    """Models, and saved steps where one is asked for, by their keys."""
    models = session.models
    return models if {*keys} <= {*models} else {**models, **step_listings(models)}


async def votes(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`votes`: the writer's own, summed up; see `summary`."""
    return summary(await _ballot(session).all())


async def votes_csv(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`votes_csv`: all of them as a file, `name` and `text`."""
    return {"name": "votes.csv", "text": to_csv(await _ballot(session).all())}


async def votes_forget(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`votes_forget`: delete all votes of the writer for good; `forgotten` says how many. No story
    is touched."""
    return {"forgotten": await _ballot(session).forget()}


def summary(votes: Sequence[Vote]) -> dict[str, Any]:
    """The votes as tables.

    Returns:
        count; pairs, each with first and second (names; the first won more), words, and the
        first's record; contestants, each with name and its record against all: wins, losses, ties,
        rate, low and high.
    """
    told: list[tuple[Contestant, Contestant, VoteChoice]] = [
        (*contestants(vote), vote.choice) for vote in votes
    ]
    names = _names({side for a, b, _ in told for side in (a, b)})
    return {
        "count": len(votes),
        "pairs": [
            {
                "first": names[pair.first],
                "second": names[pair.second],
                "words": verdict(pair, names[pair.first]),
                **_record(pair.record),
            }
            for pair in pairs(told)
        ],
        "contestants": [
            {"name": names[side], **_record(record)} for side, record in standings(told)
        ],
    }


def verdict(pair: Pair[Contestant], better: str) -> str:
    """Whether the votes on a pair are enough to say which one is better.

    Args:
        better: The name of its first, who did not win less.
    """
    record = pair.record
    if record.decided:
        return (
            f"Enough to say: you like {better} better. Were both equally good, so clear a result "
            f"would come {_often(record.p_value)}."
        )
    needed = rounds_for(record)
    if needed is None:
        return "Not enough to say: they are level so far."
    return (
        f"Not enough to say yet: {better} is ahead, but luck does that too. If it goes on like "
        f"this, about {max(needed, record.count + 1)} rounds in all would do."
    )


def _often(p_value: float) -> str:
    return f"about once in {round(1 / p_value):,} times" if p_value > 1e-6 else "almost never"


def _names(sides: set[Contestant]) -> dict[Contestant, str]:
    """What each is called; where two models had one name, with the fingerprint."""
    prints = Counter(model for model, _ in {(each.model, each.fingerprint) for each in sides})
    return {
        each: f"{each.name} ({each.fingerprint[:SHORT]})" if prints[each.model] > 1 else each.name
        for each in sides
    }


def _record(record: Record) -> dict[str, Any]:
    low, high = record.interval
    return {
        "wins": record.wins,
        "losses": record.losses,
        "ties": record.ties,
        "rate": record.rate,
        "low": low,
        "high": high,
    }


def _ballot(session: Session) -> Ballot:
    if session.votes is None:
        raise RefusedError("No votes are kept here.")
    return session.votes
