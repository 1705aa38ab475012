"""What cannot be done, and what went wrong: a sentence for the writer, a line in the log.

What went wrong is Python's word and names our files, so no page shows it. The page gives a mark,
and the log says under that mark what it was.
"""

import logging
import secrets
import sqlite3
import traceback
from pathlib import Path

from gpt.files import is_printable

ROOT = Path(__file__).parents[1]
LONGEST = 300
"""Characters of an error's own message that are logged: it may quote what a stranger sent."""


class RefusedError(Exception):
    """What is asked for cannot be done; the message says why and what would do. The story stays as
    it was."""


def fault(log: logging.Logger, what: str, error: BaseException) -> str:
    """Note an error that nobody expected, and say so in words that a writer can use.

    Args:
        what: What was being done, for the log.
    """
    mark = secrets.token_hex(3)
    log.error("fault %s: %s: %s", mark, what, in_one_line(error))
    return (
        "Something went wrong on our side, so this could not be done. "
        f"The server's log says what it was, under {mark}."
    )


def in_one_line(error: BaseException) -> str:
    """Type, message and the places in our files that it came through, innermost first."""
    said = one_line(str(error))[:LONGEST]
    frames = reversed(traceback.extract_tb(error.__traceback__))
    places = [
        f"{Path(frame.filename).relative_to(ROOT)}:{frame.lineno}"
        for frame in frames
        if Path(frame.filename).is_relative_to(ROOT) and "site-packages" not in frame.filename
    ]
    came = f" ({' < '.join(places)})" if places else ""
    return f"{type(error).__name__}{': ' if said else ''}{said}{came}"


def one_line(text: str) -> str:
    """The text with whatever could break a line, or a terminal, written out: \\n, \\x1b …"""
    return text if is_printable(text) else repr(text)[1:-1]


def reason(error: OSError | sqlite3.Error) -> str:
    """Why the disk did not take it, as a person reads it: "No space left on device"."""
    said = error.strerror if isinstance(error, OSError) else None
    return one_line(said or str(error) or "no reason was given")[:LONGEST]
