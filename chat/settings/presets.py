"""Presets: settings with a name, picked in the composer. Ours, and those a writer saves.

A preset is a layer like any other (chat/settings/values.py): it stands over what the chat is set
to, and under what is asked for one message. It decides how the next word is picked; length and
seed stay the chat's.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from chat.accounts.database import Database, Rows
from chat.accounts.database.tables import PRESETS
from chat.errors import in_one_line
from chat.settings.values import LABELS, SettingsError, Value, layer, shown
from gpt.files import is_printable
from gpt.text.scripts import folded

log = logging.getLogger(__name__)

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
    """The presets that one owner saved, where the stories are. Any thread may ask."""

    def __init__(self, database: Database, owner: str) -> None:
        self.database = database
        self.owner = owner
        self._known: Sequence[Preset] = ()

    def all(self) -> dict[str, Preset]:
        """Ours and the owner's own, by name, in the order they are offered; while those cannot be
        read, as they were read last."""
        try:
            with self._rows(write=False) as rows:
                self._known = [_preset(*row) for row in self._saved(rows)]
        except (sqlite3.Error, OSError) as error:
            log.error("presets could not be read: %s", in_one_line(error))
        return {preset.name: preset for preset in (*BUILT_IN, *self._known)}

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
        with self._rows(write=True) as rows:
            self._drop(rows, name)
            if len(self._saved(rows)) >= MOST:
                raise SettingsError(f"There are {MOST} presets of yours: take one away first.")
            rows.execute(
                "INSERT INTO presets VALUES (:owner, :name, :settings, :now)",
                {
                    "owner": self.owner,
                    "name": name,
                    "settings": json.dumps(settings),
                    "now": time.time(),
                },
            )
        return Preset(name, in_words(settings), settings, own=True)

    def delete(self, name: str) -> None:
        """Take one of the owner's presets away.

        Raises:
            SettingsError: There is none of that name that is the owner's own.
        """
        with self._rows(write=True) as rows:
            if not self._drop(rows, name):
                raise SettingsError(f"“{name[:NAME_LENGTH]}” is no preset of yours.")

    def _saved(self, rows: Rows) -> Sequence[tuple[str, str]]:
        query = "SELECT name, settings FROM presets WHERE owner = :owner ORDER BY saved_s, name"
        return rows.execute(query, {"owner": self.owner}).fetchall()

    def _drop(self, rows: Rows, name: str) -> bool:
        """Take those of that name out, in whatever case it is written; whether there were any."""
        same = [each for each, _ in self._saved(rows) if folded(each) == folded(name)]
        rows.execute_each(
            "DELETE FROM presets WHERE owner = :owner AND name = :name",
            [{"owner": self.owner, "name": each} for each in same],
        )
        return bool(same)

    def _rows(self, *, write: bool) -> AbstractContextManager[Rows]:
        return self.database.apart(PRESETS, write=write)


def _preset(name: str, text: str) -> Preset:
    settings = layer(json.loads(text))
    return Preset(name, in_words(settings), settings, own=True)
