"""The server: what OpenAI's own client gets from it is what our engine writes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import torch
from openai import OpenAI
from pydantic import ValidationError

from gpt.generator import Generator
from gpt.sampling import SamplingParams
from gpt.server.schema import CompletionRequest
from gpt.server.served import Served
from gpt.text.prompt import window_start
from tests.support.api_server import client, opened, said, save_tales, serving, streamed
from tests.support.tiny_checkpoint import save_characters
from tests.support.trained_tokenizers import TOKENIZERS

PROMPT = "The old king"
OPEN = SamplingParams(temperature=1, top_p=1, max_new_tokens=16)
"""What a request means that says nothing but temperature 1 and top_p 1."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_tales(folder / "tales")
    save_characters(folder / "letters")
    save_characters(folder / "ended", ends=True)
    return folder


@pytest.fixture(scope="module")
def models(folders: Path) -> dict[str, Served]:
    return {name: opened(folders / name) for name in ("tales", "letters", "ended")}


@pytest.fixture(scope="module")
def base(models: dict[str, Served]) -> Iterator[str]:
    with serving(list(models.values())) as base:
        yield base


@pytest.fixture(scope="module")
def api(base: str) -> Iterator[OpenAI]:
    with client(base) as api:
        yield api


def ours(model: Served, prompt: Any, params: SamplingParams) -> list[Any]:
    """The tokens that our own generator writes."""
    generator = Generator(model.checkpoint.model, model.checkpoint.tokenizer)
    return list(generator.stream(prompt, params))


def text_of(tokens: list[Any]) -> str:
    return "".join(token.text for token in tokens)


@pytest.mark.parametrize(
    ("asked", "params"),
    [
        ({"temperature": 0, "top_p": 1}, replace(OPEN, temperature=0)),
        ({"temperature": 1, "top_p": 1, "seed": 7}, replace(OPEN, seed=7)),
        (
            {
                "temperature": 0.9,
                "top_p": 0.9,
                "seed": 3,
                "max_tokens": 40,
                "extra_body": {"top_k": 20, "min_p": 0.01, "repetition_penalty": 1.2},
            },
            SamplingParams(
                temperature=0.9,
                top_p=0.9,
                top_k=20,
                min_p=0.01,
                repetition_penalty=1.2,
                seed=3,
                max_new_tokens=40,
            ),
        ),
    ],
)
def test_the_text_is_our_generator_s_streamed_or_not(
    api: OpenAI, models: dict[str, Served], asked: dict[str, Any], params: SamplingParams
) -> None:
    tokens = ours(models["tales"], PROMPT, params)
    answer = api.completions.create(model="tales", prompt=PROMPT, **asked)
    assert answer.choices[0].text == text_of(tokens) != ""
    assert answer.usage is not None
    assert answer.usage.completion_tokens == len(tokens)
    *chunks, last = streamed(
        api, model="tales", prompt=PROMPT, stream_options={"include_usage": True}, **asked
    )
    assert "".join(chunk.choices[0].text for chunk in chunks) == answer.choices[0].text
    assert chunks[-1].choices[0].finish_reason == answer.choices[0].finish_reason
    assert last.choices == []
    assert last.usage == answer.usage
    assert len(chunks) > 4


def test_what_a_request_leaves_open_is_the_model_s_own(
    api: OpenAI, models: dict[str, Served]
) -> None:
    own = replace(OPEN, temperature=0.8, top_p=0.95, seed=5)
    answer = api.completions.create(model="tales", prompt=PROMPT, seed=5)
    assert answer.choices[0].text == text_of(ours(models["tales"], PROMPT, own))
    assert answer.system_fingerprint == "torch float32"


def test_versions_are_written_with_the_seeds_that_follow(
    api: OpenAI, models: dict[str, Served]
) -> None:
    asked: dict[str, Any] = {"model": "tales", "prompt": PROMPT, "temperature": 1, "top_p": 1}
    answer = api.completions.create(**asked, seed=7, n=3)
    alone = [text_of(ours(models["tales"], PROMPT, replace(OPEN, seed=7 + i))) for i in range(3)]
    assert [choice.text for choice in answer.choices] == alone
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    pieces = ["", "", ""]
    for chunk in streamed(api, **asked, seed=7, n=3):
        pieces[chunk.choices[0].index] += chunk.choices[0].text
    assert pieces == alone


def test_versions_at_temperature_0_are_one_text_that_is_written_once(api: OpenAI) -> None:
    answer = api.completions.create(model="letters", prompt="a", temperature=0, n=2, max_tokens=5)
    assert answer.choices[0].text == answer.choices[1].text
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5


def test_each_of_many_clients_at_once_gets_its_own_text(
    base: str, models: dict[str, Served]
) -> None:
    def ask(seed: int) -> str:
        with client(base) as api:
            chunks = streamed(
                api, model="tales", prompt=PROMPT, temperature=1, top_p=1, seed=seed, user=str(seed)
            )
            return "".join(chunk.choices[0].text for chunk in chunks)

    with ThreadPoolExecutor(12) as pool:
        written = list(pool.map(ask, range(12)))
    wanted = [text_of(ours(models["tales"], PROMPT, replace(OPEN, seed=i))) for i in range(12)]
    assert written == wanted


def test_several_prompts_of_texts_or_ids_are_answered_in_order(
    api: OpenAI, models: dict[str, Served]
) -> None:
    texts = ["The cat", "", "No dog"]
    wanted = [
        text_of(ours(models["tales"], text, replace(OPEN, seed=seed)))
        for text in texts
        for seed in (1, 2)
    ]
    tokenizer = models["tales"].checkpoint.tokenizer
    ids = [[tokenizer.bos_id, *tokenizer.encode(text)] for text in texts]
    for prompt in (texts, ids):
        answer = api.completions.create(
            model="tales", prompt=prompt, temperature=1, top_p=1, seed=1, n=2
        )
        assert [choice.text for choice in answer.choices] == wanted
        assert [choice.index for choice in answer.choices] == list(range(6))
    one = api.completions.create(model="tales", prompt=ids[0], temperature=1, top_p=1, seed=1)
    assert one.choices[0].text == wanted[0]


def test_a_prompt_beyond_the_window_goes_on_as_in_the_app_and_usage_says_so(
    api: OpenAI, models: dict[str, Served]
) -> None:
    prompt = "The old king opened the door and the dog said no. " * 8
    params = SamplingParams(temperature=0.8, seed=3, repetition_penalty=1.3, max_new_tokens=80)
    answer = api.completions.create(
        model="tales", prompt=prompt, seed=3, max_tokens=80, extra_body={"repetition_penalty": 1.3}
    )
    assert answer.choices[0].text == text_of(ours(models["tales"], prompt, params))
    read = 1 + len(models["tales"].checkpoint.tokenizer.encode(prompt))
    assert read > 2 * models["tales"].window
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == read
    assert answer.usage.total_tokens == read + answer.usage.completion_tokens
    seen = read - window_start(read, models["tales"].window)
    assert answer.usage.model_extra == {"prompt_tokens_seen": seen}


@pytest.mark.parametrize("words", [2, 40])
def test_logprobs_are_those_of_a_forward_pass_for_the_prompt_and_what_follows(
    api: OpenAI, models: dict[str, Served], words: int
) -> None:
    model = models["tales"]
    tokenizer = model.checkpoint.tokenizer
    prompt = " ".join(["The old king opened the door"] * 7).split(" ")[:words]
    asked: dict[str, Any] = {"model": "tales", "prompt": " ".join(prompt), "seed": 4}
    answer = api.completions.create(**asked, echo=True, logprobs=3, max_tokens=12)
    listed = answer.choices[0].logprobs
    assert listed is not None
    assert listed.tokens
    assert listed.token_logprobs
    assert listed.top_logprobs
    assert listed.text_offset
    params = replace(OPEN, temperature=0.8, top_p=0.95, seed=4, max_new_tokens=12)
    written = [token.id for token in ours(model, " ".join(prompt), params)]
    ids = [tokenizer.bos_id, *tokenizer.encode(" ".join(prompt)), *written]
    assert (len(ids) > model.window) == (words == 40)
    assert listed.tokens == [tokenizer.piece(id) for id in ids[1:]]
    for at, id in enumerate(ids[1:], start=1):
        seen = ids[window_start(at, model.window) : at]
        with torch.inference_mode():
            logits = model.checkpoint.model(torch.tensor([seen]), last=True)[0, -1]
        wanted = logits[: tokenizer.vocab_size].double().log_softmax(-1)
        assert listed.token_logprobs[at - 1] == pytest.approx(float(wanted[id]), abs=1e-4)
        top = listed.top_logprobs[at - 1]
        p, i = wanted.topk(3)
        likely = zip(map(tokenizer.piece, i.tolist()), p.tolist(), strict=True)
        assert top == pytest.approx(
            dict([*likely, (tokenizer.piece(id), float(wanted[id]))]), abs=1e-4
        )
        assert answer.choices[0].text.startswith(
            tokenizer.decode(ids[1:at]).rstrip("\ufffd")[: listed.text_offset[at - 1]]
        )
    assert sorted(listed.text_offset) == listed.text_offset
    ones = [chunk.choices[0].logprobs for chunk in streamed(api, **asked, echo=True, logprobs=3)]
    tokens = [token for one in ones for token in one.tokens]
    assert tokens[: len(listed.tokens)] == listed.tokens


def test_each_token_begins_at_its_offset_in_the_text(api: OpenAI) -> None:
    answer = api.completions.create(
        model="letters", prompt="once", echo=True, logprobs=0, max_tokens=6, seed=1, n=2
    )
    assert answer.choices[0].text != answer.choices[1].text
    for choice in answer.choices:
        assert choice.logprobs is not None
        assert choice.logprobs.text_offset == list(range(10))
        assert choice.logprobs.tokens == list(choice.text)
        assert choice.text.startswith("once")
        assert choice.logprobs.top_logprobs is not None
        assert all(len(top) == 1 for top in choice.logprobs.top_logprobs)


def test_the_first_of_given_ids_has_no_probability(api: OpenAI, models: dict[str, Served]) -> None:
    ids = models["letters"].checkpoint.tokenizer.encode("once")
    answer = api.completions.create(
        model="letters", prompt=ids, echo=True, logprobs=1, max_tokens=0
    )
    choice = answer.choices[0]
    assert (choice.text, choice.finish_reason) == ("once", "length")
    assert choice.logprobs is not None
    assert choice.logprobs.token_logprobs is not None
    assert choice.logprobs.token_logprobs[0] is None
    assert all(p is not None and p < 0 for p in choice.logprobs.token_logprobs[1:])
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 0


def test_a_story_ends_with_a_stop_string_with_its_end_or_with_the_length(api: OpenAI) -> None:
    asked: dict[str, Any] = {"model": "letters", "prompt": "a", "seed": 2}
    whole = api.completions.create(**asked, max_tokens=30).choices[0]
    assert whole.finish_reason == "length"
    assert len(whole.text) == 30
    stop = whole.text[10:12]
    for given in (stop, ["@@", stop]):
        cut = api.completions.create(**asked, max_tokens=30, stop=given).choices[0]
        assert cut.finish_reason == "stop"
        assert cut.text == whole.text[: whole.text.index(stop)]
        pieces = streamed(api, **asked, max_tokens=30, stop=given)
        assert "".join(piece.choices[0].text for piece in pieces) == cut.text
        assert pieces[-1].choices[0].finish_reason == "stop"
    ended = api.completions.create(model="ended", prompt="a", temperature=0)
    assert (ended.choices[0].text, ended.choices[0].finish_reason) == ("", "stop")


def test_models_are_listed_and_found(api: OpenAI) -> None:
    assert [model.id for model in api.models.list()] == ["tales", "letters", "ended"]
    assert api.models.retrieve("letters").model_extra == {"max_model_len": 64}
    with pytest.raises(openai.NotFoundError, match="no model 'other' here") as refused:
        api.models.retrieve("other")
    assert refused.value.code == "model_not_found"


def test_an_error_is_of_the_client_s_own_class_and_names_the_field(api: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature must be a number, 0 to 2") as bad:
        api.completions.create(model="tales", prompt="a", temperature=3)
    assert (bad.value.param, bad.value.type) == ("temperature", "invalid_request_error")
    with pytest.raises(openai.NotFoundError, match="model must be one of tales, letters, ended"):
        api.completions.create(model="gpt-4", prompt="a")
    with pytest.raises(openai.NotFoundError, match="do not chat"):
        api.chat.completions.create(model="tales", messages=[{"role": "user", "content": "a"}])


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({}, "model", "must be named where there are several"),
        ({"prompt": 5}, "prompt", "a list of token ids"),
        ({"prompt": [1, "a"]}, "prompt", "nothing else among them"),
        ({"prompt": []}, "prompt", "not an empty list"),
        ({"prompt": ["a"] * 33}, "prompt", "at most 32 of a kind, not 33"),
        ({"prompt": [[1]] * 33}, "prompt", "at most 32 of a kind, not 33"),
        ({"prompt": [68, 5000]}, "prompt", "id 5000 is not in the vocabulary"),
        ({"prompt": "é"}, "prompt", "never seen: 'é'"),
        ({"prompt": ["a"] * 32, "n": 8}, "prompt", "256 texts, and 36 can be asked for at once"),
        ({"max_tokens": 2049}, "max_tokens", "0 to 2048, not 2049"),
        ({"max_tokens": -1}, "max_tokens", "0 to 2048, not -1"),
        ({"max_tokens": 1.5}, "max_tokens", "must be a whole number; a number came"),
        ({"n": 9}, "n", "1 to 8, not 9"),
        ({"logprobs": 11}, "logprobs", "0 to 10, not 11"),
        ({"logprobs": True}, "logprobs", "must be a whole number; true or false came"),
        ({"top_p": 0}, "top_p", "above 0, up to 1"),
        ({"seed": -2}, "seed", "not -2"),
        ({"stop": ["a"] * 5}, "stop", "up to 4 strings"),
        ({"stop": [""]}, "stop", "none of them empty"),
        ({"stop": "a" * 201}, "stop", "at most 200 characters"),
        ({"stream_options": []}, "stream_options", "must be an object; a list came"),
        ({"presence_penalty": 0.5}, "presence_penalty", "Use repetition_penalty"),
        ({"frequency_penalty": -1}, "frequency_penalty", "Use repetition_penalty"),
        ({"repetition_penalty": 1.1}, "repetition_penalty", "every letter has already appeared"),
        ({"best_of": 3}, "best_of", "must be left out"),
        ({"min_tokens": 2049}, "min_tokens", "min_tokens must be a whole number, 0 to 2048"),
        ({"banned_strings": ["a", " "]}, "banned_strings", "up to 100 strings of up to 100"),
        ({"banned_strings": ["a"] * 101}, "banned_strings", "up to 100 strings"),
        ({"banned_strings": "a"}, "banned_strings", "must be a valid list"),
        ({"dry_multiplier": 6}, "dry_multiplier", "0 to 5, not 6"),
        ({"dry_multiplier": 1, "dry_base": 0.5}, "dry_base", "1 to 4, not 0.5"),
        ({"dry_multiplier": 1}, "dry_allowed_length", "12 or more with a model of characters"),
        (
            {"dry_multiplier": 1, "dry_penalty_last_n": -2},
            "dry_penalty_last_n",
            "0 to the model's window",
        ),
        (
            {"dry_multiplier": 1, "dry_sequence_breakers": "[1]"},
            "dry_sequence_breakers",
            "a list of texts",
        ),
        ({"token_healing": True, "logprobs": 1}, "token_healing", "left out with logprobs"),
        ({"suffix": "a"}, "suffix", "must be left out"),
        ({"logit_bias": {"5": 1}}, "logit_bias", "must be left out"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_field_and_what_it_may_be(
    base: str, body: dict[str, Any], param: str, words: str
) -> None:
    error = said(base, **({"model": "letters", "max_tokens": 1} if body else {}) | body)
    assert words in error["message"]
    assert error["param"] == param


def test_what_other_programs_call_dry_and_bans_reaches_the_sampler() -> None:
    tokenizer = TOKENIZERS["bpe"]
    asked = CompletionRequest.model_validate(
        {
            "ban_eos_token": True,
            "min_tokens": 3,
            "token_healing": True,
            "banned_strings": ["a b"],
            "dry_multiplier": 0.8,
            "dry_base": 2,
            "dry_allowed_length": 4,
            "dry_penalty_last_n": -1,
            "dry_sequence_breakers": '["\\n", ":"]',
        }
    )
    params = asked.params({}, tokenizer)
    assert params == SamplingParams(
        max_new_tokens=16,
        no_end=True,
        min_new_tokens=3,
        heal=True,
        banned=("a b",),
        dry_multiplier=0.8,
        dry_base=2,
        dry_allowed_length=4,
        dry_breakers=("\n", ":"),
    )
    # llama.cpp's 0 is none; and what is off is not looked at, for many send all they know.
    off: list[dict[str, Any]] = [
        {"dry_multiplier": 0.8, "dry_penalty_last_n": 0},
        {"dry_multiplier": 0, "dry_base": 0, "dry_sequence_breakers": "x", "ignore_eos": False},
    ]
    for each in off:
        assert CompletionRequest(**each).params({}, tokenizer) == SamplingParams(max_new_tokens=16)


def test_what_says_nothing_or_is_unknown_is_left_out(base: str) -> None:
    body = {
        "model": "letters",
        "prompt": None,
        "presence_penalty": 0,
        "frequency_penalty": 0.0,
        "best_of": 1,
        "logit_bias": {},
        "suffix": "",
        "seed": -1,
        "max_tokens": None,
        "typical_p": 0.9,
        "stop": None,
        "user": "ada",
        "repetition_penalty": 1,
    }
    answer = httpx.post(f"{base}/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["completion_tokens"] == 16


def test_a_long_list_of_the_wrong_kind_is_refused_at_its_first_wrong_entry() -> None:
    for prompt in ([1] * 9999 + ["a"], [None] * 9999, [[1]] * 9999, ["a"] * 9999):
        with pytest.raises(ValidationError) as refused:
            CompletionRequest.model_validate({"prompt": prompt})
        assert refused.value.error_count() == 4  # one for each kind that a prompt may be
