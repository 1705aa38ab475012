"""GGUF files: llama.cpp's real server reads the ids and writes the text that Inkling does."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest
import tokenizers
import torch
from tokenizers import pre_tokenizers
from torch import Tensor

import gpt
from gpt.checkpoint import save
from gpt.checkpoint.generation_config import write_defaults
from gpt.checkpoint.gguf import gguf_tensors, modelfile_of, write_gguf
from gpt.config import GPTConfig, RopeScaling
from gpt.export import main
from gpt.generator import Generator
from gpt.sampling import SamplingParams, dry_penalties
from gpt.text.prompt import prompt_ids
from gpt.tokenizers import CharTokenizer, FastTokenizer, Tokenizer
from gpt.tokenizers.gguf_vocabulary import LLAMA3_SPLIT
from tests.support.fuzzed_text import fuzzed_text
from tests.support.greedy import TIE, compare, prompts_of
from tests.support.llama_cpp import LlamaCpp, llama_cpp
from tests.support.tiny import SHAPES, tiny_model
from tests.support.trained_tokenizers import TOKENIZERS, TRAINING, encodable

ROOT = Path(__file__).parents[2]
CONTEXT = 128
LENGTH = 64
RUNS = ("char", "bpe", "sentencepiece", "sentencepiece-of-a-story")
LLAMA3 = RopeScaling(kind="llama3", factor=8.0, original_block_size=40)
OTHER_SHAPES = {
    **{name: SHAPES[name] for name in ("gpt2-no-bias", "llama-untied-grouped", "llama-odd")},
    "gpt2-narrow": replace(SHAPES["gpt2"], n_inner=72),
    "linear": replace(SHAPES["llama"], rope_scaling=RopeScaling(kind="linear", factor=2.0)),
    "llama3": replace(SHAPES["llama"], rope_scaling=LLAMA3),
}


def exported(
    folder: Path, config: GPTConfig, tokenizer: Tokenizer, *, kind: str = "f32", unused: int = 0
) -> gpt.Checkpoint:
    """A tiny random model, its folder and, as `folder`.gguf, its GGUF.

    Args:
        unused: Rows of the model that no token has.
    """
    shape = replace(config, vocab_size=tokenizer.vocab_size + unused, block_size=CONTEXT)
    save(folder, tiny_model(shape), tokenizer, card="", training={}, dtype=torch.float32)
    assert main([str(folder), str(file_of(folder)), "--type", kind]) == 0
    return gpt.load(folder)


def file_of(folder: Path) -> Path:
    return folder.with_suffix(".gguf")


def gelu_of_ggml(x: Tensor, approximate: str) -> Tensor:
    """GELU as llama.cpp computes it on a processor: looked up in a table of float16."""
    looked_up = F_GELU(x.half().float(), approximate=approximate).half().float()
    return torch.where(x <= -10, 0.0, torch.where(x >= 10, x, looked_up))


F_GELU = torch.nn.functional.gelu


@pytest.fixture(params=[(name, family) for name in RUNS for family in ("llama", "gpt2")])
def made(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[gpt.Checkpoint, LlamaCpp]]:
    name, family = request.param
    checkpoint = exported(tmp_path / "model", SHAPES[family], TOKENIZERS[name])
    with llama_cpp(file_of(tmp_path / "model"), context=CONTEXT) as server:
        yield checkpoint, server


@pytest.mark.slow
def test_llama_cpp_reads_the_same_ids_and_writes_the_same_greedy_text(
    made: tuple[gpt.Checkpoint, LlamaCpp], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, server = made
    tokenizer = checkpoint.tokenizer
    texts = encodable(TOKENIZERS["char"], fuzzed_text(10_000)) if tokenizer.kind == "char" else None
    texts = texts or fuzzed_text(10_000)
    assert server.tokenize(texts, tokenizer.eos_id) == [tokenizer.encode(text) for text in texts]
    prompts = prompts_of(200)
    written = server.greedy(prompts, LENGTH)
    if checkpoint.config.family == "gpt2":
        monkeypatch.setattr(torch.nn.functional, "gelu", gelu_of_ggml)
    compared = compare(checkpoint, prompts, written)
    print(compared)
    assert compared.worst < TIE
    assert compared.tokens > 12_000


@pytest.mark.parametrize("name", OTHER_SHAPES)
def test_every_shape_writes_the_same_greedy_text(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = exported(tmp_path / "model", OTHER_SHAPES[name], TOKENIZERS["bpe"], unused=5)
    monkeypatch.setattr(torch.nn.functional, "gelu", gelu_of_ggml)
    prompts = prompts_of(40)
    with llama_cpp(file_of(tmp_path / "model"), context=CONTEXT) as server:
        written = server.greedy(prompts, LENGTH)
    compared = compare(checkpoint, prompts, written)
    assert compared.worst < TIE
    assert compared.tokens > 2000


@pytest.mark.parametrize(
    ("name", "prompts", "length"),
    [
        ("stories", 6, 64),
        ("shakespeare", 20, 64),
        pytest.param("stories", 200, 64, marks=pytest.mark.torture),
        pytest.param("shakespeare", 200, 64, marks=pytest.mark.torture),
    ],
)
def test_a_model_that_ships_writes_the_same_greedy_text(
    name: str, prompts: int, length: int, tmp_path: Path
) -> None:
    checkpoint = gpt.load(ROOT / "checkpoints" / name)
    write_gguf(checkpoint, tmp_path / "model.gguf")
    begun = encodable(checkpoint.tokenizer, prompts_of(prompts, seed=1))
    with llama_cpp(tmp_path / "model.gguf", context=checkpoint.config.block_size) as server:
        written = server.greedy(begun, length)
        assert server.tokenize(["Speak, Lily!"], checkpoint.tokenizer.eos_id) == [
            checkpoint.tokenizer.encode("Speak, Lily!")
        ]
    compared = compare(checkpoint, begun, written)
    print(name, compared)
    assert compared.worst < TIE
    ours = Generator(checkpoint.model, checkpoint.tokenizer)
    greedy = SamplingParams(temperature=0, max_new_tokens=length)
    read = [token.id for token in ours.stream(begun[0], greedy)]
    assert read == written[0]


def test_a_text_begins_after_the_end_of_story_token_in_a_chat_too(tmp_path: Path) -> None:
    tokenizer = exported(tmp_path / "model", SHAPES["llama"], TOKENIZERS["bpe"]).tokenizer
    with llama_cpp(file_of(tmp_path / "model"), context=CONTEXT) as server:
        ids = server.ask("/tokenize", content="the dog", add_special=True)["tokens"]
        assert ids == [tokenizer.eos_id, *tokenizer.encode("the dog")]
        said = [{"role": "user", "content": "the dog"}, {"role": "assistant", "content": " ran"}]
        said += [{"role": "user", "content": " home"}]
        answer = server.ask("/v1/chat/completions", messages=said, temperature=0, max_tokens=20)
        plain = server.ask("/completion", prompt="the dog ran home", temperature=0, n_predict=20)
    assert answer["choices"][0]["message"]["content"] == plain["content"]


@torch.inference_mode()
def test_dry_lowers_the_same_tokens_as_llama_cpp_s(tmp_path: Path) -> None:
    checkpoint = exported(tmp_path / "model", SHAPES["llama"], TOKENIZERS["bpe"])
    params = SamplingParams(
        dry_multiplier=1.1,
        dry_base=1.6,
        dry_allowed_length=3,
        dry_range=40,
        dry_breakers=(".", "e"),
    )
    asked = {name: getattr(params, f"dry_{name}") for name in ("multiplier", "base")}
    prompts = [each * 3 for each in prompts_of(30)]
    with llama_cpp(file_of(tmp_path / "model"), context=CONTEXT) as server:
        written = server.greedy(
            prompts,
            LENGTH // 2,
            **{f"dry_{name}": value for name, value in asked.items()},
            dry_allowed_length=3,
            dry_penalty_last_n=40,
            dry_sequence_breakers=list(params.dry_breakers),
        )
    changed = count = 0
    for prompt, ids in zip(prompts, written, strict=True):
        begin = prompt_ids(checkpoint.tokenizer, prompt)
        every = checkpoint.model(torch.tensor([begin + ids[:-1]]))[0, len(begin) - 1 :]
        for at, (id, logits) in enumerate(zip(ids, every, strict=True)):
            lowered = dry_penalties([*begin, *ids[:at]], params, checkpoint.tokenizer.pieces)
            likeliest = int(logits.argmax())
            for each, penalty in lowered.items():
                logits[each] -= penalty
            assert logits.max() - logits[id] < TIE
            changed += likeliest != int(logits.argmax())
            count += 1
    assert changed > count / 20


def test_the_models_own_settings_count_where_a_request_says_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    exported(folder, SHAPES["llama"], TOKENIZERS["bpe"])
    own = SamplingParams(temperature=0.7, top_k=7, top_p=0.9, min_p=0.05, repetition_penalty=1.25)
    write_defaults(folder, replace(own, max_new_tokens=33))
    assert main([str(folder), str(file_of(folder))]) == 0
    with llama_cpp(file_of(folder), context=CONTEXT) as server:
        used = server.ask("/completion", prompt="the", n_predict=1)["generation_settings"]
    assert used["top_k"] == 7
    names = {"temperature": 0.7, "top_p": 0.9, "min_p": 0.05, "repeat_penalty": 1.25}
    assert {name: used[name] for name in names} == pytest.approx(names)
    lines = modelfile_of(file_of(folder)).read_text().splitlines()
    assert lines[:2] == ["FROM ./model.gguf", 'TEMPLATE "{{ .Prompt }}"']
    assert {line.split()[1]: float(line.split()[2]) for line in lines[2:]} == {
        **names,
        "top_k": 7,
        "num_predict": 33,
        "num_ctx": CONTEXT,
    }


@pytest.mark.parametrize(("kind", "bits", "near"), [("bf16", 16, 2**-8), ("q8_0", 8.5, 2**-6)])
def test_a_smaller_file_holds_the_same_numbers_rounded(
    kind: str, bits: float, near: float, tmp_path: Path
) -> None:
    checkpoint = exported(tmp_path / "model", SHAPES["llama"], TOKENIZERS["bpe"], kind=kind)
    stored = {each.name: each for each in gguf.GGUFReader(file_of(tmp_path / "model")).tensors}
    tensors = dict(gguf_tensors(checkpoint))
    assert stored.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert stored[name].n_bytes * 8 == tensor.numel() * (bits if tensor.dim() == 2 else 32)
        numbers = torch.tensor(gguf.dequantize(stored[name].data, stored[name].tensor_type))
        assert float((numbers.view_as(tensor) - tensor).abs().max()) <= near * float(tensor.max())
    with llama_cpp(file_of(tmp_path / "model"), context=CONTEXT) as server:
        assert len(server.greedy(["the dog"], 8)[0]) == 8


def test_a_matrix_whose_rows_are_no_whole_blocks_stays_as_it_is(tmp_path: Path) -> None:
    exported(tmp_path / "model", SHAPES["llama-odd"], TOKENIZERS["bpe"], kind="q8_0")
    types = {
        each.name: each.tensor_type.name
        for each in gguf.GGUFReader(file_of(tmp_path / "model")).tensors
    }
    assert types["blk.0.ffn_up.weight"] == "F32"  # rows of 24
    with llama_cpp(file_of(tmp_path / "model"), context=CONTEXT) as server:
        assert len(server.greedy(["the dog"], 8)[0]) == 8


def learnt_elsewhere(
    split: Any, *, whole_first: bool, added: Sequence[tokenizers.AddedToken] = ()
) -> FastTokenizer:
    """A byte-level tokenizer with a split and control tokens that Inkling's own do not have."""
    learnt = tokenizers.Tokenizer(tokenizers.models.BPE(ignore_merges=whole_first))
    learnt.pre_tokenizer = split
    learnt.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=700,
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["<s>", "</s>", "<|eot|>"],
        show_progress=False,
    )
    learnt.train_from_iterator(TRAINING, trainer)
    learnt.add_tokens(list(added))
    return FastTokenizer(learnt.to_str(), end_ids=[1, 2], bos_id=0)


LEARNT = {
    "smollm": lambda: learnt_elsewhere(
        pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
        ),
        whole_first=False,
    ),
    "llama-bpe": lambda: learnt_elsewhere(
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(
                    tokenizers.Regex(LLAMA3_SPLIT), behavior="isolated", invert=False
                ),
                pre_tokenizers.ByteLevel(False, use_regex=False),
            ]
        ),
        whole_first=True,
    ),
}


@pytest.mark.parametrize("pre", LEARNT)
def test_a_byte_pair_tokenizer_from_elsewhere_gives_the_same_ids(pre: str, tmp_path: Path) -> None:
    checkpoint = exported(tmp_path / "model", SHAPES["llama"], LEARNT[pre]())
    tokenizer, texts = checkpoint.tokenizer, fuzzed_text(10_000, seed=2)
    assert tokenizer.end_ids == {1, 2}
    with llama_cpp(file_of(tmp_path / "model"), context=CONTEXT) as server:
        ids = server.tokenize(texts, tokenizer.bos_id)
        assert server.ask("/props")["bos_token"] == "<s>"
    assert ids == [tokenizer.encode(text) for text in texts]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TOKENIZERS["unigram"], "unigram.*prepare the text again with --tokenizer"),
        (lambda: CharTokenizer.train(["a \u2581"]), "sign for a space"),
        (lambda: CharTokenizer.train(["a\0"]), "holds a zero"),
        (
            lambda: learnt_elsewhere(pre_tokenizers.ByteLevel(False), whole_first=True),
            "the split of GPT-2, SmolLM or Llama 3",
        ),
        (
            lambda: learnt_elsewhere(
                pre_tokenizers.Sequence(
                    [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(False)]
                ),
                whole_first=False,
                added=[tokenizers.AddedToken("[name]", lstrip=True)],
            ),
            "takes the space beside it",
        ),
    ],
)
def test_what_a_gguf_cannot_say_is_refused_with_the_way_round(
    make: Callable[[], Tokenizer], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = make()
    shape = replace(SHAPES["llama"], vocab_size=tokenizer.vocab_size)
    save(tmp_path / "model", tiny_model(shape), tokenizer, card="", training={})
    out = tmp_path / "model.gguf"
    assert main([str(tmp_path / "model"), str(out)]) == 2
    said_of_it = capsys.readouterr().err
    assert re.search(said, said_of_it)
    assert "from its folder in transformers and vLLM" in said_of_it
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "out.gguf"), "no checkpoint"),
        (("nowhere", "out.bin"), "ends with .gguf"),
        (("nowhere", "not-here/out.gguf"), "there is no folder not-here"),
    ],
)
def test_a_command_that_cannot_be_followed_says_why(
    arguments: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
