"""JSON of a large object a part at a time.

Python's `json` holds every other thread up until it is done with a text, a second and more for
the largest that is read here; so does each part, but for a moment.
"""

import json
import re
from typing import Any

MAX_ENTRY = 4_000_000
"""Characters of one value of the object, or of one entry of a list in it: a passage of the longest
that a model writes has three million."""
MAX_ENTRIES = 100_000
"""Of a list, and values of the object."""
_FIRST = 20_000
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def loads(text: str) -> Any:
    """As `json.loads`, where `text` is an object; of its lists every entry is read by itself.

    Raises:
        ValueError: It is no JSON, or an entry is longer than MAX_ENTRY.
        RecursionError: It is nested too deeply.
    """
    at = _skip(text, 0)
    if not text.startswith("{", at):
        return json.loads(text[: MAX_ENTRY + 1]) if len(text) <= MAX_ENTRY else None
    found: dict[str, Any] = {}
    at, more = _next(text, at + 1, "}", first=True)
    while more:
        key, at = _value(text, at)
        at = _skip(text, at)
        if not isinstance(key, str) or not text.startswith(":", at):
            raise ValueError(f"a name and a colon were expected at character {at}")
        at = _skip(text, at + 1)
        if text.startswith("[", at):
            found[key], at = _list(text, at)
        else:
            found[key], at = _value(text, at)
        if len(found) > MAX_ENTRIES:
            raise ValueError(f"more than {MAX_ENTRIES:,} values stand in the object")
        at, more = _next(text, at, "}")
    if _skip(text, at) != len(text):
        raise ValueError(f"nothing more was expected at character {at}")
    return found


def _list(text: str, at: int) -> tuple[list[Any], int]:
    """The list that begins at `at`, and where it ends."""
    entries: list[Any] = []
    at, more = _next(text, at + 1, "]", first=True)
    while more:
        entry, at = _value(text, at)
        entries.append(entry)
        if len(entries) > MAX_ENTRIES:
            raise ValueError(f"more than {MAX_ENTRIES:,} entries stand in a list")
        at, more = _next(text, at, "]")
    return entries, at


def _next(text: str, at: int, end: str, *, first: bool = False) -> tuple[int, bool]:
    """Where the next entry begins, and True; or what follows the end, and False."""
    at = _skip(text, at)
    if text.startswith(end, at):
        return at + 1, False
    if first:
        return at, True
    if not text.startswith(",", at):
        raise ValueError(f"a comma was expected at character {at}")
    return _skip(text, at + 1), True


def _value(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends."""
    size = _FIRST
    while True:
        part = text[at : at + size]
        try:
            value, used = _DECODER.raw_decode(part)
        except ValueError:
            if size >= MAX_ENTRY or len(part) < size:
                raise
        else:
            # A number that ends where the part does may go on.
            if used < len(part) or len(part) < size:
                return value, at + used
            if size >= MAX_ENTRY:
                raise ValueError(f"the value at character {at} is too long")
        size = min(size * 8, MAX_ENTRY)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # it matches nothing as well
    return found.end()
