"""vLLM's own server with our folder: `make certify-vllm` installs it and runs this."""

import asyncio
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

import gpt
from chat.models.remote.directory import Directory
from chat.models.remote.engine import RemoteEngine
from chat.models.remote.servers import Server
from gpt.engine import Engine
from gpt.sampling import SamplingParams
from gpt.text.prompt import prompt_ids
from tests.browser.test_dice import parts, pick_model, shade
from tests.browser.test_loop import press, stop_while_it_writes
from tests.browser.test_page import send, write
from tests.chat.test_remote_llama_cpp import (
    BEFORE,
    assert_same_odds,
    text_of,
    tokens_of,
    written,
)
from tests.support.api_server import wait_until
from tests.support.app_server import lend_stories, running_app
from tests.support.fuzzed_text import fuzzed_text
from tests.support.greedy import TIE, compare, prompts_of
from tests.support.imports import ROOT
from tests.support.vllm_server import KEY, Vllm, vllm

STORIES = ROOT / "checkpoints" / "stories"
LENGTH = 64

pytestmark = [pytest.mark.network, pytest.mark.browser]


@pytest.fixture(scope="module")
def checkpoint() -> gpt.Checkpoint:
    return gpt.load(STORIES)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Vllm]:
    with vllm(STORIES, tmp_path_factory.mktemp("vllm") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def remote(server: Vllm) -> RemoteEngine:
    directory = Directory([Server(name="lab", url=f"{server.address}/v1", key=KEY)])
    asyncio.run(directory.ask())
    (listing,) = directory.listings().values()
    assert listing.key == "lab/stories"
    assert listing.summary == "vLLM at “lab” · reads 512 tokens"
    assert listing.remote is not None
    return listing.remote


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory, server: Vllm) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    lend_stories(models)
    said = f"vllm={server.address}/v1;key={KEY}"
    with running_app(tmp_path_factory.mktemp("app"), models, INKLING_ENGINE=said) as base:
        yield base


def test_it_reads_our_ids(server: Vllm, checkpoint: gpt.Checkpoint) -> None:
    texts = fuzzed_text(1000)
    read = [server.tokenize(text) for text in texts]
    assert read == [checkpoint.tokenizer.encode(text) for text in texts]


def test_it_writes_our_greedy_text(server: Vllm, checkpoint: gpt.Checkpoint) -> None:
    prompts = prompts_of(50, seed=1)
    ids = server.greedy(prompts, LENGTH, checkpoint.tokenizer.eos_id)
    compared = compare(checkpoint, prompts, ids)
    print(compared)
    assert compared.worst < TIE
    assert compared.tokens > 2500


def test_in_its_own_bfloat16_it_is_near(checkpoint: gpt.Checkpoint, tmp_path) -> None:
    prompts = prompts_of(50, seed=1)
    with vllm(STORIES, tmp_path / "log", dtype="auto") as rounded:
        ids = rounded.greedy(prompts, LENGTH, checkpoint.tokenizer.eos_id)
    texts = zip(prompts, ids, strict=True)
    ours = sum(compare(checkpoint, [prompt], [each]).ties == 0 for prompt, each in texts)
    print(compare(checkpoint, prompts, ids), f"{ours} of {len(prompts)} texts are ours to the end")
    assert ours > 20


def test_its_words_and_their_odds_are_those_of_our_engine(
    remote: RemoteEngine, checkpoint: gpt.Checkpoint
) -> None:
    with Engine(checkpoint.model, checkpoint.tokenizer) as engine:
        params = SamplingParams(temperature=0, max_new_tokens=24)
        here = asyncio.run(tokens_of(engine, params, prompt_ids(checkpoint.tokenizer, BEFORE)))
    there = written(remote, temperature=0, max_new_tokens=24)
    assert text_of(there) == text_of(here)
    assert_same_odds(there, here)


def test_every_setting_has_its_effect_and_a_seed_brings_the_same(remote: RemoteEngine) -> None:
    greedy = text_of(written(remote, temperature=0, max_new_tokens=30))
    wild = {"max_new_tokens": 30, "temperature": 2, "seed": 1}
    for one in ({"top_k": 1}, {"top_p": 0.001}, {"min_p": 1.0}):
        assert text_of(written(remote, BEFORE, **wild, **one)) == greedy
    assert text_of(written(remote, BEFORE, **wild)) != greedy
    texts = [text_of(written(remote, temperature=1.5, seed=seed)) for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]
    penalised = written(remote, max_new_tokens=30, seed=1, top_k=1, repetition_penalty=2.0)
    assert text_of(penalised) != greedy
    stopped = text_of(written(remote, temperature=0, max_new_tokens=60, stop=(".",)))
    assert "." not in stopped[:-1]


def test_it_goes_on_after_the_end_where_it_must(remote: RemoteEngine) -> None:
    whole = BEFORE + text_of(written(remote, temperature=0, max_new_tokens=400))
    assert text_of(written(remote, whole, temperature=0, max_new_tokens=9)) == ""
    more = written(remote, whole, temperature=0, max_new_tokens=9, min_new_tokens=5)
    assert len(more) >= 5


def test_a_story_of_any_length_is_cut_to_what_it_reads(remote: RemoteEngine) -> None:
    tokens = written(remote, before="The cat said no. " * 400, max_new_tokens=20)
    assert len(tokens) == 20
    assert remote.context == 512


def test_its_dice_are_ten(remote: RemoteEngine) -> None:
    odds = asyncio.run(remote.odds(remote.tokenizer.encode("Once upon a"), 20))
    chances = [each.probability or 0 for each in odds]
    assert len(odds) == 10
    assert chances == sorted(chances, reverse=True)
    assert odds[0].text == " time"


def test_the_app_writes_goes_on_stops_and_retries_by_it(
    page: Page, base: str, server: Vllm, tmp_path_factory
) -> None:
    page.click("#mode-picker-trigger-model")
    expect(page.locator("#mode-picker-popover-model")).to_contain_text(
        "vLLM at “vllm” · reads 512 tokens"
    )
    page.keyboard.press("Escape")
    pick_model(page, "vllm/stories")
    text = write(page, "/with max=40 t=0.8 seed=3 Once upon a time")
    longer = press(page, "#story-continue")
    assert longer.startswith(text)
    assert longer != text
    other = press(page, "#story-retry")
    assert other.startswith(text)
    expect(page.locator("#story-place")).to_have_text("2/2")
    shade(page)
    parts(page).nth(3).click()
    expect(page.locator(".odds-row").first).to_be_visible()
    page.keyboard.press("Escape")
    send(page, "/with max=400 t=1.5 end=0")
    stop_while_it_writes(page, base, ".passage[data-author=model]:last-child .part", stories=1)
    wait_until(lambda: server.running() == 0, "it still writes")
    page.screenshot(path=tmp_path_factory.getbasetemp() / "vllm.png")
