"""What a page may call things by: UUIDs, names of the catalogue, and whole characters."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from frontend.ids import LONGEST_TEXT, Id, Name, PassageId, Piece, Text

UUID = "0123abcd-0123-abcd-0123-0123456789ab"


def taken(kind: Any, value: object) -> object:
    """What the door makes of a value; None where it refuses it."""
    try:
        return TypeAdapter[Any](kind).validate_python(value)
    except ValidationError:
        return None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Id, UUID),
        (PassageId, "a"),
        (PassageId, "Az_09-" + "x" * 58),
        (Name, ""),
        (Name, "n" * 300),
        (Text, ""),
        (Text, "a" * LONGEST_TEXT),
        (Piece, "half of a pair: \ud83d"),
        (Piece, "a" * LONGEST_TEXT),
    ],
)
def test_what_a_page_of_ours_sends_is_taken_as_it_is(kind: object, value: str) -> None:
    assert taken(kind, value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(
            (Id, value)
            for value in (UUID.upper(), UUID[1:], f"{UUID}\n", f"../{UUID}", "", 1, None)
        ),
        *((PassageId, value) for value in ("", "x" * 65, "a/b", "a.b", "a b", "ä", "a\n", 1, None)),
        *((Name, value) for value in ("n" * 301, 1, None, "\ud83d")),
        *((Text, value) for value in ("a" * (LONGEST_TEXT + 1), 1, None, b"a", ["a"])),
        *((Piece, value) for value in ("a" * (LONGEST_TEXT + 1), 1, None, b"a")),
    ],
)
def test_what_no_page_of_ours_sends_is_refused(kind: object, value: object) -> None:
    assert taken(kind, value) is None


def test_a_text_that_is_refused_is_said_to_be_none_or_too_long() -> None:
    with pytest.raises(ValidationError, match="no text, or too long a one"):
        TypeAdapter(Text).validate_python(5)


def test_a_broken_character_of_a_text_is_replaced() -> None:
    assert taken(Text, "a\ud83d\udc31b\ud83d") == "a\U0001f431b\ufffd"
