"""What the votes say in numbers and in plain words."""

from dataclasses import replace

import pytest

from chat.compare.vote_stats import VoteChoice
from chat.compare.votes import Vote
from chat.panels.votes import summary
from tests.chat.test_votes import HOT, VOTE, A, B


def votes(choices: str) -> list[Vote]:
    """`a` and `b` for each side, `=` for none."""
    told: dict[str, VoteChoice] = {"a": "a", "b": "b", "=": "tie"}
    return [replace(VOTE, choice=told[each]) for each in choices]


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ("ab", "Not enough to say: they are level so far."),
        ("a", "Not enough to say yet: stories is ahead"),
        ("aaaa", "about 6 rounds"),
        ("bbbbb", "Not enough to say yet: plays is ahead"),
        ("aaaaaa", "Enough to say: you like stories better"),
        ("aaaaaa", "about once in 32 times"),
        ("bbbbbb=", "Enough to say: you like plays better"),
    ],
)
def test_it_is_said_whether_the_votes_are_enough(choices, words):
    (pair,) = summary(votes(choices))["pairs"]
    assert words in pair["words"]


def test_a_pair_has_its_figures_and_each_its_record_against_all():
    settings = replace(VOTE, b=replace(A, settings=HOT), choice="b")
    found = summary([*votes("aab="), settings])
    assert found["count"] == 5
    first, second = found["pairs"]
    assert (first["first"], first["second"]) == ("stories", "plays")
    assert (first["wins"], first["losses"], first["ties"], first["rate"]) == (2, 1, 1, 0.625)
    # By hand, from Wilson's formula with 2.5 of 4.
    assert (first["low"], first["high"]) == pytest.approx((0.21943, 0.90810), abs=1e-5)
    assert second["first"] == "stories · Temperature 1.5"
    names = [each["name"] for each in found["contestants"]]
    assert names[0] == "stories · Temperature 1.5"
    assert set(names[1:]) == {"stories", "plays", "stories · Temperature 0.2"}


def test_two_models_of_one_name_are_told_apart():
    again = replace(VOTE, a=replace(A, fingerprint="ccddeeff00"), b=B)
    names = {each["name"] for each in summary([VOTE, again])["contestants"]}
    assert names == {"stories (aa)", "stories (ccddee)", "plays"}


def test_without_votes_there_is_nothing_to_say():
    assert summary([]) == {"count": 0, "pairs": [], "contestants": []}
