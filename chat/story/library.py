"""Stories on disk: one SQLite file, from which a story comes back as it was, to its owner alone.

A story is kept in parts, its passages one row each, so that a long one is not written again for
every new passage. Every save is one transaction: a crash leaves the story as it was before it, or
as it is after it.
"""

import errno
import gc
import sqlite3
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from chat.accounts.home import make_private
from chat.story import library_schema as schema
from chat.story.kept import Kept, head_json, kept_of, settings_json
from chat.story.passage import passage_json
from chat.story.tree import Story, StoryError
from gpt.text.scripts import folded

TIMEOUT_S = 30.0
"""How long a write waits for another transaction, in this process or another, in seconds."""


class LibraryError(Exception):
    """The file cannot be used; the message says why, and what would do."""


class GoneError(LibraryError):
    """The story is not there any more, or never was this owner's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Title:
    """A story as a list shows it."""

    id: str
    owner: str
    title: str
    began_s: float


class Library:
    """The stories of all owners. Any thread may ask; they take turns.

    Args:
        path: The file; it and its folder are made where they are missing.

    Raises:
        LibraryError: The file was written by a later version, is no library, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        make_private(path)
        self._turn = threading.Lock()
        try:
            self._rows = sqlite3.connect(
                path, timeout=TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._open(path)
            self._place = _place(path)
        except sqlite3.OperationalError as error:
            raise LibraryError(f"{path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            self._rows.close()
            raise LibraryError(f"{path} is no library of stories: {error}") from error

    def _open(self, path: Path) -> None:
        self._rows.execute("PRAGMA journal_mode = WAL")
        self._rows.execute("PRAGMA synchronous = FULL")
        self._rows.execute("PRAGMA foreign_keys = ON")
        self._rows.create_function("holds", 2, _holds, deterministic=True)
        with self._transaction() as rows:
            (found,) = rows.execute("PRAGMA user_version").fetchone()
            if found == 0:
                for statement in schema.SCHEMA.split(";"):
                    rows.execute(statement)
                rows.execute(f"PRAGMA user_version = {schema.FORMAT}")
            elif found in schema.OLDER:
                rows.execute(f"PRAGMA user_version = {schema.FORMAT}")
            elif found != schema.FORMAT:
                raise LibraryError(
                    f"{path} has format {found}, and this version reads {schema.FORMAT}: "
                    "open it with the version that wrote it"
                )
            for probe in schema.PROBES:
                rows.execute(probe).close()

    def close(self) -> None:
        with self._turn:
            self._rows.close()

    def save(
        self,
        story_id: str,
        owner: str,
        kept: Kept,
        *,
        before: Story | None = None,
        new: bool = False,
    ) -> None:
        """Keep a story as it is now.

        Passages of two windows that write on one story are both kept: only those are taken out
        that `before` had, and that no other passage follows.

        Args:
            before: What was kept last by the same writer: the passages that are still the same
                are not written again.
            new: Nothing stands under this id yet.

        Raises:
            GoneError: It was deleted since, or is another owner's.
            FileNotFoundError: The whole file was taken away, or replaced, while it was open.
        """
        self._still_in_place()
        story = kept.story
        known = before.by_id if before else {}
        changed = [each for each in story.passages if known.get(each.id) is not each]
        data = {each.id: passage_json(each) for each in changed}
        values = {
            "id": story_id,
            "owner": owner,
            "title": _storable(story.title),
            "text": _storable(story.text),
            "head": head_json(kept),
            "settings": settings_json(kept),
            "model": kept.model,
            "now": time.time(),
        }
        with self._transaction() as rows:
            if not rows.execute(schema.INSERT if new else schema.UPDATE, values).rowcount:
                raise GoneError(f"no story {story_id} of {owner}'s is kept")
            query = "SELECT id, place FROM passages WHERE story = ?"
            stored: dict[str, int] = dict(rows.execute(query, [story_id]).fetchall())
            back = schema.places_between(rows, [each.id for each in story.passages], stored)
            for each in story.passages:
                # Another window may have taken out what this one still has.
                if each.id in data or each.id not in stored:
                    text = data.get(each.id) or passage_json(each)
                    row = [story_id, each.id, each.parent, text]
                    if each.id in back:
                        rows.execute(schema.PUT_BACK, [back[each.id], *row])
                    else:
                        rows.execute(schema.KEEP_PASSAGE, row)
            for gone in [each for each in reversed(known) if each not in story.by_id]:
                rows.execute(schema.DROP_PASSAGE, {"story": story_id, "id": gone})

    def load(self, story_id: str, owner: str) -> Kept:
        """The story as it was kept.

        Raises:
            GoneError: There is none under this id, or it is another owner's.
            StoryError: What is in the file does not hold together.
        """
        with self._transaction() as rows:
            found = rows.execute(
                "SELECT head, settings, model FROM stories WHERE id = ? AND owner = ?",
                [story_id, owner],
            ).fetchone()
            if found is None:
                raise GoneError(f"no story {story_id} of {owner}'s is kept")
            data = rows.execute(
                "SELECT data FROM passages WHERE story = ? ORDER BY place", [story_id]
            ).fetchall()
        try:
            with _no_collection():
                kept = kept_of(found, [row[0] for row in data])
        except StoryError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise StoryError("what was kept of it on disk is damaged") from error
        self._keep_in_columns(story_id, kept.story, [row[0] for row in data])
        return kept

    def _keep_in_columns(self, story_id: str, story: Story, data: Sequence[str]) -> None:
        """Write the tokens anew that an older version kept as objects, so that the story opens fast
        the next time; or leave them, where the disk takes nothing."""
        older = [
            [columns, story_id, passage.id, text]
            for passage, text in zip(story.passages, data, strict=True)
            if passage.tokens and isinstance(passage.tokens, tuple)
            if (columns := passage_json(passage)) != text
        ]
        if older:
            with suppress(sqlite3.Error), self._transaction() as rows:
                rows.executemany(schema.KEEP_IN_COLUMNS, older)

    def titles(
        self, owner: str, *, limit: int, skip: int = 0, search: str = ""
    ) -> tuple[list[Title], bool]:
        """An owner's stories, the one that was changed last first, and whether there are more.

        Args:
            search: Only those with this in their text or their name, in capitals or not.
        """
        words = folded(_storable(search))
        with self._transaction() as rows:
            values = {"owner": owner, "words": words, "limit": limit + 1, "skip": skip}
            found = rows.execute(schema.TITLES, values).fetchall()
        titles = [Title(id=row[0], owner=row[1], title=row[2], began_s=row[3]) for row in found]
        return titles[:limit], len(titles) > limit

    def find(self, story_id: str) -> Title | None:
        """Whose story it is and what it is called; None where there is none."""
        with self._transaction() as rows:
            row = rows.execute(
                "SELECT id, owner, COALESCE(name, title), began_s FROM stories WHERE id = ?",
                [story_id],
            ).fetchone()
        return row and Title(id=row[0], owner=row[1], title=row[2], began_s=row[3])

    def rename(self, story_id: str, owner: str, name: str) -> None:
        """Call a story by a name of its own; an empty one calls it by its first words again."""
        with self._transaction() as rows:
            rows.execute(
                "UPDATE stories SET name = ? WHERE id = ? AND owner = ?",
                [_storable(name.strip()) or None, story_id, owner],
            )

    def delete(self, story_id: str, owner: str) -> None:
        """Take a story out, with all its passages."""
        with self._transaction() as rows:
            rows.execute("DELETE FROM stories WHERE id = ? AND owner = ?", [story_id, owner])

    def _still_in_place(self) -> None:
        """What is written into a file that has no name any more is lost when the program ends."""
        if _place(self.path) != self._place:
            raise FileNotFoundError(
                errno.ENOENT,
                f"{self.path.name} was removed or replaced while Inkling runs; put it back, or "
                "save the story as a file and start Inkling anew",
            )

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """All or nothing; others wait."""
        with self._turn:
            self._rows.execute("BEGIN IMMEDIATE")
            try:
                yield self._rows
                self._rows.execute("COMMIT")
            except BaseException:
                # A disk that is full ends some transactions by itself, and a commit that fails
                # leaves others open, in which none could begin again.
                if self._rows.in_transaction:
                    self._rows.execute("ROLLBACK")
                raise


@contextmanager
def _no_collection() -> Generator[None]:
    """No search for garbage meanwhile: while a long story is read, a million objects are made and
    none is garbage, and half of the time went into looking for it."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


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


def _storable(text: str) -> str:
    """Half a surrogate pair is no UTF-8. In the passages it is kept, for JSON can escape it."""
    return text.encode("utf-8", "replace").decode("utf-8")
