"""A disk that is full under the real app: no word is lost, whether it gets room again or the app
ends."""

import asyncio
import re
import signal
import sqlite3
import urllib.request
from pathlib import Path

import pytest

from chat.story.export import from_file
from tests.frontend.test_socket import until
from tests.frontend.test_windows import Window
from tests.support.app_server import start_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

FULL = """
import chat.story.autosave
chat.story.autosave.FIRST_PAUSE_S = 0.2
from app import *
import chainlit.server
from fastapi.routing import APIRoute

async def full(room: int):
    rows = MEMORY.database.connection
    rows.execute("PRAGMA max_page_count = 1000000")
    rows.execute("VACUUM")  # else what was taken out leaves room
    (pages,) = rows.execute("PRAGMA page_count").fetchone()
    rows.execute(f"PRAGMA max_page_count = {pages + room}")

chainlit.server.app.router.routes.insert(0, APIRoute("/full", full, methods=["GET"]))
"""
"""The app, and a disk whose room a test decides."""
SAID = "database or disk is full. It is tried again by itself."
WORDS = "word " * 3000


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters")
    return models


def start(folder: Path, models: Path):
    (folder / "full.py").write_text(FULL)
    return start_app(folder, models, app="full.py")


def leave_room(base: str, pages: int) -> None:
    urllib.request.urlopen(f"{base}/full?room={pages}", timeout=60).close()


async def write_on_a_full_disk(base: str) -> Window:
    leave_room(base, 0)
    window = await Window(base).arrive()
    await window.write(f"/with max=5 end=0 {WORDS}")
    await until(lambda: window.last("story_kept")["unsaved"] == SAID)
    await until(lambda: bool(window.thread))
    return window


def titles(folder: Path) -> list[str]:
    library = sqlite3.connect(folder / "stories" / "stories.sqlite")
    try:
        return [row[0] for row in library.execute("SELECT title FROM stories")]
    finally:
        library.close()


def test_words_outlive_their_page_and_are_saved_once_there_is_room(models, tmp_path):
    async def run(base: str) -> None:
        window = await write_on_a_full_disk(base)
        text = window.text
        assert sum("could not be kept" in said for said in window.said) == 1
        await window.close()
        await asyncio.sleep(0.5)
        # The library does not know it, and whoever comes back to it has its words.
        assert titles(tmp_path) == []
        back = await Window(base, cookies=window.cookies, thread=window.thread).arrive()
        await until(lambda: back.text == text)
        assert back.state["unsaved"] == SAID
        leave_room(base, 10_000)
        # It may be tried once more in vain before.
        await until(lambda: back.count("story_kept") > 0 and not back.last("story_kept")["unsaved"])
        await until(lambda: len(titles(tmp_path)) == 1)
        # And where nobody does, it is saved all the same.
        leave_room(base, 0)
        await back.write(f"/with max=5 end=0 {WORDS}")
        text = back.text
        await until(lambda: back.last("story_kept")["unsaved"] == SAID)
        await back.close()
        await asyncio.sleep(0.5)
        leave_room(base, 10_000)

        def stored() -> str:
            library = sqlite3.connect(tmp_path / "stories" / "stories.sqlite")
            (found,) = library.execute("SELECT text FROM stories").fetchone()
            library.close()
            return found

        await until(lambda: stored() == text)

    process, base = start(tmp_path, models)
    try:
        asyncio.run(run(base))
    finally:
        process.terminate()
        process.wait(10)
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("stopped_by", [signal.SIGTERM, signal.SIGINT])
def test_an_app_that_ends_on_a_full_disk_leaves_a_file_and_says_where(models, tmp_path, stopped_by):
    texts: list[str] = []

    async def run(base: str) -> None:
        window = await write_on_a_full_disk(base)
        texts.append(window.text)
        await window.close()
        other = await write_on_a_full_disk(base)
        texts.append(other.text)
        process.send_signal(stopped_by)
        await asyncio.to_thread(process.wait, 30)
        await other.socket.disconnect()

    process, base = start(tmp_path, models)
    try:
        asyncio.run(run(base))
    finally:
        process.kill()
        process.wait(10)
    log = (tmp_path / "log").read_text()
    said = re.search(
        r"Not saved in the library: (database or disk is full)\. 2 stories are in (\S+): open each",
        log,
    )
    assert said, log
    files = sorted(Path(said[2]).iterdir())
    assert [from_file(file.name, file.read_text()).text for file in files] == texts
    assert titles(tmp_path) == []
