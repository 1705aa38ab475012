"""The models that ship: what transformers makes of their folders is what we make of them.

Two are for writing, and one is a whole run with its saved steps, for the time machine.
"""

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import gpt
from chat.models import GENERIC_STARTERS, default_model, find_models
from chat.models.saved_steps import find_steps, read_curve
from gpt.checkpoint.copied_runs import COPIED_RUNS
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from gpt.text.prompt import prompt_ids
from gpt.tokenizers import load_tokenizer
from tests.support.fuzzed_text import fuzzed_text
from train.loop.state import FOLDER

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "checkpoints"
RUN = ROOT / "runs" / "shakespeare-small"
FOLDERS = {
    "stories": SHIPPED / "stories",
    "shakespeare": SHIPPED / "shakespeare",
    "a step of shakespeare-small": RUN / "steps" / "000729",
}
PROMPTS = dict(
    zip(FOLDERS, ("Once upon a time, there was", *["ROMEO:\nWhat light"] * 2), strict=True)
)


@pytest.fixture(params=FOLDERS, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def ours(name: str) -> gpt.Checkpoint:
    return gpt.load(FOLDERS[name])


@pytest.fixture(scope="module")
def theirs(name: str):
    return AutoModelForCausalLM.from_pretrained(FOLDERS[name], dtype=torch.float32).eval()


@torch.inference_mode()
def test_logits_are_those_of_transformers_over_a_whole_window(ours: gpt.Checkpoint, theirs) -> None:
    torch.manual_seed(0)
    tokens = torch.randint(ours.tokenizer.vocab_size, (2, ours.config.block_size))
    torch.testing.assert_close(ours.model(tokens), theirs(tokens).logits, atol=1e-5, rtol=1e-5)


def test_greedy_text_is_that_of_transformers_for_200_tokens_or_until_the_window_is_full(
    ours: gpt.Checkpoint, theirs, name: str
) -> None:
    ids = prompt_ids(ours.tokenizer, PROMPTS[name])
    length = min(200, ours.config.block_size - len(ids))
    greedy = SamplingParams(temperature=0, max_new_tokens=length)
    written = [token.id for token in Generator(ours.model, ours.tokenizer).stream(ids, greedy)]
    tokenizer = AutoTokenizer.from_pretrained(FOLDERS[name])  # as anyone opens it, no option
    with torch.inference_mode():
        read = theirs.generate(
            **tokenizer(PROMPTS[name], return_tensors="pt"),
            do_sample=False,
            temperature=None,
            top_p=None,
            max_new_tokens=length,
        )
    assert written == read[0, len(ids) :].tolist()
    assert len(written) > 20


def test_each_brings_beginnings_in_the_manner_of_its_text_that_it_can_read() -> None:
    models = find_models(ROOT, "")
    for name in ("stories", "shakespeare", RUN.name):
        tokenizer, starters = load_tokenizer(models[name].folder), models[name].starters
        assert not set(starters) & set(GENERIC_STARTERS)
        assert all(tokenizer.decode(tokenizer.encode(each)) == each for each in starters)


@pytest.mark.slow
def test_ids_are_those_of_transformers_on_fuzzed_text(ours: gpt.Checkpoint, name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDERS[name])
    known = set(json.loads((FOLDERS[name] / "tokenizer.json").read_text())["model"]["vocab"])
    for text in fuzzed_text(10_000, seed=5):
        if ours.tokenizer.kind == "char":
            text = "".join(character for character in text if character in known)
        ids = ours.tokenizer.encode(text)
        assert [ours.tokenizer.bos_id, *ids] == tokenizer(text).input_ids, text
        assert ours.tokenizer.decode(ids) == tokenizer.decode(ids), text


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["stories", "shakespeare"])
def test_each_stays_under_24_mb_and_says_how_it_was_made(name: str) -> None:
    copied = (SHIPPED / name / COPIED_RUNS).stat().st_size
    assert bytes_in(SHIPPED / name) - copied < 24e6
    assert copied < 4e6
    training = gpt.load(SHIPPED / name).training
    card = (SHIPPED / name / "README.md").read_text()
    assert training["command"] in card
    assert f"{training['val_loss']:.4f} nats per token" in card


def test_the_run_that_ships_goes_from_noise_to_verse_in_less_than_12_mb() -> None:
    models = find_models(ROOT, "")
    assert default_model(models) == "stories"
    # One model to write with, whatever is saved in it.
    assert [key for key in models if key.startswith(RUN.name)] == [RUN.name]
    assert models[RUN.name].starters[0] == "ROMEO:\n"
    steps = find_steps(models)[RUN.name]
    counts = [each.step for each in steps]
    assert counts[:2] == [0, 1]
    assert all(later == 3 * count for count, later in pairwise(counts[1:]))
    assert 8 <= len(counts) <= 10
    losses = [each.val_loss for each in steps if each.val_loss is not None]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(math.log(66), abs=0.1)  # as good as a blind guess
    assert losses[-1] < 1.6
    curve = read_curve(RUN)
    assert curve.valid[-1] == (counts[-1], pytest.approx(losses[-1]))
    assert len(curve.train) > 100
    card = (RUN / "best" / "README.md").read_text()
    for each in steps:
        loaded = gpt.load(each.listing.folder)
        assert loaded.model.n_params < 0.6e6
        assert loaded.training["command"] in card
    assert bytes_in(RUN) < 12e6
    assert not (RUN / FOLDER).exists()  # nothing of it is there to train on with
