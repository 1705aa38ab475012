"""A server of another program writes: its words, its faults, and what is asked of it."""

import asyncio
import logging
import re
import time
from contextlib import aclosing

import pytest

from chat.models.remote import engine as engines
from chat.models.remote.dialects import DIALECTS, body, dialect_of, possible
from chat.models.remote.directory import Directory
from chat.models.remote.engine import RemoteEngine
from chat.models.remote.errors import RemoteError, TooLongError
from chat.models.remote.line import Line
from chat.models.remote.servers import Server
from gpt.sampling import SamplingParams
from gpt.server.schema import MAX_TOKENS
from tests.support.fake_engine import FOX, TEXT, fake_engine
from tests.support.imports import ROOT

KEY = "a-secret-key"
ASKED = SamplingParams(max_new_tokens=40, seed=7)
BEFORE = "Once upon a time"


@pytest.fixture(scope="module")
def fake():
    with fake_engine() as server:
        yield server


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("chat.models.remote.connection._pause", lambda _: None)
    monkeypatch.setattr(engines, "PAUSES_S", (0.01, 0.01))


def engine_of(fake, model: str, kind: str = "vllm", **more) -> RemoteEngine:
    server = Server(name="lab", url=fake.url, key=KEY, **{"patience_s": 0.5, **more})
    return RemoteEngine(server, DIALECTS[kind], model, Line(), 2048)


async def tokens_of(engine, params=ASKED, before=BEFORE, into=None):
    tokens = [] if into is None else into
    ids = [engine.tokenizer.bos_id, *engine.tokenizer.encode(before)]
    async with aclosing(engine.submit(ids, params)) as request:
        async for token in request:
            tokens.append(token)
    return tokens


def written(engine, params=ASKED, before=BEFORE):
    return asyncio.run(tokens_of(engine, params, before))


def text_of(tokens) -> str:
    return "".join(token.text for token in tokens)


@pytest.mark.parametrize("model", ["fine", "legacy", "plain", "whole"])
def test_its_words_come_as_tokens_and_their_ids_are_the_text(fake, model):
    engine = engine_of(fake, model)
    tokens = written(engine)
    assert text_of(tokens) == TEXT
    assert tokens[-1].finish_reason == "end"
    assert all(token.finish_reason is None for token in tokens[:-1])
    assert engine.tokenizer.decode([token.id for token in tokens]) == TEXT
    assert {token.core for token in tokens} == {"vLLM at lab"}
    if model != "plain":
        assert [round(token.raw_probability, 3) for token in tokens[:2]] == [0.607, 0.607]
        assert [each.text for each in tokens[0].top] == [" there", " wolf"]
    else:
        assert not any(token.top for token in tokens)
    # What the samplers made of them only the server knows.
    assert {token.probability for token in tokens} == {token.entropy for token in tokens} == {None}


def test_the_length_and_the_sentence_are_ours_to_keep(fake):
    engine = engine_of(fake, "slow")
    tokens = written(engine, SamplingParams(max_new_tokens=3))
    assert text_of(tokens) == " there was a"
    assert tokens[-1].finish_reason == "length"
    tokens = written(engine, SamplingParams(max_new_tokens=3, finish_chars=100))
    assert text_of(tokens) == " there was a fox."
    assert tokens[-1].finish_reason == "sentence"


def test_takes_are_asked_one_by_one_each_with_its_seed(fake):
    engine = engine_of(fake, "fine")
    before = len(fake.asked)
    tokens = written(engine, SamplingParams(max_new_tokens=40, seed=7, n=3))
    assert {each["seed"] for each in fake.asked[before:]} == {7, 8, 9}
    assert [text_of(t for t in tokens if t.take == at) for at in range(3)] == [TEXT] * 3


def test_a_server_that_writes_one_at_a_time_writes_all_takes_one_after_the_other(fake):
    tokens = written(engine_of(fake, "single"), SamplingParams(max_new_tokens=40, seed=7, n=2))
    assert [text_of(t for t in tokens if t.take == at) for at in range(2)] == [TEXT] * 2


@pytest.mark.parametrize(
    ("model", "said"), [("second-busy", r"is busy \(429\)"), ("second-long", "too long")]
)
def test_a_take_that_fails_ends_alone_and_its_fault_is_said_at_the_end(fake, model, said):
    tokens: list = []
    params = SamplingParams(max_new_tokens=40, seed=7, n=3)
    with pytest.raises(RemoteError, match=said):
        asyncio.run(tokens_of(engine_of(fake, model), params, into=tokens))
    takes = [text_of(t for t in tokens if t.take == at) for at in range(3)]
    assert takes == [TEXT, "", TEXT]


SILENT = "“lab” has sent nothing for 0.5 seconds, so it was given up."
STAYS = "What was written until then stays"


@pytest.mark.parametrize(
    ("model", "came", "said"),
    [
        ("hangs", " there was", f"{SILENT} {STAYS}"),
        ("silent", "", f"{SILENT} Try again"),
        ("cut", " there was", f"“lab” broke its answer off in the middle. {STAYS}"),
        ("always-busy", "", "“lab” is busy (429). It says: “all slots are taken”. Try again"),
        ("broken", "", "“lab” failed (500). It says: “out of memory”. Try again"),
        ("garbage", " there was", "“lab” sent what is no answer of the completions API: no JSON"),
        ("endless", " there was", "“lab” sent what is no answer of the completions API: a line of"),
        ("error", " there was", "“lab” gave up in the middle. It says: “the model fell over”"),
        ("key", "", "“lab” refuses this (400). It says: “bad key Bearer …”"),
    ],
)  # fmt: skip
def test_a_server_that_misbehaves_is_a_clear_line_and_the_text_is_kept(
    fake, model, came, said, caplog
):
    tokens: list = []
    with caplog.at_level(logging.INFO), pytest.raises(RemoteError) as told:
        asyncio.run(tokens_of(engine_of(fake, model), into=tokens))
    assert text_of(tokens) == came
    assert said in str(told.value)
    for place in (str(told.value), caplog.text, repr(engine_of(fake, model).server)):
        assert KEY not in place
    assert fake.url not in str(told.value) + repr(engine_of(fake, model).server)


def test_a_server_that_is_not_there_is_a_clear_line(fake):
    server = Server(name="lab", url="http://127.0.0.1:9/v1", key=KEY)
    engine = RemoteEngine(server, DIALECTS["vllm"], "fine", Line())
    with pytest.raises(RemoteError, match="“lab” cannot be reached") as told:
        written(engine)
    assert "127.0.0.1" not in str(told.value)


def test_half_characters_are_joined_and_shown_whole(fake):
    tokens = written(engine_of(fake, "halves"))
    assert text_of(tokens) == f" there was{FOX}{FOX} ran é."


def test_numbers_that_no_probability_has_leave_the_words(fake):
    tokens = written(engine_of(fake, "wild"))
    assert text_of(tokens) == " there was" + " a" * 8 + "."
    assert all(0 <= token.raw_probability <= 1 for token in tokens)


def test_a_busy_server_is_asked_again_and_the_writer_hears_of_it(fake, monkeypatch):
    monkeypatch.setattr(engines, "PAUSES_S", (0.3, 0.3))

    async def run():
        engine = engine_of(fake, "busy")
        request = engine.submit(engine.tokenizer.encode(BEFORE), ASKED)
        notes = set()
        while not (request.began or request.ended):
            notes.add(request.note)
            await asyncio.sleep(0.01)
        return notes, [token async for token in request]

    notes, tokens = asyncio.run(run())
    assert "“lab” cannot now: asked again in 0.3 s" in notes
    assert text_of(tokens) == TEXT


def test_stop_reaches_the_server_within_a_tokens_time(fake):
    async def run():
        engine = engine_of(fake, "slow")
        request = engine.submit(engine.tokenizer.encode(BEFORE), SamplingParams(max_new_tokens=999))
        gone = fake.gone
        assert (await anext(request)).text == " there"
        request.cancel()
        while fake.gone == gone and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert fake.gone == gone + 1
        assert [token.text async for token in request] in ([], [" was"])
        assert (engine.active, engine.waiting) == (0, 0)

    deadline = time.monotonic() + 5
    asyncio.run(run())


def test_a_story_that_is_too_long_is_sent_shorter(fake):
    engine = engine_of(fake, "long")
    before = len(fake.asked)
    assert text_of(written(engine, before="a word and another. " * 60)) == TEXT
    lengths = [len(each["prompt"]) for each in fake.asked[before:]]
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) > 1
    assert engine.context == 256


def test_the_dice_of_a_story_that_is_too_long_are_asked_for_with_less_of_it(fake):
    engine = engine_of(fake, "long")
    ids = engine.tokenizer.encode("a word and another. " * 60)
    assert asyncio.run(engine.odds(ids, 5))[0].text == " there"
    assert engine.context == 256
    with pytest.raises(RemoteError, match="too long for “lab”"):
        asyncio.run(engine_of(fake, "ever-long").odds(ids, 5))


@pytest.mark.parametrize(
    ("tokens", "context", "learnt"),
    [(999, 256, 256), (999, 1 << 20, 2048), (1 << 39, 256, 256), (None, None, 2048)],
)
def test_what_an_error_says_of_its_room_is_believed_within_reason(fake, tokens, context, learnt):
    engine = engine_of(fake, "fine")
    for _ in range(9):
        engine._learn_from(TooLongError("too long", tokens, context), 500)
    assert engine.context == learnt
    assert engine.window >= learnt / 8


def test_what_it_is_sent_ends_with_the_story_and_slides_by_steps(fake):
    engine = engine_of(fake, "fine")
    story = "".join(f" word {at}" for at in range(3000))
    written(engine, before=story)
    sent = fake.asked[-1]["prompt"]
    assert story.endswith(sent)
    assert len(sent) < len(story)
    starts = {engine.first_seen(count) for count in range(2000, 2300)}
    assert len(starts) <= 4


def test_its_own_counts_put_our_estimate_right(fake):
    engine = engine_of(fake, "fine")
    written(engine, before=" word" * 80)  # of which it says that they are 40
    assert engine.ratio == pytest.approx(40 / 81)


def test_the_dice_are_asked_without_writing(fake):
    engine = engine_of(fake, "fine")
    odds = asyncio.run(engine.odds(engine.tokenizer.encode(BEFORE), 20))
    assert [(each.text, round(each.probability or 0, 3)) for each in odds] == [
        (" there", 0.607),
        (" wolf", 0.287),
    ]
    assert (fake.asked[-1]["max_tokens"], fake.asked[-1]["stream"]) == (1, False)
    with pytest.raises(RemoteError, match="does not tell what else might come"):
        asyncio.run(engine_of(fake, "fine", "ollama").odds([], 20))


def test_no_program_is_asked_for_more_than_it_takes_at_once(fake):
    longest = SamplingParams(max_new_tokens=2048, finish_chars=1000)
    for kind, most in [("inkling", MAX_TOKENS), ("vllm", 2381)]:
        server = Server(name="lab", url=fake.url, patience_s=0.5)
        engine = RemoteEngine(server, DIALECTS[kind], "fine", Line(), 16384)
        assert text_of(written(engine, longest)) == TEXT
        assert fake.asked[-1]["max_tokens"] == most


# What each program is told


def sent(kind: str, **params):
    wanted, left_out = possible(SamplingParams(seed=2**40 + 5, **params), DIALECTS[kind])
    return body(DIALECTS[kind], wanted, model="m", prompt="p", length=9), left_out


ALL = {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.2, "top_p": 0.9, "temperature": 0.7}


@pytest.mark.parametrize(
    ("kind", "told", "left_out"),
    [
        ("inkling", {"min_p": 0.1, "repetition_penalty": 1.2, "seed": 2**40 + 5}, []),
        (
            "llama.cpp",
            {"repeat_penalty": 1.2, "repeat_last_n": 16384, "seed": 5, "logprobs": 10},
            [],
        ),
        ("vllm", {"repetition_penalty": 1.2, "top_k": 5, "logprobs": 10}, []),
        ("ollama", {"top_p": 0.9, "seed": 5}, ["top_k", "min_p", "repetition_penalty"]),
        ("lmstudio", {"repeat_penalty": 1.2, "top_k": 5}, ["min_p"]),
        ("koboldcpp", {"rep_pen": 1.2, "min_p": 0.1}, []),
        ("openai", {"top_p": 0.9, "logprobs": 5}, ["top_k", "min_p", "repetition_penalty"]),
    ],
)
def test_each_program_is_told_in_its_own_words_and_what_it_cannot_is_named(kind, told, left_out):
    asked, missing = sent(kind, **ALL)
    assert told.items() <= asked.items()
    assert missing == left_out
    assert not {"top_k", "min_p"} & set(left_out) & asked.keys()
    assert asked["max_tokens"] == 9
    assert asked["stream"] is True


WORDS = {
    "top_k": "top-k",
    "min_p": "min-p",
    "repetition_penalty": "repetition penalty",
    "dry_multiplier": "DRY",
    "no_end": "no end",
    "banned": "banned words",
}
"""What docs/engines.md calls what a program may lack."""


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_page_on_engines_says_of_each_program_what_the_table_in_the_code_says(kind):
    dialect = DIALECTS[kind]
    page = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8").split("it cannot | seen |")[1]
    label = "any other" if kind == "openai" else dialect.label
    (row,) = re.findall(rf"^\| {re.escape(label)}(?: \(.*?\))? \|(.*)\|$", page, re.M)
    penalty, seed, view, dice, cannot, _ = (cell.strip() for cell in row.split(" | "))
    name = dialect.names.get("repetition_penalty")
    assert penalty.split(",")[0] == (f"`{name}`" if name else "none")
    assert (seed[:3] == "yes") == (dialect.seeds is not None)
    shown = dialect.logprobs if dialect.streams_logprobs else 0
    assert int("".join(re.findall(r"^\d+", view)) or 0) == min(10, shown)
    assert int("".join(re.findall(r"^\d+", dice)) or 0) == dialect.logprobs
    lacks = [each for each in cannot.split(", ") if "odds" not in each and each != "nothing of it"]
    assert lacks == [WORDS[name] for name in dialect.missing]
    assert ("odds" in cannot) == (shown == 0)


def test_what_is_off_here_is_told_off_there():
    asked, missing = sent("llama.cpp", top_p=1.0)
    assert (asked["top_k"], asked["min_p"], asked["repeat_penalty"]) == (0, 0, 1)
    assert asked["samplers"] == ["penalties", "dry", "temperature", "top_k", "top_p", "min_p"]
    assert (asked["dry_multiplier"], asked["ignore_eos"]) == (0, False)
    assert missing == []
    assert sent("ollama", top_p=1.0)[1] == []


def test_repeats_ends_and_bans_are_told_in_their_words_and_what_cannot_be_is_named():
    asked = {"dry_multiplier": 0.8, "no_end": True, "banned": ("the end",)}
    told, missing = sent("inkling", **asked, dry_breakers=(":",), min_new_tokens=1)
    assert (told["dry_multiplier"], told["dry_penalty_last_n"]) == (0.8, 16384)
    assert (told["dry_sequence_breakers"], told["banned_strings"]) == ([":"], ["the end"])
    assert (told["ignore_eos"], told["min_tokens"], missing) == (True, 1, [])
    told, missing = sent("llama.cpp", **asked, dry_range=64)
    assert (told["dry_penalty_last_n"], told["ignore_eos"], missing) == (64, True, ["banned"])
    told, missing = sent("vllm", **asked)
    assert missing == ["dry_multiplier", "no_end", "banned"]
    assert not any("dry" in name for name in told)


def test_who_goes_on_after_the_end_has_a_word_first_or_is_told_that_it_cannot_be():
    for kind in ("inkling", "vllm"):
        told, missing = sent(kind, min_new_tokens=1)
        assert (told["min_tokens"], missing) == (1, [])
    told, missing = sent("llama.cpp", min_new_tokens=1)
    assert ("min_tokens" in told, missing) == (False, ["min_new_tokens"])
    assert sent("llama.cpp")[1] == []


def test_a_program_is_known_by_its_list_of_models():
    known = {owner: dialect.label for dialect in DIALECTS.values() for owner in dialect.owners}
    assert {owner: dialect_of([owner]).label for owner in known} == known
    assert dialect_of(["somebody"]).label == dialect_of([]).label == DIALECTS["openai"].label


# To whom it is sent


def test_every_request_carries_the_key_of_its_server_alone(fake):
    written(engine_of(fake, "fine"))
    assert fake.keys[-1] == f"Bearer {KEY}"
    asyncio.run(Directory([Server(name="lab", url=fake.url)]).ask())
    assert fake.keys[-1] == ""
