"""One SQLite file, in which every transaction waits for the one before it."""

import errno
import sqlite3
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from chat.accounts.database.door import TIMEOUT_S, Found, LibraryError
from chat.accounts.database.tables import OLDER, Part
from chat.accounts.home import make_private
from gpt.text.scripts import folded


class SqliteRows:
    """A transaction of a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Mapping[str, object] | None = None, /) -> Found:
        return self._connection.execute(statement, values or {})

    def execute_each(self, statement: str, values: Sequence[Mapping[str, object]]) -> None:
        for each in values:
            self._connection.execute(statement, each)

    def lock(self, table: str) -> None:
        """It is: who writes has the whole file."""


class SqliteFile:
    """A file of this user's alone; it and its folder are made where they are missing.

    It is opened when it is first prepared, or asked.
    """

    kind: Literal["sqlite", "postgresql"] = "sqlite"
    shared = False
    for_update = ""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._opened: sqlite3.Connection | None = None
        self._place: tuple[int, int] | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The one that all transactions go by."""
        if self._opened is None:
            make_private(self.path)
            self._opened = _connect(self.path)
            self._place = _place(self.path)
        return self._opened

    def prepare(self, part: Part) -> None:
        path = self.path
        try:
            if part.format is not None:
                self.connection.execute("PRAGMA journal_mode = WAL")
            with self.transaction() as rows:
                self._make(rows, part)
        except sqlite3.OperationalError as error:
            raise LibraryError(f"{path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            self.close()
            raise LibraryError(f"{path} is no library of stories: {error}") from error

    def _make(self, rows: SqliteRows, part: Part) -> None:
        (found,) = rows.execute("PRAGMA user_version").fetchone()
        if part.format is None or found == 0:
            for statement in part.statements:
                rows.execute(statement)
            if part.format is not None:
                rows.execute(f"PRAGMA user_version = {part.format}")
        elif found in OLDER:
            rows.execute(f"PRAGMA user_version = {part.format}")
        elif found != part.format:
            raise LibraryError(
                f"{self.path} has format {found}, and this version reads {part.format}: "
                "open it with the version that wrote it"
            )
        for probe in part.probes:
            rows.execute(f"{probe} LIMIT 0")

    @contextmanager
    def transaction(self, *, write: bool = True) -> Generator[SqliteRows]:
        with self._turn, _all_or_nothing(self.connection, write=write) as rows:
            yield rows

    @contextmanager
    def apart(self, part: Part, *, write: bool) -> Generator[SqliteRows]:
        """By a connection of its own, which is closed again: it does not wait for a transaction of
        this process that takes long, and many owners hold nothing open."""
        make_private(self.path)
        with closing(_connect(self.path)) as own, _all_or_nothing(own, write=write) as rows:
            for statement in part.statements:
                rows.execute(statement)
            yield rows

    def searched(self, text: str) -> str:
        """As it is: `holds` folds it."""
        return text

    def check_in_place(self) -> None:
        """What is written into a file that has no name any more is lost when the program ends."""
        if _place(self.path) != self._place:
            raise FileNotFoundError(
                errno.ENOENT,
                f"{self.path.name} was removed or replaced while Inkling runs; put it back, or "
                "save the story as a file and start Inkling anew",
            )

    def close(self) -> None:
        with self._turn:
            if self._opened is not None:
                self._opened.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.create_function("holds", 2, _holds, deterministic=True)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def _all_or_nothing(connection: sqlite3.Connection, *, write: bool) -> Generator[SqliteRows]:
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield SqliteRows(connection)
        connection.execute("COMMIT")
    except BaseException:
        # A disk that is full ends some transactions by itself, and a commit that fails
        # leaves others open, in which none could begin again.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _place(path: Path) -> tuple[int, int] | None:
    """Which file lies there now; None for none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _holds(text: object, words: str) -> bool:
    """Whether words, `folded`, stand in a text; in linear time, which LIKE is not."""
    return isinstance(text, str) and words in folded(text)
