"""Windows and the stories they are at, without an app: who hears what, and what is let go."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chat.story import Story
from chat.story.export import from_file
from chat.story.library import Kept
from frontend import stories
from frontend.files import remove_session
from frontend.memory import Memory
from frontend.sessions import AwaySessions
from frontend.stories import OpenStories
from frontend.tasks import Tasks, forget
from frontend.windows import Asker, Windows, asked_by
from tests.chat.test_autosave import LONG, empty, fill
from tests.chat.test_story import wrote


class Window:
    """One of Chainlit's sessions, as far as a story needs it."""

    def __init__(self, id: str, thread: str = "t", owner: str = "ada") -> None:
        self.id, self.thread_id, self.thread_id_to_resume = id, thread, None
        self.socket_id = f"socket of {id}"
        self.user = SimpleNamespace(identifier=owner)
        self.heard: list[tuple[str, Any]] = []

    async def emit(self, event: str, data: Any) -> None:
        self.heard.append((event, data))

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.heard]


def joined(*windows: Any) -> Windows:
    page = Windows()
    for window in windows:
        page.join(window)
    return page


def asked(window: Window, *, alone: bool = False):
    return asked_by(Asker(window.id, "ada", alone))


REFUSED = {"words": "Once", "why": "no"}


def test_words_come_back_to_the_window_that_asked_and_after_a_reload_to_the_new_one() -> None:
    async def run() -> None:
        one, other = Window("one"), Window("other")
        page = joined(one, other)
        with asked(one):
            await page.emit("story_refused", REFUSED)
        assert (one.events, other.events) == (["story_refused"], [])
        page.went_away(one)  # type: ignore[arg-type]
        with asked(one):
            await page.emit("story_refused", REFUSED)
            await page.tell("no", "error")
        assert other.events == ["story_refused", "toast"]
        one.socket_id = "another"  # it came back
        assert page.present == ["one", "other"]

    asyncio.run(run())


def test_words_that_nobody_was_there_to_take_wait_for_the_next_window() -> None:
    async def run() -> None:
        one, late = Window("one"), Window("late")
        page = joined(one)
        page.went_away(one)  # type: ignore[arg-type]
        with asked(one):
            await page.emit("story_refused", REFUSED)
            await page.emit("story_help", {"commands": []})
        assert one.events == []
        page.join(late)  # type: ignore[arg-type]
        with asked(late):
            await page.deliver()
            await page.deliver()
        assert late.heard == [("story_refused", REFUSED)]

    asyncio.run(run())


def test_a_file_and_the_way_to_another_story_go_to_the_window_that_asked_or_to_none() -> None:
    async def run() -> None:
        one, other = Window("one"), Window("other")
        page = joined(one, other)
        page.went_away(one)  # type: ignore[arg-type]
        with asked(one):
            for event in ("story_file", "story_opened", "story_leave"):
                await page.emit(event, {})
            await page.emit("story_help", {})
        assert (one.events, other.events) == ([], ["story_help"])

    asyncio.run(run())


def test_stop_is_given_to_every_window_and_taken_once_and_an_answer_is_one_window_s() -> None:
    async def run() -> None:
        one, other = Window("one"), Window("other")
        page = joined(one, other)
        with asked(one):
            for writing in (True, True, False):
                await page.emit("story_status", {"status": "", "writing": writing})
        toggles = [each for each in other.events if each.startswith("task_")]
        assert toggles == ["task_start", "task_end"]
        assert one.heard == other.heard
        with asked(one, alone=True):
            await page.emit("story_state", {"writing": True})
        assert (one.events[-1], other.events[-1]) == ("story_state", "task_end")

    asyncio.run(run())


class Stub:
    """What a story's session is for those who hold it."""

    def __init__(self, *_: object) -> None:
        self.unsaved, self.story = "", Story()

    async def mark_saved(self, why: str) -> None:
        self.unsaved = why

    async def take(self, kept: Kept) -> None:
        self.story = kept.story


KEY = ("ada", "t")


def at_stories(
    folder: Path,
    act: Callable[[OpenStories, Memory], Awaitable[None]],
    tasks: Tasks | None = None,
) -> None:
    async def run() -> None:
        memory = Memory(folder)
        try:
            await act(OpenStories(memory, tasks or Tasks(), Stub), memory)  # type: ignore[arg-type]
        finally:
            memory.executor.shutdown()
            memory.library.close()
            memory.votes.close()

    asyncio.run(run())


async def write_and_leave(open_stories: OpenStories, thread: str, text: str) -> None:
    window: Any = Window(f"window of {thread}", thread)
    await open_stories.join(window)
    keeper = open_stories._open["ada", thread].keeper
    keeper.keep(Kept(story=Story().append(wrote(text)), settings={}, model=None))
    await keeper.saved()
    open_stories.leave(window.id)


def test_a_story_is_one_for_its_owner_s_windows_and_let_go_with_the_last(tmp_path) -> None:
    async def act(open_stories: OpenStories, memory: Memory) -> None:
        windows: list[Any] = [Window("1"), Window("2"), Window("3", owner="bob")]
        sessions = await asyncio.gather(*(open_stories.join(each) for each in windows))
        assert sessions[0] is sessions[1]
        assert sessions[0] is not sessions[2]
        assert open_stories.leave("1") is None
        assert open_stories._open.keys() == {("ada", "t"), ("bob", "t")}
        assert open_stories.leave("2") == ("ada", "t")
        open_stories.leave("3")
        open_stories.leave("never came")
        held = (open_stories._open, open_stories._keepers, open_stories.sessions)
        assert held == ({}, {}, {})

    at_stories(tmp_path, act)


def test_what_waits_without_a_window_is_found_by_its_owner_and_its_bound_is_a_rescue_file(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(stories, "MOST_UNSAVED", 2)

    async def act(open_stories: OpenStories, memory: Memory) -> None:
        fill(memory.library)
        for number in range(3):
            await write_and_leave(open_stories, str(number), f"{number} {LONG}")
        await asyncio.gather(*open_stories._rescuing)
        assert [thread for _, thread in open_stories._keepers] == ["1", "2"]
        assert open_stories.find("0") is None
        found = open_stories.find("1")
        assert found is not None
        assert (found.owner, found.title.split()[0]) == ("ada", "1")
        back: Any = Window("back", "1")
        session = await open_stories.join(back)
        assert session.story.text == f"1 {LONG}"
        assert "disk is full" in session.unsaved
        empty(memory.library)
        await open_stories.close_down()
        assert {title.id for title in memory.library.titles("ada", limit=9)[0]} == {"1", "2"}
        # Nobody is at the second one: once it is saved, nothing is held for it.
        assert [thread for _, thread in open_stories._keepers] == ["1"]

    at_stories(tmp_path, act)
    said = capsys.readouterr().err
    assert "One story is in" in said
    (file,) = tmp_path.glob("inkling-not-saved-*/*.json")
    assert from_file(file.name, file.read_text()).text == f"0 {LONG}"


def test_what_is_being_written_to_a_disk_that_is_well_is_no_story_to_rescue(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(stories, "MOST_UNSAVED", 2)

    async def act(open_stories: OpenStories, memory: Memory) -> None:
        free = threading.Event()
        memory.executor.submit(free.wait, 3)
        threads = [str(number) for number in range(4)]
        for thread in threads:
            window: Any = Window(thread, thread)
            await open_stories.join(window)
            keeper = open_stories._open["ada", thread].keeper
            keeper.keep(Kept(story=Story().append(wrote(thread)), settings={}, model=None))
            open_stories.leave(thread)
        waiting = list(open_stories._keepers.values())
        assert [keeper.story_id for keeper in waiting] == threads
        free.set()
        await asyncio.gather(*(keeper.saved() for keeper in waiting))
        assert not open_stories._keepers
        await open_stories._rescue(waiting)

    at_stories(tmp_path, act)
    assert capsys.readouterr().err == ""
    assert not list(tmp_path.glob("inkling-not-saved-*"))


def test_a_keeper_stays_while_a_later_state_waits_and_a_sweep_takes_one_that_has_none(
    tmp_path,
) -> None:
    async def act(open_stories: OpenStories, memory: Memory) -> None:
        first, second = threading.Event(), threading.Event()
        window: Any = Window("1")
        await open_stories.join(window)
        keeper = open_stories._open[KEY].keeper
        memory.executor.submit(first.wait, 3)
        keeper.keep(Kept(story=Story().append(wrote("One")), settings={}, model=None))
        await asyncio.sleep(0)
        memory.executor.submit(second.wait, 3)
        keeper.keep(Kept(story=Story().append(wrote("Two")), settings={}, model=None))
        open_stories.leave("1")
        first.set()
        await asyncio.sleep(0.1)
        assert memory.library.find("t") is not None
        assert open_stories._keepers == {KEY: keeper}
        second.set()
        await keeper.saved()
        assert not open_stories._keepers
        open_stories._keepers[KEY] = keeper  # as where telling its windows failed
        open_stories.sweep()
        assert not open_stories._keepers

    at_stories(tmp_path, act)


def test_only_what_no_place_takes_is_named_as_not_saved(tmp_path, monkeypatch, capsys) -> None:
    def rescue(found: Sequence[Story], places: object) -> tuple[list[Path], list[Story]]:
        return [tmp_path / "a", tmp_path / "b"], list(found[2:])

    monkeypatch.setattr(stories, "rescue", rescue)

    async def act(open_stories: OpenStories, memory: Memory) -> None:
        fill(memory.library)
        for number in range(3):
            await write_and_leave(open_stories, str(number), f"{number} {LONG}")
        await open_stories.close_down()

    at_stories(tmp_path, act)
    said = capsys.readouterr().err
    assert f"2 stories are in {tmp_path}/a and {tmp_path}/b: open each" in said
    assert "One story is NOT SAVED ANYWHERE: “2 " in said
    assert "“1 " not in said


def test_a_story_deleted_while_it_waits_is_let_go(tmp_path) -> None:
    async def act(open_stories: OpenStories, memory: Memory) -> None:
        fill(memory.library)
        await write_and_leave(open_stories, "1", LONG)
        open_stories.deleted("1", "ada")
        assert open_stories.find("1") is None
        empty(memory.library)
        for _ in range(100):
            if not open_stories._keepers:
                break
            await asyncio.sleep(0.02)
        assert not open_stories._keepers
        assert memory.library.find("1") is None

    at_stories(tmp_path, act)


async def never_ends() -> None:
    await asyncio.Event().wait()


async def write_until(end: asyncio.Event, tasks: Tasks) -> None:
    """What a message does that has a model write."""
    if await tasks.claim(KEY, lambda: False):
        await end.wait()


def test_each_absence_has_its_own_grace_before_what_is_written_is_stopped(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(stories, "GRACE_S", 0.4)
    tasks = Tasks()

    async def act(open_stories: OpenStories, memory: Memory) -> None:
        window: Any = Window("1")
        await open_stories.join(window)
        writes = tasks.writing[KEY] = asyncio.create_task(never_ends())
        open_stories.went_away(window)
        await asyncio.sleep(0.2)
        window.socket_id = "it came back"
        await asyncio.sleep(0.1)
        open_stories.went_away(window)
        await asyncio.sleep(0.2)
        assert not writes.done()
        await asyncio.wait({writes}, timeout=5)
        assert writes.cancelled()

    at_stories(tmp_path, act, tasks)


def test_an_absence_from_a_story_that_was_let_go_says_nothing_of_the_one_opened_since(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(stories, "GRACE_S", 0.1)
    tasks = Tasks()

    async def act(open_stories: OpenStories, memory: Memory) -> None:
        before: Any = Window("before")
        await open_stories.join(before)
        open_stories.went_away(before)
        open_stories.leave(before.id)
        monkeypatch.setattr(stories, "GRACE_S", 5)
        since: Any = Window("since")
        await open_stories.join(since)
        tasks.writing[KEY] = asyncio.create_task(never_ends())
        open_stories.went_away(since)
        await asyncio.sleep(0.2)
        assert not tasks.writing[KEY].done()
        tasks.stop(KEY)

    at_stories(tmp_path, act, tasks)


@pytest.mark.parametrize("how", ["leave", "sweep", "forget"])
def test_a_story_left_while_it_is_written_is_let_go_once_nothing_more_is_in_hand(
    tmp_path, how
) -> None:
    tasks = Tasks()

    async def act(open_stories: OpenStories, memory: Memory) -> None:
        window: Any = Window("1")
        await open_stories.join(window)
        ends = [asyncio.Event(), asyncio.Event()]
        in_hand = [asyncio.create_task(write_until(end, tasks)) for end in ends]
        await asyncio.sleep(0)
        match how:
            case "leave":
                assert open_stories.leave("1") == KEY
            case "sweep":
                open_stories.sweep()
            case _:
                forget("1", open_stories.leave)
        for end, task in zip(ends, in_hand, strict=True):
            assert KEY in open_stories._open
            end.set()
            await task
            await asyncio.sleep(0.05)
        assert (open_stories._open, open_stories._keepers, tasks._turns) == ({}, {}, {})

    at_stories(tmp_path, act, tasks)


def test_a_story_stays_open_for_a_window_that_came_while_it_was_written(tmp_path) -> None:
    tasks = Tasks()

    async def act(open_stories: OpenStories, memory: Memory) -> None:
        windows: list[Any] = [Window("1"), Window("2")]
        session = await open_stories.join(windows[0])
        task = asyncio.create_task(write_until(asyncio.Event(), tasks))
        await asyncio.sleep(0)
        open_stories.leave("1")
        assert await open_stories.join(windows[1]) is session
        tasks.stop(KEY)
        await asyncio.wait({task})
        await asyncio.sleep(0)
        assert open_stories._open[KEY].session is session

    at_stories(tmp_path, act, tasks)


def test_a_session_ends_while_files_are_written_for_its_page(tmp_path) -> None:
    def write_on(folder: Path) -> None:
        with suppress(FileNotFoundError):
            for number in count():
                (folder / str(number)).touch()

    for at in range(20):
        (folder := tmp_path / str(at)).mkdir()
        (writing := threading.Thread(target=write_on, args=(folder,))).start()
        while not any(folder.iterdir()):
            pass
        remove_session(folder)
        writing.join(5)
        assert not writing.is_alive()
    assert list(tmp_path.iterdir()) == []
    remove_session(tmp_path / "never made")


def test_a_story_is_left_also_where_chainlit_cannot_end_the_session(tmp_path, monkeypatch) -> None:
    async def act(open_stories: OpenStories, memory: Memory) -> None:
        window: Any = Window("1")
        window.current_task, window.files_dir = None, tmp_path / "files"
        held: dict[str, Any] = {"1": "files on their way"}
        await open_stories.join(window)

        async def delete() -> None:
            raise OSError(5, "Input/output error")

        window.delete = delete
        with pytest.raises(OSError, match="Input"):
            await AwaySessions(open_stories, held).end(window)
        assert (open_stories._open, held) == ({}, {})

    at_stories(tmp_path, act)
