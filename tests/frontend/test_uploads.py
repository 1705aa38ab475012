"""What each of two windows on one story brings to train on is its own."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chat.jobs.training_jobs import PlannedTraining
from chat.panels.dispatch import run_command
from chat.story.pieces import Room
from frontend.uploads import Uploads
from frontend.windows import Asker, asked_by
from tests.chat.test_session import in_a_session
from tests.support.tiny_checkpoint import save_characters

PLAN = {"steps": 1, "seconds": 1.0, "parameters": 1, "tokens": 1, "passes": 1.0, "language": None}
TEXTS = {"a": "once upon a time " * 200, "b": "there was a well " * 200}


class Jobs:
    """Trainings that are planned at once, unless `free` is taken away, and only noted."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()
        self.began: list[tuple[str, str]] = []

    async def plan(self, text: str, *_: object) -> dict[str, Any]:
        await self.free.wait()
        return PLAN

    def start(self, owner: str, planned: PlannedTraining, taken: object) -> str:
        self.began.append((planned.name, planned.text))
        return planned.name


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    save_characters(root / "checkpoints" / "stories")
    return root


def at_two_windows(root: Path, act) -> None:
    async def run(session, page) -> None:
        jobs: Any = Jobs()
        uploads = Uploads(jobs, Room(), others=False)
        session.upload = uploads.of_who_asks

        async def ask(window: str, command: str, **more: object) -> dict[str, Any]:
            with asked_by(Asker(window, "ada")):
                return await run_command(session, {"command": f"training_{command}", **more})

        await act(jobs, uploads, ask)

    in_a_session(root, run)


def pieces(window: str) -> list[dict[str, object]]:
    half = len(TEXTS[window]) // 2
    parts = TEXTS[window][:half], TEXTS[window][half:]
    more = {"name": f"{window}.txt", "of": 2}
    return [{"part": part, "text": text, **more} for part, text in enumerate(parts)]


def test_a_window_trains_on_the_text_whose_plan_it_shows_whatever_another_brings(root) -> None:
    async def act(jobs, uploads, ask) -> None:
        for piece in zip(pieces("a"), pieces("b"), strict=True):  # both on their way at once
            for window, part in zip("ab", piece, strict=True):
                assert "error" not in await ask(window, "text", **part)
        for window in "ab":
            assert (await ask(window, "plan", source=""))["steps"] == 1
        assert (await ask("a", "start"))["key"] == "a.txt"
        assert jobs.began == [("a.txt", TEXTS["a"])]

    at_two_windows(root, act)


def test_the_estimate_of_a_window_that_goes_is_given_up_and_no_other(root) -> None:
    async def act(jobs, uploads, ask) -> None:
        for window in "ab":
            for part in pieces(window):
                await ask(window, "text", **part)
        jobs.free.clear()
        plans = [asyncio.create_task(ask(window, "plan", source="")) for window in "ab"]
        await asyncio.sleep(0.2)
        assert not plans[0].done()
        uploads.stop(SimpleNamespace(id="a"))
        uploads.stop(SimpleNamespace(id="never asked"))
        assert "given up" in (await plans[0])["error"]
        jobs.free.set()
        assert (await plans[1])["steps"] == 1

    at_two_windows(root, act)
