"""Whatever a writer does, in whatever order: the tree holds together and nothing is lost."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.story import Passage, Story, StoryError, StoryToken, TokenChoice
from chat.story.branches import delete_branch, name_branch
from chat.story.editing import cut, edit, fork
from chat.story.undo import STEPS, History
from gpt.tokenizers.pieces import Pieces

WORDS = ["Once", " upon", " a", " time", ".", "\n", " é", " 你"]
VOCABULARY = [*WORDS, "", "One", " two", " three", "Two", "a", " cat", "The", " end", "é", "<end>"]
HALF = len(VOCABULARY)
"""Id of the first byte of "é"."""


class Words(Pieces):
    """A tokenizer of whole words, and of half a character."""

    kind = "words"

    def __init__(self) -> None:
        super().__init__([*(word.encode() for word in VOCABULARY), b"\xc3"], HALF - 1)

    def encode(self, text: str) -> list[int]:
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        raise NotImplementedError


TOKENIZER = Words()
TOP = tuple(TokenChoice(id, text, 0.3, 0.2) for id, text in enumerate([*VOCABULARY, "\\xc3"]))


def wrote(words: list[str], **more) -> Passage:
    """What a model wrote: one token for each word; an empty one is half a character."""
    tokens = tuple(StoryToken(VOCABULARY.index(word), word, top=TOP) for word in words)
    ids = tuple(token.id for token in tokens)
    return Passage(author="model", text="".join(words), ids=ids, model="a", tokens=tokens, **more)


@dataclass(frozen=True)
class Act:
    """One thing a writer does; `at` says to which passage, as a share of them all."""

    name: str
    at: float
    words: tuple[str, ...]
    count: int

    def __call__(self, history: History) -> History:
        story = history.story
        if self.name == "undo":
            return history.undo()
        if self.name == "redo":
            return history.redo()
        if self.name == "say":
            return history.change(story.append(Passage(author="writer", text="".join(self.words))))
        if self.name == "write" or not story.passages:
            return history.change(story.append(wrote(list(self.words))))
        chosen = story.passages[int(self.at * len(story.passages))]
        match self.name:
            case "retry":
                return history.change(story.at(chosen.parent).append(wrote(list(self.words))))
            case "edit":
                return history.change(edit(story, chosen.id, "".join(self.words)))
            case "cut":
                return history.change(
                    cut(story, chosen.id, self.count % (len(chosen.tokens) + 1))
                    if chosen.tokens
                    else story
                )
            case "fork":
                if not chosen.tokens:
                    return history
                at, id = self.count % len(chosen.tokens), int(self.at * len(WORDS))
                return history.change(fork(story, chosen.id, at, id, TOKENIZER))
            case "branch":
                return history.change(story.at(chosen.id))
            case "choose":
                return history.change(story.choose(chosen.id))
            case "name":
                return history.change(name_branch(story, chosen.id, "".join(self.words)[:60]))
            case "delete":
                alone = len(story.alternatives(chosen.id)) == 1
                return history if alone else history.change(delete_branch(story, chosen.id))
        return history.change(story.step(chosen.id, self.count - 3))


NAMES = [
    *("undo", "redo", "say", "write", "retry", "edit", "cut", "fork", "branch", "choose", "step"),
    *("name", "delete"),
]
acts = st.lists(
    st.builds(
        Act,
        st.sampled_from(NAMES),
        st.floats(0, 0.999),
        st.lists(st.sampled_from([*WORDS, ""]), max_size=5).map(tuple),
        st.integers(0, 6),
    ),
    max_size=25,
)


def after(todo: list[Act]) -> History:
    history = History(Story())
    for act in todo:
        history = act(history)
    return history


def written(passage: Passage) -> tuple[int, ...]:
    return tuple(token.id for token in passage.tokens)


def check(story: Story) -> None:
    known: list[str | None] = [None]
    for passage in story.passages:
        assert passage.parent in known
        assert passage.id not in known
        known.append(passage.id)
    assert story.current in known
    for parent, child in story.read.items():
        assert story.by_id[child].parent == parent
    assert story.names.keys() <= story.by_id.keys()
    path = story.path
    assert story.text == "".join(passage.text for passage in path)
    assert all(later.parent == earlier.id for earlier, later in itertools.pairwise(path))
    # The way on is remembered exactly: the path is what one reads who follows it.
    for passage in path:
        assert passage in story.alternatives(passage.id)
        assert story.choose(passage.id) is story
    for passage in story.passages:
        if passage.tokens:
            kept = "".join(token.text for token in passage.tokens)
            # An edit keeps the tokens before its first change, and no ids.
            if passage.author == "edited":
                assert passage.ids == ()
                assert passage.text.startswith(kept)
            else:
                assert passage.ids == written(passage)
                assert passage.text == kept


@given(acts)
@settings(deadline=None)
def test_any_acts_leave_a_well_formed_tree(todo):
    history = History(Story())
    for act in todo:
        history = act(history)
        check(history.story)


@given(acts)
@settings(deadline=None)
def test_undo_then_redo_is_the_identity(todo):
    history = after(todo)
    if history.past:
        assert history.undo().redo() == history
    if history.future:
        assert history.redo().undo() == history
    back = history
    for _ in history.past:
        back = back.undo()
    assert back.story.passages == ()
    for _ in history.past:
        back = back.redo()
    assert back == history


@given(acts)
@settings(deadline=None)
def test_export_then_import_is_the_identity(todo):
    story = after(todo).story
    assert Story.from_dict(json.loads(json.dumps(story.to_dict()))) == story


@given(acts, acts)
@settings(deadline=None)
def test_nothing_but_an_undo_and_a_deletion_takes_words_out_of_the_tree(todo, more):
    history = after(todo)
    for act in more:
        changed = act(history)
        if act.name not in ("undo", "redo", "delete"):
            assert changed.story.passages[: len(history.story.passages)] == history.story.passages
        history = changed


@given(acts, st.floats(0, 0.999))
@settings(deadline=None)
def test_an_alternative_that_one_returns_to_reads_on_as_it_did(todo, at):
    story = after(todo).story
    if not story.path:
        return
    passage = story.path[int(at * len(story.path))]
    for other in story.alternatives(passage.id):
        there = story.choose(other.id)
        assert other in there.path
        assert there.choose(passage.id).path == story.path


@given(acts, st.floats(0, 0.999), st.sampled_from(WORDS))
@settings(deadline=None)
def test_an_edit_changes_its_own_words_and_keeps_those_after(todo, at, words):
    story = after(todo).story
    if not story.path:
        return
    place = int(at * len(story.path))
    old = story.path[place]
    new = edit(story, old.id, words)
    texts = [passage.text for passage in story.path]
    assert [passage.text for passage in new.path] == [*texts[:place], words, *texts[place + 1 :]]
    for before, copy in zip(story.path[place + 1 :], new.path[place + 1 :], strict=True):
        assert (copy.ids, copy.tokens, copy.author) == (before.ids, before.tokens, before.author)
        assert new is story or copy.moved == (
            before.moved or before.author == "model" or bool(before.tokens)
        )
    assert new.choose(old.id).path == story.path
    alone = edit(story, old.id, words, rest=False)
    assert [passage.text for passage in alone.path] == [*texts[:place], words]


@given(acts, st.floats(0, 0.999), st.integers(0, 5))
@settings(deadline=None)
def test_a_cut_keeps_the_first_ids_and_tokens_exactly(todo, at, length):
    story = after(todo).story
    whole = next((each for each in story.path[int(at * len(story.path)) :] if each.tokens), None)
    if whole is None:
        return
    length = min(length, len(whole.tokens))
    short = cut(story, whole.id, length)
    kept = "".join(token.text for token in whole.tokens[:length])
    before = "".join(passage.text for passage in story.way_to(whole.parent))
    assert short.text == before + kept
    if kept:
        assert short.last is not None
        assert short.last.tokens == whole.tokens[: len(short.last.tokens)]
        assert short.last.ids == written(whole)[: len(short.last.ids)]
        assert short.last.tokens[-1].text
    assert short.passage(whole.id) is whole
    # Done twice it stands there once.
    assert cut(short, whole.id, length).passages == short.passages


@given(acts, st.floats(0, 0.999), st.integers(0, 5), st.integers(0, len(WORDS) - 1))
@settings(deadline=None)
def test_a_fork_keeps_what_stood_before_and_puts_the_other_token_there(todo, at, place, id):
    story = after(todo).story
    whole = next((each for each in story.path[int(at * len(story.path)) :] if each.tokens), None)
    if whole is None:
        return
    place %= len(whole.tokens)
    new = fork(story, whole.id, place, id, TOKENIZER)
    check(new)
    assert new.passage(whole.id) is whole
    assert new.last is not None
    if whole.tokens[place].id == id:
        assert new.text == cut(story, whole.id, place + 1).text
        return
    before = "".join(passage.text for passage in story.way_to(whole.parent))
    kept = "".join(token.text for token in whole.tokens[:place])
    assert new.text == before + kept + WORDS[id]
    assert new.last in new.alternatives(whole.id)
    # Another who forked or wrote the same words before may stand for it.
    assert new.last.ids == (*written(whole)[:place], id)
    if new.last.id not in story.by_id:
        assert new.last.tokens[:place] == whole.tokens[:place]
        assert (new.last.seed, new.last.finish_reason) == (None, "cut")
    history = History(story).change(new)
    assert history.undo().story.path == story.path
    assert history.undo().redo() == history
    # Done twice it stands there once.
    assert fork(new, whole.id, place, id, TOKENIZER).passages == new.passages


def test_a_forked_token_brings_its_own_chances():
    top = (TokenChoice(0, "Once", 0.5, 0.75), TokenChoice(4, ".", 0.25, 0.0))
    token = StoryToken(0, "Once", 0.5, 0.75, 1.2, top)
    whole = Passage(author="model", text="Once", ids=(0,), model="a", tokens=(token,), seed=7)
    new = fork(Story().append(whole), whole.id, 0, 4, TOKENIZER).last
    assert new is not None
    assert (new.text, new.model, new.seed) == (".", "a", None)
    assert new.tokens == (StoryToken(4, ".", 0.25, 0.0, 1.2, top),)


@pytest.mark.parametrize(
    ("at", "id", "why"),
    [
        (2, 0, "has no place 3"),
        (-1, 0, "has no place -1"),
        (0, 999, "not among the likeliest"),
        (0, HALF - 1, "ends the story"),
        (1, HALF, "part of a character"),
        (0, VOCABULARY.index(""), "part of a character"),
    ],
)
def test_a_fork_that_cannot_be_is_refused(at, id, why):
    story = Story().append(wrote([" a", " cat"]))
    assert story.last is not None
    with pytest.raises(StoryError, match=why):
        fork(story, story.last.id, at, id, TOKENIZER)


def test_a_change_after_an_undo_drops_what_was_taken_back():
    first = History(Story()).change(Story().append(wrote(["One"])))
    second = first.undo().change(Story().append(wrote(["Two"])))
    assert second.story.text == "Two"
    assert second.redo() is second
    assert second.undo().story.text == ""


def test_the_past_is_bounded():
    history = History(Story())
    for _ in range(STEPS + 30):
        history = history.change(history.story.append(wrote(["a"])))
    assert len(history.past) == STEPS
    assert "path" not in vars(history.past[-1])


def test_words_edited_are_told_from_words_written():
    story = Story().append(Passage(author="writer", text="Once")).append(wrote([" a", " cat"]))
    said, by_model = story.path
    assert edit(story, said.id, "Twice").path[0].author == "writer"
    edited = edit(story, by_model.id, " a dog").last
    assert edited is not None
    assert (edited.author, edited.ids, edited.seed) == ("edited", (), None)
    assert edited.tokens == by_model.tokens[:1]


def test_an_edit_to_nothing_takes_the_passage_out():
    story = Story().append(wrote(["One"])).append(wrote([" two"])).append(wrote([" three"]))
    shorter = edit(story, story.path[1].id, "")
    assert shorter.text == "One three"
    assert shorter.choose(story.path[1].id).text == "One two three"


def test_a_story_that_ended_goes_on_where_it_is_cut():
    story = Story().append(wrote(["The", " end"], finish_reason="end"))
    assert story.last is not None
    whole = cut(story, story.last.id, 2)
    assert (whole.text, whole.ended) == ("The end", False)
    # Half a character at the cut goes as well: its ids would say more than its text.
    story = Story().append(wrote(["The", "", "é"]))
    assert story.last is not None
    assert cut(story, story.last.id, 2).text == "The"


def test_a_cut_where_no_token_is_refused():
    story = Story().append(wrote(["The", " end"]))
    assert story.last is not None
    with pytest.raises(StoryError, match="2 tokens"):
        cut(story, story.last.id, 3)
    with pytest.raises(StoryError, match="no passage"):
        cut(story, "nowhere", 1)
    odd = Passage(author="model", text="T", ids=(1,), tokens=(StoryToken(id=2, text="The"),))
    with pytest.raises(StoryError, match="stop string"):
        cut(Story().append(odd), odd.id, 1)


@pytest.mark.parametrize("read", [{"x": "y"}, {"x": 3}, 5, [1]])
def test_a_file_whose_way_is_no_way_is_refused(read):
    with pytest.raises(StoryError):
        Story.from_dict(Story().append(wrote(["a"])).to_dict() | {"read": read})
