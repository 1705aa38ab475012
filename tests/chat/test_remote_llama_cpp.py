"""llama.cpp's own server writes for the chat: what is sent to it means there what it means here."""

import asyncio
import math
from contextlib import aclosing

import pytest

import gpt
from chat.models.remote.directory import Directory
from chat.models.remote.servers import Server
from gpt.engine import Engine
from gpt.export import main as export
from gpt.sampling import SamplingParams
from gpt.text.prompt import prompt_ids
from tests.support.api_server import wait_until
from tests.support.llama_cpp import llama_cpp
from tests.support.tiny_checkpoint import save_characters

CONTEXT = 128
BEFORE = "The old king opened the door"


@pytest.fixture(scope="module")
def tales(tmp_path_factory):
    return save_characters(tmp_path_factory.mktemp("models") / "tales", block_size=CONTEXT)


@pytest.fixture(scope="module")
def llama(tales):
    file = tales.parent / "tales.gguf"
    assert export([str(tales), str(file), "--type", "f32"]) == 0
    with llama_cpp(file, context=CONTEXT) as server:
        yield server


@pytest.fixture
def remote(llama):
    listing = listing_of(llama)
    assert listing.key == "lab/tales.gguf"
    assert listing.summary == f"llama.cpp at “lab” · reads {CONTEXT} tokens"
    return listing.remote


def listing_of(llama):
    """The one model of a server."""
    directory = Directory([Server(name="lab", url=f"{llama.address}/v1")])
    asyncio.run(directory.ask())
    (listing,) = directory.listings().values()
    assert listing.remote is not None
    return listing


async def tokens_of(engine, params, ids):
    async with aclosing(engine.submit(ids, params)) as request:
        return [token async for token in request]


def written(remote, before=BEFORE, **params):
    ids = [remote.tokenizer.bos_id, *remote.tokenizer.encode(before)]
    return asyncio.run(tokens_of(remote, SamplingParams(**params), ids))


def text_of(tokens):
    return "".join(token.text for token in tokens)


def assert_same_odds(there, here):
    """Both drew among the same tokens, each as likely as there."""
    for one, other in zip(there, here, strict=True):
        assert math.isclose(one.raw_probability, other.raw_probability, rel_tol=1e-3)
        likely = {each.text: each.raw_probability for each in other.top}
        for each in one.top[:5]:
            assert math.isclose(each.raw_probability, likely[each.text], rel_tol=1e-3)


def test_its_likeliest_words_and_their_odds_are_those_of_our_engine(remote, tales):
    checkpoint = gpt.load(tales)
    with Engine(checkpoint.model, checkpoint.tokenizer) as engine:
        params = SamplingParams(temperature=0, max_new_tokens=24)
        ids = prompt_ids(checkpoint.tokenizer, BEFORE)
        here = asyncio.run(tokens_of(engine, params, ids))
    there = written(remote, temperature=0, max_new_tokens=24)
    assert len(there) == len(here) == 24
    assert text_of(there) == text_of(here)
    assert_same_odds(there, here)


def test_a_seed_brings_the_same_again_and_another_does_not(remote):
    texts = [text_of(written(remote, seed=seed, temperature=1.5)) for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_every_setting_has_its_effect(remote):
    greedy = text_of(written(remote, temperature=0, max_new_tokens=30))
    narrow = [
        written(remote, temperature=2, max_new_tokens=30, seed=1, top_k=1),
        written(remote, temperature=2, max_new_tokens=30, seed=1, top_p=0.001),
        written(remote, temperature=2, max_new_tokens=30, seed=1, min_p=1.0),
    ]
    assert [text_of(tokens) for tokens in narrow] == [greedy] * 3
    free = text_of(written(remote, temperature=2, max_new_tokens=30, seed=1, top_p=1.0))
    assert free != greedy
    penalised = written(remote, max_new_tokens=30, seed=1, top_k=1, repetition_penalty=2.0)
    assert text_of(penalised) != greedy
    no_repeats = written(
        remote, max_new_tokens=30, temperature=0, dry_multiplier=5.0, dry_breakers=()
    )
    assert text_of(no_repeats) != greedy


def test_a_story_of_any_length_is_cut_to_what_it_reads(remote):
    tokens = written(remote, before="The cat said no. " * 400, max_new_tokens=20)
    assert len(tokens) == 20
    assert remote.context == CONTEXT
    assert remote.ratio > 2  # a token is a character here, which nobody could know before


def test_stop_frees_its_place_long_before_the_story_is_written(tmp_path):
    folder = save_characters(tmp_path / "long", block_size=4096)
    file = tmp_path / "long.gguf"
    assert export([str(folder), str(file), "--type", "f32"]) == 0

    async def stop_early(remote):
        ids = remote.tokenizer.encode(BEFORE)
        request = remote.submit(ids, SamplingParams(max_new_tokens=2000, temperature=2, seed=3))
        await anext(request)
        request.cancel()
        await asyncio.sleep(0)

    with llama_cpp(file, context=4096, slots=1) as llama:
        asyncio.run(stop_early(listing_of(llama).remote))
        wait_until(lambda: not llama.ask("/slots")[0]["is_processing"], "its place is taken")
        (slot,) = llama.ask("/slots")
        assert len(BEFORE) < slot["n_prompt_tokens"] < 1000


def test_its_dice_are_twenty_and_no_more_likely_than_certain(remote):
    odds = asyncio.run(remote.odds(remote.tokenizer.encode(BEFORE), 20))
    chances = [each.probability or 0 for each in odds]
    assert len(odds) == 20
    assert chances == sorted(chances, reverse=True)
    assert 0 < sum(chances) <= 1.0001
