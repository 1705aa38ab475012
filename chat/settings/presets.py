"""Presets: settings with a name, picked in the composer. Ours, and those a writer saves.

A preset is a layer like any other (chat/settings/values.py): it stands over what the chat is set
to, and under what is asked for one message. It decides how the next word is picked; length and
seed stay the chat's.
"""

import json
import sqlite3
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chat.accounts.home import make_private
from chat.settings.values import LABELS, SettingsError, Value, layer, shown
from gpt.files import is_printable
from gpt.text.scripts import folded

NAME_LENGTH = 30
MOST = 50
"""The most presets that a writer can keep."""
DECIDES = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "dry_multiplier")
"""What a preset may decide."""
AS_SET = "As set"
"""The picker's first entry, which is no preset: what the chat is set to."""

Layer = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings with a name, and why one would take them."""

    name: str
    about: str
    settings: Layer
    own: bool = False
    """A writer saved it, and may take it away."""


_NONE_CUT = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
BUILT_IN = (
    Preset(
        "Greedy",
        "Always the likeliest word: the same each time, and soon in a circle",
        {"temperature": 0.0},
    ),
    Preset(
        "Careful",
        "Close to what it knows best: few slips, few surprises",
        {**_NONE_CUT, "temperature": 0.5, "top_p": 0.9},
    ),
    Preset(
        "Balanced",
        "Some surprise, little nonsense",
        {**_NONE_CUT, "temperature": 0.8, "top_p": 0.95},
    ),
    Preset(
        "Story",
        "Livelier, but words far less likely than the best one stay out",
        {**_NONE_CUT, "temperature": 1.0, "min_p": 0.1},
    ),
    Preset(
        "Wild",
        "Nearly anything may come: good for a spark, seldom for a page",
        {**_NONE_CUT, "temperature": 1.4, "min_p": 0.02},
    ),
)


def find_preset(presets: Mapping[str, Preset], name: str | None) -> Preset | None:
    """The preset of that name, in whatever case it is written; None for AS_SET and for none.

    Raises:
        SettingsError: There is no such preset; the message names those there are.
    """
    if name is None or folded(name) == folded(AS_SET):
        return None
    for preset in presets.values():
        if folded(preset.name) == folded(name):
            return preset
    known = ", ".join([AS_SET, *presets])
    raise SettingsError(f"There is no preset “{name[:NAME_LENGTH]}”. These are: {known}.")


def in_words(settings: Layer) -> str:
    """The settings as a line: "Temperature 0.5, Top-p 0.9"; those that are off are left out."""
    said = [(LABELS[name], shown(name, settings[name])) for name in LABELS if name in settings]
    return ", ".join(f"{label} {value}" for label, value in said if value != "Off")


class OwnPresets:
    """The presets that one owner saved, in the file of the library.

    Args:
        path: The SQLite file; made where it is missing.
    """

    def __init__(self, path: Path, owner: str) -> None:
        self.path = path
        self.owner = owner

    def all(self) -> dict[str, Preset]:
        """Ours and the owner's own, by name, in the order they are offered."""
        with self._rows() as rows:
            found = rows.execute(
                "SELECT name, settings FROM presets WHERE owner = ? ORDER BY saved_s, name",
                [self.owner],
            ).fetchall()
        presets = {preset.name: preset for preset in BUILT_IN}
        for name, text in found:
            settings = layer(json.loads(text))
            presets[name] = Preset(name, in_words(settings), settings, own=True)
        return presets

    def save(self, name: str, raw: Mapping[str, object]) -> Preset:
        """Keep settings under a name; one of the owner's own by that name is replaced.

        Raises:
            SettingsError: The name or a value will not do, or there are too many.
        """
        name = " ".join(name.split())
        if not 0 < len(name) <= NAME_LENGTH or not is_printable(name):
            raise SettingsError(f"A preset needs a name of 1 to {NAME_LENGTH} characters.")
        taken = {folded(AS_SET), *(folded(preset.name) for preset in BUILT_IN)}
        if folded(name) in taken:
            raise SettingsError(f"“{name}” is there already, and not yours to change.")
        settings = layer({key: raw[key] for key in DECIDES if key in raw})
        if not settings:
            labels = ", ".join(LABELS[each] for each in DECIDES)
            raise SettingsError(f"A preset decides at least one of: {labels}.")
        with self._rows() as rows:
            rows.execute(
                "DELETE FROM presets WHERE owner = ? AND folded(name) = folded(?)",
                [self.owner, name],
            )
            query = "SELECT count(*) FROM presets WHERE owner = ?"
            if rows.execute(query, [self.owner]).fetchone()[0] >= MOST:
                raise SettingsError(f"There are {MOST} presets of yours: take one away first.")
            rows.execute(
                "INSERT INTO presets VALUES (?, ?, ?, ?)",
                [self.owner, name, json.dumps(settings), time.time()],
            )
        return Preset(name, in_words(settings), settings, own=True)

    def delete(self, name: str) -> None:
        """Take one of the owner's presets away.

        Raises:
            SettingsError: There is none of that name that is the owner's own.
        """
        with self._rows() as rows:
            query = "DELETE FROM presets WHERE owner = ? AND folded(name) = folded(?)"
            if not rows.execute(query, [self.owner, name]).rowcount:
                raise SettingsError(f"“{name[:NAME_LENGTH]}” is no preset of yours.")

    @contextmanager
    def _rows(self) -> Generator[sqlite3.Connection]:
        """The file for one question: all or nothing, and closed again."""
        make_private(self.path)
        with closing(sqlite3.connect(self.path, timeout=30)) as rows, rows:
            rows.create_function("folded", 1, folded, deterministic=True)
            rows.execute(
                "CREATE TABLE IF NOT EXISTS presets (owner TEXT NOT NULL, name TEXT NOT NULL, "
                "settings TEXT NOT NULL, saved_s REAL NOT NULL, PRIMARY KEY (owner, name))"
            )
            yield rows
