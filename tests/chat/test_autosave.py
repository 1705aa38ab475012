"""Keeping a story while it is written: the latest state, never in the way, nothing resurrected."""

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from chat.story import Story, autosave
from chat.story.autosave import Autosave
from chat.story.library import Kept, Library, Saved
from tests.chat.test_library import file_of
from tests.chat.test_story import wrote


class Slow(Library):
    """A library on a disk that waits for us."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.free = threading.Event()
        self.free.set()
        self.saved: list[str] = []

    def save(self, story_id, owner, kept, **more) -> Saved:
        assert self.free.wait(20)
        saved = super().save(story_id, owner, kept, **more)
        self.saved.append(kept.story.text)
        return saved


def kept(story: Story, **settings) -> Kept:
    return Kept(story=story, settings=settings, model=None)


def with_keeper(tmp_path, act, signs: list[str] | None = None) -> list[str]:
    """Run `act` with a keeper over a real file; what its writer was told.

    Args:
        signs: Gets what the page's sign said.
    """
    said: list[str] = []

    async def run() -> None:
        library = Slow(tmp_path / "stories.sqlite")
        titles: list[str] = []

        async def tell(message: str) -> None:
            said.append(message)

        async def named(title: str) -> None:
            titles.append(title)

        async def sign(why: str) -> None:
            if signs is not None:
                signs.append(why)

        with ThreadPoolExecutor(1) as executor:
            keeper = Autosave(library, executor, "one", "ada", tell=tell, kept=named, sign=sign)
            await act(library, keeper, titles)
            await keeper.saved()
        library.close()

    asyncio.run(run())
    return said


def test_a_blank_page_is_no_story_and_the_first_word_makes_it_one(tmp_path):
    async def act(library, keeper, titles):
        keeper.keep(kept(Story(), temperature=1.5))
        await keeper.saved()
        assert library.find("one") is None
        keeper.keep(kept(Story().append(wrote("Once"))))
        await keeper.saved()
        assert titles == ["Once"]
        assert library.load("one", "ada").story.text == "Once"

    assert with_keeper(tmp_path, act) == []


def test_nothing_waits_any_more_once_the_writer_is_told_that_it_is_kept(tmp_path):
    waiting: list[Kept | None] = []

    async def act(library, keeper, titles):
        async def named(title: str) -> None:
            waiting.append(keeper.unsaved)

        async def sign(why: str) -> None:
            waiting.append(keeper.unsaved)

        keeper._kept, keeper._sign, keeper.why = named, sign, "The disk was full."
        keeper.keep(kept(Story().append(wrote("Once"))))
        await keeper.saved()
        await asyncio.to_thread(library.delete, "one", "ada")
        keeper.keep(kept(Story().append(wrote("Twice"))))
        await keeper.saved()
        assert keeper.gone

    with_keeper(tmp_path, act)
    assert waiting == [None] * 3


def test_what_a_model_wrote_so_far_is_kept_and_is_no_news(tmp_path):
    """A page counts the news: with one it forgets what it sent before."""

    async def act(library, keeper, titles):
        story = Story().append(wrote("Once"))
        keeper.keep(replace(kept(story), partial=True))
        await keeper.saved()
        assert library.load("one", "ada").story == story
        assert titles == []
        keeper.keep(kept(story))
        await keeper.saved()
        assert titles == ["Once"]

    assert with_keeper(tmp_path, act) == []


def test_a_slow_disk_holds_nothing_up_and_gets_the_latest_state(tmp_path):
    async def act(library, keeper, titles):
        library.free.clear()
        story = Story()
        for number in range(50):
            story = story.append(wrote(f" {number}"))
            keeper.keep(kept(story))
            await asyncio.sleep(0)
        assert library.saved == []
        library.free.set()
        await keeper.saved()
        assert library.load("one", "ada").story == story
        assert len(library.saved) <= 3

    assert with_keeper(tmp_path, act) == []


def test_the_same_state_is_not_written_twice(tmp_path):
    async def act(library, keeper, titles):
        story = Story().append(wrote("Once"))
        for settings in ({}, {}, {"seed": 1}, {"seed": 1}):
            keeper.keep(kept(story, **settings))
            await keeper.saved()
        assert len(library.saved) == 2
        assert library.load("one", "ada").settings == {"seed": 1}

    assert with_keeper(tmp_path, act) == []


def test_a_story_deleted_elsewhere_does_not_come_back_and_it_is_said_once(tmp_path):
    async def act(library, keeper, titles):
        story = Story().append(wrote("Once"))
        keeper.keep(kept(story))
        await keeper.saved()
        library.delete("one", "ada")
        for word in (" more", " again"):
            story = story.append(wrote(word))
            keeper.keep(kept(story))
            await keeper.saved()
        assert library.find("one") is None

    (said,) = with_keeper(tmp_path, act)
    assert "was deleted" in said


def test_a_write_that_failed_is_said_and_made_up_for(tmp_path):
    async def act(library, keeper, titles):
        story = Story().append(wrote("Once"))
        file_of(library).connection.execute("PRAGMA query_only = ON")
        keeper.keep(kept(story))
        await keeper.saved()
        file_of(library).connection.execute("PRAGMA query_only = OFF")
        keeper.keep(kept(story.append(wrote(" more"))))
        await keeper.saved()
        assert library.load("one", "ada").story.text == "Once more"

    (said,) = with_keeper(tmp_path, act)
    assert "could not be kept" in said


def fill(library: Library) -> None:
    """Let the disk be full: the file may have no page more than it has."""
    (pages,) = file_of(library).connection.execute("PRAGMA page_count").fetchone()
    file_of(library).connection.execute(f"PRAGMA max_page_count = {pages}")


def empty(library: Library) -> None:
    file_of(library).connection.execute("PRAGMA max_page_count = 1000000")


LONG = "word " * 20_000


def test_a_full_disk_is_tried_again_by_itself_until_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(autosave, "FIRST_PAUSE_S", 0.02)
    signs: list[str] = []

    async def act(library, keeper, titles):
        fill(library)
        keeper.keep(kept(Story().append(wrote(LONG))))
        assert not await keeper.saved()
        while len(signs) < 3:  # nothing new comes, and it is tried again
            await asyncio.sleep(0.01)
        assert keeper.unsaved.story.text == LONG
        assert library.find("one") is None
        empty(library)
        while signs[-1]:
            await asyncio.sleep(0.01)
        assert await keeper.saved()
        assert keeper.unsaved is None
        assert library.load("one", "ada").story.text == LONG

    (said,) = with_keeper(tmp_path, act, signs)
    assert "database or disk is full. It is tried again by itself." in said
    assert set(signs[:-1]) == {"database or disk is full. It is tried again by itself."}


def test_the_pause_before_another_try_doubles_up_to_a_minute(tmp_path, monkeypatch):
    pauses: list[float] = []

    @asynccontextmanager
    async def at_once(pause_s):
        pauses.append(pause_s)
        await asyncio.sleep(0)
        raise TimeoutError
        yield

    async def act(library, keeper, titles):
        fill(library)
        keeper.keep(kept(Story().append(wrote(LONG))))
        monkeypatch.setattr(autosave.asyncio, "timeout", at_once)
        while len(pauses) < 9:
            await asyncio.sleep(0.001)
        monkeypatch.undo()
        empty(library)

    with_keeper(tmp_path, act)
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_is_new_is_tried_at_once_and_is_what_is_kept(tmp_path):
    async def act(library, keeper, titles):
        story = Story().append(wrote(LONG))
        fill(library)
        keeper.keep(kept(story))
        assert not await keeper.saved()
        empty(library)
        keeper.keep(kept(story.append(wrote(" more"))))
        assert await keeper.saved()
        assert library.load("one", "ada").story.text == LONG + " more"

    assert len(with_keeper(tmp_path, act)) == 1


def test_who_opens_a_story_that_waits_to_be_saved_gets_its_words(tmp_path):
    async def act(library, keeper, titles):
        fill(library)
        keeper.keep(kept(Story().append(wrote(LONG))))
        assert not await keeper.saved()
        assert (await keeper.load()).story.text == LONG
        empty(library)

    with_keeper(tmp_path, act)


def test_the_last_try_is_made_at_once_and_in_a_bounded_time(tmp_path, monkeypatch):
    monkeypatch.setattr(autosave, "LAST_TRY_S", 0.05)

    async def act(library, keeper, titles):
        fill(library)
        keeper.keep(kept(Story().append(wrote(LONG))))
        assert not await keeper.saved()
        assert not await keeper.try_last()
        library.free.clear()  # a disk that does not answer
        assert not await keeper.try_last()
        library.free.set()
        empty(library)
        monkeypatch.setattr(autosave, "LAST_TRY_S", 20)
        assert await keeper.try_last()
        assert library.load("one", "ada").story.text == LONG

    with_keeper(tmp_path, act)


def test_a_story_deleted_before_it_could_be_saved_is_not_written(tmp_path):
    async def act(library, keeper, titles):
        fill(library)
        keeper.keep(kept(Story().append(wrote(LONG))))
        assert not await keeper.saved()
        empty(library)
        keeper.forget()
        await keeper.saved()
        assert keeper.unsaved is None
        assert library.find("one") is None

    assert with_keeper(tmp_path, act)[1:] == [autosave.GONE]


def test_a_commit_that_fails_leaves_no_transaction_open(tmp_path):
    library = Library(tmp_path / "stories.sqlite")
    other = sqlite3.connect(tmp_path / "stories.sqlite", isolation_level=None)

    def write() -> None:
        with library.database.transaction() as rows:
            # Checked when the transaction ends.
            rows.execute("PRAGMA defer_foreign_keys = ON")
            rows.execute("INSERT INTO passages (story, id, data) VALUES ('none', 'a', '{}')")

    with pytest.raises(sqlite3.IntegrityError):
        write()
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    library.save("one", "ada", kept(Story().append(wrote("Once"))), new=True)
    library.close()


def test_a_story_that_was_loaded_goes_on_in_its_place(tmp_path):
    async def act(library, keeper, titles):
        story = Story().append(wrote("Once"))
        library.save("one", "ada", kept(story), new=True)
        loaded = await keeper.load()
        assert loaded.story == story
        keeper.keep(kept(loaded.story.append(wrote(" more"))))
        await keeper.saved()
        assert library.load("one", "ada").story.text == "Once more"

    assert with_keeper(tmp_path, act) == []


@pytest.mark.parametrize("story", [Story(), Story().append(wrote("Once"))])
def test_taking_every_word_back_is_kept_too(tmp_path, story):
    async def act(library, keeper, titles):
        keeper.keep(kept(story.append(wrote("Then"))))
        await keeper.saved()
        keeper.keep(kept(story))
        await keeper.saved()
        assert library.load("one", "ada").story == story

    assert with_keeper(tmp_path, act) == []
