"""The app's processes and sessions: two in one folder, kills while stories are written, visits.

The short forms run with the other tests; `make torture` runs the long ones.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.frontend.test_socket import Writer, until
from tests.support.app_server import other_work, running_app, start_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters")
    return models


async def arrive(base: str) -> Writer:
    writer = await Writer(base).connect()
    await until(lambda: bool(writer.state))
    return writer


# Two in one folder


def test_of_two_apps_in_one_folder_the_first_to_stop_leaves_the_other_its_files(models, tmp_path):
    async def write(base: str) -> str:
        writer = await arrive(base)
        text = await writer.write("/with max=5 end=0 once")
        assert not any("Error" in said for said in writer.said)
        await writer.socket.disconnect()
        return text

    def folders() -> list[str]:
        return [path.name for path in (tmp_path / ".files").iterdir() if path.is_dir()]

    killed, _ = start_app(tmp_path, models)
    killed.kill()
    killed.wait()
    assert len(folders()) == 1
    with running_app(tmp_path, models) as second:
        # What a killed one left is removed by the next that starts.
        assert len(folders()) == 1
        assert not folders()[0].startswith(f"{killed.pid}-")
        with running_app(tmp_path, models) as first:
            assert len(folders()) == 2
            for base in (first, second):
                asyncio.run(write(base))
        assert len(folders()) == 1
        assert len(asyncio.run(write(second))) > 5
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log, log


# Kills while stories are written


class Witness(Writer):
    """A page that notes which passages it was told are kept.

    Each time a story was written to disk the page is told its title ("first_interaction"). The
    write that one such message tells of began after the message before it was sent, so all that
    the page knew by then is in it.
    """

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.known: dict[str, str] = {}
        self.before: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self.threads: set[str] = set()

    async def heard(self, event: str, data: Any = None) -> None:
        await super().heard(event, data)
        if event == "story_state" and not data["writing"]:
            self.known |= {each["id"]: "".join(each["tokens"]) for each in data["passages"]}
        if event == "first_interaction" and data["interaction"].startswith("“"):
            self.threads.add(data["thread_id"])
            self.kept |= self.before
            self.before = dict(self.known)

    async def go_on(self) -> None:
        """Write passage after passage until the app is gone."""
        number = 0
        while self.socket.connected:
            number += 1
            said = self.count("story_status")
            await self.send(f"/with max=6 end=0 word {'abcdefghij'[number % 10]}")
            while self.socket.connected and not (
                self.count("story_status") > said and not self.state["writing"]
            ):
                await asyncio.sleep(0.005)


def passages_in(library: Path) -> dict[str, str]:
    """The text of every passage on disk, by its id; the file must be sound."""
    rows = sqlite3.connect(library)
    try:
        assert rows.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert rows.execute("PRAGMA foreign_key_check").fetchall() == []
        found = [json.loads(data) for (data,) in rows.execute("SELECT data FROM passages")]
    finally:
        rows.close()
    return {each["id"]: each["text"] for each in found}


@pytest.mark.parametrize(
    "kills", [2, pytest.param(50, marks=pytest.mark.torture)], ids=["short", "long"]
)
def test_an_app_killed_while_stories_are_written_keeps_every_passage_it_said_it_kept(
    models, tmp_path, kills
):
    draw = random.Random(3)
    kept: dict[str, str] = {}
    written = 0

    async def until_killed(process: Any, base: str) -> None:
        nonlocal written
        writers = [await Witness(base).connect() for _ in range(4)]
        for writer in writers:
            await until(lambda writer=writer: bool(writer.state))
        writing = [asyncio.create_task(writer.go_on()) for writer in writers]
        await until(lambda: any(writer.kept for writer in writers))
        await asyncio.sleep(draw.uniform(0.1, 1.5))
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        await until(lambda: not any(writer.socket.connected for writer in writers))
        await asyncio.gather(*writing, return_exceptions=True)
        for writer in writers:
            kept.update(writer.kept)
            written += len(writer.known)

    for _ in range(kills):
        process, base = start_app(tmp_path, models)
        try:
            asyncio.run(until_killed(process, base))
        finally:
            process.kill()
            process.wait()
        found = passages_in(tmp_path / "stories" / "stories.sqlite")
        missing = {id for id, text in kept.items() if found.get(id) != text}
        assert not missing, f"{len(missing)} of {len(kept)} kept passages are gone"
    assert len(kept) > 3 * kills
    print(f"{kills} kills: all of {len(kept)} kept passages are there ({written} were written)")
    # The app opens them, too.
    with running_app(tmp_path, models) as base:
        asyncio.run(opened(base, tmp_path / "stories" / "stories.sqlite"))


async def opened(base: str, library: Path) -> None:
    """Open a story that was there before."""
    rows = sqlite3.connect(library)
    (thread,) = rows.execute("SELECT id FROM stories ORDER BY changed_s DESC LIMIT 1").fetchone()
    rows.close()
    page = await Writer(base).connect(thread)
    await until(lambda: page.count("resume_thread") > 0)
    await page.socket.emit("window_message", {"type": "story_sync", "revision": -1, "have": 0})
    await until(lambda: bool(page.state.get("passages")))
    await page.socket.disconnect()


# Visits

COUNTED = """
import gc
from collections import Counter
import frontend.sessions
frontend.sessions.MOST_AWAY = 3
from app import *
import chainlit.server
from fastapi.routing import APIRoute

async def objects():
    gc.collect()
    found = Counter(type(each).__name__ for each in gc.get_objects())
    return {"all": sum(found.values()), **found}

chainlit.server.app.router.routes.insert(0, APIRoute("/objects", objects, methods=["GET"]))
"""
"""The app, and a count of what is in its memory."""
MOST_AWAY = 3
OF_A_SESSION = (
    *("Session", "WebsocketSession", "Autosave", "Upload", "Windows", "OpenStory", "SocketPage"),
    *("Pieces", "TimeMachine", "Takes"),
)


def held(counts: dict[str, int]) -> list[str]:
    """Of what belongs to a session, that of which more is there than the bound allows."""
    # Two `Pieces` each.
    return [name for name in OF_A_SESSION if counts.get(name, 0) > 2 * (MOST_AWAY + 1)]


async def visit(base: str, number: int) -> None:
    """Come, write a little, bring half a file, and leave in one of two ways."""
    writer = await arrive(base)
    await writer.write("/with max=4 end=0 once")
    await writer.socket.call("story_query", {"query": "dice"}, timeout=60)
    piece = {"name": "a.txt", "part": 0, "of": 2, "text": "half a file " * 100}
    await writer.socket.emit("story_piece", piece)
    step = {"job": "1", "steps": ["none"], "prompt": "a", "seed": "1", "temperature": 1}
    await writer.socket.emit("machine_write", step)
    await until(lambda: writer.count("machine_news") > 0)
    if number % 2:
        await writer.socket.emit("clear_session")
    await writer.socket.disconnect()


def objects(base: str) -> dict[str, int]:
    with urllib.request.urlopen(base + "/objects", timeout=60) as answer:
        return json.load(answer)


def test_visits_leave_nothing_behind(models, tmp_path):
    (tmp_path / "counted.py").write_text(COUNTED)

    async def visits(base: str, count: int) -> None:
        for some in range(0, count, 4):
            await asyncio.gather(*(visit(base, number) for number in range(some, some + 4)))
        await asyncio.sleep(1)

    with running_app(tmp_path, models, app="counted.py", INKLING_GUESTS="1") as base:
        asyncio.run(visits(base, 20))
        before = objects(base)
        asyncio.run(visits(base, 40))
        after = objects(base)
        ends = time.monotonic() + 20 * other_work()
        # On a busy machine the last ones are still being let go.
        while held(after) and time.monotonic() < ends:
            time.sleep(1)
            after = objects(base)
    assert held(after) == []
    grown = {name: (count - before.get(name, 0)) / 40 for name, count in after.items()}
    # A cancelled timer stays in asyncio's heap until half of those in it are; engine.io's pings of
    # a socket that was closed sleep on for 25 s.
    for name in ("all", "Context", "TimerHandle"):
        del grown[name]
    most = sorted(grown, key=lambda name: -grown[name])[:6]
    print("objects a visit:", {name: grown[name] for name in most})
    assert grown[most[0]] <= 8


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.torture
def test_five_minutes_of_visits_leave_the_memory_level(models, tmp_path):
    process, base = start_app(tmp_path, models, INKLING_GUESTS="1")
    measured: list[tuple[float, float, int]] = []
    count = 0

    async def run() -> None:
        nonlocal count
        began = time.monotonic()

        async def visitor() -> None:
            nonlocal count
            while time.monotonic() - began < 300:
                count += 1
                await visit(base, count)

        async def watch() -> None:
            while time.monotonic() - began < 300:
                await asyncio.sleep(5)
                measured.append((time.monotonic() - began, resident_mb(process.pid), count))

        await asyncio.gather(watch(), *(visitor() for _ in range(4)))

    try:
        asyncio.run(run())
    finally:
        process.terminate()
        process.wait(10)
    # As many as are kept of pages that went away are full after this.
    warm = [each for each in measured if each[2] > 600] or measured[len(measured) // 3 :]
    visits = warm[-1][2] - warm[0][2]
    grown_kb = (warm[-1][1] - warm[0][1]) * 1000 / max(1, visits)
    print(
        f"{count} visits: {measured[0][1]:.0f} MB after 5 s, {warm[0][1]:.0f} MB when warm, "
        f"{warm[-1][1]:.0f} MB at the end: {grown_kb:.1f} KB a visit over the last {visits}"
    )
    assert grown_kb < 8
