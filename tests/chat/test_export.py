"""Stories in and out of files: nothing is lost, and a bad file is refused with the reason."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.story import Passage, Story, StoryToken
from chat.story.export import MAX_TEXT, WRITERS, file_name, from_file, to_json, to_markdown, to_text
from chat.story.pieces import MAX_FILE, MAX_PART, STALE_S, FileError, FilePieces, Room, joined
from chat.view import story_data
from tests.chat.test_story import stories, wrote


@settings(deadline=None)
@given(stories())
def test_export_then_import_is_the_identity(story):
    assert from_file("story.json", to_json(story)) == story


@settings(deadline=None)
@given(stories())
def test_a_text_has_the_story_only_and_begins_one_again(story):
    assert to_text(story) == story.text
    plain = story.text.replace("\r\n", "\n").replace("\r", "\n").rstrip(" \t")
    if plain.strip() and "\0" not in plain and not plain.startswith("\ufeff"):
        begun = from_file("story.txt", story.text)
        assert {passage.author for passage in begun.path} == {"writer"}
        assert begun.text == plain


@settings(deadline=None)
@given(st.text())
def test_markdown_keeps_each_character_of_the_words(text):
    shown = to_markdown(Story().append(Passage(author="writer", text=text)))
    body = shown.split("\n\n", 1)[1].rsplit("\n\n---\n\n", 1)[0]
    body = re.sub(r"^&#(9|32);", lambda found: chr(int(found[1])), body, flags=re.M)
    assert re.sub(r"\\([^A-Za-z0-9\s]|\n)", r"\1", body) == text


def test_markdown_says_how_each_passage_was_made():
    passage = Passage(
        author="model",
        text=" upon | a time",
        model="stories",
        settings={"temperature": 0.8, "top_k": 0},
        seed=7,
        finish_reason="length",
        core="numba bfloat16",
    )
    last = to_markdown(Story().append(wrote("Once")).append(passage)).splitlines()[-1]
    assert last == (
        r"| upon \| a time | 5–18 | stories | Temperature 0.8, Top\-k Off, Core numba bfloat16 | 7 "
        "| reached its length |"
    )


@settings(deadline=None)
@given(stories())
def test_markdown_says_whose_each_character_of_the_words_is(story):
    rows = to_markdown(story).splitlines()[-len(story.path) :] if story.path else []
    said = [re.split(r" \| ", row.removeprefix("| "))[1:3] for row in rows]
    assert [whose for _, whose in said] == [
        {"writer": "the writer", "edited": "a model, changed by the writer"}.get(
            passage.author, passage.model or "a model"
        )
        for passage in story.path
    ]
    ranges = [[int(each) for each in place.split("–")] for place, _ in said if place.strip()]
    assert [story.text[start - 1 : end] for start, end in ranges] == [
        passage.text for passage in story.path if passage.text
    ]


def test_markup_in_a_story_is_no_markup_in_its_markdown():
    story = Story().append(wrote("# *One* <b>\n1. two\n- three\n\nfour_five"))
    assert to_markdown(story).split("\n\n---")[0].splitlines()[2:] == [
        r"\# \*One\* \<b\>" + "\\",
        r"1\. two" + "\\",
        r"\- three",
        "",
        r"four\_five",
    ]


def test_a_line_that_begins_with_white_space_is_no_code_in_its_markdown():
    story = Story().append(wrote("\t*One*\n\n    two\n   three"))
    assert to_markdown(story).split("\n\n---")[0].split("\n")[2:] == [
        r"&#9;\*One\*",
        "",
        "&#32;   two\\",
        "   three",
    ]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.json", "{", "no JSON"),
        ("a.json", "[1, 2]", "not a story"),
        ("a.json", '{"format": 1}', "not a story"),
        ("a.json", '{"format": 7}', "format 7"),
        ("a.json", "[" * 100_000, "no JSON"),
        ("a.txt", "", "is empty"),
        ("a.txt", " \n", "is empty"),
        ("a.txt", "a\0b", "no text"),
        ("a.txt", "{\\rtf1 Once", "is RTF: save it as plain text"),
        ("a.txt", "\ufeff<!doctype html><p>Once", "is HTML"),
        ("a.txt", "a" * (MAX_TEXT + 1), "600,001 characters"),
    ],
)
def test_a_file_that_is_no_story_is_refused_with_the_reason(name, text, why):
    with pytest.raises(FileError, match=why):
        from_file(name, text)


def test_a_story_may_begin_with_the_letters_of_a_magic_number():
    assert from_file("a.txt", "GGUF is what she typed.").text == "GGUF is what she typed."


def tree() -> dict:
    token = StoryToken(id=3, text="a")
    passage = Passage(author="model", text="a", ids=(3,), model="a", tokens=(token,))
    return Story().append(passage).to_dict()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ids", ["x"]),
        ("ids", [-1]),
        ("ids", [2**63]),
        ("seed", "7"),
        ("seed", -1),
        ("settings", []),
        ("settings", {"temperature": "hot"}),
        ("elapsed_s", "soon"),
        ("elapsed_s", 10**400),
        ("elapsed_s", float("inf")),
        ("settings", {"temperature": 10**400}),
        ("settings", {"temperature": -1e300}),
        ("settings", {f"s{count}": 1 for count in range(101)}),
        ("finish_reason", "because"),
        ("model", 7),
        ("model", "m" * 301),
        ("core", 7),
        ("core", "numba bfloat16 "),
        ("core", "numba float" + "1" * 300),
        ("core", "<b>torch float32</b>"),
        ("id", "../x"),
        ("tokens", [{"id": "x", "text": "a", "top": []}]),
        ("tokens", [{"id": 1, "text": 2, "top": []}]),
        ("tokens", [{"id": 1, "text": "a", "top": [], "more": 1}]),
        ("tokens", [{"id": 1, "text": "a", "entropy": float("nan"), "top": []}]),
    ],
)
def test_a_tree_with_a_value_of_another_kind_is_refused(field, value):
    data = tree()
    data["passages"][0][field] = value
    if field == "id":
        data["current"] = value
    with pytest.raises(FileError, match=r"cannot be opened"):
        from_file("a.json", json.dumps(data))


def test_a_tree_of_before_passages_had_a_core_opens_and_is_written_without_one():
    data = tree()
    assert "core" not in data["passages"][0]
    story = from_file("a.json", json.dumps(data))
    assert story.last
    assert story.last.core is None
    assert to_json(story) == json.dumps(data)


@pytest.mark.parametrize("seconds", [0, 5e-324, 1e-320, 1e-9, -1, -1e-320, 2**64])
def test_a_story_whose_passage_took_no_time_that_can_be_is_shown_all_the_same(seconds):
    data = tree()
    data["passages"][0]["elapsed_s"] = seconds
    shown = story_data(from_file("a.json", json.dumps(data)))
    assert not (shown["passages"][0]["facts"]["rate"] or 0) > 1e6


def test_a_file_from_windows_begins_a_story_as_any_other():
    assert from_file("A.TXT", "\ufeffOne\r\nTwo\r\n").text == "One\nTwo\n"


@given(stories())
def test_a_file_name_is_one_that_every_system_takes(story):
    for ending in WRITERS:
        name = file_name(story, ending)
        assert name.endswith(f".{ending}")
        assert not set(name) & set('/\\:*?"<>|\n\0')
        assert name[0] not in ". -"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("नमस्ते दुनिया", "नमस्ते दुनिया.txt"),
        ("می\u200cخواهم", "می\u200cخواهم.txt"),
        ("CON", "CON_.txt"),
        ("nul", "nul_.txt"),
        ("u\u0308ber", "über.txt"),
        ("第一夜", "第一夜.txt"),
        ("a" * 59 + "क्षि", "a" * 59 + ".txt"),
        ("😀", "story.txt"),
        ("👩\u200d👧 family", "family.txt"),
    ],
)
def test_a_file_name_keeps_the_letters_of_every_script_whole(title, name):
    assert file_name(Story().append(wrote(title)), "txt") == name


@given(st.text(max_size=50), st.integers(1, 9))
def test_pieces_make_the_file(text, size):
    parts = [text[at : at + size] for at in range(0, len(text), size)] or [""]
    pieces = FilePieces()
    for number, part in enumerate(parts[:-1]):
        assert pieces.add("a.txt", number, len(parts), part) is None
    assert pieces.add("a.txt", len(parts) - 1, len(parts), parts[-1]) == parts
    assert joined(parts) == text


@pytest.mark.parametrize(
    ("part", "of", "text", "why"),
    [
        (0, MAX_FILE // MAX_PART + 1, "a", "too large"),
        (0, 0, "a", "too large"),
        (0, 2, "a" * (MAX_PART + 1), "did not arrive whole"),
        (1, 2, "a", "did not arrive whole"),
        (-1, 2, "a", "did not arrive whole"),
    ],
)
def test_pieces_that_do_not_fit_are_refused_and_the_next_file_is_taken(part, of, text, why):
    pieces = FilePieces()
    with pytest.raises(FileError, match=why):
        pieces.add("a.txt", part, of, text)
    assert pieces.add("b.txt", 0, 1, "b") == ["b"]


def test_a_character_that_was_cut_in_two_is_whole_again():
    pieces = FilePieces()
    assert pieces.add("a.txt", 0, 2, "a\ud83d") is None
    parts = pieces.add("a.txt", 1, 2, "\ude00\ud83d")
    assert joined(parts or []) == "a😀\ud83d"


def test_a_piece_that_was_left_out_is_noticed():
    pieces = FilePieces()
    pieces.add("a.txt", 0, 3, "a")
    with pytest.raises(FileError, match="did not arrive whole"):
        pieces.add("a.txt", 2, 3, "c")
    with pytest.raises(FileError, match="did not arrive whole"):
        pieces.add("a.txt", 1, 3, "b")


def test_half_sent_files_of_one_writer_leave_room_for_another_and_stale_ones_make_it():
    now = 0.0
    room = Room(most=10 * MAX_PART, each=4 * MAX_PART, clock=lambda: now)
    ada = [FilePieces(room=room, owner="ada") for _ in range(3)]
    part = "a" * MAX_PART
    for pieces in ada[:2]:
        for number in range(2):
            pieces.add("a.txt", number, 9, part)
    with pytest.raises(FileError, match="try again in a minute"):
        ada[2].add("a.txt", 0, 9, part)
    assert FilePieces(room=room, owner="bob").add("b.txt", 0, 1, part) == [part]
    now = STALE_S + 1
    ada[1].add("a.txt", 2, 9, "")
    ada[2].add("a.txt", 0, 9, part)
    with pytest.raises(FileError, match="did not arrive whole"):
        ada[0].add("a.txt", 2, 9, part)
    # What a page held goes with it.
    del ada[1:], pieces
    for number in range(4):
        ada[0].add("a.txt", number, 9, part)
