"""The first lines of the app: what it makes is its user's alone, and what it lacks is said."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from chainlit.config import FILES_DIRECTORY

from chat.accounts.home import PRIVATE
from chat.story.library import LibraryError


@contextmanager
def start_privately() -> Iterator[None]:
    """Open what the app keeps things in. From here on whatever it makes can be read by its user
    alone; where something cannot be used, the app ends with one sentence that says what would do.
    """
    os.umask(PRIVATE)
    # Chainlit made it before we were asked.
    with suppress(OSError):
        FILES_DIRECTORY.chmod(0o700)
    try:
        yield
    except (OSError, ValueError, sqlite3.Error, LibraryError) as error:
        sys.exit(f"Inkling cannot start: {error}.")
