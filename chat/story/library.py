"""Stories on disk: a database, from which a story comes back as it was, to its owner alone.

A story is kept in parts, its passages one row each, so that a long one is not written again for
every new passage. Every save is one transaction: a crash leaves the story as it was before it, or
as it is after it.
"""

import gc
import sqlite3
import time
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from chat.accounts.database import Database, LibraryError, Rows, SqliteFile
from chat.accounts.database.tables import STORIES
from chat.story import library_schema as schema
from chat.story.kept import Kept, head_json, kept_of, settings_json
from chat.story.passage import passage_json
from chat.story.tree import Story, StoryError
from gpt.text.scripts import folded

STEP_S = 0.00001
"""By how much `changed_s` grows at least, whatever the clocks of those who write say."""


class GoneError(LibraryError):
    """The story is not there any more, or never was this owner's."""


@dataclass(frozen=True, slots=True)
class Saved:
    """When a story was changed last before it was saved, and that it was now: in seconds since
    1970, and never the same for two states of a story. Who read another time than the one before
    has not seen what somebody else kept since.
    """

    before_s: float | None
    """None where it was not there."""
    now_s: float


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
        database: Where they are kept; a path is that of a SQLite file, which is made where it is
            missing.

    Raises:
        LibraryError: It was written by a later version, is no library, or cannot be used.
    """

    def __init__(self, database: Database | Path) -> None:
        self.database = SqliteFile(database) if isinstance(database, Path) else database
        self.database.prepare(STORIES)

    def close(self) -> None:
        self.database.close()

    def save(
        self,
        story_id: str,
        owner: str,
        kept: Kept,
        *,
        before: Story | None = None,
        new: bool = False,
    ) -> Saved:
        """Keep a story as it is now.

        Passages of two that write on one story are both kept, for none is ever changed but by who
        writes it: only those are taken out that `before` had, and that no other passage follows.

        Args:
            before: What was kept last by the same writer: the passages that are still the same
                are not written again.
            new: Nothing stood under this id when it was begun.

        Raises:
            GoneError: It was deleted since, or is another owner's.
            FileNotFoundError: The whole file was taken away, or replaced, while it was open.
        """
        self.database.check_in_place()
        story = kept.story
        known = before.by_id if before else {}
        changed = [each for each in story.passages if known.get(each.id) is not each]
        data = {each.id: passage_json(each) for each in changed}
        values: dict[str, object] = {
            "id": story_id,
            "owner": owner,
            "title": _storable(story.title),
            "text": self.database.searched(_storable(story.text)),
            "head": head_json(kept),
            "settings": settings_json(kept),
            "model": kept.model,
        }
        with self.database.transaction() as rows:
            saved = self._save_head(rows, values, new=new)
            _save_passages(rows, story_id, story, data)
            gone = [each for each in reversed(known) if each not in story.by_id]
            rows.execute_each(
                schema.DROP_PASSAGE, [{"story": story_id, "id": each} for each in gone]
            )
        return saved

    def _save_head(self, rows: Rows, values: dict[str, object], *, new: bool) -> Saved:
        now_s = time.time()
        # Where it is there in spite of that, another process began it, or this one's answer was
        # lost: then it is one story.
        if new and rows.execute(schema.INSERT, {**values, "now": now_s}).rowcount:
            return Saved(None, now_s)
        found = rows.execute(schema.CHANGED + self.database.for_update, values).fetchone()
        if found is None:
            raise GoneError(f"no story {values['id']} of {values['owner']}'s is kept")
        now_s = max(now_s, found[0] + STEP_S)
        rows.execute(schema.UPDATE, {**values, "now": now_s})
        return Saved(found[0], now_s)

    def load(self, story_id: str, owner: str) -> Kept:
        """The story as it was kept.

        Raises:
            GoneError: There is none under this id, or it is another owner's.
            StoryError: What is in the file does not hold together.
        """
        with self.database.transaction(write=False) as rows:
            named = {"id": story_id, "owner": owner}
            found = rows.execute(schema.LOAD, named).fetchone()
            if found is None:
                raise GoneError(f"no story {story_id} of {owner}'s is kept")
            data = rows.execute(schema.DATA, named).fetchall()
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
            {"data": columns, "story": story_id, "id": passage.id, "before": text}
            for passage, text in zip(story.passages, data, strict=True)
            if passage.tokens and isinstance(passage.tokens, tuple)
            if (columns := passage_json(passage)) != text
        ]
        if older:
            with suppress(sqlite3.Error, OSError), self.database.transaction() as rows:
                rows.execute_each(schema.KEEP_IN_COLUMNS, older)

    def titles(
        self, owner: str, *, limit: int, skip: int = 0, search: str = ""
    ) -> tuple[list[Title], bool]:
        """An owner's stories, the one that was changed last first, and whether there are more.

        Args:
            search: Only those with this in their text or their name, in capitals or not.
        """
        words = folded(_storable(search))
        with self.database.transaction(write=False) as rows:
            values = {"owner": owner, "words": words, "limit": limit + 1, "skip": skip}
            found = rows.execute(schema.TITLES[self.database.kind], values).fetchall()
        titles = [Title(id=row[0], owner=row[1], title=row[2], began_s=row[3]) for row in found]
        return titles[:limit], len(titles) > limit

    def find(self, story_id: str) -> Title | None:
        """Whose story it is and what it is called; None where there is none."""
        with self.database.transaction(write=False) as rows:
            row = rows.execute(schema.FIND, {"id": story_id}).fetchone()
        return row and Title(id=row[0], owner=row[1], title=row[2], began_s=row[3])

    def changes(self, stories: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], float]:
        """When each of these was changed last, by (owner, id); what is not there is left out."""
        stories = {*stories}
        ids = {f"id{number}": id for number, (_, id) in enumerate(stories)}
        if not ids:
            return {}
        query = f"SELECT owner, id, changed_s FROM stories WHERE id IN (:{', :'.join(ids)})"
        with self.database.transaction(write=False) as rows:
            found = rows.execute(query, ids).fetchall()
        return {(row[0], row[1]): row[2] for row in found if (row[0], row[1]) in stories}

    def rename(self, story_id: str, owner: str, name: str) -> None:
        """Call a story by a name of its own; an empty one calls it by its first words again."""
        called = _storable(name.strip()) or None
        values = {"name": called, "folded": called and folded(called)}
        with self.database.transaction() as rows:
            rows.execute(
                schema.RENAME[self.database.kind], {**values, "id": story_id, "owner": owner}
            )

    def delete(self, story_id: str, owner: str) -> None:
        """Take a story out, with all its passages."""
        with self.database.transaction() as rows:
            rows.execute(schema.DELETE, {"id": story_id, "owner": owner})


def _save_passages(rows: Rows, story_id: str, story: Story, changed: Mapping[str, str]) -> None:
    """Write the passages that changed, as JSON by their ids, and those that are not there."""
    query = rows.execute(schema.PLACES, {"story": story_id})
    stored: dict[str, int] = dict(query.fetchall())
    back = schema.places_between(rows, [each.id for each in story.passages], stored)
    added: list[Mapping[str, object]] = []
    for each in story.passages:
        # Somebody else may have taken out what this one still has.
        if each.id in changed or each.id not in stored:
            text = changed.get(each.id) or passage_json(each)
            row = {"story": story_id, "id": each.id, "parent": each.parent, "data": text}
            if each.id in back:
                rows.execute(schema.PUT_BACK, {"place": back[each.id], **row})
            else:
                added.append(row)
    rows.execute_each(schema.KEEP_PASSAGE, added)


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


def _storable(text: str) -> str:
    """Half a surrogate pair is no UTF-8. In the passages it is kept, for JSON can escape it."""
    return text.encode("utf-8", "replace").decode("utf-8")
