"""The models on the operator's servers, for the picker: asked for in the background, never waited
for. A server that does not answer is listed as such."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chat.errors import in_one_line, one_line
from chat.models.catalogue import GENERIC_STARTERS, Listing
from chat.models.remote.answers import Model, models_in
from chat.models.remote.connection import TRY, answer, faults_said, whole, without
from chat.models.remote.dialects import DIALECTS, USUAL, Dialect, dialect_of
from chat.models.remote.engine import RemoteEngine
from chat.models.remote.errors import RemoteError
from chat.models.remote.line import Line
from chat.models.remote.servers import Server
from chat.settings import LABELS

log = logging.getLogger(__name__)

FRESH_S = 10.0
"""How old what is known may be when somebody looks, before it is asked for anew."""
ASK_S = 5.0
"""Seconds that a server has for its list."""
MOST_LIST = 2_000_000
NOWHERE = Path(os.devnull) / "server"
"""No folder, and none can be made there."""
LONGEST_KEY = 120
"""Characters of a model's name in the picker."""


@dataclass(slots=True)
class Known:
    """What is known of one server.

    Attributes:
        engines: By the key in the picker. One stays as long as the server has its model, so that
            what it learnt of it is kept.
        trouble: Why it cannot be asked; "" where it answers.
    """

    server: Server
    line: Line = field(default_factory=Line)
    engines: dict[str, RemoteEngine] = field(default_factory=dict[str, RemoteEngine])
    trouble: str = "It was not asked yet which models it has."


class Directory:
    """All servers. `listings` may be called from any thread; the rest belongs to one event loop.

    Args:
        changed: Called in the loop when there are other models than before.
    """

    def __init__(
        self, servers: Sequence[Server], changed: Callable[[], Any] = lambda: None
    ) -> None:
        self._known = [Known(server) for server in servers]
        self._changed = changed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted: asyncio.Event | None = None
        self._listings: dict[str, Listing] = {}
        self._lock = threading.Lock()
        self._listed()

    def listings(self) -> dict[str, Listing]:
        """The models as they are known now, by key; what is old is asked for anew, for next
        time."""
        if self._loop is not None and self._wanted is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wanted.set)
        with self._lock:
            return self._listings

    async def watch(self) -> None:
        """Ask the servers now, and whenever somebody looks and it was a while ago."""
        if not self._known:
            return
        self._loop, self._wanted = asyncio.get_running_loop(), asyncio.Event()
        while True:
            await self.ask()
            await asyncio.sleep(FRESH_S)
            self._wanted.clear()
            await self._wanted.wait()

    async def ask(self) -> None:
        """Ask all servers which models they have, at once."""
        before = _shown(self._listings)
        await asyncio.gather(*(self._ask(known) for known in self._known))
        self._listed()
        if _shown(self._listings) != before:
            self._changed()

    async def _ask(self, known: Known) -> None:
        server = known.server
        try:
            async with asyncio.timeout(ASK_S), answer(server, "/models") as response:
                data = await whole(server, response, MOST_LIST)
            with faults_said(server):
                self._take_in(known, models_in(data))
        except (RemoteError, TimeoutError) as error:
            trouble = (
                str(error).removesuffix(f" {TRY}")
                or f"“{server.name}” does not answer within {ASK_S:g} seconds."
            )
            if trouble != known.trouble:
                log.warning("models of %s: %s", one_line(server.name), one_line(trouble))
            known.trouble = trouble
        except Exception as error:  # noqa: BLE001 - the others must still be asked
            trouble = f"“{server.name}” could not be asked: something went wrong on our side."
            if trouble != known.trouble:
                log.error(
                    "models of %s: %s", one_line(server.name), without(server, in_one_line(error))
                )
            known.trouble = trouble

    def _take_in(self, known: Known, models: Sequence[Model]) -> None:
        server = known.server
        known.trouble = "" if models else f"“{server.name}” answers, and has no model."
        said = DIALECTS[server.kind] if server.kind else dialect_of([each.owner for each in models])
        names = _names([each.id for each in models])
        known.engines = {
            f"{server.name}/{name}": _engine(known, said, model, f"{server.name}/{name}")
            for name, model in zip(names, models, strict=True)
        }

    def _listed(self) -> None:
        found: dict[str, Listing] = {}
        for known in self._known:
            for key, engine in known.engines.items():
                found[key] = _listing(key, engine, known.trouble)
            if not known.engines:
                key = known.server.name
                found[key] = _unknown(key, known.trouble)
        with self._lock:
            self._listings = found


def _engine(known: Known, dialect: Dialect, model: Model, key: str) -> RemoteEngine:
    """The engine of a model, the one that there was where nothing about it is new."""
    context = known.server.context or model.context
    old = known.engines.get(key)
    if old and (old.model, old.dialect, old.told) == (model.id, dialect, context):
        return old
    return RemoteEngine(known.server, dialect, model.id, known.line, context)


def _names(ids: Sequence[str]) -> list[str]:
    """What models are called in the picker: the last part of a path, or more where that is not
    enough."""
    short = [id.replace("\\", "/").rstrip("/").rpartition("/")[2] or id for id in ids]
    names = [name if short.count(name) == 1 else id for name, id in zip(short, ids, strict=True)]
    cut = [name[:LONGEST_KEY] for name in names]
    return [name if cut.count(name) == 1 else f"{name} {at}" for at, name in enumerate(cut, 1)]


def _listing(key: str, engine: RemoteEngine, trouble: str) -> Listing:
    return Listing(
        key=key,
        folder=NOWHERE,
        version=0,
        block_size=engine.window,
        summary=f"does not answer now · {trouble}" if trouble else summary(engine),
        starters=GENERIC_STARTERS,
        server=engine.server.name,
        remote=engine,
    )


def _unknown(key: str, trouble: str) -> Listing:
    return Listing(
        key=key,
        folder=NOWHERE,
        version=0,
        block_size=0,
        summary=f"a server · {trouble}",
        starters=GENERIC_STARTERS,
        server=key,
        broken=f"{trouble} Pick another model.",
    )


def summary(engine: RemoteEngine) -> str:
    """What it is and what it cannot do, in a line."""
    dialect = engine.dialect
    assumed = "" if engine.told else "taken to read"
    facts = [
        f"{dialect.label} at “{engine.server.name}”",
        f"{assumed or 'reads'} {engine.context:,} tokens",
    ]
    if lacks := lacking(dialect):
        facts.append(f"has no {', no '.join(lacks)}")
    return " · ".join(facts)


def facts_of(listing: Listing) -> list[tuple[str, str]]:
    """What the card of a model on a server says; nothing more can be known of it."""
    facts = [
        *[("Cannot be used now", why) for why in [listing.broken] if why],
        ("Runs at", f"“{listing.server}”, a server that whoever runs this page named"),
    ]
    if (engine := listing.remote) is not None:
        said = "" if engine.told else " (nobody says: taken for granted)"
        facts += [
            ("Program", engine.dialect.label),
            ("Window", f"{engine.context:,} tokens are all it sees at once{said}"),
            ("Cannot do", ", ".join(lacking(engine.dialect)) or "nothing that Inkling asks for"),
        ]
    return [
        *facts,
        ("Not for it", "bits per byte, the time machine, “Did it copy?”, training"),
    ]


def lacking(dialect: Dialect) -> list[str]:
    """What a program cannot do of what writers usually want, in words; the settings have it all."""
    lacks = [LABELS[name].lower() for name in dialect.missing if name in USUAL]
    if dialect.seeds is None:
        lacks.append("seed")
    if not dialect.logprobs:
        lacks.append("odds of its words")
    elif not dialect.streams_logprobs:
        lacks.append("odds of its words but in the dice")
    return lacks


def _shown(listings: Mapping[str, Listing]) -> list[tuple[str, str]]:
    return [(key, each.summary) for key, each in listings.items()]
