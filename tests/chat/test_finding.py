"""Words that are looked for in a story, and replaced: one change, the rest stays whose it was."""

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.acts import act, prepared
from chat.errors import RefusedError
from chat.panels.dispatch import answer_query
from chat.story import Passage, Story, StoryToken
from chat.story.finding import LONGEST, Wanted, replaced, units
from chat.story.undo import History
from tests.chat.test_session import in_a_session
from tests.chat.test_session import root as root


def said(text: str) -> Passage:
    return Passage(author="writer", text=text)


def model(*tokens: str, **more) -> Passage:
    made = tuple(StoryToken(at, token) for at, token in enumerate(tokens))
    ids = tuple(token.id for token in made)
    text = "".join(tokens)
    return Passage(author="model", text=text, ids=ids, model="a", tokens=made, seed=1, **more)


def told(*passages: Passage) -> History:
    story = Story()
    for passage in passages:
        story = story.append(passage)
    return History(story)


def replace(history: History, find: str, text: str, **more) -> History:
    return act(history, {"act": "replace", "find": find, "text": text, **more})


def texts(history: History) -> list[tuple[str, str]]:
    return [(passage.author, passage.text) for passage in history.story.path]


def test_all_places_are_one_change_and_who_wrote_the_others_stays():
    before = told(
        said("The fox"),
        model(" sat", "."),
        model(" A", " FOX", " ran", "."),
        said(" Foxes slept."),
        model(" The", " end", finish_reason="end"),
    )
    after = replace(before, "fox", "cat")
    assert texts(after) == [
        ("writer", "The cat"),
        ("model", " sat."),
        ("edited", " A cat ran."),
        ("writer", " cates slept."),
        ("model", " The end"),
    ]
    # What did not change is still the model's, token for token, and the story still ended.
    copy = after.story.path[1]
    old = before.story.path[1]
    assert (copy.ids, copy.tokens, copy.seed) == (old.ids, old.tokens, old.seed)
    assert copy.moved
    assert after.story.ended
    assert replace(after, "end", "close").story.ended
    assert after.undo().story == before.story
    assert after.undo().redo().story == after.story
    # As after an edit, the story as it was is an alternative.
    assert after.story.step(after.story.path[0].id, -1).text == before.story.text


def test_what_stands_before_the_first_place_stays_as_it_is():
    before = told(said("One"), model(" two", " three"), said(" four"))
    after = replace(before, "four", "five")
    assert after.story.path[:2] == before.story.path[:2]
    assert not after.story.path[1].moved


def test_words_over_the_border_of_passages_and_of_tokens_are_found():
    before = told(said("An um"), model("bre", "lla", " fe"), said("l"), said("l down"))
    after = replace(before, "umbrella fell", "hat came")
    assert texts(after) == [("writer", "An hat came"), ("writer", " down")]
    assert texts(replace(before, "ell", "ind")) == [
        ("writer", "An um"),
        ("edited", "brinda find"),
        ("writer", " down"),
    ]
    assert texts(replace(before, "an umbrella fell down", "")) == []


def test_one_place_is_told_as_a_browser_counts():
    before = told(said("😀 fox, fox, fox"))
    after = replace(before, "fox", "cat", at=len("😀 fox, ") + 1)
    assert after.story.text == "😀 fox, cat, fox"
    with pytest.raises(RefusedError, match="does not stand there any more"):
        replace(before, "fox", "cat", at=4)


def test_case_and_whole_words_are_minded():
    before = told(said("Ann and Anna, ANN"))
    assert replace(before, "ann", "Eve", whole_words=True).story.text == "Eve and Anna, Eve"
    assert replace(before, "Ann", "Eve", match_case=True).story.text == "Eve and Evea, ANN"


@pytest.mark.parametrize(
    ("find", "text", "why"),
    [
        ("", "x", "nothing to look for"),
        ("wolf", "x", "“wolf” does not stand in the story"),
        ("fox", "fox", "nothing would change"),
        ("f" * (LONGEST + 1), "x", "Up to 1,000 characters"),
        ("o", "x" * 2_000_000, "more than 3,000,000 characters"),
    ],
)
def test_what_cannot_be_replaced_is_said_and_changes_nothing(find, text, why):
    with pytest.raises(RefusedError, match=why):
        replace(told(said("The fox sat down.")), find, text)


def test_more_places_than_are_replaced_at_once_are_refused(monkeypatch):
    monkeypatch.setattr("chat.story.finding.MOST", 3)
    with pytest.raises(RefusedError, match="more than 3 places"):
        replace(told(said("aaaa")), "a", "b")
    assert replace(told(said("aaa")), "a", "b").story.text == "bbb"


def test_half_a_character_is_neither_looked_for_nor_put_there():
    after = replace(told(said("a fox")), "fox", "\ud83d")
    assert after.story.text == "a \ufffd"


def test_twenty_thousand_places_of_a_long_story_take_well_under_a_second():
    line = "Anna went “down” … to it.\n"
    passages = [said(line * 50) for _ in range(400)]
    before = told(*passages)
    began = time.perf_counter()
    after = replace(before, "anna", "Clara")
    assert time.perf_counter() - began < 3  # 0.3 s on an idle machine
    assert after.story.text == before.story.text.replace("Anna", "Clara")
    assert after.story.text.count("Clara") == 20_000


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text("ab", max_size=4), max_size=6),
    st.text("ab", min_size=1, max_size=3),
    st.text("abc", max_size=2),
)
def test_replacing_over_passages_is_replacing_in_the_text(parts, find, text):
    story = told(*(said(part) for part in parts)).story
    places = list(Wanted(find).places(story.text))
    after = replaced(story, places, text)
    assert after.text == story.text.replace(find, text)
    assert after is story or History(story).change(after).undo().story == story


def test_the_page_is_told_where_and_of_which_revision(root):
    async def run(session, page):
        session.history = told(said("😀 A fox. "), model("A ", "fo", "x."))
        await session.show()
        asked = {"query": "find", "find": "FOX", "match_case": False, "whole_words": True}
        answer = await answer_query(session, asked)
        text = page.text
        wide = text.encode("utf-16-le")
        here = [
            wide[2 * start : 2 * end].decode("utf-16-le")
            for start, end in zip(answer["places"][::2], answer["places"][1::2], strict=True)
        ]
        assert here == ["fox", "fox"]
        assert (answer["count"], answer["revision"]) == (2, session.revision)
        assert (
            "nothing to look for" in (await answer_query(session, {**asked, "find": ""}))["error"]
        )

    in_a_session(root, run)


def test_while_a_model_writes_nothing_is_replaced(root):
    async def run(session, page):
        writing = asyncio.create_task(session.write("Once"))
        while not session.writing:
            await asyncio.sleep(0.001)
        await session.act({"act": "replace", "find": "Once", "text": "Twice"})
        assert page.said[-1] == "Still writing: stop it first."
        await writing
        assert session.story.text.startswith("Once")
        await session.act({"act": "replace", "find": "Once", "text": "Twice"})
        assert page.text.startswith("Twice")
        await session.act({"act": "undo"})
        assert page.text.startswith("Once")

    in_a_session(root, run)


def test_a_story_that_changed_while_it_was_looked_through_is_looked_through_anew():
    async def run():
        before = told(said("A fox."))
        request = {"act": "replace", "find": "fox", "text": "cat"}
        known = await prepared(before.story, request)
        assert act(before, known).story.text == "A cat."
        assert act(told(said("The old fox.")), known).story.text == "The old cat."
        nowhere = await prepared(before.story, {**request, "find": "wolf"})
        with pytest.raises(RefusedError, match="does not stand in the story"):
            act(before, nowhere)

    asyncio.run(run())


def test_a_browser_counts_a_wide_character_twice():
    unit = units("a😀b😀")
    assert [unit(at) for at in range(5)] == [0, 1, 3, 4, 6]
