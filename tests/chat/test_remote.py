"""A server of another program writes: its words, its faults, and what is asked of it."""

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import replace

import pytest

from chat.models.remote import engine as engines
from chat.models.remote.connection import answer
from chat.models.remote.dialects import DIALECTS, body, dialect_of, possible
from chat.models.remote.directory import Directory
from chat.models.remote.engine import RemoteEngine
from chat.models.remote.errors import RemoteError, TooLongError
from chat.models.remote.line import Line
from chat.models.remote.servers import Server, ServersError, servers_in
from gpt.engine import EngineBusy
from gpt.sampling import SamplingParams
from gpt.server.schema import MAX_TOKENS
from tests.support.fake_engine import FOX, TEXT, fake_engine

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


def test_who_waits_is_bounded_and_one_account_has_half(fake):
    async def run():
        line = Line(at_once=1, most=4)
        server = Server(name="lab", url=fake.url)
        engine = RemoteEngine(server, DIALECTS["vllm"], "slow", line)
        ids = engine.tokenizer.encode(BEFORE)
        requests = [engine.submit(ids, ASKED, writer=("ada",))]
        await anext(requests[0])
        requests += [engine.submit(ids, ASKED, writer=("ada", at)) for at in range(2)]
        assert [each.ahead for each in requests] == [0, 0, 1]
        with pytest.raises(EngineBusy) as told:
            engine.submit(ids, ASKED, writer=("ada",))
        assert (told.value.ahead, told.value.own) == (2, 2)
        requests += [engine.submit(ids, ASKED, writer=(who,)) for who in ("bo", "cy")]
        with pytest.raises(EngineBusy) as told:
            engine.submit(ids, ASKED, writer=("di",))
        assert (told.value.ahead, told.value.own) == (4, 0)
        for each in requests:
            each.cancel()
        assert engine.waiting == 0

    asyncio.run(run())


def test_the_places_are_dealt_by_account_and_takes_and_dice_count_each(fake):
    async def run():
        engine = engine_of(fake, "slow")
        engine.line = Line(at_once=2, most=8)
        ids, several = engine.tokenizer.encode(BEFORE), replace(ASKED, n=4)
        requests = [engine.submit(ids, several, writer=("ada", 1))]
        assert (engine.active, engine.waiting) == (2, 2)
        with pytest.raises(EngineBusy):
            engine.submit(ids, replace(ASKED, n=8), writer=("ada", 2))
        requests += [engine.submit(ids, ASKED, writer=(who,)) for who in ("ada", "bo")]
        # Bo has nothing yet, so of the next two places one is his, though he came last.
        assert (requests[2].ahead, engine.waiting) == (0, 4)
        dice = [asyncio.ensure_future(engine.odds(ids, 5, writer=("cy",))) for _ in range(9)]
        await asyncio.sleep(0)
        refused = [each for each in dice if each.done()]
        assert [type(each.exception()) for each in refused] == [EngineBusy] * 7
        for each in (*requests, *dice):
            each.cancel()
        await asyncio.gather(*dice, return_exceptions=True)
        assert engine.waiting == 0
        while engine.active:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 5))


def test_one_that_is_cancelled_before_it_began_leaves_its_place(fake):
    async def run():
        engine = engine_of(fake, "slow")
        engine.submit([], ASKED).cancel()
        assert engine.active == 1
        await asyncio.sleep(0.01)
        assert (engine.active, engine.waiting) == (0, 0)

    asyncio.run(run())


def test_who_waits_to_ask_a_busy_server_again_leaves_the_place_to_others(fake, monkeypatch):
    monkeypatch.setattr(engines, "PAUSES_S", (60, 60))

    async def run():
        engine = engine_of(fake, "always-busy")
        engine.line = Line(at_once=1, most=4)
        request = engine.submit(engine.tokenizer.encode(BEFORE), ASKED, writer=("ada",))
        while "asked again" not in request.note:
            await asyncio.sleep(0.01)
        assert (engine.active, engine.waiting) == (0, 1)
        other = engine_of(fake, "fine")
        other.line = engine.line
        assert text_of(await tokens_of(other)) == TEXT
        request.cancel()
        await asyncio.sleep(0.01)
        assert (engine.active, engine.waiting) == (0, 0)

    asyncio.run(asyncio.wait_for(run(), 5))


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


# Which servers there are


def test_servers_come_from_the_variable_and_the_keys_leave_it():
    line = "lab=http://a:1/v1/;key=K;kind=vllm;context=99, https://b.example/v1;patience=7"
    environment = {"INKLING_ENGINE": line, "PATH": "x"}
    one, other = servers_in(environment)
    assert (one.name, one.url, one.key, one.kind, one.context) == (
        "lab",
        "http://a:1/v1",
        "K",
        "vllm",
        99,
    )
    assert (other.name, other.url, other.patience_s) == ("b.example", "https://b.example/v1", 7)
    assert environment == {"PATH": "x"}
    assert servers_in({}) == ()


def test_servers_come_from_a_file(tmp_path, caplog):
    file = tmp_path / "engines.toml"
    file.write_text(
        '[lab]\nurl = "http://a/v1"\nkey = "K,;="\ncontext = 99\n[home]\nurl="http://b"'
    )
    file.chmod(0o644)
    one, other = servers_in({"INKLING_ENGINE": str(file)})
    assert (one.name, one.key, one.context, other.name) == ("lab", "K,;=", 99, "home")
    assert "chmod 600" in caplog.text
    assert "K,;=" not in caplog.text


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("ftp://a/v1;key=K3Y", "no address"),
        ("http://;key=K3Y", "no address"),
        ("http://a:x/v1;key=K3Y", "no address"),
        ("http://K3Y:K3Y@a/v1", "more than a host and a path"),
        ("http://a/v1?key=K3Y", "more than a host and a path"),
        ("http://exa_mple☃.com/v1;key=K3Y", "no address"),
        ("http://xn--/v1;key=K3Y", "no address"),
        (f"http://{'a' * 70}.com/v1;key=K3Y", "no address"),
        ("http://a/v1;kee=K3Y", "something other than"),
        ("http://a/v1;K3Y", "something other than"),
        ("http://a/v1;kind=K3Y", "must be one of"),
        ("http://a/v1;context=K3Y", "must be a number"),
        ("http://a/v1;context=nan", "must be a number"),
        ("a/b=http://a/v1;key=K3Y", "the name of"),
        ("http://a/v1;key=K3Yé", "plain ASCII"),
        ("http://a/v1,http://a/v1", "two servers"),
        (",".join(f"s{at}=http://a/v1" for at in range(21)), "up to 20"),
        ("/nowhere/K3Y.toml", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_ends_the_start_and_is_not_quoted(said, why):
    with pytest.raises(ServersError, match=why) as told:
        servers_in({"INKLING_ENGINE": said})
    assert "K3Y" not in str(told.value)


@pytest.mark.parametrize(
    "text", ["K3Y", "[a\n", "[a]\nb = 1", "a = 'K3Y'", "a = 3", "key = [1]", "x" * 70_000]
)
def test_a_file_that_cannot_be_used_is_not_quoted(tmp_path, text):
    (tmp_path / "engines").write_text(text)
    with pytest.raises(ServersError) as told:
        servers_in({"INKLING_ENGINE": str(tmp_path / "engines")})
    assert "K3Y" not in str(told.value)


@pytest.mark.parametrize("key", ["K3Y,K3Y", "K3Y;K3Y", "K3Y;x=K3Y", "K3Y,x=K3Y"])
def test_a_key_that_the_variable_cannot_hold_belongs_in_the_file_and_the_error_says_so(key):
    with pytest.raises(ServersError, match="a key with a comma or semicolon stands in a file") as e:
        servers_in({"INKLING_ENGINE": f"lab=http://a/v1;key={key}"})
    assert "K3Y" not in str(e.value)


# The picker


def test_the_picker_lists_a_server_that_is_down_and_its_models_once_it_is_up():
    with fake_engine("library", ("one", "/a/two.gguf", "/b/two.gguf")) as fake:
        changes: list[int] = []
        directory = Directory([Server(name="lab", url=fake.url)], lambda: changes.append(1))
        assert [each.broken for each in directory.listings().values()] != [""]
        fake.up = False
        asyncio.run(directory.ask())
        (listing,) = directory.listings().values()
        assert listing.key == "lab"
        assert "“lab” broke the connection off" in listing.summary
        fake.up = True
        asyncio.run(directory.ask())
        found = directory.listings()
        assert list(found) == ["lab/one", "lab//a/two.gguf", "lab//b/two.gguf"]
        assert found["lab/one"].summary == (
            "Ollama at “lab” · reads 2,048 tokens · has no top-k, no min-p, no repetition penalty, "
            "no dry, no never end, no banned words, no odds of its words"
        )
        kept = found["lab/one"].remote
        asyncio.run(directory.ask())
        assert directory.listings()["lab/one"].remote is kept
        fake.up = False
        asyncio.run(directory.ask())
        assert directory.listings()["lab/one"].remote is kept
        assert directory.listings()["lab/one"].summary.startswith("does not answer now")
        assert len(changes) == 3


@pytest.mark.parametrize("host", ["exa_mple☃.com", "xn--", "a" * 70 + ".com"])
def test_an_address_that_nothing_can_be_sent_to_is_a_clear_line(host):
    directory = Directory([Server(name="odd", url=f"http://{host}/v1")])
    asyncio.run(directory.ask())
    assert "“odd” cannot be reached" in directory.listings()["odd"].broken


def test_a_fault_nobody_thought_of_at_one_server_leaves_the_others(fake, monkeypatch, caplog):
    def wrong(server, path):
        if server.name == "odd":
            raise ZeroDivisionError("of the first server")
        return answer(server, path)

    monkeypatch.setattr("chat.models.remote.directory.answer", wrong)
    directory = Directory([Server(name=name, url=fake.url) for name in ("odd", "lab")])
    asyncio.run(directory.ask())
    found = directory.listings()
    assert "lab/fine" in found
    assert "went wrong on our side" in found["odd"].broken
    assert "of the first server" in caplog.text


def test_a_server_that_hangs_slows_nobody(monkeypatch):
    monkeypatch.setattr("chat.models.remote.directory.ASK_S", 0.2)

    async def silent(reader, writer):
        try:
            await asyncio.sleep(5)
        finally:
            writer.close()

    async def run():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        directory = Directory([Server(name="lab", url=f"http://127.0.0.1:{port}/v1")])
        watch = asyncio.ensure_future(directory.watch())
        began = time.monotonic()
        await asyncio.sleep(0)
        assert directory.listings()["lab"].broken
        assert time.monotonic() - began < 0.1
        while "does not answer" not in directory.listings()["lab"].summary:
            await asyncio.sleep(0.02)
        watch.cancel()
        server.close()

    asyncio.run(asyncio.wait_for(run(), 5))


def test_every_request_carries_the_key_of_its_server_alone(fake):
    written(engine_of(fake, "fine"))
    assert fake.keys[-1] == f"Bearer {KEY}"
    asyncio.run(Directory([Server(name="lab", url=fake.url)]).ask())
    assert fake.keys[-1] == ""
