"""Votes on disk: kept, each owner's own, in the file of the stories, and out as a table."""

import csv
import io
from dataclasses import replace

from chat.compare.votes import Contestant, Side, Vote, Votes, contestants, to_csv
from chat.story import Passage, Story
from chat.story.library import Kept, Library

COLD = {"temperature": 0.2, "top_k": 0, "max_new_tokens": 12}
HOT = {**COLD, "temperature": 1.5}
A = Side(model="stories", fingerprint="aa", settings=COLD, text=" there was\n“a fox”, red")
B = Side(model="plays", fingerprint="bb", settings=COLD, text="\ud800 enter")
VOTE = Vote(a=A, b=B, choice="a", prompt="Once upon a time", seed=2**63 - 1, voted_s=1e9)


def test_a_vote_comes_back_after_a_restart_beside_the_stories(tmp_path):
    path = tmp_path / "stories.sqlite"
    library, votes = Library(path), Votes(path)
    kept = Kept(story=Story().append(Passage(author="writer", text="Once")), settings={}, model="x")
    library.save("s", "me", kept, new=True)
    votes.cast("me", VOTE)
    library.close()
    votes.close()
    library, votes = Library(path), Votes(path)
    assert votes.all("me") == [VOTE]
    assert library.load("s", "me").story == kept.story
    votes.close()
    library.close()


def test_nobody_sees_or_deletes_anothers_votes(tmp_path):
    votes = Votes(tmp_path / "stories.sqlite")
    votes.cast("me", VOTE)
    votes.cast("you", replace(VOTE, choice="tie"))
    assert [each.choice for each in votes.all("you")] == ["tie"]
    assert votes.forget("you") == 1
    assert votes.all("you") == []
    assert votes.all("me") == [VOTE]
    votes.close()


def test_what_differs_tells_contestants_apart_and_what_they_share_does_not():
    models = contestants(VOTE)
    warmer = replace(VOTE, a=replace(A, settings=HOT), b=replace(B, settings=HOT))
    assert contestants(warmer) == models
    assert [each.name for each in models] == ["stories", "plays"]
    settings = contestants(replace(VOTE, b=replace(A, settings=HOT)))
    assert [each.name for each in settings] == [
        "stories · Temperature 0.2",
        "stories · Temperature 1.5",
    ]
    assert settings[0] == Contestant("stories", "aa", (("temperature", 0.2),))
    # Whether a word could be completed lies with the model, and with where the story stood.
    healed = {**A.settings, "heal": True}
    assert contestants(replace(VOTE, a=replace(A, settings=healed))) == models
    off = replace(A, settings={**COLD, "heal": False})
    unlike = contestants(replace(VOTE, a=replace(A, settings=healed), b=off))
    assert [each.name for each in unlike] == [
        "stories · Complete words On",
        "stories · Complete words Off",
    ]
    retrained = contestants(replace(VOTE, a=replace(A, fingerprint="cc")))
    assert retrained[0] != models[0]


def test_the_table_for_other_programs_holds_every_word():
    rows = list(csv.DictReader(io.StringIO(to_csv([VOTE]), newline="")))
    assert len(rows) == 1
    assert rows[0]["a_text"] == A.text
    assert rows[0]["b_model"] == "plays"
    assert rows[0]["choice"] == "a"
    assert rows[0]["seed"] == str(2**63 - 1)
    assert rows[0]["voted"] == "2001-09-09T01:46:40+00:00"
    assert float(rows[0]["b_temperature"]) == 0.2
