"""Two processes at one story, without an app: each shows what the other kept, and drops nothing."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from chat.models.engines import Engines
from chat.session import Session
from frontend.memory import Memory
from frontend.others import Others
from frontend.stories import OpenStories
from frontend.tasks import Tasks
from tests.frontend.test_open_stories import KEY, Window


class Process:
    """What a process holds of a story that one window of it is at."""

    def __init__(self, folder: Path) -> None:
        self.memory, self.tasks = Memory(folder), Tasks()
        self.stories = OpenStories(
            self.memory,
            self.tasks,
            lambda _, page, keeper: Session(page, Engines(), dict, keeper.keep),
        )
        self.others = Others(self.memory, self.stories, self.tasks)
        self.window: Any = Window("window")

    async def join(self) -> Session:
        return await self.stories.join(self.window)

    async def add(self, words: str) -> None:
        await self.stories.sessions["window"].act({"act": "add", "text": words})
        await self.stories.open[KEY].keeper.saved()

    @property
    def text(self) -> str:
        return self.stories.sessions["window"].story.text

    def kept(self) -> list[str]:
        """The texts of all passages in the library."""
        return [each.text for each in self.memory.library.load("t", "ada").story.passages]

    def end(self) -> None:
        self.memory.executor.shutdown()
        self.memory.library.close()


def at_two(folder: Path, act: Callable[[Process, Process], Awaitable[None]]) -> None:
    async def run() -> None:
        one, other = Process(folder), Process(folder)
        try:
            for each in (one, other):
                await each.join()
            await act(one, other)
        finally:
            one.end()
            other.end()

    asyncio.run(run())


def test_each_shows_what_the_other_kept_and_to_show_it_is_no_change(tmp_path: Path) -> None:
    async def act(one: Process, other: Process) -> None:
        # A model that only one of them has, so that neither can be set just as the other.
        one.stories.sessions["window"].model = "letters"
        await one.add("Once")
        await other.others.look()
        assert other.text == "Once"
        assert other.window.events[-1] == "story_state"
        await other.add("upon")
        await one.others.look()
        assert one.text == other.text == "Once upon"
        changes = one.memory.library.changes([KEY])
        heard = len(one.window.heard)
        for _ in range(2):
            for each in (one, other):
                await each.others.look()
                await each.stories.open[KEY].keeper.saved()
        assert one.memory.library.changes([KEY]) == changes
        assert len(one.window.heard) == heard

    at_two(tmp_path, act)


def test_what_is_said_at_both_at_once_is_kept_and_both_end_at_the_same(tmp_path: Path) -> None:
    async def act(one: Process, other: Process) -> None:
        await one.add("Once")
        await other.others.look()
        await asyncio.gather(one.add("left"), other.add("right"))
        assert sorted(one.kept()) == [" left", " right", "Once"]
        for each in (one, other, one):
            await each.others.look()
        assert one.text == other.text
        trees = [each.stories.sessions["window"].story.by_id for each in (one, other)]
        assert trees[0] == trees[1]
        assert len(trees[0]) == 3

    at_two(tmp_path, act)


def test_words_that_come_while_another_s_are_read_are_not_lost(tmp_path: Path) -> None:
    async def act(one: Process, other: Process) -> None:
        await one.add("Once")
        await other.others.look()
        await one.add("left")
        reading, go_on = threading.Event(), threading.Event()

        def find_models() -> dict[str, Any]:
            reading.set()
            assert go_on.wait(30)
            return {}

        other.stories.sessions["window"].find_models = find_models
        looking = asyncio.create_task(other.others.look())
        assert await asyncio.to_thread(reading.wait, 30)
        await other.add("right")
        go_on.set()
        await looking
        assert other.text == "Once right"
        assert sorted(other.kept()) == [" left", " right", "Once"]

    at_two(tmp_path, act)


def test_a_story_stays_as_it_is_while_something_is_in_hand_for_it(tmp_path: Path) -> None:
    async def act(one: Process, other: Process) -> None:
        await one.add("Once")
        session = other.stories.sessions["window"]
        session.status = "writing"
        await other.others.look()
        assert other.text == ""
        session.status = ""
        assert await other.tasks.claim(KEY, lambda: False)
        await other.others.look()
        assert other.text == ""

    at_two(tmp_path, act)
