"""The list of stories as Chainlit asks for it, over a real SQLite file.

Six things that Chainlit's own layer gets wrong on SQLite (its issues 2750, 2930, 2528 and 2241
among them) are numbered, and go right here.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from chainlit.types import Feedback, Pagination, ThreadFilter
from chainlit.user import User
from fastapi import HTTPException

from chat.story import Story
from chat.story.library import Kept, Library, Title
from frontend.history import LibraryLayer
from tests.chat.test_story import wrote

THREAD = "11111111-1111-4111-8111-111111111111"


class InMemory:
    """Stories that are not in the library, of one owner each."""

    def __init__(self) -> None:
        self.titles: dict[str, Title] = {}
        self.gone: list[tuple[str, str]] = []

    def find(self, thread: str) -> Title | None:
        return self.titles.get(thread)

    def deleted(self, thread: str, owner: str) -> None:
        self.gone.append((thread, owner))


@pytest.fixture
def layer(tmp_path) -> Iterator[LibraryLayer]:
    library = Library(tmp_path / "stories.sqlite")
    with ThreadPoolExecutor(1) as executor:
        yield LibraryLayer(library, executor, ("StoryView",), InMemory())
    library.close()


def keep(layer: LibraryLayer, thread: str, owner: str, *words: str) -> Story:
    story = Story()
    for word in words:
        story = story.append(wrote(word))
    layer.library.save(thread, owner, Kept(story=story, settings={}, model=None), new=True)
    return story


def run(act: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(act())


async def listed(layer, owner: str, *, first=35, cursor=None, search=None):
    page = Pagination(first=first, cursor=cursor)
    return await layer.list_threads(page, ThreadFilter(userId=owner, search=search))


def message(thread: str, **more) -> dict:
    """What a page sends, and Chainlit hands on: any key may come."""
    return {
        "id": str(uuid.uuid4()),
        "threadId": thread,
        "parentId": None,
        "name": "User",
        "type": "user_message",
        "output": "Once upon a time",
        "input": "",
        "streaming": False,
        "metadata": {},
        "createdAt": "2026-01-01T00:00:00Z",
        **more,
    }


def test_lists_and_modes_with_a_message_lose_no_story(layer, caplog):
    """1: a stock layer cannot bind them, and the thread keeps neither name nor owner."""

    async def act():
        keep(layer, THREAD, "ada", "Once")
        await layer.create_step(message(THREAD, modes={"model": "a"}, tags=["x"]))
        await layer.update_thread(THREAD, name="Once", user_id="ada", tags=["x"])
        (thread,) = (await listed(layer, "ada")).data
        assert (thread["name"], thread["userIdentifier"]) == ("Once", "ada")

    run(act)
    assert not caplog.records


def test_a_run_with_any_column_is_no_failure(layer, caplog):
    """2: the documented schema lacks columns, and every run fails."""

    async def act():
        keep(layer, THREAD, "ada", "Once")
        run_step = message(THREAD, type="run", autoCollapse=True, defaultOpen=False, command="x")
        await layer.create_step(run_step)
        await layer.update_step(run_step)

    run(act)
    assert not caplog.records


def test_a_thread_is_plain_data_ready_for_a_page(layer):
    """3: what is JSON in a column comes back as text."""

    async def act():
        keep(layer, THREAD, "ada", "Once")
        thread = await layer.get_thread(THREAD)
        assert thread["metadata"] == {}
        assert thread["tags"] == []
        assert json.loads(json.dumps(thread)) == thread
        (step,), (element,) = thread["steps"], thread["elements"]
        assert (element["name"], element["type"], element["props"]) == ("StoryView", "custom", {})
        assert element["forId"] == step["id"]
        assert (await layer.get_thread(THREAD)) == thread

    run(act)


def test_what_is_written_and_deleted_at_once_stays_in_order(layer):
    """4: stock writes run in any order, and what was removed came back."""

    async def act():
        keep(layer, THREAD, "ada", "Once")
        renames = [layer.update_thread(THREAD, name=f"name {number}") for number in range(20)]
        await asyncio.gather(*renames)
        assert (await listed(layer, "ada")).data[0]["name"] == "name 19"
        late = [layer.create_step(message(THREAD)), layer.update_thread(THREAD, metadata={"a": 1})]
        await asyncio.gather(layer.delete_thread(THREAD), *late)
        assert (await listed(layer, "ada")).data == []
        assert await layer.get_thread(THREAD) is None

    run(act)


def test_a_list_of_many_long_stories_is_fast_small_and_paged(layer):
    """5: a stock list loads every step of every thread: 1.7 MB for 500 threads."""
    for number in range(300):
        keep(layer, str(number), "ada", f"{number} ", "word " * 400)

    async def act():
        began = time.perf_counter()
        page = await listed(layer, "ada")
        elapsed_s = time.perf_counter() - began
        print(f"35 of 300 stories: {1000 * elapsed_s:.1f} ms, {len(json.dumps(page.to_dict()))} B")
        assert len(json.dumps(page.to_dict())) < 20_000
        assert page.pageInfo.hasNextPage
        seen = [thread["id"] for thread in page.data]
        while page.pageInfo.hasNextPage:
            page = await listed(layer, "ada", cursor=page.pageInfo.endCursor)
            seen += [thread["id"] for thread in page.data]
        assert sorted(seen, key=int) == [str(number) for number in range(300)]

    run(act)


@pytest.mark.parametrize("cursor", ["-1", "x", "9" * 30, "1; DROP TABLE stories", "²"])
def test_a_cursor_that_is_none_begins_the_list(layer, cursor):
    async def act():
        keep(layer, THREAD, "ada", "Once")
        assert len((await listed(layer, "ada", cursor=cursor)).data) == 1

    run(act)


def test_a_step_id_from_a_browser_moves_nothing_out_of_anothers_thread(layer):
    """6: a message with another user's step id takes that step out of the victim's thread."""

    async def act():
        keep(layer, THREAD, "ada", "Once")
        before = await layer.get_thread(THREAD)
        stolen = before["steps"][0]["id"]
        await layer.create_step(message("another", id=stolen))
        await layer.update_step(message("another", id=stolen))
        await layer.delete_step(stolen)
        await layer.delete_element(before["elements"][0]["id"])
        assert await layer.get_thread(THREAD) == before

    run(act)


def test_each_sees_their_own_stories_alone(layer):
    async def act():
        keep(layer, "a", "ada", "The fox of Ada")
        keep(layer, "b", "bob", "The fox of Bob")
        for owner, mine in (("ada", "a"), ("bob", "b")):
            assert [each["id"] for each in (await listed(layer, owner)).data] == [mine]
            found = await listed(layer, owner, search="FOX")
            assert [each["id"] for each in found.data] == [mine]
        assert await layer.get_thread_author("a") == "ada"
        assert await layer.get_thread_author("none") == ""
        with pytest.raises(ValueError, match="userId"):
            await listed(layer, "")

    run(act)


def test_a_story_that_is_not_in_the_library_yet_is_found_and_its_end_is_told(layer):
    layer.unsaved.titles = {"b": Title(id="b", owner="bob", title="Then", began_s=0.0)}

    async def act():
        keep(layer, "a", "ada", "Once")
        layer.unsaved.titles["a"] = Title(id="a", owner="bob", title="Mine", began_s=0.0)
        assert (await layer.get_thread("b"))["userIdentifier"] == "bob"
        assert await layer.get_thread_author("b") == "bob"
        # What stands in the library is never said to be another's.
        assert await layer.get_thread_author("a") == "ada"
        assert (await layer.get_thread("a"))["name"] == "Once"
        await layer.delete_thread("b")
        await layer.delete_thread("a")
        assert layer.unsaved.gone == [("b", "bob"), ("a", "ada")]
        assert await layer.get_thread_author("c") == ""

    run(act)


def test_a_story_that_is_not_saved_yet_is_not_renamed_and_it_is_said(layer):
    async def act() -> None:
        layer.unsaved.titles[THREAD] = Title(id=THREAD, owner="ada", title="Once", began_s=0.0)
        with pytest.raises(HTTPException) as refused:
            await layer.update_thread(THREAD, name="The well")
        assert (refused.value.status_code, "not saved yet" in refused.value.detail) == (409, True)
        await layer.update_thread(THREAD, name="Once", user_id="ada")  # Chainlit's own naming
        await layer.update_thread("nobody's", name="The well")

    run(act)


def test_only_a_rename_renames(layer):
    """Chainlit names a new thread after its first message, and keeps a session's data with it."""

    async def act():
        keep(layer, THREAD, "ada", "Once")
        await layer.update_thread(THREAD, name="/with t=2 Once", user_id="ada")
        await layer.update_thread(THREAD, metadata={"name": "other", "is_shared": True})
        thread = await layer.get_thread(THREAD)
        assert (thread["name"], thread["metadata"]) == ("Once", {})
        await layer.update_thread(THREAD, name="The well")
        assert (await layer.get_thread(THREAD))["name"] == "The well"
        # None is made by it: a story begins with its first word.
        await layer.update_thread("new", name="x", user_id="ada")
        assert await layer.get_thread("new") is None

    run(act)


def test_a_writer_is_known_by_name(layer):
    async def act():
        made = await layer.create_user(User(identifier="ada"))
        assert (made.id, made.identifier) == ("ada", "ada")
        assert await layer.get_user("ada") == made

    run(act)


def test_no_thumbs_are_kept(layer):
    async def act():
        with pytest.raises(ValueError, match="no thumbs"):
            await layer.upsert_feedback(Feedback(forId="x", value=1))

    run(act)
