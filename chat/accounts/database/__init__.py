"""Where stories, votes and presets are kept: one SQLite file, or PostgreSQL for many processes."""

import os
from pathlib import Path

from chat.accounts.database.door import (
    TIMEOUT_S,
    VARIABLE,
    Database,
    DatabaseError,
    LibraryError,
    Rows,
)
from chat.accounts.database.sqlite import SqliteFile
from chat.errors import one_line

FILE = "stories.sqlite"

__all__ = [
    "FILE",
    "TIMEOUT_S",
    "VARIABLE",
    "Database",
    "DatabaseError",
    "LibraryError",
    "Rows",
    "SqliteFile",
    "open_database",
]


def open_database(home: Path) -> Database:
    """What INKLING_DATABASE names; where it names nothing, the SQLite file of a home. It is taken
    out of the environment, so that no program which the app starts inherits a password.

    Raises:
        LibraryError: It cannot be used.
    """
    if address := os.environ.pop(VARIABLE, "").strip():
        try:
            # SQLAlchemy takes a third of a second to import.
            from chat.accounts.database.postgres import Postgres
        except ImportError as error:
            raise LibraryError(
                f"{VARIABLE} needs psycopg, which cannot be imported ({one_line(str(error))}): "
                "install what requirements.txt says"
            ) from error
        return Postgres(address)
    return SqliteFile(home / FILE)
