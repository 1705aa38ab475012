"""The library's statements; its tables are in `chat.accounts.database.tables`."""

from collections.abc import Mapping, Sequence

from chat.accounts.database import Rows

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
INSERT INTO passages (story, id, parent, data) VALUES (:story, :id, :parent, :data)
ON CONFLICT (story, id) DO UPDATE SET parent = excluded.parent, data = excluded.data
"""
KEEP_IN_COLUMNS = """
UPDATE passages SET data = :data WHERE story = :story AND id = :id AND data = :before
"""
"""Unless somebody kept it since."""
PUT_BACK = """
INSERT INTO passages (place, story, id, parent, data) VALUES (:place, :story, :id, :parent, :data)
"""
PLACES = "SELECT id, place FROM passages WHERE story = :story"
TAKEN = "SELECT place FROM passages WHERE place > :before AND place < :after ORDER BY place DESC"
"""The places between two, of all stories."""
DROP_PASSAGE = """
DELETE FROM passages WHERE story = :story AND id = :id
AND NOT EXISTS (SELECT 1 FROM passages WHERE story = :story AND parent = :id)
"""
CHANGED = "SELECT changed_s FROM stories WHERE id = :id AND owner = :owner"
LOAD = "SELECT head, settings, model, changed_s FROM stories WHERE id = :id AND owner = :owner"
DATA = "SELECT data FROM passages WHERE story = :id ORDER BY place"
FIND = "SELECT id, owner, COALESCE(name, title), began_s FROM stories WHERE id = :id"
DELETE = "DELETE FROM stories WHERE id = :id AND owner = :owner"
RENAME = {
    "sqlite": "UPDATE stories SET name = :name WHERE id = :id AND owner = :owner",
    "postgresql": "UPDATE stories SET name = :name, folded_name = :folded "
    "WHERE id = :id AND owner = :owner",
}
_TITLES = """
SELECT id, owner, COALESCE(name, title), began_s FROM stories
WHERE owner = :owner AND (:words = '' OR {holds})
ORDER BY changed_s DESC, id LIMIT :limit OFFSET :skip
"""
TITLES = {
    "sqlite": _TITLES.format(holds="holds(text, :words) OR holds(name, :words)"),
    "postgresql": _TITLES.format(
        holds="strpos(text, :words) > 0 OR strpos(folded_name, :words) > 0"
    ),
}
"""Of those that a search finds; `words` are folded. PostgreSQL folds other than Python does, so
what is searched there is stored folded."""


def places_between(rows: Rows, ids: Sequence[str], stored: Mapping[str, int]) -> dict[str, int]:
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
            rows.lock("passages")  # nobody may take a place that is found free here
            at = after - 1
            for (taken,) in rows.execute(TAKEN, {"before": before, "after": after}):
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
