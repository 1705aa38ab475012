"""What a stranger's server sends comes through one door: bounded, of the right kind, or refused."""

import asyncio
import json
import math
import random
from typing import Any

import pytest

from chat.models.remote import connection
from chat.models.remote.answers import (
    MOST_MODELS,
    AnswerError,
    GaveUpError,
    counts_in,
    in_short,
    models_in,
    piece_in,
    probability,
    said_in,
)
from chat.models.remote.characters import Characters, line_of
from chat.models.remote.connection import whole
from chat.models.remote.dialects import DIALECTS
from chat.models.remote.engine import RemoteEngine
from chat.models.remote.errors import RemoteError
from chat.models.remote.events import MOST_EVENT, Events, TooMuchError
from chat.models.remote.line import Line
from chat.models.remote.servers import Server
from chat.models.remote.vocabulary import CHARACTERS, MOST_PIECES, NOTHING, RemoteTokenizer
from tests.support.fuzzed_text import fuzzed_text

STREAM = (
    b": hello\r\n\r\nevent: x\r\ndata: one\r\n\r\ndata: two\ndata:three\n\nid: 7\r\rdata: four\r\r"
    b"data: five\n"
)
LAB = Server(name="lab", url="http://lab.example/v1")
EVENTS = [b"one", b"two\nthree", b"four", b"five"]


def read(parts):
    reader = Events()
    return [data for part in parts for data in reader.push(part)] + reader.end()


def test_events_are_the_same_however_the_wire_cuts_them():
    assert read([STREAM]) == EVENTS
    assert read(STREAM[at : at + 1] for at in range(len(STREAM))) == EVENTS
    for cut in range(len(STREAM)):
        assert read([STREAM[:cut], STREAM[cut:]]) == EVENTS


def test_a_line_that_breaks_off_is_no_event():
    assert read([b"data: whole\n\nda", b"ta: hal"]) == [b"whole"]


@pytest.mark.parametrize(
    "part", [b"x" * 10_000, b"data: " + b"x" * 10_000, b"data: x\n" * 1000, b"\r" * 9999 + b"x"]
)
def test_what_does_not_end_is_refused_at_the_bound(part, monkeypatch):
    monkeypatch.setattr("chat.models.remote.events.MOST_STREAM", 4 * MOST_EVENT)
    with pytest.raises(TooMuchError):
        read([part] * (5 * MOST_EVENT // len(part)))


@pytest.mark.parametrize("text", ["fox 🦊 é ﷽ 한", "🦊" * 5, "a"])
def test_a_character_that_is_cut_anywhere_comes_whole(text):
    data = text.encode()
    for cut in range(len(data) + 1):
        characters = Characters()
        parts = [json.loads(line_of(b'"' + part + b'"')) for part in (data[:cut], data[cut:])]
        assert "".join(map(characters.push, parts)) + characters.flush() == text
    data = text.encode("utf-16-le")
    pairs = [data[at : at + 2] for at in range(0, len(data), 2)]
    units = [pair.decode("utf-16-le", "surrogatepass") for pair in pairs]
    characters = Characters()
    assert "".join(map(characters.push, units)) + characters.flush() == text


@pytest.mark.parametrize("parts", [["a\ud83e", "b"], ["\udcff", "a"], ["a\udce2"]])
def test_half_a_character_that_nothing_ends_is_shown_as_such(parts):
    characters = Characters()
    text = "".join(map(characters.push, parts)) + characters.flush()
    assert "\ufffd" in text
    text.encode()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-0.5, math.exp(-0.5)),
        (0, 1.0),
        (0.001, 1.0),
        (-9999, 0.0),
        (-math.inf, 0.0),
        (math.nan, None),
        (math.inf, None),
        (3, None),
        (True, None),
        ("0", None),
        (None, None),
        (10**400, None),
        (-(10**400), 0.0),
    ],
)
def test_a_logarithm_that_is_none_gives_no_probability(value, said):
    assert probability(value) == said


WRONG = [
    b"",
    b"[]",
    b"<html>",
    b'{"choices": 7}',
    b'{"choices": [7]}',
    b'{"choices": [{"text": 7}]}',
    b'{"choices": [{"text": "a", "finish_reason": []}]}',
    b'{"choices": [{"text": "a", "logprobs": {"content": [7]}}]}',
    b'{"choices": [{"text": "a", "logprobs": {"content": [{"token": []}]}}]}',
    b'{"choices": [{"text": "a", "logprobs": {"tokens": [7]}}]}',
    b'{"choices": [{"text": "a", "text": "b"}]}',
    b'{"choices": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"usage": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("data", WRONG)
def test_an_event_of_another_shape_is_refused(data):
    with pytest.raises(AnswerError):
        piece_in(data)


def test_an_error_in_the_middle_is_told_from_a_piece():
    with pytest.raises(GaveUpError, match="fell over"):
        piece_in(b'{"error": {"message": "fell over"}}')
    with pytest.raises(GaveUpError):
        piece_in(b'{"choices": [{"text": "", "finish_reason": "abort"}]}')


def test_an_error_that_is_null_is_none():
    assert piece_in(b'{"choices": [{"text": "a"}], "error": null}').text == "a"
    assert said_in(b'{"error": null, "message": "busy"}') == "busy"


class Buffered:
    """An answer that is all there already, in pieces of a byte: to read on needs no waiting."""

    def __init__(self, data: bytes) -> None:
        self._data, self.headers = data, dict[str, str]()

    async def aiter_raw(self):
        for at in range(len(self._data)):
            yield self._data[at : at + 1]


def in_bytes(data: bytes) -> Any:
    """A response of which each byte comes alone."""
    return Buffered(data)


READERS = {
    "whole": lambda response: whole(LAB, response, 10**6),
    "error": connection._beginning,
    "events": lambda response: _all(RemoteEngine(LAB, DIALECTS["vllm"], "m", Line()), response),
}


async def _all(engine, response):
    return [piece async for piece in engine._pieces(response)]


@pytest.mark.parametrize("reader", READERS)
def test_an_answer_in_tiny_pieces_leaves_the_others_their_turns(reader):
    async def run():
        read = asyncio.ensure_future(READERS[reader](in_bytes(b": x\n" * 4000)))
        turns = 0
        while not read.done():
            turns += 1
            await asyncio.sleep(0)
        return turns, await read

    turns, came = asyncio.run(run())
    assert turns > 10
    assert came in ([], b": x\n" * 4000)


def test_a_whole_answer_may_have_so_many_bytes_and_no_more():
    assert asyncio.run(whole(LAB, in_bytes(b"x" * 100), 100)) == b"x" * 100
    with pytest.raises(RemoteError, match="more than 99 bytes"):
        asyncio.run(whole(LAB, in_bytes(b"x" * 100), 99))


ODD = (b"\xff", b"[", b"null", b"1e999", b"", b'"')


def test_whatever_is_changed_in_an_event_is_a_piece_or_refused():
    top = [{"token": " a", "logprob": -1.0}]
    content = [{"token": " a", "bytes": [32, 97], "logprob": -1.0, "top_logprobs": top}]
    choice = {"text": " a", "index": 0, "logprobs": {"content": content}, "finish_reason": None}
    whole = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 3}}).encode()
    dice = random.Random(1)
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(data))
            data[at : at + dice.randint(0, 3)] = dice.choice(ODD)
        try:
            piece = piece_in(bytes(data))
        except (AnswerError, GaveUpError):
            continue
        assert isinstance(piece.text, str)
        assert all(0 <= (each.probability or 0) <= 1 for each in piece.tokens)


def test_the_models_are_those_with_a_name_that_can_be_shown():
    data = [
        {"id": "a", "owned_by": "vllm", "max_model_len": 4096},
        {"id": "/home/ada/b.gguf", "meta": {"n_ctx": 512, "n_ctx_train": 1024}},
        {"id": "c", "max_model_len": -1, "owned_by": 7},
        {"id": "d", "max_model_len": 1},
        {"id": ""}, {"id": "x" * 999}, {"id": "two\nlines"}, {"id": 7}, 7,
    ]  # fmt: skip
    models = models_in(json.dumps({"data": data}).encode())
    assert [(each.id, each.owner, each.context) for each in models] == [
        ("a", "vllm", 4096),
        ("/home/ada/b.gguf", "", 512),
        ("c", "", None),
        ("d", "", None),
    ]
    many = json.dumps({"data": [{"id": str(at)} for at in range(9999)]}).encode()
    assert len(models_in(many)) == MOST_MODELS
    with pytest.raises(AnswerError, match="no list of models"):
        models_in(b'{"models": []}')


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"error": {"message": "out of\\n\\u001b[31m memory"}}', "out of \ufffd[31m memory"),
        (b'{"error": "plain"}', "plain"),
        (b'{"detail": "FastAPI"}', "FastAPI"),
        (b'{"error": {"message": 7}}', ""),
        (b"<html>", ""),
        (b'{"error": "' + b"x" * 9999 + b'"}', "x" * 200),
    ],
)
def test_what_a_server_says_of_its_fault_is_one_short_line(data, said):
    assert in_short(said_in(data)) == said


def test_a_prompt_that_is_too_long_is_known_by_its_error():
    llama = b'{"error": {"message": "x", "n_prompt_tokens": 20, "n_ctx": 16}}'
    vllm = b'{"error": {"message": "This model\'s maximum context length is 16 tokens."}}'
    assert counts_in(llama) == (20, 16)
    assert counts_in(vllm) == (None, None)
    tiny = b'{"error": {"message": "context size", "n_prompt_tokens": 20, "n_ctx": 1}}'
    assert counts_in(tiny) == (None, None)  # no model reads so little
    assert counts_in(b'{"error": {"message": "min_p must be 0 to 1"}}') is None


def test_the_estimated_tokens_of_any_text_are_the_text():
    tokenizer = RemoteTokenizer()
    for text in fuzzed_text(300, seed=3):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_copied_decoder_goes_on_as_its_twin():
    tokenizer = RemoteTokenizer()
    ids = tokenizer.encode("Once upon a time")
    twin = tokenizer.decoder().copy()
    assert "".join(map(twin.decode, ids)) == "Once upon a time"


def test_ids_are_those_of_another_process_and_exact_in_a_browser():
    one, other = RemoteTokenizer(), RemoteTokenizer()
    assert one.id_of(" upon") == other.id_of(" upon")
    assert (one.id_of("a"), one.id_of("")) == (ord("a"), NOTHING)
    assert CHARACTERS < (one.id_of(" upon") or 0) < 2**53


def test_a_server_with_endless_new_tokens_fills_no_memory(monkeypatch):
    monkeypatch.setattr("chat.models.remote.vocabulary.MOST_PIECES", 100)
    assert MOST_PIECES > 100
    tokenizer = RemoteTokenizer()
    ids = [tokenizer.id_of(f"token {at}") for at in range(200)]
    assert ids.count(None) == 100
    assert tokenizer.decode(tokenizer.encode("Once upon a time")) == "Once upon a time"
    assert tokenizer.id_of("x" * 65) is None
