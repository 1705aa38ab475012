"""Text leaves whole, and ends where the settings say: stop strings, the length, the sentence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt.sampling import SamplingParams
from gpt.text.streamer import TextStreamer
from gpt.tokenizers import BPETokenizer, CharTokenizer

LETTERS = CharTokenizer.train(['abcdefghijklmnopqrstuvwxyzAHINST ,.!"\n'])


def come(
    text: str, *, begun: str = "", end: bool = False, **settings: Any
) -> tuple[str, str | None]:
    """What is shown of `text`, a character a token, and why it ended."""
    streamer = TextStreamer(LETTERS, SamplingParams(**settings), LETTERS.encode(begun))
    shown = ""
    for id in LETTERS.encode(text) + [LETTERS.eos_id] * end:
        more, reason = streamer.push(id)
        shown += more
        if reason is not None:
            return shown, reason
    return shown, None


@pytest.mark.parametrize(
    ("text", "length", "room", "shown", "reason"),
    [
        ("It was red. And", 5, 0, "It wa", "length"),
        ("It was red. And", 5, 40, "It was red.", "sentence"),
        ("It was red. And", 11, 40, "It was red.", "sentence"),
        ("It was red. And so.\n", 12, 40, "It was red. And so.", "sentence"),
        ("It was red.\nAnd", 5, 40, "It was red.", "sentence"),
        ('He said "No." And', 9, 40, 'He said "No."', "sentence"),
        ('He said "No!" he said. ', 9, 4, 'He said "No!"', "sentence"),
        ('He said "No!" said he. And', 9, 40, 'He said "No!" said he.', "sentence"),
        ("It was not red", 5, 5, "It was not", "length"),
        ("It was not.", 5, 6, "It was not.", "sentence"),
        ("It was not", 5, 40, "It was not", None),
    ],
)
def test_beyond_the_length_a_text_goes_on_to_the_end_of_its_sentence(
    text, length, room, shown, reason
):
    assert come(text, max_new_tokens=length, finish_chars=room) == (shown, reason)


def test_the_sentence_may_have_begun_in_the_prompt():
    settings: dict[str, Any] = {"max_new_tokens": 1, "finish_chars": 40}
    assert come('" He ran', begun='He said "Stop.', **settings) == ('"', "sentence")
    assert come(" He ran. I", begun='He said "Stop."', **settings) == (" He ran.", "sentence")


def test_the_end_of_the_story_and_a_stop_string_count_beyond_the_length_too():
    settings: dict[str, Any] = {"max_new_tokens": 3, "finish_chars": 40}
    assert come("It was", end=True, **settings) == ("It was", "end")
    assert come("It was so. He", stop=("so",), **settings) == ("It was ", "stop")
    assert come("It was. ", stop=(". He",), **settings) == ("It was", None)
    assert come("It was. I", stop=(". He",), **settings) == ("It was.", "sentence")


@pytest.mark.parametrize(
    ("text", "end", "stop", "shown", "reason"),
    [
        ("It was red. ", True, (), "It was red. ", "end"),
        ("It was red. I", True, ("Is",), "It was red. I", "end"),
        ("It was red. a", True, ("and",), "It was red. a", "end"),
        ("It was red. and", False, ("and",), "It was red. ", "stop"),
        ("It was red. and", False, ("ando", "nd"), "It was red. a", "stop"),
    ],
)
def test_spaces_held_for_the_end_of_a_sentence_come_with_what_ends_it_else(
    text, end, stop, shown, reason
):
    came = come(text, end=end, stop=stop, max_new_tokens=3, finish_chars=40)
    assert came == (shown, reason)


def test_half_a_character_after_what_may_be_an_end_is_no_reason_to_lose_a_space():
    tokenizer = BPETokenizer.train(["abc"], 257)
    streamer = TextStreamer(tokenizer, SamplingParams(max_new_tokens=2, finish_chars=40), [])
    shown = ""
    for id in [*tokenizer.encode("red. "), tokenizer.encode("é")[0], tokenizer.eos_id]:
        text, reason = streamer.push(id)
        shown += text
    assert (shown, reason) == ("red. \ufffd", "end")


def test_tokens_that_show_no_text_use_up_the_room_too():
    tokenizer = BPETokenizer.train(["abc"], 257)
    half = tokenizer.encode("é")[0]
    streamer = TextStreamer(tokenizer, SamplingParams(max_new_tokens=2, finish_chars=5), [])
    reasons = [streamer.push(half)[1] for _ in range(7)]
    assert reasons == [None] * 6 + ["length"]


@given(
    pieces=st.lists(st.sampled_from(["it ", "was", ". ", ".", "\n", "! ", " H", '"'])),
    length=st.integers(1, 12),
    room=st.integers(0, 20),
)
def test_the_length_alone_gives_the_beginning_and_no_more_than_the_room_is_added(
    pieces, length, room
):
    text = "".join(pieces)
    alone, _ = come(text, max_new_tokens=length)
    shown, reason = come(text, max_new_tokens=length, finish_chars=room)
    assert text.startswith(shown)
    assert shown.startswith(alone.rstrip())
    assert len(shown) <= length + room
    assert reason is not None or len(text) < length + room
