"""Tokens in batches, and a passage whose ids are what its text says."""

import asyncio
from contextlib import aclosing

import pytest

from chat.generate.draft import FLUSH_S, Draft, flush_s, in_batches
from chat.generate.placing import Prompt
from chat.story import StoryToken, TokenChoice
from chat.view import meter
from gpt.sampling import SamplingParams
from gpt.text.prompt import window_start
from gpt.text.token import Token
from gpt.tokenizers import CharTokenizer
from tests.support.trained_tokenizers import TOKENIZERS

TOKENIZER = CharTokenizer.train(["abcdefgh"])


def token(text: str, id: int | None = None, finish=None) -> Token:
    id = TOKENIZER.encode(text)[0] if id is None else id
    return Token(
        id=id, text=text, piece=text, raw_probability=0.5, probability=0.6, entropy=1.0, top=(),
        finish_reason=finish, seed=3, take=0, core="numba float32",
    )  # fmt: skip


def drafted(*tokens: Token) -> Draft:
    draft = Draft(model="m", params=SamplingParams(seed=3), prompt=Prompt([]))
    for each in tokens:
        draft.add(each, TOKENIZER.end_ids)
    return draft


def test_items_that_come_together_make_one_batch_and_late_ones_are_not_held():
    async def items():
        for each in range(3):
            yield each
        await asyncio.sleep(0.1)
        yield 3

    async def run():
        return [batch async for batch in in_batches(items(), lambda: 0.03)]

    assert asyncio.run(run()) == [[0, 1, 2], [3]]


def test_the_more_stories_are_written_the_longer_the_pause_between_batches_of_each() -> None:
    assert [flush_s(writing) / FLUSH_S for writing in (0, 1, 8, 16, 60)] == [1, 1, 1, 2, 7.5]


def test_an_error_comes_after_the_items_before_it():
    async def items():
        yield 1
        raise ValueError("broken")

    async def run(seen):
        async for batch in in_batches(items()):
            seen += batch

    seen: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(run(seen))
    assert seen == [1]


def test_a_cancel_reaches_what_makes_the_items():
    ended = []

    async def items():
        try:
            yield 1
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def run():
        async def read():
            async for _ in in_batches(items(), lambda: 0.001):
                pass

        reading = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert ended == [True]

    asyncio.run(run())


def test_the_end_of_story_token_is_no_part_of_the_passage():
    passage = drafted(token("a"), token("", TOKENIZER.eos_id, "end")).finish(TOKENIZER, "stopped")
    assert (passage.text, len(passage.ids), passage.finish_reason) == ("a", 1, "end")


def test_half_a_character_at_a_stop_is_left_out():
    passage = drafted(token("a"), token("", 2)).finish(TOKENIZER, "stopped")
    assert passage.ids == tuple(TOKENIZER.encode("a"))
    assert (len(passage.tokens), passage.finish_reason) == (1, "stopped")


def test_a_stop_string_leaves_no_ids_behind():
    # "bc" was the stop string: its tokens were drawn, but its text was held back.
    draft = drafted(token("a"), token("", TOKENIZER.encode("b")[0]), token("", 3, "stop"))
    passage = draft.finish(TOKENIZER, None)
    assert TOKENIZER.decode(passage.ids) == passage.text == "a"


@pytest.mark.parametrize("count", [1, 8, 9, 12, 13, 30])
def test_the_meter_counts_what_the_model_sees(count):
    text = "abcdefgh" * 4
    ids = [TOKENIZER.eos_id, *TOKENIZER.encode(text)][:count]
    text = text[: count - 1]
    told = meter(ids, 8, text, TOKENIZER.decode)
    start = window_start(count, 8)
    assert told["used"] == count - start <= 8
    assert text[told["unseen"] :] == TOKENIZER.decode(ids[start:])


def test_the_meter_counts_characters_as_a_browser_does():
    text = "😀" * 4
    told = meter([0, 1, 2, 3, 4], 2, text, lambda ids: "😀" * len(ids))
    assert told["unseen"] == 2 * (4 - told["used"])


def test_the_tail_of_a_draft_is_its_text_from_some_token_on():
    draft = drafted(*(token(text, id=0) for text in ("ab", "", "cde", "f")))
    tails = [draft.tail(length) for length in range(8)]
    assert tails == ["", "f", "cdef", "cdef", "cdef", "abcdef", "abcdef", "abcdef"]


def test_whoever_gives_items_is_ended_though_they_wait_to_give_the_next():
    ended = []

    async def items():
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    async def run():
        async with aclosing(in_batches(items(), lambda: 0)) as batches:
            async for _ in batches:
                await asyncio.sleep(0.01)  # the next one is ready by now
                break
        assert ended == [True]

    asyncio.run(run())


def test_a_completed_word_is_kept_in_tokens_of_its_new_letters_alone():
    tokenizer = TOKENIZERS["bpe"]
    params = SamplingParams(heal=True)
    (whole,) = tokenizer.encode(" the")
    draft = Draft(model="m", params=params, prompt=Prompt([]))
    top = (TokenChoice(whole, " the", 0.5, 0.5),)
    rest = [
        StoryToken(id=id, text=tokenizer.piece(id), top=top) for id in tokenizer.encode(" lion")
    ]
    draft.tokens = [StoryToken(id=whole, text="he", raw_probability=0.5, top=top), *rest]
    passage = draft.finish(tokenizer, "stopped")
    assert passage.text == "he lion"
    assert tokenizer.decode(passage.ids) == passage.text
    assert passage.ids == tuple(token.id for token in passage.tokens)
    assert "".join(token.text for token in passage.tokens) == passage.text
    assert passage.tokens[0].top == ()
    assert passage.tokens[-1] == rest[-1]
