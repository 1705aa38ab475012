"""The branches of a story: what is said of them, their names, and deleting one."""

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given

from chat.acts import act
from chat.story import Passage, Story, StoryError, StoryToken, TokenChoice, kept_undo
from chat.story.branches import LOOKED_AT, delete_branch, forks, name_branch
from chat.story.export import from_file, to_json
from chat.story.kept_undo import read_undo, undo_json
from chat.story.library import Library
from chat.story.pieces import FileError
from chat.story.tree import LONGEST_NAME
from chat.story.undo import History
from tests.chat.test_autosave import kept
from tests.chat.test_story import stories


def told(*ways: str, start: str = "Once upon a time") -> Story:
    """A story that begins with `start`, and goes on in these ways; the last one is read."""
    story = Story().append(Passage(author="writer", text=start, id="start"))
    for at, text in enumerate(ways):
        story = story.at("start").append(Passage(author="model", text=text, id=f"way{at}"))
    return story


def words(story: Story) -> list[str]:
    return [branch.words for branch in forks(story)[0].branches]


def test_a_fork_says_what_stands_before_it_and_its_branches_what_they_are():
    story = told(" a fox ran. It", " a hen slept.").choose("way0")
    story = story.append(Passage(author="writer", text=" rained", id="on", written_s=5.0))
    story = replace(story, passages=tuple(replace(each, written_s=5.0) for each in story.passages))
    (fork,) = forks(story)
    assert (fork.at, fork.after, fork.on_path) == ("start", "Once upon a time", True)
    fox, hen = fork.branches
    assert (fox.words, fox.length, fox.shown, fox.written_s) == (
        "… fox ran. It rained",
        5,
        True,
        5.0,
    )
    assert (hen.words, hen.length, hen.shown, hen.fork) == ("… hen slept.", 3, False, None)


def test_the_words_that_differ_are_those_that_no_other_branch_has():
    ways = (" the old fox ran home", " the old fox ran away", " a hen")
    assert words(told(*ways)) == ["… home", "… away", "a hen"]
    assert words(told(" walking", " walked")) == ["walking", "walked"]
    long = "word " * 100
    assert all(
        len(each) < 80 and each.endswith("…") for each in words(told(f" a{long}", f" b{long}"))
    )
    assert words(told(" " + "狐" * 300, " " + "猫" * 300))[0].startswith("狐")


def test_a_branch_that_ends_where_another_goes_on_shows_its_last_words():
    story = told(" a fox", " a fox ran")
    short, long = forks(story)[0].branches
    assert (short.words, short.ends, long.words, long.ends) == ("a fox", True, "… fox ran", False)
    same = "a " * LOOKED_AT
    assert [each.ends for each in forks(told(same, same + "b"))[0].branches] == [False, False]


def test_a_word_that_two_passages_share_is_counted_once():
    story = told(" umb", " x").choose("way0").append(Passage(author="model", text="rella is wet"))
    assert forks(story)[0].branches[0].length == 3


def test_forks_come_as_they_are_read_and_each_branch_names_the_next():
    story = told(" a", " b").choose("way0")
    story = story.append(Passage(author="model", text=" c", id="c"))
    for id in ("d", "e"):
        story = story.at("c").append(Passage(author="model", text=f" {id}", id=id))
    story = story.at("way1").append(Passage(author="model", text=" f", id="f"))
    story = story.at(None).append(Passage(author="writer", text="Anew", id="anew"))
    found = forks(story)
    assert [fork.at for fork in found] == [None, "start", "c"]
    assert [branch.fork for fork in found for branch in fork.branches] == [
        *("start", None),
        *("c", None),
        *(None, None),
    ]
    assert [fork.on_path for fork in found] == [True, False, False]
    assert forks(Story()) == []


def test_a_passage_knows_when_it_was_written_and_an_older_one_does_not():
    before = time.time() - 1
    story = told(" a fox")
    written = story.passage("way0").written_s
    assert written is not None
    assert before < written < time.time() + 1
    data = story.to_dict()
    for entry in data["passages"]:
        del entry["written_s"]
    assert Story.from_dict(data).passage("way0").written_s is None
    assert Story.from_dict(data).to_dict() == data


def test_a_branch_is_named_and_an_empty_name_takes_it_away():
    story = told(" a fox", " a hen")
    named = name_branch(story, "way0", "  The\nfox\u202e <b>& ")
    assert forks(named)[0].branches[0].name == "The fox\ufffd <b>&"
    assert name_branch(named, "way0", "The fox\ufffd <b>&") is named
    assert name_branch(named, "way0", " ") == story
    with pytest.raises(StoryError, match="up to 60 characters, and this one 61"):
        name_branch(story, "way0", "x" * (LONGEST_NAME + 1))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_branch_goes_with_all_that_follows_and_the_story_to_the_one_beside_it(place):
    story = told(" a", " b", " c").choose(f"way{place}")
    story = story.append(Passage(author="model", text=" more", id="more"))
    story = name_branch(story, "more", "Gone")
    left = delete_branch(story, f"way{place}")
    beside = place + 1 if place < 2 else 1
    assert left.text == f"Once upon a time {'abc'[beside]}"
    assert {f"way{place}", "more"}.isdisjoint(left.by_id)
    assert left.names == {}
    assert Story.from_dict(left.to_dict()) == left


def test_a_branch_that_is_not_read_goes_and_the_story_stays():
    story = told(" a", " b").choose("way0").append(Passage(author="model", text=" on"))
    left = delete_branch(story, "way1")
    assert (left.text, left.current) == (story.text, story.current)
    back = told(" a", " b").at("start")  # the way on is forgotten, or leads through the other
    assert delete_branch(back, "way1").choose("start").text == "Once upon a time"


def test_the_only_way_on_is_no_branch():
    with pytest.raises(StoryError, match="no branch beside it"):
        delete_branch(told(" a"), "way0")


def test_deleting_is_one_step_that_undo_takes_back():
    history = History(name_branch(told(" a", " b", " c"), "way1", "Mine"))
    story = history.story
    after = act(history, {"act": "delete_branch", "passage": "way1"})
    assert after.undo().story == story
    assert after.undo().redo().story == after.story
    named = act(history, {"act": "name_branch", "passage": "way0", "name": "Other"})
    assert named.undo().story.names == {"way1": "Mine"}


def test_what_was_deleted_comes_back_after_the_story_was_kept_in_its_place(tmp_path):
    library = Library(tmp_path / "stories.sqlite")
    other = Story().append(Passage(author="writer", text="Another"))
    history = History(name_branch(told(" a", " b", " c"), "way1", "Mine"))
    whole = history.story
    library.save("s", "me", kept(whole), new=True)
    library.save("t", "me", kept(other), new=True)  # of another's story, between them
    history = act(history, {"act": "delete_branch", "passage": "way1"})
    library.save("s", "me", replace(kept(history.story), past=history.past), before=whole)
    found = library.load("s", "me")
    assert found.past == (whole,)
    back = History(found.story, found.past).undo()
    state = replace(kept(back.story), future=back.future)
    library.save("s", "me", state, before=found.story)
    again = library.load("s", "me")
    library.close()
    assert again.story == whole
    assert [each.id for each in again.story.alternatives("way0")] == ["way0", "way1", "way2"]
    assert again.future == (history.story,)


def test_what_two_states_end_with_is_not_told_again():
    before = told(*(f" way {at}" for at in range(200)))
    after = delete_branch(before, "way3")
    told_as = undo_json(after, [before], [])
    assert len(told_as) < 2000
    assert read_undo(after, json.loads(told_as)) == ((before,), ())
    spoilt = told_as.replace("[196]", "[900]")
    assert spoilt != told_as
    assert read_undo(after, json.loads(spoilt)) == ((), ())


def test_the_words_of_a_long_branch_come_back_where_its_dice_have_no_room(monkeypatch):
    top = tuple(TokenChoice(at, "x", 0.1, 0.1) for at in range(10))
    tokens = tuple(StoryToken(at, " x", 0.1, 0.1, 0.1, top) for at in range(50))
    before = told(*(" long" * 50, " b"))
    long = replace(before.passage("way0"), tokens=tokens)
    before = replace(before, passages=(before.passages[0], long, *before.passages[2:]))
    after = delete_branch(before, "way0")
    monkeypatch.setattr(kept_undo, "MOST_CHARACTERS", 1000)
    ((back,), _) = read_undo(after, json.loads(undo_json(after, [before], [])))
    assert back.passage("way0") == replace(long, tokens=())
    monkeypatch.setattr(kept_undo, "MOST_WORDS", 100)
    assert read_undo(after, json.loads(undo_json(after, [before], []))) == ((), ())


def test_names_are_in_the_export_and_one_that_is_none_is_refused():
    story = name_branch(told(" a", " b"), "way0", "Mine")
    text = to_json(story)
    assert from_file("s.json", text) == story
    for names in ({"way0": "x" * 61}, {"way0": ""}, {"nowhere": "x"}, {"way0": 3}, ["way0"]):
        spoilt = {**json.loads(text), "names": names}
        with pytest.raises(FileError):
            from_file("s.json", json.dumps(spoilt))
    for written_s in (-1, 10**12, "now"):
        spoilt = json.loads(text)
        spoilt["passages"][0]["written_s"] = written_s
        with pytest.raises(FileError):
            from_file("s.json", json.dumps(spoilt))


def test_a_long_novel_with_hundreds_of_forks_is_read_in_a_moment():
    story, text = Story(), "The fox saw a hen in the long grass. " * 14
    for at in range(1000):
        parent = story.current
        story = story.append(Passage(author="writer", text=f"{text}{at} "))
        if at % 3 == 0:
            story = story.at(parent).append(Passage(author="writer", text=f"{text}{at}! "))
    began = time.perf_counter()
    found = forks(story)
    assert len(found) == 334
    assert found[-1].branches[-1].words == f"… {999}!"
    assert time.perf_counter() - began < 2


def test_thousands_of_passages_without_a_word_are_read_in_a_moment():
    passages: list[Passage] = []
    for at in range(2000):
        parent = passages[-1].id if passages else None
        twins = [Passage(author="model", text="", id=f"{at}{way}", parent=parent) for way in "ab"]
        passages += twins
    story = Story(passages=tuple(passages)).at(passages[-1].id)
    began = time.perf_counter()
    assert len(forks(story)) == 2000
    assert time.perf_counter() - began < 3


@given(stories())
def test_every_tree_can_lose_each_of_its_branches_and_holds_together(story):
    for passage in story.passages:
        if len(story.alternatives(passage.id)) > 1:
            left = delete_branch(story, passage.id)
            assert Story.from_dict(left.to_dict()) == left
            assert read_undo(left, json.loads(undo_json(left, [story], []))) == ((story,), ())
