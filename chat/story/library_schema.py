"""The library's tables and statements: SQLite, format 1."""

FORMAT = 1
"""Of the file, its `user_version`."""
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
