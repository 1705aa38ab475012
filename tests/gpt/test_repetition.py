"""A loop is noticed; a word, a refrain or a row of stars that a story repeats is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt.text.repetition import LENGTH, LONGEST, SIGHT, TIMES, loop


@pytest.mark.parametrize(
    ("cycle", "times"),
    [
        ("the cat and ", 8),
        (" He was very happy.", 5),
        ("\n", 80),
        ("ha ", 27),
        ("They went to the park to play with the ball and the dog, and it was fun. ", 4),
        ("ROMEO:\nI am the king of the world.\n\n", 4),
    ],
)
def test_a_loop_is_noticed_whatever_stood_before(cycle, times):
    found = loop("Once upon a time " + cycle * times)
    assert found is not None
    assert sorted(found) == sorted(cycle)
    # In the middle of the next round as well.
    assert loop("Once " + cycle * times + cycle[: len(cycle) // 2]) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "“No, no, no, no, no, no!” said the cat.",
        "He ran and ran and ran and ran and ran and ran and ran",
        "very " * 15,
        "* * * * * * * * * *",
        "“Ha ha ha ha ha ha ha ha ha ha ha ha!”",
        "Row, row, row your boat, gently down the stream. " * 3,
        "The first pig said no. The second pig said no. The third pig said no. The fourth did.",
        ("the cat and " * 20) + "then it slept.",
    ],
)
def test_what_a_story_may_repeat_is_no_loop(text):
    assert loop(text) is None


@given(st.text(min_size=1, max_size=LONGEST), st.text(max_size=30))
def test_any_cycle_is_noticed_as_soon_as_it_is_long_enough(cycle, before):
    times = max(TIMES, -(-LENGTH // len(cycle)))
    found = loop(before + cycle * times)
    assert found is not None
    # A cycle of "abab" is one of "ab".
    assert len(cycle) % len(found) == 0 or len(found) < len(cycle)


@given(st.text("ab ", max_size=200))
def test_what_is_called_a_loop_is_one(text):
    found = loop(text)
    if found is not None:
        span = max(TIMES * len(found), LENGTH)
        assert text.endswith((found * span)[-span:])


@given(
    st.text("ab", max_size=60), st.text("ab", min_size=1, max_size=LONGEST + 5), st.integers(0, 9)
)
def test_what_stands_before_the_sight_makes_no_difference(before, cycle, times):
    text = before * 30 + cycle * times
    assert loop(text[-SIGHT:]) == loop(text)
