"""Votes of blind comparisons on disk: each owner's own, where the stories are."""

import asyncio
import csv
import io
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from chat.accounts.database import Database, SqliteFile
from chat.accounts.database.tables import VOTES
from chat.compare.vote_stats import VoteChoice
from chat.errors import in_one_line, reason
from chat.settings import BY_STORY, LABELS, Value, shown

log = logging.getLogger(__name__)
COLUMNS = "voted_s, choice, prompt, seed, a, b"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two that were compared, and what it wrote.

    Attributes:
        model: The model's name then.
        fingerprint: Of its weights: the first digits of the file's SHA-256.
        settings: All that were in force, by name.
    """

    model: str
    fingerprint: str
    settings: Mapping[str, Any]
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One choice between two passages whose writers were not named.

    Attributes:
        a: Who stood left.
        b: Who stood right.
        prompt: The last words before both.
        seed: The one seed of both.
        voted_s: When, in seconds since 1970.
    """

    a: Side
    b: Side
    choice: VoteChoice
    prompt: str
    seed: int
    voted_s: float


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who a vote counts for: a model, and the settings in which it differed from the other one.

    What was the same for both is the condition they were compared under, and does not tell them
    apart: "stories" against "shakespeare" is one pair at every temperature they shared.
    """

    model: str
    fingerprint: str
    settings: tuple[tuple[str, Value], ...] = ()

    @property
    def name(self) -> str:
        return " · ".join([self.model, *named(self.settings)])


def named(values: Sequence[tuple[str, Value]]) -> list[str]:
    """Settings as a reader knows them: "Temperature 0.4"."""
    return [f"{LABELS[name]} {shown(name, value)}" for name, value in values]


def differing(
    one: Mapping[str, Any], other: Mapping[str, Any], *, same_model: bool
) -> tuple[tuple[str, Value], ...]:
    """The settings of `one` that `other` does not share, in the order they are shown.

    Args:
        same_model: Else what is `BY_STORY` is no difference.
    """
    names = [name for name in LABELS if same_model or name not in BY_STORY]
    return tuple((name, one.get(name)) for name in names if one.get(name) != other.get(name))


def contestants(vote: Vote) -> tuple[Contestant, Contestant]:
    """The two that a vote was between, the left one first."""
    a, b = vote.a, vote.b
    same = a.model == b.model
    return (
        Contestant(a.model, a.fingerprint, differing(a.settings, b.settings, same_model=same)),
        Contestant(b.model, b.fingerprint, differing(b.settings, a.settings, same_model=same)),
    )


class Votes:
    """The votes of all owners. Any thread may ask; they take turns.

    Args:
        database: Of the library; a path is that of a SQLite file, made where it is missing.
    """

    def __init__(self, database: Database | Path) -> None:
        self._database = SqliteFile(database) if isinstance(database, Path) else database
        self._database.prepare(VOTES)

    def close(self) -> None:
        self._database.close()

    def cast(self, owner: str, vote: Vote) -> None:
        """Keep a vote."""
        values = {
            "owner": owner,
            "voted_s": vote.voted_s,
            "choice": vote.choice,
            "prompt": _storable(vote.prompt),
            "seed": str(vote.seed),
            "a": _to_json(vote.a),
            "b": _to_json(vote.b),
        }
        with self._database.transaction() as rows:
            rows.execute(
                f"INSERT INTO votes (owner, {COLUMNS}) "
                "VALUES (:owner, :voted_s, :choice, :prompt, :seed, :a, :b)",
                values,
            )

    def all(self, owner: str) -> list[Vote]:
        """An owner's votes, the oldest first."""
        query = f"SELECT {COLUMNS} FROM votes WHERE owner = :owner ORDER BY id"
        with self._database.transaction(write=False) as found:
            rows = found.execute(query, {"owner": owner}).fetchall()
        return [
            Vote(
                voted_s=voted_s,
                choice=choice,
                prompt=prompt,
                seed=int(seed),
                a=Side(**json.loads(a)),
                b=Side(**json.loads(b)),
            )
            for voted_s, choice, prompt, seed, a, b in rows
        ]

    def forget(self, owner: str) -> int:
        """Delete all votes of an owner; how many they were."""
        with self._database.transaction() as rows:
            query = "DELETE FROM votes WHERE owner = :owner"
            return rows.execute(query, {"owner": owner}).rowcount


class Ballot:
    """One owner's votes, off the event loop.

    Args:
        executor: Where the database is asked.
    """

    def __init__(self, votes: Votes, owner: str, executor: Executor) -> None:
        self._votes = votes
        self._owner = owner
        self._executor = executor

    async def cast(self, vote: Vote) -> str:
        """Keep a vote; gives why it could not be, in words for the writer, or ""."""
        try:
            await self._do(lambda: self._votes.cast(self._owner, vote))
        except (sqlite3.Error, OSError) as error:
            log.error("a vote could not be kept: %s", in_one_line(error))
            return f"The vote could not be kept: {reason(error)}."
        return ""

    async def all(self) -> list[Vote]:
        """The owner's votes, the oldest first."""
        return await self._do(lambda: self._votes.all(self._owner))

    async def forget(self) -> int:
        """Delete them all; how many they were."""
        return await self._do(lambda: self._votes.forget(self._owner))

    def _do(self, what: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, what)


def to_csv(votes: Sequence[Vote]) -> str:
    """All votes as a table for other programs (RFC 4180), a row each, the oldest first."""
    out = io.StringIO(newline="")
    sides = [f"{side}_{what}" for side in "ab" for what in ("model", "fingerprint", "text")]
    settings = [f"{side}_{name}" for side in "ab" for name in LABELS if name != "seed"]
    table = csv.writer(out)
    table.writerow(["voted", "choice", "prompt", "seed", *sides, *settings])
    for vote in votes:
        both = (vote.a, vote.b)
        table.writerow(
            [
                datetime.fromtimestamp(vote.voted_s, UTC).isoformat(timespec="seconds"),
                *(vote.choice, vote.prompt, vote.seed),
                *(what for each in both for what in (each.model, each.fingerprint, each.text)),
                *(each.settings.get(n) for each in both for n in LABELS if n != "seed"),
            ]
        )
    return out.getvalue()


def _to_json(side: Side) -> str:
    fields = {name: getattr(side, name) for name in ("model", "fingerprint", "text")}
    return json.dumps({**fields, "settings": dict(side.settings)})


def _storable(text: str) -> str:
    """Half a surrogate pair is no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
