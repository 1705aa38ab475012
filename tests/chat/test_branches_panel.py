"""What a page is told of a story's branches, and what it may do with them."""

import json
from dataclasses import replace

from chat.generate.request import OTHER_PAGE
from chat.panels.branches import MOST_BRANCHES, MOST_OF_A_FORK, branches_data
from chat.panels.dispatch import answer_query
from chat.session import STILL_WRITING
from chat.story import Passage, Story
from chat.story.undo import History
from frontend.payloads import page_request
from tests.chat.test_branches import told
from tests.chat.test_session import in_a_session
from tests.support.tiny_checkpoint import save_characters


def many(forks: int, ways: int = 2) -> Story:
    """A story that forks so often, one time after the other."""
    story = Story().append(Passage(author="writer", text="Once"))
    for at in range(forks):
        parent = story.current
        for way in range(ways):
            passage = Passage(
                author="writer", text=f" {at} {way} " + "word " * 60, id=f"{at}-{way}"
            )
            story = story.at(parent).append(passage)
    return story


def test_of_more_forks_than_can_be_shown_those_nearest_to_the_end_are():
    story = many(700)
    data = branches_data(story)
    shown = [branch["passage"] for fork in data["forks"] for branch in fork["branches"]]
    assert len(shown) == MOST_BRANCHES
    assert shown[-1] == "699-1"
    assert data["left_out"] == 200
    assert len(json.dumps(data)) < 400_000


def test_of_a_fork_with_very_many_branches_the_newest_are_shown_with_the_one_that_is_read():
    story = many(1, MOST_OF_A_FORK + 10).choose("0-3")
    story = replace(story, names={"0-5": "Mine"})
    (fork,) = branches_data(story)["forks"]
    ids = [branch["passage"] for branch in fork["branches"]]
    assert ids[:3] == ["0-3", "0-5", "0-12"]
    assert (len(ids), fork["left_out"]) == (MOST_OF_A_FORK, 10)


def test_a_branch_is_named_shown_and_deleted_by_acts_that_pass_the_page_s_door(tmp_path):
    save_characters(tmp_path / "checkpoints" / "tiny")

    async def act(session, page):
        session.history = History(told(" a fox", " a hen"))
        for request in (
            {"act": "name_branch", "passage": "way0", "name": "<i>The\x00 fox</i>"},
            {"act": "pick", "passage": "way0"},
            {"act": "delete_branch", "passage": "way1"},
        ):
            await session.act(page_request(request))
        assert session.story.text == "Once upon a time a fox"
        assert session.story.names == {"way0": "<i>The\ufffd fox</i>"}
        await session.act({"act": "delete_branch", "passage": "way0"})
        assert "only way on" in page.said[-1]
        await session.act({"act": "undo"})
        told_of = await answer_query(session, page_request({"query": "branches"}))
        names = [each["name"] for each in told_of["forks"][0]["branches"]]
        assert names == ["<i>The\ufffd fox</i>", ""]
        for wrong in ({"passage": "way0"}, {"passage": "way0", "name": None}):
            await session.act({"act": "name_branch", **wrong})
            assert page.said[-1] == OTHER_PAGE

    in_a_session(tmp_path, act)


def test_no_branch_is_named_or_deleted_while_a_model_writes(tmp_path):
    save_characters(tmp_path / "checkpoints" / "tiny")

    async def act(session, page):
        session.history = History(told(" a fox", " a hen"))
        session.status = "writing"
        before = session.story
        for name in ("delete_branch", "name_branch"):
            await session.act({"act": name, "passage": "way1", "name": "x"})
            assert page.said[-1] == STILL_WRITING
        assert session.story is before
        session.status = ""

    in_a_session(tmp_path, act)
