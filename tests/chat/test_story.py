"""The story as data: a tree that holds together, text and ids that say the same."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.story import Author, Passage, Story, StoryError, StoryToken, TokenChoice
from chat.story.passage import entry_of, passage_of
from gpt.tokenizers import BPETokenizer


def letters(text: str) -> list[int]:
    return [ord(character) for character in text]


@pytest.fixture(scope="module")
def pieces() -> BPETokenizer:
    return BPETokenizer.train(["Once the lion met the lion. " * 20], 270)


def wrote(text: str, model: str = "a", author: Author = "writer", **more) -> Passage:
    return Passage(author=author, text=text, ids=tuple(letters(text)), model=model, **more)


passages = st.builds(
    Passage,
    author=st.sampled_from(["writer", "model", "edited"]),
    text=st.text(),
    ids=st.lists(st.integers(0, 9)).map(tuple),
    model=st.sampled_from(["a", "b", None]),
    tokens=st.lists(
        st.builds(
            StoryToken,
            id=st.integers(0, 9),
            text=st.text(max_size=3),
            raw_probability=st.floats(0, 1),
            top=st.lists(
                st.builds(
                    TokenChoice,
                    st.integers(0, 9),
                    st.text(max_size=2),
                    st.floats(0, 1),
                    st.floats(0, 1),
                ),
                max_size=2,
            ).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    settings=st.dictionaries(st.sampled_from(["temperature", "top_k"]), st.integers(0, 5)),
    seed=st.none() | st.integers(0, 2**63 - 1),
    finish_reason=st.sampled_from([None, "end", "length", "stopped"]),
    elapsed_s=st.none() | st.floats(0, 100),
    core=st.sampled_from([None, "torch float32", "numba bfloat16"]),
    whole=st.booleans(),
)


@st.composite
def stories(draw) -> Story:
    story = Story()
    for passage in draw(st.lists(passages, max_size=6)):
        branch = draw(st.sampled_from([None, *story.by_id]))
        story = (story.at(branch) if draw(st.booleans()) else story).append(passage)
    return story


@given(stories())
def test_export_then_import_is_the_same_story(story):
    assert Story.from_dict(json.loads(json.dumps(story.to_dict()))) == story


@given(stories())
def test_the_text_is_the_path_from_the_root_to_the_current_passage(story):
    path = story.path
    assert story.text == "".join(passage.text for passage in path)
    assert [passage.parent for passage in path] == [None, *(each.id for each in path)][: len(path)]
    assert (path[-1].id if path else None) == story.current


def test_appending_leaves_the_story_before_as_it_was():
    before = Story().append(wrote("Once"))
    after = before.append(wrote(" more", author="model"))
    assert (before.text, after.text) == ("Once", "Once more")


def test_a_branch_keeps_the_other_one():
    story = Story().append(wrote("Once")).append(wrote(" A"))
    other = story.at(story.path[0].id).append(wrote(" B"))
    assert other.text == "Once B"
    assert other.at(story.current).text == "Once A"


def test_a_passage_cannot_stand_twice():
    passage = wrote("Once")
    with pytest.raises(StoryError, match="already in the story"):
        Story().append(passage).append(passage)


def test_a_model_reads_its_own_ids_as_it_wrote_them(pieces):
    # Ids that no encoder would give for the text, as a sampled model's often are.
    spelt = tuple(id for letter in "the" for id in pieces.encode(letter))
    assert spelt != tuple(pieces.encode("the"))
    story = Story().append(wrote("Once")).append(replace(wrote("the", author="model"), ids=spelt))
    assert story.prompt_ids("a", pieces) == [pieces.bos_id, *pieces.encode("Once"), *spelt]


def test_what_another_model_wrote_is_encoded_again_as_one_text(pieces):
    story = Story().append(wrote("the li", "b")).append(wrote("on", "b"))
    own = replace(wrote(" the", "a"), ids=tuple(pieces.encode(" the")))
    whole = [pieces.bos_id, *pieces.encode("the lion"), *own.ids]
    assert story.append(own).prompt_ids("a", pieces) == whole
    assert len(whole) < len(pieces.encode("the li")) + len(pieces.encode("on")) + len(own.ids) + 1


@pytest.mark.parametrize("ids", [(3, 4), (10**6,), (-1,), ()])
def test_ids_that_do_not_say_the_text_are_encoded_again(pieces, ids):
    # The model was trained anew under its name, or the file was written by hand.
    story = Story().append(replace(wrote("the lion"), model="a", ids=ids))
    assert story.prompt_ids("a", pieces) == [pieces.bos_id, *pieces.encode("the lion")]


def test_an_empty_story_is_read_as_the_end_of_the_one_before(pieces):
    assert Story().prompt_ids("a", pieces) == [pieces.bos_id]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "format 9"),
        ({"current": "nowhere"}, "is not in it"),
        ({"passages": [{"id": "x"}]}, "not a story"),
        ({"passages": None}, "not a story"),
    ],
)
def test_a_file_that_is_no_story_is_refused(change, message):
    data = Story().append(wrote("Once")).to_dict() | change
    with pytest.raises(StoryError, match=message):
        Story.from_dict(data)


def test_a_passage_whose_parent_comes_later_is_refused():
    data = Story().append(wrote("a")).append(wrote("b")).to_dict()
    data["passages"].reverse()
    with pytest.raises(StoryError, match="no place in the tree"):
        Story.from_dict(data)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data.update(current="n" * 50), f"passage {'n' * 40}, which is not in it"),
        (lambda data: data["passages"][0].update(parent="p" * 50), "passage 1 has no place in the"),
        (lambda data: data["passages"][1].update(id="1"), "passage 1 has no place in the tree"),
        (
            lambda data: data.update(read={"p" * 50: "2"}),
            f"passage {'p' * 40} was not read on to 2",
        ),
        (lambda data: data.update(read={"1": "c" * 50}), f"not read on to {'c' * 40}"),
        (lambda data: data.update(read={"2": "1"}), "passage 2 was not read on to 1"),
    ],
)
def test_a_tree_that_does_not_hold_together_is_refused_and_the_place_is_said(spoil, message):
    one, two = replace(wrote("a"), id="1"), replace(wrote("b"), id="2")
    data = Story().append(one).append(two).to_dict()
    Story.from_dict(data)
    spoil(data)
    with pytest.raises(StoryError) as error:
        Story.from_dict(data)
    assert message in f"{error.value}"
    assert "p" * 41 not in f"{error.value}"
    assert "c" * 41 not in f"{error.value}"


def test_the_title_is_the_first_words():
    assert Story().title == "A blank page"
    assert Story().append(wrote("One two\nthree four five six seven")).title == (
        "One two three four five six…"
    )


@given(passages)
def test_an_entry_has_each_field_of_a_passage_and_of_its_tokens(passage):
    entry, fields = entry_of(passage), asdict(passage)
    left_out = fields.keys() - entry.keys()
    kept = {name: fields[name] for name in entry}
    assert json.dumps(entry) == json.dumps(kept)
    assert not any(fields[name] for name in left_out)
    assert passage_of(json.loads(json.dumps(entry))) == passage
