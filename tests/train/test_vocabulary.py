"""Another vocabulary: what is shared keeps its embedding, the rest is composed of what is known."""

from pathlib import Path

import pytest
import torch

from gpt.config import GPTConfig
from gpt.tokenizers import BPETokenizer, CharTokenizer, SentencePieceTokenizer, load_tokenizer
from tests.support.tiny import tiny_model
from tests.support.trained_tokenizers import STORY, TOKENIZERS
from train.adapt.vocabulary import change_vocabulary, origins, same_tokenizer

PAIRS = [(a, b) for a in ("char", "bpe", "sentencepiece", "unigram") for b in TOKENIZERS if a != b]


def model_for(vocab_size: int, *, tied: bool = True):
    return tiny_model(
        GPTConfig(
            vocab_size=vocab_size,
            block_size=32,
            n_layer=1,
            n_head=2,
            n_embd=16,
            tie_embeddings=tied,
        )
    )


@pytest.mark.parametrize("tied", [True, False])
def test_letters_known_to_both_keep_their_rows_and_new_ones_start_from_the_mean(
    tied: bool,
) -> None:
    old, new = CharTokenizer(["a", "b", "c"]), CharTokenizer(["b", "c", "é"])
    model = model_for(4, tied=tied)
    changed, carried = change_vocabulary(model, old, new)
    assert (carried.shared, carried.composed, carried.unknown) == (3, 0, 1)
    assert changed.config.vocab_size == 4
    weights, before = changed.state_dict(), model.state_dict()
    names = {"tokens.weight"} if tied else {"tokens.weight", "head.weight"}
    for name in names:
        row, was = weights[name], before[name]
        assert torch.equal(row[[0, 1, 3]], was[[1, 2, 3]])  # b, c and the end of a story
        assert torch.allclose(row[2], was.mean(dim=0))
    for name in weights.keys() - names:
        assert torch.equal(weights[name], before[name]), name
    assert all(p.requires_grad for p in changed.parameters())


def test_a_new_piece_starts_from_the_mean_of_the_pieces_that_it_is_made_of() -> None:
    old = CharTokenizer(sorted("abcdefgh"))
    new = BPETokenizer.train(["abba cab " * 20], 259)
    made = [piece for piece in new.pieces if len(piece) > 1]
    model = model_for(9)
    changed, carried = change_vocabulary(model, old, new)
    assert (carried.shared, carried.composed) == (9, len(made))
    rows = model.tokens.weight
    for piece in made:
        letters = [rows[old.encode(c)[0]] for c in piece.decode() if c in "abcdefgh"]
        expected = torch.stack(letters).mean(dim=0)
        assert torch.allclose(changed.tokens.weight[new.pieces.index(piece)], expected)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_every_piece_starts_from_old_pieces_of_the_same_text(one: str, other: str) -> None:
    old, new = TOKENIZERS[one], TOKENIZERS[other]
    sources, carried = origins(old, new)
    assert len(sources) == new.vocab_size
    assert carried.shared + carried.composed + carried.unknown == new.vocab_size
    assert sources[new.eos_id] == [old.eos_id]
    for piece, ids in zip(new.pieces, sources, strict=True):
        made_of = b"".join(old.pieces[id] for id in ids)
        if one == "char":
            assert set(made_of.decode()) <= set(piece.decode(errors="ignore"))
        elif piece:
            assert made_of == piece
    shared = set(old.pieces) & set(new.pieces) - {b""}
    assert carried.shared >= len(shared) + 1


@pytest.mark.parametrize("name", ["sentencepiece", "unigram"])
def test_a_letter_starts_from_the_piece_that_text_gives_not_from_the_byte_beside_it(
    name: str,
) -> None:
    old, new = TOKENIZERS[name], CharTokenizer(["\n", "a", "e"])
    assert old.pieces.count(b"a") == 2
    sources, _ = origins(old, new)
    assert sources[:3] == [old.encode("\n"), old.encode("a"), old.encode("e")]


def test_a_model_with_rows_to_spare_reads_no_row_that_no_piece_owns() -> None:
    old, new = CharTokenizer(["a", "b"]), CharTokenizer(["é"])
    model = model_for(8)  # the old tokenizer has 3 ids
    changed, _ = change_vocabulary(model, old, new)
    assert torch.allclose(changed.tokens.weight[0], model.tokens.weight[:3].mean(dim=0))


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_is_the_same_after_saving_and_no_other_is(name: str, tmp_path: Path) -> None:
    TOKENIZERS[name].save(tmp_path)
    assert same_tokenizer(load_tokenizer(tmp_path), TOKENIZERS[name])
    for other in TOKENIZERS:
        assert same_tokenizer(TOKENIZERS[name], TOKENIZERS[other]) == (name == other)


def test_the_same_pieces_with_other_scores_are_another_tokenizer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = SentencePieceTokenizer.train([STORY], 400, "unigram")
    monkeypatch.setattr("gpt.tokenizers.sentencepiece_scores.STEP", 0.5)
    other = SentencePieceTokenizer.train([STORY], 400, "unigram")
    assert one.pieces == other.pieces
    assert not same_tokenizer(one, other)
