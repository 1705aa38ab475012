"""The measures on text, by cases whose figures can be counted by hand."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt.text import repetition
from gpt.text.memorization import ReferenceText
from train.quality import metrics
from train.quality.metrics import (
    MEASURES,
    SURPRISE,
    Quality,
    balanced_quotes,
    distinct_3,
    jackknife,
)

TOLD = (
    "One day Tim saw Ann. He told Ann of the lily, and Ann told Tim. Then Ann was glad of Tim.",
    "Once a lily grew. May I see the lily? I may, for Tim and I may.",
)
SOURCE = ReferenceText(TOLD)


def measured(text: str, opening: str = "", source: ReferenceText = SOURCE) -> Quality:
    return metrics.measure(opening, text, source, over=False, bits=8.0, compared=10**6)


def figure(name: str, *texts: Quality) -> float | None:
    (measure,) = (each for each in (SURPRISE, *MEASURES) if each.name.startswith(name))
    return measure.of(texts)


def test_a_fourth_word_in_a_row_that_came_before_is_repeated():
    # a b c d | b c d a | c d a b | d a b c | a b c d
    assert measured("a b c d a b c, D.").repeated_4 == pytest.approx(1 - 4 / 5)
    assert measured("a b c d e.").repeated_4 == 0
    assert measured("a b c.").repeated_4 is None


def test_distinct_3_sees_what_texts_say_after_each_other():
    one, other = measured("a b c d."), measured("A b c! E.")
    assert distinct_3([one]) == 1
    assert distinct_3([one, other]) == pytest.approx(3 / 4)
    assert distinct_3([measured("a b.")]) is None


def test_only_the_words_that_are_compared_count_where_the_length_does():
    text = "a b c d a b c d."
    found = metrics.measure("", text, SOURCE, over=False, bits=0.0, compared=4)
    assert (found.repeated_4, len(found.trigrams), found.words) == (0, 2, 8)


def test_a_word_is_known_whatever_its_case_and_punctuation():
    assert measured("TIM, saw 3 zebras (lily).").known == (3, 4)


@pytest.mark.parametrize(
    ("text", "whole", "found"),
    [
        ('He said, "No."\nShe left.\n"Yes, he said.', True, (1, 2)),
        ('He said, "No."\nShe left.\n"Yes, he', False, (1, 1)),
        ("“No,” he said, “no”.\n”No.“", True, (2, 2)),
        ("“No, he said.", True, (0, 1)),
        ("It's Tim's.", True, (0, 0)),
    ],
)
def test_quotes_balance_paragraph_by_paragraph(text, whole, found):
    assert balanced_quotes(text, whole=whole) == found


def test_a_name_is_what_the_training_text_writes_with_a_capital_within_sentences():
    assert SOURCE.names == {"tim", "ann"}


def test_a_name_counts_once_and_through_its_genitive():
    opening = "One day Tim's dog saw Ann. Ann had a lily. I saw Tim."
    assert measured("Then TIM went home. He went.", opening).names == (1, 2)
    assert measured("Ann's lily. Tim's lily.", opening).names == (2, 2)
    assert measured("Ann left.", "Once May saw a lily.").names == (0, 0)


def test_names_are_kept_by_the_story_they_are_from_and_not_by_another():
    people = ["Tim", "Ann", "Bob", "Eve"]
    source = ReferenceText(f"One day {name} met {name}." for name in people)
    openings = [f"There was a child whom they called {name}." for name in people]
    stories = [f"Then {name} went to play, and all were glad." for name in people]
    own = list(map(measured, stories, openings, [source] * 4))
    random.Random(1).shuffle(stories)
    other = list(map(measured, stories, openings, [source] * 4))
    assert figure("names kept", *own) == 1
    assert (figure("names kept", *other) or 0) < 1


@given(st.text("ab", max_size=6), st.text("ab c", min_size=1, max_size=40), st.integers(1, 30))
def test_a_loop_is_what_the_chat_would_have_stopped_at(before, cycle, times):
    text = before + cycle * times + " The end."
    stopped = any(repetition.loop(text[:end]) for end in range(len(text) + 1))
    assert bool(metrics.loop(text)) == stopped


def test_a_loop_is_told_by_what_it_repeats():
    cycle = "He ran and ran and ran. "
    assert metrics.loop("So" + cycle * 4 + "Then") == cycle
    assert metrics.loop("So" + cycle * 3 + "Then") == ""


def test_the_longest_copy_is_counted_and_quoted():
    found = measured("So he told Ann of the lily, but why")
    assert (found.copied, found.quote) == (5, "told Ann of the lily,")
    assert (measured("zebra").copied, measured("zebra").quote) == (0, "")


def test_a_word_that_the_length_cut_off_is_not_counted():
    assert measured("Tim saw Ann. He t").known == (4, 4)
    assert measured("Tim saw Ann. He told,").known == (5, 5)


def test_the_error_of_a_mean_is_the_usual_one():
    texts = [measured(text) for text in ("Tim zebra.", "Tim Tim.", "zebra zebra.", "Tim of.")]
    # Shares 1/2, 1, 0, 1 of equally long texts: their standard deviation over the root of four.
    (known,) = (each for each in MEASURES if each.name.startswith("words"))
    assert known.of(texts) == pytest.approx(5 / 8)
    assert jackknife(known, texts) == pytest.approx((11 / 16 / 3) ** 0.5 / 2)
    assert jackknife(known, texts[:1]) is None


def test_bits_are_counted_over_the_bytes_of_all_texts():
    assert figure("bits", measured("Tim."), measured("é")) == pytest.approx(16 / 6)
