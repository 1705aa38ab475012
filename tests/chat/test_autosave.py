"""Keeping a story while it is written: the latest state, never in the way, nothing resurrected."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chat.story import Story
from chat.story.autosave import Autosave
from chat.story.library import Kept, Library
from tests.chat.test_story import wrote


class Slow(Library):
    """A library on a disk that waits for us."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.free = threading.Event()
        self.free.set()
        self.saved: list[str] = []

    def save(self, story_id, owner, kept, **more) -> None:
        assert self.free.wait(20)
        super().save(story_id, owner, kept, **more)
        self.saved.append(kept.story.text)


def kept(story: Story, **settings) -> Kept:
    return Kept(story=story, settings=settings, model=None)


def with_keeper(tmp_path, act) -> list[str]:
    """Run `act` with a keeper over a real file; what its writer was told."""
    said: list[str] = []

    async def run() -> None:
        library = Slow(tmp_path / "stories.sqlite")
        titles: list[str] = []

        async def tell(message: str) -> None:
            said.append(message)

        async def named(title: str) -> None:
            titles.append(title)

        with ThreadPoolExecutor(1) as executor:
            keeper = Autosave(library, executor, "one", "ada", tell=tell, kept=named)
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
        library._rows.execute("PRAGMA query_only = ON")
        keeper.keep(kept(story))
        await keeper.saved()
        library._rows.execute("PRAGMA query_only = OFF")
        keeper.keep(kept(story.append(wrote(" more"))))
        await keeper.saved()
        assert library.load("one", "ada").story.text == "Once more"

    (said,) = with_keeper(tmp_path, act)
    assert "could not be kept" in said


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
