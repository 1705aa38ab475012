"""Three tokenizers on one interface: text comes back, streams are whole, errors say what to do."""

import pickle
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt.tokenizers import (
    EOS,
    BPETokenizer,
    CharTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    TokenizerError,
    UnknownCharacterError,
    load_tokenizer,
)
from gpt.tokenizers.merges import merges_of
from gpt.tokenizers.runs import MOST_SPACES, has_too_many_spaces
from tests.support.fuzzed_text import fuzzed_text
from tests.support.trained_tokenizers import MAKERS, STORY, TOKENIZERS, TOTAL, encodable

all_tokenizers = pytest.mark.parametrize("name", MAKERS)


def stream(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    decoder = tokenizer.decoder()
    return [*(decoder.decode(id) for id in ids), decoder.flush()]


@all_tokenizers
def test_decoding_gives_back_the_encoded_text(name: str):
    tokenizer = TOKENIZERS[name]
    for text in encodable(tokenizer, [STORY, *fuzzed_text(2000, seed=2)]):
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("name", TOTAL)
@given(text=st.text().filter(lambda text: "\u2581" not in text))
def test_any_unicode_text_comes_back(name: str, text: str):
    assert TOKENIZERS[name].decode(TOKENIZERS[name].encode(text)) == text


@pytest.mark.parametrize("name", TOTAL)
def test_half_a_surrogate_pair_is_read_as_the_replacement_character(name: str):
    tokenizer = TOKENIZERS[name]
    assert tokenizer.decode(tokenizer.encode("a\ud83d b")) == "a\ufffd b"
    assert tokenizer.decode(tokenizer.encode("\ud83d\ude42")) == "🙂"


@all_tokenizers
def test_a_typed_control_token_is_ordinary_text(name: str):
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(f"The end.{EOS}")
    assert tokenizer.eos_id not in ids
    assert tokenizer.decode(ids) == f"The end.{EOS}"
    assert tokenizer.decode([tokenizer.eos_id]) == ""
    assert tokenizer.piece(tokenizer.eos_id) == EOS


@all_tokenizers
@given(data=st.data())
def test_streamed_text_is_the_whole_text_for_any_ids(name: str, data: st.DataObject):
    tokenizer = TOKENIZERS[name]
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1)))
    assert "".join(stream(tokenizer, ids)) == tokenizer.decode(ids)


@pytest.mark.parametrize("name", ["bpe", "sentencepiece-of-a-story"])
@given(ids=st.lists(st.sampled_from(range(0x78, 0x100))))
def test_streamed_bytes_that_are_no_utf8_are_the_whole_text(name: str, ids: list[int]):
    tokenizer = TOKENIZERS[name]
    first = min(i for i in range(tokenizer.vocab_size) if tokenizer.piece(i) == "\\x80") - 0x80
    ids = [first + id for id in ids] if name != "bpe" else ids
    assert "".join(stream(tokenizer, ids)) == tokenizer.decode(ids)


@pytest.mark.parametrize("name", TOTAL)
def test_a_stream_never_gives_half_a_character(name: str):
    tokenizer = TOKENIZERS[name]
    text = "A flag 🏳️‍🌈, a 漢字 and é."
    pieces = stream(tokenizer, tokenizer.encode(text))
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)
    assert "" in pieces  # the bytes of the flag were held back


@pytest.mark.parametrize("name", ["bpe", "sentencepiece-of-a-story", "unigram-of-a-story"])
def test_a_character_cut_in_two_ends_as_the_replacement_character(name: str):
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode("so 🙃")[:-1]
    assert stream(tokenizer, ids)[-1] == "\ufffd"
    assert tokenizer.decode(ids) == "so \ufffd"


def test_a_decoder_starts_afresh_after_flush():
    tokenizer = TOKENIZERS["sentencepiece-of-a-story"]
    decoder = tokenizer.decoder()
    decoder.decode(tokenizer.encode("🙃")[0])
    assert decoder.flush() == "\ufffd"
    assert decoder.decode(tokenizer.encode("a")[0]) + decoder.flush() == "a"


@all_tokenizers
def test_every_piece_can_be_shown_alone(name: str):
    tokenizer = TOKENIZERS[name]
    pieces = [tokenizer.piece(id) for id in range(tokenizer.vocab_size)]
    assert all(pieces)
    assert pieces.count(EOS) == 1
    for id in tokenizer.encode(" the"):
        assert tokenizer.piece(id) == tokenizer.decode([id])


def test_bytes_that_are_no_character_are_shown_as_numbers():
    tokenizer = TOKENIZERS["sentencepiece-of-a-story"]
    assert [tokenizer.piece(id) for id in tokenizer.encode("🙃")] == [
        "\\xf0",
        "\\x9f",
        "\\x99",
        "\\x83",
    ]


@all_tokenizers
@pytest.mark.parametrize("id", [-1, 10**6])
def test_an_id_outside_the_vocabulary_is_refused(name: str, id: int):
    tokenizer = TOKENIZERS[name]
    message = f"id {id} is not in the vocabulary: expected 0 to {tokenizer.vocab_size - 1}"
    for use in (tokenizer.piece, tokenizer.decoder().decode, lambda id: tokenizer.decode([id])):
        with pytest.raises(ValueError, match=message):
            use(id)


def test_characters_are_numbered_in_order_and_the_end_comes_last():
    tokenizer = CharTokenizer.train(["cab", "b\n"])
    assert tokenizer.characters == ("\n", "a", "b", "c")
    assert tokenizer.encode("abc\n") == [1, 2, 3, 0]
    assert (tokenizer.eos_id, tokenizer.vocab_size) == (4, 5)


def test_vocabulary_sizes_count_every_id():
    assert TOKENIZERS["bpe"].vocab_size == 700
    assert TOKENIZERS["bpe"].eos_id == 699
    assert TOKENIZERS["sentencepiece"].vocab_size == 900
    assert TOKENIZERS["unigram"].vocab_size == 900
    assert TOKENIZERS["sentencepiece"].encode("\n\n") == [2, 2]


def test_unknown_characters_are_listed_with_their_names():
    with pytest.raises(UnknownCharacterError) as caught:
        CharTokenizer.train(["abc"]).encode("bézé\t")
    assert caught.value.characters == ["é", "z", "\t"]
    assert str(caught.value) == (
        "the text has 3 characters that this model has never seen: 'é' (LATIN SMALL LETTER E WITH "
        "ACUTE), 'z' (LATIN SMALL LETTER Z), '\\t' (U+0009); it knows these 3: 'abc'"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


@all_tokenizers
def test_training_twice_gives_the_same_files(name: str, tmp_path: Path):
    TOKENIZERS[name].save(tmp_path / "once")
    MAKERS[name]().save(tmp_path / "twice")
    for path in (tmp_path / "once").iterdir():
        assert (tmp_path / "twice" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (lambda: CharTokenizer.train([""]), "no text"),
        (lambda: BPETokenizer.train(["hello"], 256), "257 at least"),
        (lambda: BPETokenizer.train(["hello hello"], 999), "262 is the most"),
        (lambda: SentencePieceTokenizer.train(["hello hello"], 999), "275 is the most"),
        (lambda: SentencePieceTokenizer.train(["hello hello"], 999, "unigram"), "265 is the most"),
        (lambda: SentencePieceTokenizer.train(["hello"], 260), "263 at least"),
        (lambda: SentencePieceTokenizer.train(["", "\n"], 300), "no text"),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused_with_the_one_that_can(train, message: str):
    with pytest.raises(TokenizerError, match=message):
        train()


def test_the_largest_possible_vocabulary_can_be_had():
    assert BPETokenizer.train(["hello hello"], 262).vocab_size == 262
    assert SentencePieceTokenizer.train(["hello hello"], 275).vocab_size == 275


def test_a_typed_space_letter_comes_back_as_a_space():
    for name in ("sentencepiece", "unigram"):
        tokenizer = TOKENIZERS[name]
        assert tokenizer.encode("a\u2581dragon") == tokenizer.encode("a dragon")


def test_merges_are_recovered_from_ranks():
    ranks = {b"a": 0, b"b": 1, b"c": 2, b"bc": 3, b"ab": 4, b"abc": 5, b"cc": 6, b"xyz": 7}
    assert merges_of(ranks) == [(b"b", b"c"), (b"a", b"b"), (b"a", b"bc"), (b"c", b"c")]


@all_tokenizers
def test_a_loaded_tokenizer_is_the_saved_one(name: str, tmp_path: Path):
    tokenizer = TOKENIZERS[name]
    tokenizer.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert (loaded.kind, loaded.vocab_size, loaded.eos_id) == (
        tokenizer.kind,
        tokenizer.vocab_size,
        tokenizer.eos_id,
    )
    for text in encodable(tokenizer, fuzzed_text(500, seed=3)):
        assert loaded.encode(text) == tokenizer.encode(text)
    loaded.save(tmp_path / "again")
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_saving_over_another_kind_leaves_only_the_new_one(tmp_path: Path):
    for name in ("sentencepiece", "unigram", "bpe", "char"):
        TOKENIZERS[name].save(tmp_path)
        assert load_tokenizer(tmp_path).kind == TOKENIZERS[name].kind
    assert {path.name for path in tmp_path.iterdir()} == {"tokenizer.json", "tokenizer_config.json"}


def test_a_unigram_model_does_not_pass_for_a_byte_pair_one(tmp_path: Path):
    TOKENIZERS["unigram"].save(tmp_path)
    assert not (tmp_path / "tokenizer.model").exists()
    assert (tmp_path / "spiece.model").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "tokenizer.json is missing"),
        ("{", "not a tokenizer that Inkling can open"),
        ('{"model": 3}', "not a tokenizer that Inkling can open"),
        ('{"model": {"type": "BPE", "vocab": {"a": 0}}}', "which token ends a text"),
        ('{"model": {"type": "WordPiece", "vocab": {"a": 0}}}', "holds a WordPiece tokenizer"),
        (
            '{"model": {"type": "Unigram", "vocab": [["<unk>", 0], ["<|endoftext|>", 0]]}}',
            "spiece.model is missing",
        ),
    ],
)
def test_a_folder_without_a_tokenizer_of_ours_is_refused(tmp_path: Path, content, message: str):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(TokenizerError, match=message):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("name", TOTAL)
def test_a_long_line_is_cut_into_the_same_pieces_as_its_words(name: str):
    tokenizer = TOKENIZERS[name]
    words = STORY.replace("\n", " ").split()
    line = " ".join(words * 4)
    one_by_one = [
        id for i, word in enumerate(words * 4) for id in tokenizer.encode(" " * (i > 0) + word)
    ]
    assert len(line) > 4 * 4096
    assert tokenizer.encode(line) == one_by_one


@pytest.mark.parametrize("before", [0, 1, 49_999, 50_000, 99_999, 123_456])
def test_a_row_of_spaces_is_found_wherever_it_begins(before: int) -> None:
    head, row = "a" * before, " \n" * (MOST_SPACES // 2)
    assert has_too_many_spaces(head + row)
    assert has_too_many_spaces(head + row + "b" * 70_000)
    assert not has_too_many_spaces(head + row[1:] + "b" + row[1:])
    assert not has_too_many_spaces(head + "b")


def test_rows_of_spaces_that_are_just_short_enough_are_gone_through_once() -> None:
    begun_s = time.process_time()
    assert not has_too_many_spaces((" " * (MOST_SPACES - 1) + "b") * 10)
    # 123 seconds, where each character of a row was a place to begin.
    assert time.process_time() - begun_s < 2
