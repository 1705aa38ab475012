"""What two texts have in common."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt.text.differing import matches, same_beginning


@settings(deadline=None)
@given(st.text("ab \n.", max_size=60), st.text("ab \n.", max_size=60))
def test_what_matches_stands_in_both_texts_in_order(one, other):
    at = to = 0
    for i, j, size in matches(one, other):
        assert size > 0
        assert i >= at
        assert j >= to
        assert one[i : i + size] == other[j : j + size]
        at, to = i + size, j + size
    assert len(one) >= at
    assert len(other) >= to


@settings(deadline=None)
@given(st.lists(st.text("abcde", min_size=1), min_size=1), st.data())
def test_what_is_put_between_words_leaves_every_letter_as_it_was(words, data):
    text = " ".join(words)
    put = {at: data.draw(st.sampled_from(["", "XY ", "Z "])) for at in range(len(words))}
    other = " ".join(put[at] + word for at, word in enumerate(words))
    kept = "".join(other[j : j + size] for _, j, size in matches(text, other))
    assert kept.replace(" ", "") == text.replace(" ", "")


@settings(deadline=None)
@given(st.text("ab c\n", max_size=40), st.integers(0, 40), st.integers(0, 9), st.text("XYZ"))
def test_one_change_is_found_to_the_letter(text, at, gone, put):
    at = min(at, len(text))
    other = text[:at] + put + text[at + gone :]
    kept = sum(size for _, _, size in matches(text, other))
    assert kept == len(text) - len(text[at : at + gone])


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        ("A red fox ran.", "A red wolf ran.", ["A red ", " ran."]),  # no "o" and "f" by chance
        ("An umb", "An umbrella", ["An umb"]),
        (
            "The lions walk. He sat.",
            "The lion walks. She sat.",
            ["The lion", " walk", ". ", "e sat."],
        ),
        ("red fox", "big cat", []),
        ("", "new", []),
        ("one\ntwo\nthree\n", "one\n2\nthree\nfour\n", ["one\n", "\nthree\n"]),
    ],
)
def test_words_are_compared_before_letters(one, other, kept):
    found = [other[j : j + size] for _, j, size in matches(one, other)]
    assert "".join(found) == "".join(kept)


LINE = "Once upon a time there was a small, grey cat who lived by the sea. "


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LINE * 1500, LINE.swapcase() + LINE * 1498 + "The end."),
        ("a " * 50_000, "b" + "a b " * 25_000),
        ("a\n" * 50_000, "b" + "a\nb\n" * 25_000),
        ("ab" * 50_000, "x" + "ba" * 50_000 + "y"),
        (LINE * 1500, LINE.upper()[::-1] * 1500),
    ],
)
def test_long_texts_take_no_more_than_a_bounded_time(one, other):
    begun = time.process_time()
    matches(one, other)
    assert time.process_time() - begun < 5


def test_scattered_words_of_a_long_text_are_told_apart():
    lines = [f"Line {at} of the story, with its own words.\n" for at in range(2000)]
    changed = [
        line.replace("own", "OWN") if at % 20 == 0 else line for at, line in enumerate(lines)
    ]
    one, other = "".join(lines), "".join(changed)
    assert sum(size for _, _, size in matches(one, other)) == len(one) - 3 * 100


@given(st.text("ab"), st.text("ab"))
def test_the_same_beginning_is_as_long_as_it_can_be(one, other):
    count = same_beginning(one, other)
    assert one[:count] == other[:count]
    assert one[count : count + 1] != other[count : count + 1] or count == min(len(one), len(other))
