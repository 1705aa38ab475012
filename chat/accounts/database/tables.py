"""The tables that hold what writers own, in SQLite's words; `postgres` has its own for the types.

`stories`: `name` is the owner's own, `title` the first words, `text` what is searched. As JSON,
`head` is the story without its passages, and `data` one passage.

`votes`: `a` stood left and `b` right; both are a `Side` as JSON. SQLite's whole numbers end before
the largest seed, so it is text.
"""

from dataclasses import dataclass

FORMAT = 2
"""Of the stories: `user_version` of a SQLite file; on PostgreSQL of all tables. In format 1 the
tokens of a passage were objects; what was kept since has them in columns (`chat.story.tokens`)."""
OLDER = (1,)
"""Formats that are read as they are, and are of this one from then on."""


@dataclass(frozen=True, slots=True)
class Part:
    """Tables that are made together.

    Attributes:
        statements: They make them; each is one.
        probes: What fails where one lacks what it should have; nothing of them is read.
        format: Made in a file without any format, and refused in one of another; None: made
            wherever they are missing.
    """

    statements: tuple[str, ...]
    probes: tuple[str, ...] = ()
    format: int | None = None


STORIES = Part(
    (
        """
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
)""",
        """
CREATE INDEX stories_by_owner ON stories (owner, changed_s)""",
        """
CREATE TABLE passages (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    story TEXT NOT NULL REFERENCES stories ON DELETE CASCADE,
    id TEXT NOT NULL,
    parent TEXT,
    data TEXT NOT NULL,
    UNIQUE (story, id)
)""",
        """
CREATE INDEX passages_by_parent ON passages (story, parent)""",
    ),
    (
        "SELECT id, owner, name, title, text, head, settings, model, began_s, changed_s "
        "FROM stories",
        "SELECT place, story, id, parent, data FROM passages",
    ),
    FORMAT,
)
VOTES = Part(
    (
        """
CREATE TABLE IF NOT EXISTS votes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    voted_s REAL NOT NULL,
    choice TEXT NOT NULL CHECK (choice IN ('a', 'b', 'tie')),
    prompt TEXT NOT NULL,
    seed TEXT NOT NULL,
    a TEXT NOT NULL,
    b TEXT NOT NULL
)""",
        """
CREATE INDEX IF NOT EXISTS votes_by_owner ON votes (owner, id)""",
    )
)
PRESETS = Part(
    (
        "CREATE TABLE IF NOT EXISTS presets (owner TEXT NOT NULL, name TEXT NOT NULL, "
        "settings TEXT NOT NULL, saved_s REAL NOT NULL, PRIMARY KEY (owner, name))",
    )
)
