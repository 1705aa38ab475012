"""A line is a command, words for the story, or refused with what would do."""

import pytest

from chat.commands import KINDS, SETTING_KINDS, Act, CommandError, Set, helped, parse_line, words
from chat.generate.request import LAST, GenerationRequest, ladder


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/retry", GenerationRequest(retry=LAST)),
        ("/retry 3", GenerationRequest(retry=LAST, takes=3)),
        ("  /RETRY 8 \n", GenerationRequest(retry=LAST, takes=8)),
        ("/continue", GenerationRequest()),
        ("/continue 2", GenerationRequest(takes=2)),
        ("/finish", GenerationRequest(sentence=True)),
        ("/ladder", GenerationRequest(variants=ladder())),
        ("/undo", Act({"act": "undo", "count": 1})),
        ("/redo 4", Act({"act": "redo", "count": 4})),
        ("/previous", Act({"act": "step", "passage": LAST, "by": -1})),
        ("/next", Act({"act": "step", "passage": LAST, "by": 1})),
        ("/temp 0.9", Set("temperature", 0.9)),
        ("/t = 0,5", Set("temperature", 0.5)),
        ("/top-k 20", Set("top_k", 20)),
        ("/seed 7", Set("seed", 7)),
        ("/seed 9223372036854775807", Set("seed", 2**63 - 1)),
        ("/seed random", Set("seed", None)),
        ("/temp own", Set("temperature", None)),
        ("/new", "new"),
        ("/help", "help"),
    ],
)
def test_a_command_is_understood(line, command):
    assert parse_line(line) == command


@pytest.mark.parametrize(
    "line",
    [
        "", "Once upon", "and /retry", "/with t=1.2 Once", "/with", "/", "/ retry", "/2 of us",
        "//retry", "/path/to", "/,", "/he’s",
    ],
)  # fmt: skip
def test_anything_else_is_words(line):
    assert parse_line(line) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/rettry", "no command /rettry. These are: /continue /add /retry"),
        ("/he said", "write two"),
        ("/retry 9", "1 to 8, not “9”"),
        ("/retry 0", "1 to 8"),
        ("/retry three", "1 to 8, not “three”"),
        ("/undo -1", "1 to 100"),
        ("/undo " + "9" * 5000, "1 to 100"),
        ("/finish now", "takes nothing after it"),
        ("/temp", "needs a value"),
        ("/temp 3", "0 to 2"),
        ("/temp warm", "no number"),
        ("/seed -1", "out of range"),
        ("/temp random", "no number"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_what_would_do(line, said):
    with pytest.raises(CommandError) as caught:
        parse_line(line)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "kept"),
    [("//retry", "/retry"), ("Once //upon", "Once //upon"), ("// x", "// x"), (" //he", " /he")],
)
def test_words_that_begin_with_a_slash_are_written_with_two(line, kept):
    assert words(line) == kept


def test_help_names_every_command_and_each_works_as_it_is_shown():
    shown = helped()
    assert len(shown) == len(KINDS) + len(SETTING_KINDS)
    for kind in KINDS:
        usage = next(each["usage"] for each in shown if each["usage"].startswith(f"/{kind}"))
        assert parse_line(usage) is not None
    for usage, _ in SETTING_KINDS[:3]:
        assert isinstance(parse_line(usage), Set)
