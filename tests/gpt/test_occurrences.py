"""Words are found whatever their spelling, and only where whole letters stand."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt.text.occurrences import occurrences
from gpt.text.scripts import folded


def found(text: str, words: str, **how: bool) -> list[str]:
    return [text[start:end] for start, end in occurrences(text, words, **how)]


@pytest.mark.parametrize(
    ("text", "words", "here"),
    [
        ("Über, über, ÜBER, u\u0308ber, Ubber", "über", ["Über", "über", "ÜBER", "u\u0308ber"]),
        ("Straße, STRASSE", "strasse", ["Straße", "STRASSE"]),
        ("Straße", "s", ["S"]),
        ("e\u0301 é e", "e", ["e"]),
        ("ΣΟΦΟΣ σοφος", "σοφος", ["ΣΟΦΟΣ", "σοφος"]),
        ("wait… and...", "...", ["…", "..."]),
        ("👩\u200d👩\u200d👧 👩", "👩", ["👩"]),
        (unicodedata.normalize("NFD", "한국어 각"), "국", [unicodedata.normalize("NFD", "국")]),
        ("𝔄 fox 😀 fox", "FOX", ["fox", "fox"]),
        ("aaaa", "aa", ["aa", "aa"]),
        ("a.*b", ".*", [".*"]),
        ("two\nlines", "two\nlines", ["two\nlines"]),
        ("nothing", "", []),
        ("", "x", []),
    ],
)
def test_two_spellings_of_the_same_are_found_and_half_a_letter_is_not(text, words, here):
    assert found(text, words) == here


def test_case_and_whole_words_count_where_they_are_asked_for():
    text = "Anna, ANNA, Annas, Anna’s, Hanna, anna_1"
    assert found(text, "Anna", match_case=True) == ["Anna"] * 3
    assert found(text, "anna", whole_words=True) == ["Anna", "ANNA", "Anna"]
    assert found("cafe\u0301 café CAFÉ", "café", match_case=True) == ["cafe\u0301", "café"]
    assert found("“No,” no", "no,", whole_words=True) == ["No,"]


def test_where_no_space_parts_words_each_letter_may_begin_one():
    assert found("他说猫坐猫", "猫", whole_words=True) == ["猫", "猫"]


@settings(max_examples=60, deadline=None)
@given(st.text("aA ß…é\u0301é’가각ᄀ\n😀", max_size=30), st.text("aA ßé\u0301é가", max_size=3))
def test_what_is_found_says_the_same_and_no_two_places_meet(text, words):
    end = 0
    for begin, last in occurrences(text, words):
        assert end <= begin < last <= len(text)
        assert folded(text[begin:last]) == folded(words)
        end = last
