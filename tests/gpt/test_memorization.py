"""gpt.text.memorization against a search that tries everything."""

from hypothesis import given
from hypothesis import strategies as st

from gpt.text.memorization import COPIED_WORDS, ReferenceText

WORDS = st.lists(st.sampled_from(["a", "b", "c", "It", "it", "it,"]), max_size=40)


def longest_by_trying(text: list[str], documents: list[list[str]]) -> int:
    for length in range(len(text), 0, -1):
        for start in range(len(text) - length + 1):
            wanted = text[start : start + length]
            for words in documents:
                if any(words[at : at + length] == wanted for at in range(len(words))):
                    return length
    return 0


def covered_by_trying(text: list[str], documents: list[list[str]]) -> set[int]:
    """The words of `text` that belong to COPIED_WORDS in a row of a document."""
    inside: set[int] = set()
    for start in range(len(text) - COPIED_WORDS + 1):
        wanted = text[start : start + COPIED_WORDS]
        for words in documents:
            if any(words[at : at + COPIED_WORDS] == wanted for at in range(len(words))):
                inside |= set(range(start, start + COPIED_WORDS))
    return inside


@given(WORDS, st.lists(WORDS, max_size=4), st.booleans())
def test_the_longest_run_and_the_share_that_is_new_are_those_of_a_full_search(
    text, documents, borrow
):
    if borrow and documents:
        text = text[:5] + documents[0] + text[5:]
    found = ReferenceText(" ".join(words) for words in documents).overlap(" ".join(text))
    assert found.words == len(text)
    assert (found.longest.words if found.longest else 0) == longest_by_trying(text, documents)
    covered = covered_by_trying(text, documents)
    assert round(found.new * len(text)) == len(text) - len(covered) if text else found.new == 1
    joined = " ".join(text)
    inside = [word for start, end in found.copied for word in joined[start:end].split()]
    assert inside == [text[at] for at in sorted(covered)]


@given(WORDS, st.lists(WORDS, max_size=4))
def test_the_longest_run_stands_in_both_texts_where_it_is_said_to(text, documents):
    source, joined = ReferenceText(" ".join(words) for words in documents), "  ".join(text)
    run = source.overlap(joined).longest
    if run:
        words = joined[run.start : run.end].split()
        assert len(words) == run.words
        assert source.quote(run.at, run.words).split() == words


def test_no_run_goes_from_one_document_into_the_next():
    source = ReferenceText(["one two three", "four five six"])
    assert len(source) == 6
    longest = source.overlap("one two three four five six").longest
    assert longest is not None
    assert longest.words == 3


def test_the_words_around_a_run_stop_at_the_edges_of_its_document():
    source = ReferenceText(["zero", "one two three four", "five"])
    assert (source.before(4, 9), source.quote(6, 9)) == ("one", "four")
    assert (source.before(3, 9), source.quote(7, 9)) == ("", "")


def test_case_and_punctuation_are_part_of_a_word():
    source = ReferenceText(["The cat sat."])
    assert [source.overlap(text).longest for text in ("the", "sat", "Cat")] == [None] * 3


def test_a_text_without_words_is_new():
    for documents in ([], ["", " "], ["one"]):
        found = ReferenceText(documents).overlap(" \n")
        assert (found.words, found.longest, found.copied, found.new) == (0, None, (), 1.0)


def test_where_no_space_parts_words_each_letter_is_one() -> None:
    source = ReferenceText(["从前有一只狐狸住在山里，它每天看月亮。"])
    found = source.overlap("他说：从前有一只狐狸住在山里。")
    assert found.longest is not None
    assert (found.longest.words, found.copied) == (10, ((3, 13),))
    assert source.quote(found.longest.at, 4) == "从前有一"
    assert ReferenceText(["ฉันไปตลาด"]).overlap("ไปตลาด").new == 1.0  # six, fewer than eight
