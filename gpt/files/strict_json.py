"""JSON that others may have written: bounds on its depth, digits and entries, each name once."""

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeGuard, cast

MOST_LINE = 1_000_000
"""Bytes in a line of a log."""
MOST_DEPTH = 32
MOST_DIGITS = 100
"""Of a whole number: transformers writes 10**30 for "no limit"; a float holds 10**308."""
MOST_ENTRIES = 1_600_000
"""Commas and brackets in a file, so that JSON of many lists does not fill the memory. A
tokenizer of 128,000 pieces with its 280,000 merges has one million."""


def parsed(data: bytes, *, finite: bool = True) -> Any:
    """The value that JSON holds.

    Raises:
        ValueError, RecursionError: it is none, or beyond the bounds.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise ValueError("it begins with a byte order mark: save it as plain UTF-8")
    if (entries := sum(map(data.count, (b",", b"[", b"{")))) > MOST_ENTRIES:
        raise ValueError(f"it has {entries:,} entries, more than any file of a model")
    numbers: dict[str, Any] = {"parse_int": _whole_number}
    if finite:
        numbers |= {"parse_float": _finite_number, "parse_constant": _finite_number}
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_no_name_twice, **numbers)
    _check_depth(value)
    return value


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value out of JSON is an object; its keys are text."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a value out of JSON is a list."""
    return isinstance(value, list)


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(
            f"a whole number of {len(digits):,} digits: expected {MOST_DIGITS} at most"
        )
    return int(digits)


def _finite_number(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError(f"a number that is not finite: {digits[:40]}")
    return number


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the name {twice[:60]!r} stands twice in one object")
    return found


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [inner for each in level for inner in _inside_of(each) if type(inner) in _HOLDERS]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {MOST_DEPTH} levels")


_HOLDERS = (dict, list)


def _inside_of(value: object) -> Iterable[object]:
    if type(value) is dict:
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if type(value) is list else ()


def json_lines(data: bytes, *, longest: int | None = MOST_LINE) -> list[dict[str, Any]]:
    """The JSON objects of a log, one a line; a line that is cut off or holds none is left out.

    Args:
        longest: Bytes of a line that is looked at; None for a log of our own, where any is.
    """
    found: list[dict[str, Any]] = []
    for line in data.splitlines():
        if not line.startswith(b"{") or (longest is not None and len(line) > longest):
            continue
        with suppress(ValueError, RecursionError):
            record = parsed(line, finite=False)
            if isinstance(record, dict):
                found.append(cast("dict[str, Any]", record))
    return found
