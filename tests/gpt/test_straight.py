"""gpt.text.straight: what a typewriter has in place of typographic marks."""

import pytest

from gpt.text.straight import encode_straight, replaced
from gpt.tokenizers import BPETokenizer, CharTokenizer, UnknownCharacterError

TEXT = "“It’s so…”\N{NO-BREAK SPACE}– she said—"


def test_marks_become_plain_where_the_model_knows_the_plain_one_and_not_the_other():
    plain = CharTokenizer.train(['"It\'s so." - she aid'])
    assert plain.decode(encode_straight(TEXT, plain)) == '"It\'s so..." - she said--'
    # What it knows as it stands stays so.
    both = CharTokenizer.train([TEXT + "'\"-."])
    assert (replaced(TEXT, both), both.decode(encode_straight(TEXT, both))) == ({}, TEXT)
    lacks = CharTokenizer.train(["It's so. - she aid"])
    assert "“" not in replaced(TEXT, lacks)
    with pytest.raises(UnknownCharacterError, match="“"):
        encode_straight(TEXT, lacks)


def test_a_model_of_bytes_reads_every_mark_as_it_is():
    tokenizer = BPETokenizer.train([TEXT], 257)
    assert replaced(TEXT, tokenizer) == {}
    assert tokenizer.decode(encode_straight(TEXT, tokenizer)) == TEXT
