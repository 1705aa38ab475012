"""The tokens of a passage in columns: the same tokens, and no more room than they need."""

import json
import random
import time
from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.story import Passage, Story, StoryToken, TokenChoice
from chat.story.kept import Kept, head_json, kept_of, settings_json
from chat.story.library import _no_collection
from chat.story.passage import entry_of, passage_json, passage_of, with_tokens
from chat.story.tokens import PackedTokens, packed, raw_probabilities_of, texts_of
from chat.view import story_data

chances = st.floats(0, 1)
texts = st.text(st.characters(codec=None, categories=None), max_size=3)
choices = st.builds(TokenChoice, st.integers(0, 2**31 - 1), texts, chances, st.none() | chances)
story_tokens = st.builds(
    StoryToken,
    id=st.integers(0, 2**31 - 1),
    text=texts,
    raw_probability=chances,
    probability=st.none() | chances,
    entropy=st.none() | st.floats(0, 20),
    top=st.lists(choices, max_size=3).map(tuple),
)
TOKEN = StoryToken(1, " fox", 0.25, 0.5, 1.5, (TokenChoice(1, " fox", 0.25, 0.5),))


def through_json(tokens: tuple[StoryToken, ...]) -> PackedTokens:
    columns = packed(tokens)
    assert columns is not None
    return PackedTokens(json.loads(json.dumps(columns)))


@given(st.lists(story_tokens, min_size=1, max_size=6).map(tuple))
def test_tokens_come_back_from_their_columns_to_the_last_bit(tokens):
    read = through_json(tokens)
    # What a page shows is known without the tokens themselves.
    assert texts_of(read) == texts_of(tokens)
    assert raw_probabilities_of(read) == raw_probabilities_of(tokens)
    assert len(read) == len(tokens)
    assert read._tokens is None
    assert tuple(read) == tokens
    assert read == tokens
    assert tokens == read
    assert hash(read) == hash(tokens)
    assert read[:-1] == tokens[:-1]
    assert repr(read[-1]) == repr(tokens[-1])
    assert packed(read) == read.entry
    assert read == through_json(tokens)
    assert read != (*tokens, TOKEN)


def test_what_no_column_gives_back_as_it_is_stays_as_it_is():
    for token in (
        replace(TOKEN, id=2**31),
        replace(TOKEN, raw_probability=1),
        replace(TOKEN, probability=0),
        replace(TOKEN, top=(TokenChoice(2**31, "", 0.5, 0.5),)),
    ):
        assert packed([token]) is None
        passage = Passage(author="model", text=" fox", tokens=(token,))
        kept = passage_json(passage)
        assert kept == json.dumps(entry_of(passage))
        assert passage_of(with_tokens(json.loads(kept))) == passage


@pytest.mark.parametrize(
    "damage",
    [
        {"texts": []},
        {"raw": ""},
        {"counts": "AAAA"},
        {"rest": "eJwD"},
        {"crc": 0},
    ],
)
def test_columns_that_do_not_fit_together_are_refused_before_a_token_is_asked_for(damage):
    columns = packed([TOKEN])
    assert columns is not None
    with pytest.raises(ValueError, match=r"."):
        PackedTokens({**columns, **damage})


def drawn(count: int, draw: random.Random) -> tuple[StoryToken, ...]:
    """Tokens with ten likely ones beside each, all at random."""
    made: list[StoryToken] = []
    for _ in range(count):
        top = tuple(
            TokenChoice(id, f" w{id % 1000}", draw.random(), draw.random())
            for id in draw.sample(range(8000), 10)
        )
        raw, chance, nats = (draw.random() for _ in range(3))
        made.append(StoryToken(top[0].id, top[0].text, raw, chance, nats, top))
    return tuple(made)


def wrote(count: int, draw: random.Random, parent: str | None = None) -> Passage:
    tokens = drawn(count, draw)
    text = "".join(texts_of(tokens))
    return Passage(author="model", text=text, tokens=tokens, parent=parent)


def test_columns_take_less_than_half_of_the_room_that_objects_take():
    passage = wrote(100, random.Random(1))
    assert len(passage_json(passage)) < len(json.dumps(entry_of(passage))) / 2


@pytest.mark.torture
def test_a_story_of_500_kb_is_read_many_times_faster_from_columns():
    draw, passages = random.Random(1), list[Passage]()
    for _ in range(409):
        passages.append(wrote(250, draw, passages[-1].id if passages else None))
    story = Story(passages=tuple(passages)).at(passages[-1].id)
    state = Kept(story=story, settings={}, model="m")
    row = head_json(state), settings_json(state), "m", 0.0
    forms = {
        "objects": [json.dumps(entry_of(each)) for each in passages],
        "columns": [passage_json(each) for each in passages],
    }
    taken: dict[str, list[float]] = {form: [] for form in forms}
    for form in [*forms] * 3:
        with _no_collection():
            began = time.process_time()
            read = kept_of(row, forms[form]).story
            taken[form].append(time.process_time() - began)
            began = time.process_time()
            story_data(read)
            ready_s = time.process_time() - began
            del read
        size = sum(map(len, forms[form])) / 1e6
        print(f"{form}: {size:.0f} MB, read {taken[form][-1]:.2f} s, made ready {ready_s:.2f} s")
    assert median(taken["columns"]) < median(taken["objects"]) / 10
