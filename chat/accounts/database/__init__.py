"""Where stories, votes and presets are kept: one SQLite file, or PostgreSQL for many processes."""

from chat.accounts.database.door import (
    TIMEOUT_S,
    Database,
    DatabaseError,
    LibraryError,
    Rows,
)
from chat.accounts.database.sqlite import SqliteFile

__all__ = [
    "TIMEOUT_S",
    "Database",
    "DatabaseError",
    "LibraryError",
    "Rows",
    "SqliteFile",
]
