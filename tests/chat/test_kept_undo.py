"""Undo and redo come back from the library as they were, and what is broken of them is no harm."""

import json
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from chat.story import Passage, Story
from chat.story.editing import edit
from chat.story.kept import Kept
from chat.story.kept_undo import MOST_CHARACTERS, STEPS, read_undo, undo_json
from chat.story.library import Library
from chat.story.undo import History
from tests.chat.test_session import in_a_session, root  # noqa: F401 - a fixture
from tests.chat.test_story_properties import Act, acts, after


def wrote(text: str) -> Passage:
    return Passage(author="writer", text=text)


def kept(history: History) -> Kept:
    return Kept(
        story=history.story, settings={}, model=None, past=history.past, future=history.future
    )


def again(history: History) -> History:
    """As another process reads it."""
    data = json.loads(undo_json(history.story, history.past, history.future))
    return History(history.story, *read_undo(history.story, data))


@settings(max_examples=150, deadline=None)
@given(acts)
def test_what_can_be_undone_and_done_again_comes_back_exactly(todo: list[Act]) -> None:
    history = after(todo)
    assert again(history) == history


def told(count: int) -> History:
    history = History(Story())
    for number in range(count):
        history = history.change(history.story.append(wrote(f" {number}")))
    return history


def test_a_library_gives_them_back_to_their_owner_after_a_restart(tmp_path):
    history = told(5)
    history = history.change(edit(history.story, history.story.path[1].id, "x")).undo(2)
    library = Library(tmp_path / "stories.sqlite")
    library.save("one", "ada", kept(history), new=True)
    library.close()
    library = Library(tmp_path / "stories.sqlite")
    found = library.load("one", "ada")
    assert found == kept(history)
    # What was undone is no passage of the story until it is done again.
    rows = sqlite3.connect(tmp_path / "stories.sqlite")
    assert rows.execute("SELECT count(*) FROM passages").fetchone() == (4,)
    rows.close()
    redone = History(found.story, found.past, found.future).redo(2)
    assert redone.story == history.redo(2).story
    library.save("one", "ada", kept(redone), before=found.story)
    assert library.load("one", "ada") == kept(redone)
    library.close()


def test_only_pointers_are_kept_and_so_many_of_them(tmp_path):
    history = told(2 * STEPS)
    text = undo_json(history.story, history.past, ())
    assert len(text) < 200 * STEPS
    assert json.loads(text)["passages"] == []
    assert again(history).past == history.past[-STEPS:]
    back = history.undo(STEPS + 20)
    assert again(back).future == back.future[:STEPS]


def test_what_would_be_too_much_text_is_not_kept_and_what_stands_nearer_is():
    history = told(1)
    for size in (10, MOST_CHARACTERS // 2, MOST_CHARACTERS // 2, 10):
        history = history.change(history.story.append(wrote("x" * size)))
    back = history.undo(4)
    assert len(undo_json(back.story, back.past, back.future)) < MOST_CHARACTERS
    assert again(back).future == back.future[:2]
    assert again(back).past == back.past


BROKEN: list[Callable[[dict[str, Any]], object]] = [
    lambda undo: undo.clear(),
    lambda undo: undo.update(of=[1, 2]),
    lambda undo: undo.update(past=None),
    lambda undo: undo.update(past={"same": 1}),
    lambda undo: undo.update(past=[3]),
    lambda undo: undo.update(past=undo["past"] * (STEPS + 1)),
    lambda undo: undo.update(passages=["x"]),
    lambda undo: undo.update(passages=[]),
    lambda undo: undo["past"][0].update(same=-1),
    lambda undo: undo["past"][0].update(same=99),
    lambda undo: undo["past"][0].update(same="1"),
    lambda undo: undo["past"][0].update(same=1.5),
    lambda undo: undo["past"][0].update(same=0),
    lambda undo: undo["past"][0].update(current="nobody"),
    lambda undo: undo["past"][0].update(current=["x"]),
    lambda undo: undo["past"][0].update(read={"x": "y"}),
    lambda undo: undo["past"][0].update(read=[1]),
    lambda undo: undo["past"][0].update(names={"nobody": "x"}),
    lambda undo: undo["past"][0].update(names=[1]),
    lambda undo: undo["past"][0].update(put=[[99]]),
    lambda undo: undo["past"][0].update(put=[["x"]]),
    lambda undo: undo["past"][0].update(put=[[1, 2]]),
    lambda undo: undo["future"][0].update(put=[-1]),
    lambda undo: undo["future"][0].update(put=[0, 0]),
    lambda undo: undo["future"][0].update(put=["nobody"]),
    lambda undo: undo["future"][0].update(put=[None]),
    lambda undo: undo["future"][0].update(put="0"),
    lambda undo: undo["passages"][0].update(parent="nobody"),
    lambda undo: undo["passages"][0].update(text=3),
    lambda undo: undo["passages"][0].update(more=3),
]


@pytest.mark.parametrize("break_it", [*BROKEN, lambda undo: "text", lambda undo: 3])
def test_a_value_that_is_broken_is_left_out_with_a_line_in_the_log(tmp_path, caplog, break_it):
    history = told(4).undo(2)
    library = Library(tmp_path / "stories.sqlite")
    library.save("one", "ada", kept(history), new=True)
    rows = sqlite3.connect(tmp_path / "stories.sqlite")
    head = json.loads(rows.execute("SELECT head FROM stories").fetchone()[0])
    broken = break_it(head["undo"])
    if isinstance(broken, str | int):
        head["undo"] = broken
    with rows:
        rows.execute("UPDATE stories SET head = ?", [json.dumps(head)])
    rows.close()
    with caplog.at_level(logging.WARNING):
        found = library.load("one", "ada")
    assert found == replace(kept(history), past=(), future=())
    (record,) = caplog.records
    assert "what could be undone in a story is damaged" in record.message
    library.close()


def test_passages_that_another_window_left_make_it_another_state(tmp_path, caplog):
    history = told(3)
    library = Library(tmp_path / "stories.sqlite")
    library.save("one", "ada", kept(history), new=True)
    rows = sqlite3.connect(tmp_path / "stories.sqlite")
    with rows:
        rows.execute("DELETE FROM passages WHERE id = ?", [history.story.passages[-1].id])
    rows.close()
    found = library.load("one", "ada")
    assert found.story.text == " 0 1"
    assert (found.past, found.future) == ((), ())
    library.close()


def test_a_session_that_opens_a_story_can_undo_and_redo_what_another_did(root):  # noqa: F811
    async def act(session, page):
        states: list[Kept] = []
        session.keep = states.append
        await session.write("Once upon")
        texts = [session.story.text]
        await session.act({"act": "edit", "passage": session.story.path[0].id, "text": "Twice"})
        texts.append(session.story.text)
        await session.act({"act": "undo"})
        kept_last = states[-1]
        session.history = History(Story())
        await session.take(kept_last)
        assert (page.state["undo"], page.state["redo"]) == (len(kept_last.past), 1)
        await session.act({"act": "redo"})
        assert session.story.text == texts[1]
        await session.act({"act": "undo", "count": 2})
        assert session.story.text == ""
        assert states[-1].story == Story(id=session.story.id)

    in_a_session(root, act)


def test_a_line_can_be_taken_back_that_was_written_when_the_app_was_killed(root):  # noqa: F811
    async def act(session, page):
        states: list[Kept] = []
        session.keep = states.append
        await session.write("Once upon")
        begun = next(state for state in states if len(state.story.path) == 1)
        await session.take(begun)
        assert session.story.text == "Once upon"
        await session.act({"act": "undo"})
        assert session.story.text == ""

    in_a_session(root, act)
