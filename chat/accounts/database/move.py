"""Stories, votes and presets from a SQLite file to PostgreSQL: all of them, or none."""

import hashlib
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from chat.accounts.database.door import LibraryError, Rows
from chat.accounts.database.postgres import Postgres, storable
from chat.accounts.database.tables import FORMAT, OLDER
from gpt.text.scripts import folded

AT_ONCE = 200
"""Rows that are in memory at the same time."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is copied.

    Attributes:
        key: What tells its rows apart, in the order in which they are read.
        changed: The column that says when a row was written; "" where none is ever changed.
        counter: The column that PostgreSQL counts by itself, if there is one.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    changed: str = ""
    counter: str = ""


_STORY = ("id", "owner", "name", "title", "text", "head", "settings", "model")
TABLES = (
    Table("stories", (*_STORY, "began_s", "changed_s"), ("id",), "changed_s"),
    Table("passages", ("place", "story", "id", "parent", "data"), ("place",), counter="place"),
    Table(
        "votes",
        ("id", "owner", "voted_s", "choice", "prompt", "seed", "a", "b"),
        ("id",),
        counter="id",
    ),
    Table("presets", ("owner", "name", "settings", "saved_s"), ("owner", "name"), "saved_s"),
)
"""In the order in which they refer to each other."""
Counts = Mapping[str, int]
"""How many rows of each table."""


class MoveError(LibraryError):
    """Nothing was copied; the message says why, and what would do."""


def move(source: Path, target: Postgres) -> tuple[Counts, bool]:
    """Copy all that a library's file holds, in one transaction, and compare what came.

    The file stays as it is. What stands in the target already is written anew if all of it came
    from this file and nobody changed it there since.

    Returns:
        How many rows there are of each table, and whether any had to be copied.

    Raises:
        MoveError: The file cannot be read, or the target holds what it does not.
        OSError: The database did not take it.
    """
    with _reading(source) as file, target.transaction() as rows:
        for table in TABLES:
            rows.execute(f"LOCK TABLE {table.name} IN EXCLUSIVE MODE")
        ours = {table.name: _digest(_rows_of(file, table)) for table in TABLES}
        theirs = {table.name: _digest(_rows_there(rows, table)) for table in TABLES}
        counts = {name: count for name, (count, _) in ours.items()}
        if ours == theirs:
            return counts, False
        for table in TABLES:
            _refuse_others(file, rows, table, target.name)
        for table in reversed(TABLES):
            rows.execute(f"DELETE FROM {table.name}")
        for table in TABLES:
            _copy(file, rows, table)
        came = {table.name: _digest(_rows_there(rows, table)) for table in TABLES}
        if came != ours:
            wrong = ", ".join(name for name in ours if ours[name] != came[name])
            raise MoveError(f"what came is not what was sent ({wrong}): nothing was copied")
    return counts, True


@contextmanager
def _reading(source: Path) -> Generator[sqlite3.Connection]:
    """The file, in which nobody writes meanwhile."""
    if not source.is_file():
        raise MoveError(f"there is no library at {source}: say with --from where it is")
    try:
        with closing(
            sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
        ) as file:
            file.text_factory = bytes  # what is damaged comes too, as far as it can be read
            file.execute("BEGIN IMMEDIATE")
            (found,) = file.execute("PRAGMA user_version").fetchone()
            if found not in (FORMAT, *OLDER):
                raise MoveError(
                    f"{source} has format {found}, and this version moves {FORMAT}: "
                    "move it with the version that wrote it"
                )
            yield file
    except sqlite3.Error as error:
        raise MoveError(f"{source} cannot be read ({error}): nothing was copied") from error


def _rows_of(file: sqlite3.Connection, table: Table) -> Iterator[Sequence[object]]:
    """The rows of the file, as the target keeps them; none where it lacks the table."""
    there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    if file.execute(there, [table.name]).fetchone() is None:
        return
    query = f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {', '.join(table.key)}"
    for row in file.execute(query):
        values = dict(zip(table.columns, map(_as_text, row), strict=True))
        if table.name == "stories":
            values["text"] = folded(str(values["text"]))
        yield list(storable(values).values())


def _as_text(value: object) -> object:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _rows_there(rows: Rows, table: Table) -> Iterator[Sequence[object]]:
    """The rows of the target, in the order of the file's."""
    # As SQLite compares: by bytes.
    order = ", ".join(f'{key} COLLATE "C"' if key != table.counter else key for key in table.key)
    rows.execute(
        f"DECLARE there NO SCROLL CURSOR FOR SELECT {', '.join(table.columns)} "
        f"FROM {table.name} ORDER BY {order}"
    )
    while some := rows.execute(f"FETCH {AT_ONCE} FROM there").fetchall():
        yield from some
    rows.execute("CLOSE there")


def _digest(rows: Iterator[Sequence[object]]) -> tuple[int, str]:
    """How many rows there are, and a SHA-256 of all their values."""
    count, told = 0, hashlib.sha256()
    for row in rows:
        count += 1
        told.update(repr(list(row)).encode("utf-8", "replace"))
    return count, told.hexdigest()


def _refuse_others(file: sqlite3.Connection, rows: Rows, table: Table, name: str) -> None:
    """Raise MoveError for a row of the target that did not come from this file."""
    keys = [table.columns.index(each) for each in table.key]
    changed = table.columns.index(table.changed) if table.changed else None

    def told(row: Sequence[object]) -> tuple[tuple[object, ...], object]:
        version = row[changed] if changed is not None else _digest(iter([row]))[1]
        return tuple(row[each] for each in keys), version

    if table.name == "passages":
        return  # they go with their story
    ours = dict(map(told, _rows_of(file, table)))
    for key, version in map(told, _rows_there(rows, table)):
        mine = ours.get(key)
        newer = changed is not None and mine is not None and float(str(version)) > float(str(mine))
        if mine is None or newer or (changed is None and version != mine):
            what = "were changed there since" if newer else "did not come from this file"
            raise MoveError(
                f"{table.name} in {name} {what}, and would be lost: "
                "nothing was copied. Move into an empty database"
            )


def _copy(file: sqlite3.Connection, rows: Rows, table: Table) -> None:
    named = ", ".join(f":{column}" for column in table.columns)
    insert = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({named})"
    found = _rows_of(file, table)
    while some := list(islice(found, AT_ONCE)):
        values = [dict(zip(table.columns, row, strict=True)) for row in some]
        rows.execute_each(insert, values)
        if table.name == "stories":
            query = "UPDATE stories SET folded_name = :name WHERE id = :id"
            called = [each for each in values if each["name"] is not None]
            rows.execute_each(
                query, [{"id": each["id"], "name": folded(str(each["name"]))} for each in called]
            )
    if table.counter:
        # A number that was given out is not given out again, though what had it is gone.
        last = _last_number(file, table)
        rows.execute(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', '{table.counter}'), :last)",
            {"last": max(1, last)},
        )


def _last_number(file: sqlite3.Connection, table: Table) -> int:
    query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
    found = file.execute(query, [table.name]).fetchone()
    return int(found[0]) if found else 0
