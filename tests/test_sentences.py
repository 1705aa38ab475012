"""A sentence ends where a reader says that it does."""

import pytest

from gpt.sentences import ends_sentence, sentence_end


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" sat down. The dog", " sat down."),
        (" sat down! The", " sat down!"),
        ("? The", "?"),
        (" said, “Come in.” The", " said, “Come in.”"),
        (' said, "Come in." The', ' said, "Come in."'),
        (" sat.\nThe", " sat."),
        (" sat.\nthe", " sat."),
        (" sat.\n", " sat."),
        (" waited… Then", " waited…"),
        (" waited... Then", " waited..."),
        # The sentence goes on after what was said.
        (" “Stop!” she said. Then", " “Stop!” she said."),
        (" Mr. Fox and Dr. J. Smith came. Then", " Mr. Fox and Dr. J. Smith came."),
        (" had 3.5 apples. Then", " had 3.5 apples."),
        (" sat (it was late.) Then", " sat (it was late.)"),
    ],
)
def test_the_first_sentence_end_is_found_with_its_closing_quotes(text, sentence):
    end = sentence_end(text)
    assert end is not None
    assert text[:end] == sentence
    # And not before it is sure.
    assert sentence_end(text[:end]) is None
    assert sentence_end(text[:end], complete=True) == end


@pytest.mark.parametrize("text", ["", " and so", " Mr. Fox", " “Stop!” she", " 3.5", " sat. "])
def test_where_no_sentence_ends_none_is_found(text):
    assert sentence_end(text) is None


def test_an_end_in_the_words_before_does_not_count_again():
    assert sentence_end("He sat. Then he ran. So", after=7) == 20
    # But a quote that closes now ends what was said before.
    assert sentence_end("“Come in.” The", after=9) == 10


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("He sat.", True),
        ("He sat. ", True),
        ("He sat.\n", True),
        ("“Come in.”", True),
        ("He sat. Then", False),
        ("Mr.", False),
        ("", False),
        ("\n", False),
        ("He sat.\nROMEO:", False),
        ('"Go!"', True),
        ("It was the end. ", True),
        ("Why?\n", True),
        ("Well …", True),
        ("He met Mr", False),
        ("said Mr.", False),
        ("He", False),
    ],
)
def test_whether_a_text_stops_where_a_sentence_does(text, is_one):
    assert ends_sentence(text) is is_one
