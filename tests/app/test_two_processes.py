"""Two processes of the app on one PostgreSQL: nothing is lost or mixed, and each goes on for the
other."""

import asyncio
import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frontend.others import LOOK_S
from tests.app.test_crowd import canary
from tests.app.test_life import Witness
from tests.frontend.test_socket import PATIENCE_S, until
from tests.support.app_server import STOP_S, start_app
from tests.support.postgres import Cluster
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

WRITERS = 20
AWAY = "the database does not answer. It is tried again by itself."


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters")
    return models


class Pair:
    """Two processes, each in a folder of its own, with one home and one database."""

    def __init__(self, cluster: Cluster, models: Path, folder: Path) -> None:
        self.address = cluster.database()
        self.folder = folder
        self._models = models
        self.cluster = cluster
        self.processes: dict[str, Any] = {}

    def start(self, name: str) -> str:
        """Start one; its address."""
        (own := self.folder / name).mkdir(exist_ok=True)
        process, base = start_app(
            *(own, self._models),
            INKLING_GUESTS="1",
            INKLING_HOME=str(self.folder / "home"),
            INKLING_DATABASE=self.address,
        )
        self.processes[base] = process
        return base

    def kill(self, base: str) -> None:
        process = self.processes.pop(base)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(STOP_S)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """(owner, story, passage, text) of all that is kept."""
        query = "SELECT owner, story, p.id, data FROM passages p JOIN stories s ON s.id = p.story"
        found = self.cluster.do(self.address, query)
        return [(*row[:3], json.loads(row[3])["text"]) for row in found]

    def changes(self) -> set[tuple[str, float]]:
        """When each story was changed last."""
        return {*self.cluster.do(self.address, "SELECT id, changed_s FROM stories")}

    def logs(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*/log"))


@pytest.fixture
def pair(cluster: Cluster, models: Path, tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(cluster, models, tmp_path)
    try:
        yield pair
    finally:
        pair.stop()


class Page(Witness):
    """A writer's page at one of the two, which writes nothing but its own word."""

    def __init__(self, base: str, number: int, last: "Page | None" = None) -> None:
        super().__init__(base)
        self.number = number
        if last is not None:
            self.cookies, self.thread = last.cookies, last.thread
            self.threads = {last.thread}

    async def arrive(self) -> None:
        await self.connect()
        if self.thread:
            await until(lambda: self.count("resume_thread") > 0)
            sync = {"type": "story_sync", "revision": -1, "have": 0}
            await self.socket.emit("window_message", sync)
        await until(lambda: bool(self.state))

    async def add(self, times: int = 1) -> None:
        for _ in range(times):
            await self.write(f"/with max=5 end=0 The {canary(self.number)} sat")
        await until(lambda: bool(self.threads))
        (self.thread,) = self.threads

    async def add_for_ever(self) -> None:
        while self.socket.connected:
            said = self.count("story_status")
            await self.send(f"/with max=5 end=0 The {canary(self.number)} sat")
            while self.socket.connected and not (
                self.count("story_status") > said and not self.state["writing"]
            ):
                await asyncio.sleep(0.005)


async def all_of(pages: list[Page], what: str, *args: Any) -> None:
    # So many handshakes at once that none waits for the others too long.
    for some in range(0, len(pages), 10):
        await asyncio.gather(*(getattr(page, what)(*args) for page in pages[some : some + 10]))


def known(pages: list[Page]) -> dict[str, tuple[int, str]]:
    """The passages that pages were shown as done: whose they are, and their text."""
    return {id: (page.number, text) for page in pages for id, text in page.known.items()}


async def check(pair: Pair, wanted: dict[str, tuple[int, str]]) -> None:
    """All that is wanted is kept, now or soon, in the story of the one whose it is, and nothing is
    mixed."""
    ended = time.monotonic() + PATIENCE_S
    while True:
        rows = await asyncio.to_thread(pair.rows)
        kept = {passage: text for _, _, passage, text in rows}
        lost = {id for id, (_, text) in wanted.items() if kept.get(id) != text}
        if not lost or time.monotonic() > ended:
            break
        await asyncio.sleep(0.1)
    assert lost == set()
    words = [canary(number) for number in range(WRITERS)]
    stories: dict[str, set[str]] = {}
    owners: dict[str, set[str]] = {}
    for owner, story, _, text in rows:
        stories.setdefault(story, set()).update(word for word in words if word in text)
        owners.setdefault(owner, set()).add(story)
    assert sorted(map(len, stories.values())) == [1] * WRITERS
    assert sorted(map(len, owners.values())) == [1] * WRITERS


@pytest.mark.parametrize(
    "kills", [1, pytest.param(20, marks=pytest.mark.torture)], ids=["short", "long"]
)
def test_twenty_writers_at_two_processes_lose_and_mix_nothing_when_one_is_killed(
    pair: Pair, kills: int
) -> None:
    draw = random.Random(5)
    wanted: dict[str, tuple[int, str]] = {}

    async def run() -> None:
        left, right = pair.start("left"), pair.start("right")
        pages = [Page([left, right][number % 2], number) for number in range(WRITERS)]
        await all_of(pages, "arrive")
        await asyncio.gather(*(page.add(2) for page in pages))
        # The story that was begun at one opens at the other as it is, and both show what the other
        # of them writes.
        other = {left: right, right: left}
        twins = [Page(other[page.base], page.number, page) for page in pages]
        await all_of(twins, "arrive")
        for page, twin in zip(pages, twins, strict=True):
            await until(lambda page=page, twin=twin: twin.text == page.text)
        await asyncio.gather(*(twin.add() for twin in twins))
        for page, twin in zip(pages, twins, strict=True):
            await until(lambda page=page, twin=twin: page.text == twin.text)
            assert len(page.state["passages"]) == 6
        # Both at once: two branches, of which none is lost, and both end up at the same.
        await asyncio.gather(*(page.add() for page in (*pages, *twins)))
        for page, twin in zip(pages, twins, strict=True):
            await until(lambda page=page, twin=twin: page.text == twin.text)
        wanted.update(known([*pages, *twins]))
        await check(pair, wanted)
        # To read what another wrote is no change: else they would answer each other for ever.
        changed = pair.changes()
        await asyncio.sleep(3 * LOOK_S)
        assert pair.changes() == changed
        for page in twins:
            await page.socket.disconnect()
        for _ in range(kills):
            pages = await one_is_killed(left, right, pages)
            left, right = right, pair.start("left")
        await while_the_database_is_away(pages[0])
        for page in pages:
            await page.socket.disconnect()

    async def while_the_database_is_away(page: Page) -> None:
        """What is written meanwhile is told to be unsaved, and is saved by itself."""

        def said() -> list[str]:
            return [data["unsaved"] for event, data in page.events if event == "story_kept"]

        await asyncio.to_thread(pair.cluster.stop)
        try:
            await page.add()
            await until(lambda: said()[-1:] == [AWAY])
        finally:
            await asyncio.to_thread(pair.cluster.start)
        await until(lambda: said()[-1] == "")
        wanted.update(known([page]))
        await check(pair, wanted)

    async def one_is_killed(left: str, right: str, pages: list[Page]) -> list[Page]:
        """All are left at the other one; who was at the killed one goes on there."""
        writing = [asyncio.create_task(page.add_for_ever()) for page in pages]
        at_left = [page for page in pages if page.base == left]
        told = [len(page.kept) for page in at_left]
        await until(lambda: all(len(p.kept) > 1 + n for p, n in zip(at_left, told, strict=True)))
        await asyncio.sleep(draw.uniform(0, 0.5))
        await asyncio.to_thread(pair.kill, left)
        await until(lambda: not any(page.socket.connected for page in at_left))
        wanted.update({id: (p.number, text) for p in at_left for id, text in p.kept.items()})
        moved = [Page(right, page.number, page) for page in at_left]
        await all_of(moved, "arrive")
        for page in moved:
            await until(lambda page=page: bool(page.state.get("passages")))
            assert canary(page.number) in page.text
        await asyncio.gather(*(page.add() for page in moved))
        stayed = [page for page in pages if page.base != left]
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        for page in stayed:
            await until(lambda page=page: not page.state["writing"])
        wanted.update({id: (p.number, text) for p in stayed for id, text in p.kept.items()})
        wanted.update(known(moved))
        await check(pair, wanted)
        return [*moved, *stayed]

    asyncio.run(run())
    assert "Traceback" not in pair.logs()
    print(f"{kills} kills: {len(wanted)} passages of {WRITERS} writers, none lost or mixed")
