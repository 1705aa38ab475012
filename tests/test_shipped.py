"""The two models that ship: what transformers makes of their folders is what we make of them."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import gpt
from gpt.generator import Generator, prompt_ids
from gpt.sampling import SamplingParams
from tests.fuzzed_text import fuzzed_text

SHIPPED = Path(__file__).parents[1] / "checkpoints"
PROMPTS = {"stories": "Once upon a time, there was", "shakespeare": "ROMEO:\nWhat light"}


@pytest.fixture(params=PROMPTS, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def ours(name: str) -> gpt.Checkpoint:
    return gpt.load(SHIPPED / name)


@pytest.fixture(scope="module")
def theirs(name: str):
    return AutoModelForCausalLM.from_pretrained(SHIPPED / name, dtype=torch.float32).eval()


@torch.inference_mode()
def test_logits_are_those_of_transformers_over_a_whole_window(ours: gpt.Checkpoint, theirs) -> None:
    torch.manual_seed(0)
    tokens = torch.randint(ours.tokenizer.vocab_size, (2, ours.config.block_size))
    torch.testing.assert_close(ours.model(tokens), theirs(tokens).logits, atol=1e-5, rtol=1e-5)


def test_greedy_text_is_that_of_transformers_for_200_tokens(ours: gpt.Checkpoint, theirs, name):
    ids = prompt_ids(ours.tokenizer, PROMPTS[name])
    greedy = SamplingParams(temperature=0, max_new_tokens=200)
    written = [token.id for token in Generator(ours.model, ours.tokenizer).stream(ids, greedy)]
    with torch.inference_mode():
        read = theirs.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            do_sample=False,
            temperature=None,
            top_p=None,
            max_new_tokens=200,
        )
    assert written == read[0, len(ids) :].tolist()
    assert len(written) > 20


@pytest.mark.slow
def test_ids_are_those_of_transformers_on_fuzzed_text(ours: gpt.Checkpoint, name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / name)
    known = set(json.loads((SHIPPED / name / "tokenizer.json").read_text())["model"]["vocab"])
    for text in fuzzed_text(10_000, seed=5):
        if ours.tokenizer.kind == "char":
            text = "".join(character for character in text if character in known)
        ids = ours.tokenizer.encode(text)
        assert ids == tokenizer(text, split_special_tokens=True).input_ids, text
        assert ours.tokenizer.decode(ids) == tokenizer.decode(ids), text


def test_each_stays_under_24_mb_and_says_how_it_was_made(name: str) -> None:
    files = list((SHIPPED / name).iterdir())
    assert sum(path.stat().st_size for path in files) < 24e6
    training = gpt.load(SHIPPED / name).training
    card = (SHIPPED / name / "README.md").read_text()
    assert training["command"] in card
    assert f"{training['val_loss']:.4f} nats per token" in card
