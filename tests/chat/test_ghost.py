"""Ghost text without a page: greedy words, for one line at a time, and only while nothing else is
written."""

import asyncio
import time
from pathlib import Path

import pytest

from chat.generate.ghost import MOST_CHARS, Ghost, fitting
from chat.panels.dispatch import answer_query
from chat.story import Passage, Story
from chat.story.context import Context
from chat.turns import Turns
from tests.chat.test_session import in_a_session, read_by, until
from tests.support.tiny_checkpoint import save_bytes, save_characters

STEP_S = 0.005
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    save_characters(root / "checkpoints" / "letters")
    save_bytes(root / "checkpoints" / "bytes", noise="once upon a time ")
    return root


async def asked(session, words: str | None) -> str:
    request = {"query": "ghost"} if words is None else {"query": "ghost", "words": words}
    answer = await answer_query(session, request)
    assert list(answer) == ["text"], answer
    return answer["text"]


async def slowed(session) -> list[int]:
    """Have the engine take its time; gives how many stories each of its steps wrote at."""
    loaded = await session.engines.get(session.models[session.model])
    generator, rows = loaded.engine._generator, []
    step = generator.step

    def slow_step():
        written = step()
        rows.append(len(written))
        time.sleep(STEP_S)
        return written

    generator.step = slow_step
    return rows


@pytest.mark.parametrize("model", ["letters", "bytes"])
@pytest.mark.parametrize("line", ["Once upon", "", "Once u"])
def test_the_words_are_those_that_the_line_would_bring_at_temperature_0(root, model, line):
    async def act(session, page):
        session.model = model
        await session.engines.get(session.models[model])
        session.history = session.history.change(
            Story().append(Passage(author="writer", text="There was a fox"))
        )
        before, shown = session.story, len(page.events)
        text = await asked(session, line)
        assert (session.story, len(page.events)) == (before, shown)
        greedy = []
        for heal in (True, False):
            values = {"max_new_tokens": "150", "temperature": "0", "heal": heal}
            await session.change_settings(values)
            await session.write(line)
            greedy.append(session.story.last.text)
            await session.act({"act": "undo"})
        # What goes round in a loop is ended earlier there.
        assert any(each.startswith(text[: len(each)]) for each in greedy)
        assert len(text) <= MOST_CHARS
        # What was cut off is a second line, the half of a word, or what an empty line cannot say.
        assert text or not line or not greedy[0].strip() or not greedy[0][0].isspace()

    in_a_session(root, act)


@pytest.mark.skipif(not (ROOT / "checkpoints" / "stories").is_dir(), reason="no model ships")
def test_a_word_that_broke_off_is_completed_and_a_whole_one_left_as_it_is():
    async def act(session, page):
        session.model = "stories"
        await session.engines.get(session.models["stories"])
        assert (await asked(session, "She found a big umb")).startswith("rella")
        # Token by token it would have become "tallf".
        assert (await asked(session, "The bird sang on the tall")).startswith(" ")
        # In its own tokens no "n" follows: " upon" is one.
        assert (await asked(session, "Once upo")).startswith("n a time")

    in_a_session(ROOT, act)


def test_a_model_that_is_not_in_memory_is_not_read_for_it(root):
    async def act(session, page):
        assert await asked(session, "Once upon") == ""
        assert session.engines.names == []

    in_a_session(root, act)


def test_commands_and_a_blank_page_have_none_and_no_line_ends_what_is_under_way(root):
    async def act(session, page):
        rows = await slowed(session)
        for line in ("", "  ", "/retry", "/with t=1 Once", "/nonsense"):
            assert await asked(session, line) == ""
        assert rows == []
        waiting = asyncio.create_task(asked(session, "Once upon"))
        await until(lambda: len(rows) > 1)
        assert await asked(session, None) == ""
        assert await waiting == ""
        seen = len(rows)
        await asyncio.sleep(10 * STEP_S)
        assert len(rows) <= seen + 2

    in_a_session(root, act)


def test_a_new_line_ends_the_one_before_within_a_token(root):
    async def act(session, page):
        rows = await slowed(session)
        first = asyncio.create_task(asked(session, "Once upon"))
        await until(lambda: len(rows) > 1)
        second = asyncio.create_task(asked(session, "Once upon a"))
        assert await first == ""
        assert await second != ""
        assert max(rows) == 1

    in_a_session(root, act)


def test_whatever_is_written_comes_first_and_nothing_is_suggested_meanwhile(root):
    async def act(session, page):
        rows = await slowed(session)
        waiting = asyncio.create_task(asked(session, "Once upon"))
        await until(lambda: len(rows) > 1)
        writing = asyncio.create_task(session.write("Once"))
        assert await waiting == ""
        before = len(rows)
        await until(lambda: session.engines.active == 1 and len(rows) > before)
        assert await asked(session, "Then") == ""
        await writing
        # The two were never in one step: it was gone before the other began.
        assert max(rows) == 1
        assert session.story.last.author == "model"

    in_a_session(root, act)


def test_another_writers_story_that_is_being_written_leaves_nothing_to_spare(root):
    async def act(session, page):
        rows = await slowed(session)
        with session.engines.lease():
            assert await asked(session, "Once upon") == ""
        assert rows == []
        assert await asked(session, "Once upon") != ""

    in_a_session(root, act)


@pytest.mark.parametrize(
    ("line", "text", "is_whole", "expected"),
    [
        ("Once", " upon a ti", False, " upon a"),
        ("Once", " upon a time.", True, " upon a time."),
        ("um", "brel", False, "brel"),
        ("Once ", " upon a time.", True, "upon a time."),
        ("Once ", "s more.", True, ""),
        ("Once", " upon\n\nThe", False, " upon"),
        ("Once", "\n\nThe fox ra", False, "\n\nThe fox"),
        ("Once", " \n", True, ""),
        ("", " It ran.", True, " It ran."),
        ("", "tail", True, ""),
        ("", ", and ran.", True, ", and ran."),
        ("从前", "有一只狐狸", False, "有一只狐狸"),
    ],
)
def test_only_what_can_stand_behind_the_line_is_shown(line, text, is_whole, expected):
    story = Story().append(Passage(author="writer", text="There was a fox"))
    assert fitting(story, line, text, is_whole=is_whole) == expected


def test_pages_are_served_one_at_a_time_and_none_while_another_part_is_busy(root):
    async def act(session, page):
        rows, turns, busy = await slowed(session), Turns(1, each=1), []
        pages = [Ghost(turns, lambda: bool(busy)) for _ in range(3)]
        asking = []
        for each in pages:
            session.ghost = lambda each=each: each
            asking.append(asyncio.create_task(asked(session, "Once upon")))
            await asyncio.sleep(0)
        assert len(set(await asyncio.gather(*asking)) - {""}) == 1
        assert max(rows) == 1
        await until(lambda: session.engines.active == 0)
        busy.append("the time machine")
        written = sum(rows)
        assert await asked(session, "Once upon") == ""
        assert sum(rows) == written

    in_a_session(root, act)


def test_what_is_read_is_what_sending_the_line_would_have_read(root):
    async def act(session, page):
        session.model = "letters"
        loaded = await session.engines.get(session.models["letters"])
        prompts = read_by(loaded.engine)
        await session.put_context(Context(memory="There was a fox.", note="It rained."))
        await session.write("Once")
        await asked(session, "Then it")
        await session.write("Then it")
        assert len(prompts) == 3
        assert prompts[1] == prompts[2] != prompts[0]
        assert "There was a fox." in loaded.tokenizer.decode(prompts[1])

    in_a_session(root, act)
