"""Who wrote which letter, before and after a writer changed words."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.story import Passage, Story, StoryError, StoryToken, TokenChoice
from chat.story.authors import rewritten, runs_in, runs_of
from chat.story.editing import cut, edit, fork
from chat.story.export import from_file, to_json, to_markdown
from chat.story.finding import replaced
from chat.story.passage import entry_of, passage_of
from chat.view import passage_data
from gpt.tokenizers import CharTokenizer


def model(*tokens: str, **more) -> Passage:
    told = tuple(
        StoryToken(at, text, 0.5, 0.5, 1.0, (TokenChoice(at, text, 0.5, 0.5),))
        for at, text in enumerate(tokens)
    )
    ids = tuple(range(len(tokens)))
    return Passage(author="model", text="".join(tokens), ids=ids, model="a", tokens=told, **more)


def whose(passage: Passage) -> str:
    """M for each letter of the model's, W for the writer's."""
    runs = runs_of(passage)
    assert runs is not None
    return "".join(
        ("W" if mine else "M") * len(words) for words, mine in runs_in(passage.text, runs)
    )


def told(passage: Passage) -> list[tuple[str, str]]:
    runs = runs_of(passage)
    assert runs is not None
    return [("W" if mine else "M", words) for words, mine in runs_in(passage.text, runs)]


spans = st.tuples(st.integers(0, 30), st.integers(0, 6), st.text("XYZ", max_size=4))


@settings(deadline=None)
@given(st.text("ab c\n", min_size=1, max_size=30), st.lists(spans, max_size=5))
def test_each_letter_keeps_its_author_through_many_edits(text, edits):
    passage, meant = model(*text), "M" * len(text)
    for at, gone, put in edits:
        at = min(at, len(passage.text))
        before = passage
        new = before.text[:at] + put + before.text[at + gone :]
        kept = [(0, 0, at)] if at else []
        if rest := before.text[at + gone :]:
            kept.append((at + gone, at + len(put), len(rest)))
        meant = meant[:at] + "W" * len(put) + meant[at + gone :]
        passage = rewritten(before, new, kept)
        assert passage.text == new
        assert whose(passage) == meant
        # Found out from the two texts alone, as many letters are the model's.
        alone = rewritten(before, new)
        assert sum(alone.runs) == len(new)
        if not set(put) & set(before.text):
            assert whose(alone).count("M") == meant.count("M")


def test_three_words_that_were_edited_leave_the_rest_the_models():
    old = model(" The", " cat", " sat", " by", " the", " sea", " and", " slept", ".")
    new = edit(Story().append(old), old.id, " The old cat sat by the lake and slept!").last
    assert new is not None
    assert told(new) == [
        *(("M", " The "), ("W", "old "), ("M", "cat sat by the "), ("W", "lake")),
        *(("M", " and slept"), ("W", "!")),
    ]
    again = edit(Story().append(new), new.id, " The old cat sat by a lake and slept!").last
    assert again is not None
    assert told(again) == [
        *(("M", " The "), ("W", "old "), ("M", "cat sat by "), ("W", "a"), ("M", " ")),
        *(("W", "lake"), ("M", " and slept"), ("W", "!")),
    ]


def test_a_character_with_its_marks_has_one_author():
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    for old, new, runs in (
        ("ae", "ae\u0301", (1, 2)),
        ("a 👍 b", "a 👍🏽 b", (2, 2, 2)),
        (f"a {family[:3]} b", f"a {family} b", (2, 5, 2)),
        ("👍🏽👍🏽", "👍🏽👍", (3,)),
    ):
        assert rewritten(model(*old), new).runs == runs


def test_the_tokens_before_a_change_keep_their_dice_and_those_after_it_have_none():
    old = model(" The", " cat", " sat", " down", moved=True)
    new = rewritten(old, " The cat sits down")
    assert [token.text for token in new.tokens] == [" The", " cat"]
    assert (new.author, new.ids, new.seed, new.moved) == ("edited", (), None, True)
    data = passage_data(new)
    assert data["tokens"] == [" The", " cat", " s", "its", " down"]
    assert [data["tokens"][at] for at in data["own"]] == ["its"]
    assert len(data["odds"]) == 2
    # A character that was begun in one token, and changed in the next.
    assert rewritten(model("a", "", "é"), "ab").tokens == model("a").tokens
    # What a stop string took away stands in no token.
    short = Passage(author="model", text="ab", model="a", tokens=model("a", "bcd").tokens)
    assert rewritten(short, "abx").tokens == ()


def test_an_edited_passage_can_be_cut_and_forked_where_its_dice_are_known():
    tokenizer = CharTokenizer.train(["abc"])
    ids = tokenizer.encode("abc")
    top = tuple(TokenChoice(id, text, 0.3, 0.3) for id, text in zip(ids, "abc", strict=True))
    tokens = tuple(StoryToken(id, text, top=top) for id, text in zip(ids, "abc", strict=True))
    whole = Passage(author="model", text="abc", ids=tuple(ids), model="a", tokens=tokens, seed=3)
    story = edit(Story().append(whole), whole.id, "abX")
    edited = story.last
    assert edited is not None
    short = cut(story, edited.id, 1).last
    assert short is not None
    assert (short.author, short.text, short.ids, short.runs) == ("model", "a", (ids[0],), ())
    other = fork(story, edited.id, 1, ids[2], tokenizer).last
    assert other is not None
    assert (other.author, other.text, other.seed) == ("model", "ac", None)
    with pytest.raises(StoryError, match="has no place 3"):
        cut(story, edited.id, 3)


def test_what_is_replaced_is_the_writers_to_the_letter_and_nothing_else():
    story = Story().append(Passage(author="writer", text="A fox."))
    story = story.append(model(" The", " fox", " ran", ".")).append(model(" The", " fox"))
    text = story.text
    places = [(at, at + 3) for at in range(len(text)) if text.startswith("fox", at)]
    first, second = replaced(story, places[1:], "fix").path[1:]
    assert told(first) == [("M", " The "), ("W", "fix"), ("M", " ran.")]
    assert not first.moved
    assert [token.text for token in second.tokens] == [" The"]
    assert second.moved  # its dice tell of other words before it
    assert replaced(story, places, "fix").path[0].author == "writer"


def test_the_markdown_says_whose_each_word_of_an_edit_is():
    passage = model(" The", " cat", settings={"temperature": 0.5})
    story = edit(Story().append(passage), passage.id, " The black cat")
    rows = [row.split(" | ")[:4] for row in to_markdown(story).splitlines()[-3:]]
    assert rows == [
        ["| The", "1–5", "a", rows[0][3]],
        ["| black", "6–11", "the writer", ""],
        ["| cat", "12–14", "a", rows[2][3]],
    ]
    assert "Temperature 0.5" in rows[0][3]


@settings(deadline=None)
@given(st.text(max_size=12), st.text(max_size=12))
def test_who_wrote_what_comes_back_from_a_file(text, other):
    passage = model(*text)
    story = edit(Story().append(passage), passage.id, other)
    assert from_file("story.json", to_json(story)) == story
    for each in story.passages:
        assert passage_of(json.loads(json.dumps(entry_of(each)))) == each


def test_an_edit_of_an_older_version_is_read_and_nobody_is_made_its_author():
    old = Passage(author="edited", text="A cat sat.")
    entry = entry_of(old)
    assert "runs" not in entry
    assert passage_of(entry) == old
    assert passage_data(old)["own"] is None
    again = rewritten(old, "A cat sits.")
    assert (again.author, again.runs) == ("edited", ())


@pytest.mark.parametrize("runs", [(1, 1), (-1, 4), (1.0, 2), (True, 2), "12", 3, ((3,),), (2**70,)])
def test_runs_that_are_none_of_a_passage_are_refused(runs):
    entry = {**entry_of(Passage(author="edited", text="abc")), "runs": runs}
    story = Story().to_dict() | {"passages": [entry], "current": entry["id"]}
    with pytest.raises(StoryError):
        Story.from_dict(story)
    with pytest.raises(StoryError):
        passage_of({**entry, "author": "writer", "runs": (0, 3)})
