"""Runs that were begun from a page: each is its owner's, and nobody else's until shared.

Such a run holds `page.json`. The runs of the one writer whom nobody asks for a name lie in runs/
beside those of the command line; everybody else has a folder of their own, so that the name of a
run is free, or taken, by one's own runs alone.
"""

import hashlib
import os
import re
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat.accounts import LOCAL
from gpt.files import CheckpointError, read_json
from gpt.files.strict_json import is_list
from gpt.text.scripts import as_name, compiled

OURS = "page.json"
"""In the run folder: whose it is, what was begun, and how."""
WRITERS = ".writers"
"""In runs/: a folder for each owner. No run's name begins with a dot."""
MOST_PID = 1 << 22
"""What Linux gives at most."""
OPTION = re.compile(r"--[a-z]+(-[a-z]+)*")
NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", re.A)
SHORT = 16
"""Digits of a SHA-256 that stand for an owner: not every name will do for a folder."""
FAR_S = 1e11
"""Some three thousand years."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A run that was begun from a page.

    Attributes:
        owner: Who began it; "" where page.json does not say, so that it is nobody's.
        shared: Its owner lets everybody else who comes in write with it, and train from it.
    """

    folder: Path
    owner: str
    shared: bool

    @property
    def name(self) -> str:
        """What its owner knows it by."""
        return self.folder.name

    @property
    def shared_name(self) -> str:
        """What everybody else knows it by: nobody's own, and the same however many share."""
        # The key that a guest is found by again is shown to nobody.
        guest = self.owner.startswith("guest-")
        return f"{self.name} by {'guest ' + _digest(self.owner)[:6] if guest else self.owner}"

    def seen_by(self, owner: str, *, alone: bool) -> bool:
        """Whether `owner` may write with it, and train from it; see `chat.models.find_models`."""
        return self.read_by(owner, alone=alone) or (self.shared and bool(self.owner))

    def read_by(self, owner: str, *, alone: bool) -> bool:
        """Whether `owner` may be shown what it learnt from."""
        return (alone and owner == LOCAL) or (self.owner != "" and self.owner == owner)


def place_of(runs: Path, owner: str) -> Path:
    """The folder in which an owner's runs lie."""
    return runs if owner == LOCAL else runs / WRITERS / _digest(owner)


def begun_in(runs: Path) -> Iterator[Begun]:
    """All runs that were begun from a page, by name."""
    folders = [path.parent for path in runs.glob(f"*/{OURS}")]
    folders += [path.parent for path in runs.glob(f"{WRITERS}/*/*/{OURS}")]
    for folder in sorted(folders):
        if (run := _begun(folder)) is not None:
            yield run


def begun_run_of(folder: Path) -> Begun | None:
    """The run that a checkpoint belongs to, as its best/ or one of its steps/ may; None where it
    was not begun from a page. A link does not hide whose it is."""
    real = folder.resolve()
    runs = (_begun(each) for each in (real, *real.parents[:2]))
    return next((run for run in runs if run is not None), None)


def new_folder(runs: Path, owner: str, title: str, taken: Container[str] = ()) -> Path:
    """Make the folder of a new run, by a name that is free for its owner; nobody else on this
    machine can look into it.

    Args:
        title: The name of a text; untrusted.
        taken: More names that are not free.
    """
    words = compiled(r"[\W_]+").sub("-", title.rsplit(".", 1)[0].lower()).strip("-")
    plain = as_name(words, 40).strip("- ") or "mine"
    place, name, count = place_of(runs, owner), plain, 1
    runs.mkdir(parents=True, exist_ok=True)
    if place != runs:
        for each in (place.parent, place):
            each.mkdir(mode=0o700, exist_ok=True)
    # Those from before lie beside the ones of the command line, whoever began them.
    mine = {run.name for run in begun_in(runs) if run.owner == owner}
    while True:
        if name not in mine and name not in taken:
            with suppress(FileExistsError):
                (place / name).mkdir(mode=0o700)
                return place / name
        count += 1
        name = f"{plain}-{count}"


def about_run(folder: Path) -> dict[str, Any] | None:
    """What page.json says; None where there is none, {} where it cannot be read or misstates."""
    if not os.path.lexists(folder / OURS):
        return None
    try:
        about = read_json(folder, OURS)
    except CheckpointError:
        return {}
    match about:
        case {
            "owner": str(),
            "title": str(),
            "halted": None | "paused" | "stopped",
            "plan": {"steps": int(steps)},
        } if steps > 0 and _holds(about):
            return about
        case _:
            return {}


def options_of(about: Mapping[str, Any]) -> list[str] | None:
    """What a plan has a training run with: pairs of an option and a number, a preset, or the model
    that the run went on from. None where it asks for anything else: its folder may have been
    brought from elsewhere, and options can name files.
    """
    options: object = about["plan"].get("options")
    if not is_list(options) or len(options) % 2:
        return None
    for name, value in zip(options[::2], options[1::2], strict=True):
        match name, value:
            case "--preset", "story":
                continue
            case "--from", str() if value == about.get("from"):
                continue
            case str(), str() if OPTION.fullmatch(name) and NUMBER.fullmatch(value):
                continue
            case _:
                return None
    return options


def _holds(about: dict[str, Any]) -> bool:
    """Whether what need not be there is as we write it, where it is there."""
    plan, pid, began_s = about["plan"], about.get("pid"), about.get("began_s", 0)
    options: object = plan.get("options", [])
    return (
        # To the system 0, 1 and what is below name groups of processes, or all there are.
        (pid is None or (type(pid) is int and 1 < pid <= MOST_PID))
        and type(began_s) in (int, float)
        and abs(began_s) < FAR_S
        and isinstance(about.get("from"), str | None)
        and isinstance(plan.get("module"), str | None)
        and is_list(options)
        and all(isinstance(each, str) for each in options)
    )


def _begun(folder: Path) -> Begun | None:
    about = about_run(folder)
    if about is None:
        return None
    # What cannot be read is shown to nobody, rather than to everybody.
    owner = about.get("owner")
    return Begun(
        folder=folder,
        owner=owner if isinstance(owner, str) else "",
        shared=about.get("shared") is True,
    )


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()[:SHORT]
