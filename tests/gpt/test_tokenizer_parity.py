"""Others read our tokenizers as we do: transformers opens each folder, tiktoken is GPT-2's."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import tiktoken
import torch
from sentencepiece import SentencePieceProcessor
from transformers import AutoModelForCausalLM, AutoTokenizer

from gpt.checkpoint import save
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from gpt.tokenizers import BPETokenizer, Tokenizer, TokenizerError, load_tokenizer
from gpt.tokenizers.files import byte_characters
from gpt.tokenizers.merges import merges_of
from gpt.tokenizers.sentencepiece_scores import STEP
from tests.support.fuzzed_text import fuzzed_text
from tests.support.tiny import SHAPES, tiny_model
from tests.support.trained_tokenizers import MAKERS, TOKENIZERS, encodable

GPT2 = Path(__file__).parents[3] / "shared" / "data" / "gpt2"
all_tokenizers = pytest.mark.parametrize("name", MAKERS)


# The model's family only chooses the class that reads the files.
both_families = pytest.mark.parametrize(("family", "count"), [("llama", 10_000), ("gpt2", 500)])


@all_tokenizers
@both_families
def test_transformers_gives_the_same_ids_and_text(
    name: str, family: str, count: int, tmp_path: Path
):
    assert_transformers_agrees(TOKENIZERS[name], family, tmp_path, fuzzed_text(count))


def assert_transformers_agrees(
    tokenizer: Tokenizer, family: str, folder: Path, texts: list[str]
) -> None:
    """The folder, with a model's config.json beside the tokenizer, opens with AutoTokenizer."""
    tokenizer.save(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": family}))
    theirs = AutoTokenizer.from_pretrained(folder)
    texts = [text for text in encodable(tokenizer, texts) if text]
    ours = [tokenizer.encode(text) for text in texts]
    assert theirs(texts, add_special_tokens=False)["input_ids"] == ours
    assert theirs(texts)["input_ids"] == [[tokenizer.bos_id, *ids] for ids in ours]
    assert theirs("")["input_ids"] == [tokenizer.bos_id]
    assert theirs.batch_decode(ours) == texts
    assert theirs.eos_token_id == tokenizer.eos_id
    assert len(theirs) == tokenizer.vocab_size
    assert theirs.decode([tokenizer.eos_id], skip_special_tokens=True) == ""


@all_tokenizers
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_transformers_with_nothing_but_defaults_writes_our_greedy_text(
    name: str, family: Literal["llama", "gpt2"], tmp_path: Path
):
    tokenizer = TOKENIZERS[name]
    shape = replace(SHAPES[family], vocab_size=tokenizer.vocab_size, block_size=64)
    model = tiny_model(shape)
    save(tmp_path / "model", model, tokenizer, card="", training={}, dtype=torch.float32)
    theirs: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    reader = AutoTokenizer.from_pretrained(tmp_path / "model")
    greedy = SamplingParams(temperature=0, max_new_tokens=32)
    for prompt in ("Once upon a time", "the  dog\n"):
        written = [token.id for token in Generator(model, tokenizer).stream(prompt, greedy)]
        asked = reader(prompt, return_tensors="pt")
        read = theirs.generate(
            **asked, do_sample=False, temperature=None, top_p=None, max_new_tokens=32
        )[0, asked.input_ids.shape[1] :].tolist()
        assert [id for id in read if id != tokenizer.eos_id] == written


def test_transformers_refuses_an_unknown_character_too(tmp_path: Path):
    TOKENIZERS["char"].save(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(Exception, match="UNK"):
        AutoTokenizer.from_pretrained(tmp_path).encode("\x01")


def test_equally_good_cuts_are_told_apart_by_all_in_the_same_way(tmp_path: Path):
    # Every order of "l" and "ll" has the same score, which only exact sums show.
    processor = SentencePieceProcessor(model_proto=round_trip(TOKENIZERS["unigram"], tmp_path))
    scores = [processor.get_score(id) for id in range(processor.get_piece_size())]
    assert all(score / STEP == round(score / STEP) for score in scores)
    assert min(scores) < -5
    texts = ["l" * n + "a" * m for n in range(1, 40) for m in range(8)]
    assert_transformers_agrees(TOKENIZERS["unigram"], "llama", tmp_path, texts)


def round_trip(tokenizer: Tokenizer, folder: Path) -> bytes:
    tokenizer.save(folder)
    return (folder / "spiece.model").read_bytes()


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> BPETokenizer:
    """GPT-2's own vocabulary, from files that lie beside the project."""
    if not GPT2.exists():
        pytest.skip(f"{GPT2} is not here")
    cache = tmp_path_factory.mktemp("tiktoken")
    shutil.copy(GPT2 / "vocab.bpe", cache / "6d1cbeee0f20b3d9449abfede4726ed8212e3aee")
    shutil.copy(GPT2 / "encoder.json", cache / "6c7ea1a7e38e3a7f062df639a5b80947f075ffe6")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        return BPETokenizer.gpt2()


def test_gpt2_is_tiktokens_gpt2(gpt2: BPETokenizer):
    theirs = tiktoken.get_encoding("gpt2")
    assert (gpt2.vocab_size, gpt2.eos_id) == (theirs.n_vocab, theirs.eot_token) == (50257, 50256)
    for text in fuzzed_text(10_000):
        assert gpt2.encode(text) == theirs.encode_ordinary(text)
    letters = byte_characters()
    merges = (GPT2 / "vocab.bpe").read_text(encoding="utf-8").splitlines()[1:]
    ours = merges_of({piece: id for id, piece in enumerate(gpt2._pieces) if piece})
    assert [" ".join("".join(letters[b] for b in part) for part in pair) for pair in ours] == merges


@both_families
def test_transformers_opens_gpt2s_vocabulary(
    gpt2: BPETokenizer, family: str, count: int, tmp_path: Path
):
    assert_transformers_agrees(gpt2, family, tmp_path, fuzzed_text(count))
    texts = fuzzed_text(500)
    loaded = load_tokenizer(tmp_path)
    assert [loaded.encode(text) for text in texts] == [gpt2.encode(text) for text in texts]


def test_gpt2_says_what_to_do_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    with pytest.raises(TokenizerError, match="connect to the internet once"):
        BPETokenizer.gpt2()
