"""The library's tables and statements: SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence

FORMAT = 2
"""Of the file, its `user_version`. In format 1 the tokens of a passage were objects; what was kept
since has them in columns (`chat.story.tokens`)."""
OLDER = {1}
"""Formats that are read as they are, and are of this one from then on."""
SCHEMA = """
CREATE TABLE stories (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    head TEXT NOT NULL,
    settings TEXT NOT NULL,
    model TEXT,
    began_s REAL NOT NULL,
    changed_s REAL NOT NULL
);
CREATE INDEX stories_by_owner ON stories (owner, changed_s);
CREATE TABLE passages (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    story TEXT NOT NULL REFERENCES stories ON DELETE CASCADE,
    id TEXT NOT NULL,
    parent TEXT,
    data TEXT NOT NULL,
    UNIQUE (story, id)
);
CREATE INDEX passages_by_parent ON passages (story, parent);
"""
"""`name` is the owner's own, `title` the first words, `text` what is searched. As JSON, `head` is
the story without its passages, and `data` one passage."""

INSERT = """
INSERT INTO stories
VALUES (:id, :owner, NULL, :title, :text, :head, :settings, :model, :now, :now)
ON CONFLICT DO NOTHING
"""
UPDATE = """
UPDATE stories SET title = :title, text = :text, head = :head, settings = :settings,
    model = :model, changed_s = :now
WHERE id = :id AND owner = :owner
"""
KEEP_PASSAGE = """
INSERT INTO passages (story, id, parent, data) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET parent = excluded.parent, data = excluded.data
"""
KEEP_IN_COLUMNS = """
UPDATE passages SET data = ? WHERE story = ? AND id = ? AND data = ?
"""
"""Unless another window kept it since."""
PUT_BACK = """
INSERT INTO passages (place, story, id, parent, data) VALUES (?, ?, ?, ?, ?)
"""
TAKEN = "SELECT place FROM passages WHERE place > ? AND place < ? ORDER BY place DESC"
"""The places between two, of all stories."""
DROP_PASSAGE = """
DELETE FROM passages WHERE story = :story AND id = :id
AND NOT EXISTS (SELECT 1 FROM passages WHERE story = :story AND parent = :id)
"""
TITLES = """
SELECT id, owner, COALESCE(name, title), began_s FROM stories
WHERE owner = :owner AND (:words = '' OR holds(text, :words) OR holds(name, :words))
ORDER BY changed_s DESC, id LIMIT :limit OFFSET :skip
"""
PROBES = (
    "SELECT id, owner, name, title, text, head, settings, model, began_s, changed_s FROM stories",
    "SELECT place, story, id, parent, data FROM passages",
)
"""What fails where a file of this format lacks what it should have; nothing of them is read."""


def places_between(
    rows: sqlite3.Connection, ids: Sequence[str], stored: Mapping[str, int]
) -> dict[str, int]:
    """Places for passages that come back between others, as a deleted branch does by Undo.

    What they had is free, for no place is given out twice. Where none is, they stand at the end:
    then their alternatives come in another order.

    Args:
        ids: Of all passages, in their order.
        stored: The places of those that are there.
    """
    found: dict[str, int] = {}
    before, missing = 0, list[str]()
    for id in ids:
        if id not in stored:
            missing.append(id)
            continue
        after, free = stored[id], list[int]()
        if missing:
            at = after - 1
            for (taken,) in rows.execute(TAKEN, [before, after]):
                free += range(at, max(taken, at - len(missing)), -1)
                at = taken - 1
                if len(free) >= len(missing):
                    break
            else:
                free += range(at, max(before, at - len(missing)), -1)
        if len(free) >= len(missing):
            found |= zip(missing, reversed(free[: len(missing)]), strict=True)
        before, missing = after, []
    return found
