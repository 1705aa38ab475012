"""What stories, votes and presets ask of whatever keeps them, and how it says that it cannot."""

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from chat.accounts.database.tables import Part

VARIABLE = "INKLING_DATABASE"
TIMEOUT_S = 30.0
"""How long a write waits for another transaction, in this process or another, in seconds."""


class LibraryError(Exception):
    """The database cannot be used; the message says why, and what would do."""


class DatabaseError(OSError):
    """The database did not take it, or does not answer.

    Args:
        said: What a page may show.
        details: What the database said, for the log; it names places, and no password.
        away: Whether it does not answer.
    """

    def __init__(self, said: str, details: str, *, away: bool = False) -> None:
        super().__init__(errno.EIO, said)
        self.details = details
        self.away = away

    def __str__(self) -> str:
        return f"{self.strerror}: {self.details}"


class Found(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Sequence[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Rows(Protocol):
    """A transaction. Statements name their values as `:name`."""

    def execute(self, statement: str, values: Mapping[str, object] = ..., /) -> Found:
        """Run a statement once."""
        ...

    def execute_each(self, statement: str, values: Sequence[Mapping[str, object]]) -> None:
        """Run it for each of the values, in their order."""
        ...

    def lock(self, table: str) -> None:
        """Keep everybody else from writing in a table until the transaction ends."""
        ...


class Database(Protocol):
    """Any thread may ask. A transaction is all or nothing.

    Raises:
        sqlite3.Error, OSError: By all that reads or writes: it cannot be done now.
    """

    kind: Literal["sqlite", "postgresql"]
    shared: bool
    """Whether other processes are expected to write in it too."""
    for_update: str
    """Ends a SELECT whose rows nobody else may change until the transaction ends."""

    def prepare(self, part: Part) -> None:
        """Make tables where they are missing.

        Raises:
            LibraryError: They are of another version, or cannot be made.
        """

    def transaction(self, *, write: bool = True) -> AbstractContextManager[Rows]:
        """All or nothing; others that write wait."""
        ...

    def apart(self, part: Part, *, write: bool) -> AbstractContextManager[Rows]:
        """For a short question beside the transactions at hand, which does not wait for them where
        it only reads; the tables of `part` are there."""
        ...

    def searched(self, text: str) -> str:
        """What is to be stored of a text that is searched."""
        ...

    def check_in_place(self) -> None:
        """Raise OSError where what is written now would be lost when the program ends."""

    def close(self) -> None: ...
