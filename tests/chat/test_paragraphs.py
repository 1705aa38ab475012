"""A text that is opened becomes one passage a paragraph, and stays the same to the letter."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat.story.export import MAX_TEXT, from_file, to_text
from chat.story.paragraphs import MOST, paragraphs

LONG = "It was a day that nobody in the village would forget, for the sea had gone. " * 3


@given(st.text("ab \n\t\r\x0b\u2028", max_size=200))
@example("\n\n a\n \nb")
def test_the_paragraphs_are_the_text_to_the_letter(text):
    found = paragraphs(text)
    assert "".join(found) == text
    assert all(found)
    # But for a text of space alone, each has words, and no empty line within them.
    if text.strip():
        assert all(each.strip() for each in found)
    assert not any("\n\n" in each.strip() for each in found)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("One.\n\nTwo.\n\n\n  Three.\n", ["One.\n\n", "Two.\n\n\n", "  Three.\n"]),
        ("\n\nOne\n \nTwo", ["\n\nOne\n \n", "Two"]),
        # Lines that were broken by hand, and verse, are one paragraph.
        ("Once upon\na time.\n\nThe end.", ["Once upon\na time.\n\n", "The end."]),
        # Of a text with a paragraph on each line each is one.
        (f"{LONG}\n“Yes.”\n{LONG}\n", [f"{LONG}\n", "“Yes.”\n", f"{LONG}\n"]),
        (f"\n{LONG}\nNo.\n\nOne\ntwo", [f"\n{LONG}\n", "No.\n\n", "One\ntwo"]),
        ("", []),
        ("\n", ["\n"]),
    ],
)
def test_an_empty_line_parts_paragraphs_and_a_long_line_is_one(text, meant):
    assert paragraphs(text) == meant


def test_an_opened_text_has_a_passage_a_paragraph_and_is_saved_as_it_was():
    text = "# A Title\n\nOne.\n\n\nTwo,\nin lines.\n"
    story = from_file("a.txt", "\ufeff" + text.replace("\n", "\r\n"))
    assert [passage.text for passage in story.path] == [
        "# A Title\n\n",
        "One.\n\n\n",
        "Two,\nin lines.\n",
    ]
    assert {passage.author for passage in story.path} == {"writer"}
    assert to_text(story) == text


def test_a_text_of_very_many_paragraphs_shares_passages():
    text = "“Yes.”\n\n" * (2 * MOST + 1)
    found = paragraphs(text)
    assert len(found) <= MOST
    assert "".join(found) == text


@pytest.mark.parametrize("line", ["\n", "a\n\n", f"{LONG}\n", " "])
def test_the_longest_text_is_cut_at_once(line):
    text = "a" + (line * MAX_TEXT)[: MAX_TEXT - 2] + "b"
    begun = time.process_time()
    assert to_text(from_file("a.txt", text)) == text
    assert time.process_time() - begun < 5
