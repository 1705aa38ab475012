"""Training from the page: each one is a process of its own, with a run folder of its own.

Nothing of a training is kept in memory but the hope to hear its exit code: all there is to know of
it lies in its folder, so that an app which was restarted, or another one, finds it again. What
trains is `python -m train.…`, the same as on the command line.

Whose a training is stands in its folder too (chat/models/ownership.py). The folder is its owner's
alone: its mode is 0700, and that of all files in it 0600, whatever the umask.
"""

import asyncio
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Container, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chat.accounts.home import private, shut
from chat.errors import RefusedError
from chat.jobs.processes import begin, is_alive, run_json
from chat.jobs.training_line import Line
from chat.jobs.training_progress import LOG, progress
from chat.models.ownership import OURS, about_run, begun_in, new_folder, options_of
from chat.turns import Say, Turns
from gpt.engine.fair_queue import Path as WriterKey
from gpt.files import write_whole

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

PLANS_AT_ONCE = 2
"""Estimates, each a process that measures a few steps: one of a writer's, this many in all."""
PLAN_MEMORY_GB = 3
"""What an estimate may take: a text of a hundred thousand different signs asks for any amount."""
OTHERS = "Another writer's runs now: wait for its end, and it is your turn before theirs again."
LOCK = ".training"
MODULES = ("train.pretrain", "train.finetune")
"""What a folder may ask to be run."""
TEXT = "text.txt"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedTraining:
    """A text that could be trained on.

    Attributes:
        plan: What `train.estimate` said.
        checkpoint: The model to go on from; None to begin from nothing.
    """

    name: str
    text: str
    plan: dict[str, Any]
    checkpoint: Path | None = None


class TrainingJobs:
    """The trainings that were begun from a page.

    Args:
        root: The project's folder: commands run there, and runs lie in its runs/.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = root / "runs"
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self.estimates = Turns(PLANS_AT_ONCE, each=1)
        self._line = Line()
        for run in begun_in(self.runs):
            shut(run.folder)

    async def plan(
        self, text: str, checkpoint: Path | None, writer: WriterKey = (), say: Say | None = None
    ) -> dict[str, Any]:
        """What `train.estimate` says of a text. Cancelling it ends its process.

        Args:
            checkpoint: The model to go on from; None to begin from nothing.
            writer, say: See `chat.turns.Turns.turn`.

        Raises:
            RefusedError: It cannot be trained on, or too many wait; the message says why.
        """
        async with self.estimates.turn(writer, say):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / TEXT
                await asyncio.to_thread(write_whole, path, text, mode=0o600)
                options = ["--memory-gb", str(PLAN_MEMORY_GB)]
                options += ["--from", str(checkpoint)] if checkpoint else []
                return await run_json(self.root, "train.estimate", str(path), *options)

    def start(self, owner: str, planned: PlannedTraining, taken: Container[str] = ()) -> str:
        """Begin a training in a folder of its own; its name is what the owner's picker will say.

        Args:
            taken: Names that the picker has for other models.

        Raises:
            RefusedError: Another one is running, or it is another writer's turn.
        """
        with self._one_at_a_time():
            self._only_one(owner)
            folder = new_folder(self.runs, owner, planned.name, taken)
            # Before anything else: what lies in a folder without it is everybody's.
            key, began = folder.relative_to(self.runs).as_posix(), planned.checkpoint
            about = {
                "owner": owner,
                "shared": False,
                "title": planned.name,
                "plan": planned.plan,
                "from": str(began) if began else None,
                "halted": None,
            }
            self._write(key, about)
            write_whole(folder / TEXT, planned.text, mode=0o600)
            self._spawn(key, about, resume=False)
        return folder.name

    def share(self, owner: str, name: str, shared: bool) -> None:
        """Let everybody who comes in write with a model of the owner's, and train from it; or no
        longer. Its text stays the owner's.

        Raises:
            RefusedError: There is no such training of the owner's.
        """
        key, about = self._own(owner, name)
        self._write(key, {**about, "shared": shared})

    def folder(self, owner: str, name: str) -> Path:
        """Where a training lies.

        Raises:
            RefusedError: There is no such training of the owner's.
        """
        return self.runs / self._own(owner, name)[0]

    def began_from(self, owner: str, name: str) -> Path | None:
        """The model that a training went on from, which it reads again where it is resumed.

        Raises:
            RefusedError: There is no such training of the owner's.
        """
        _, about = self._own(owner, name)
        return Path(about["from"]) if isinstance(about.get("from"), str) else None

    def halt(self, owner: str, name: str, how: Literal["paused", "stopped"]) -> None:
        """Have a training save its state and end; a paused one means to go on.

        Raises:
            RefusedError: There is no such training of the owner's.
        """
        key, about = self._own(owner, name)
        self._write(key, {**about, "halted": how})
        if self._alive(key, about):
            os.kill(about["pid"], signal.SIGTERM)

    def resume(self, owner: str, name: str) -> None:
        """Go on where a training was left, however it ended.

        Raises:
            RefusedError: There is no such training of the owner's, it is done, one is running, or
                it is another writer's turn.
        """
        key, about = self._own(owner, name)
        with self._one_at_a_time():
            self._only_one(owner)
            if self._progress(key, about)["state"] == "done":
                raise RefusedError("It has come to its end already.")
            about = {**about, "halted": None}
            self._write(key, about)
            self._spawn(key, about, resume=True)

    def all(self, owner: str) -> list[dict[str, Any]]:
        """How the owner's trainings stand, the latest first; what a page shows."""
        mine = [(key, self._read(key)) for key in self._keys(owner)]
        mine.sort(key=lambda each: -each[1].get("began_s", 0.0))
        return [self._progress(key, about) for key, about in mine]

    # How it is done

    def _progress(self, key: str, about: dict[str, Any]) -> dict[str, Any]:
        return progress(self.runs / key, about, runs=self._alive(key, about))

    def _alive(self, key: str, about: dict[str, Any]) -> bool:
        """Whether its process runs, whoever began it."""
        child = self._children.get(key)
        if child is not None:
            return child.poll() is None
        # Where a process of ours writes is the last part of one of its words.
        return is_alive(about.get("pid"), f"/{self.runs.name}/{key}")

    def _spawn(self, key: str, about: dict[str, Any], *, resume: bool) -> None:
        folder, plan = self.runs / key, about["plan"]
        options = options_of(about)
        if plan.get("module") not in MODULES or options is None:
            raise RefusedError("Its folder asks for something to be run that trains no model.")
        options = [*options, "--data", str(folder / TEXT), "--out", str(folder)]
        options += ["--resume"] * resume
        child = begin(self.root, plan["module"], *options, log=folder / LOG)
        self._children[key] = child
        self._write(key, {**about, "pid": child.pid, "began_s": about.get("began_s", time.time())})

    def _keys(self, owner: str | None = None) -> list[str]:
        """Where the trainings lie in runs/; only an owner's, if one is given."""
        return [
            run.folder.relative_to(self.runs).as_posix()
            for run in begun_in(self.runs)
            if owner is None or run.owner == owner
        ]

    def _own(self, owner: str, name: str) -> tuple[str, dict[str, Any]]:
        # A page never gives a path: only what a listing has.
        for key in self._keys(owner):
            if key.rpartition("/")[2] == name:
                return key, self._read(key)
        raise RefusedError(f"There is no training “{name[:60]}” of yours.")

    @contextmanager
    def _one_at_a_time(self) -> Generator[None]:
        """Between the search for a training and the start of the next, no other app begins one."""
        self.runs.mkdir(parents=True, exist_ok=True)
        with open(self.runs / LOCK, "a", opener=private) as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _only_one(self, owner: str) -> None:
        for key in self._keys():
            about = self._read(key)
            if self._alive(key, about):
                mine = about.get("owner") == owner
                if not mine:
                    self._line.turned_away(owner)
                raise RefusedError(
                    "One training at a time: two would take more than twice as long. "
                    + ("Pause the one that runs, or wait for its end." if mine else OTHERS)
                )
        self._line.begins(owner)

    def _read(self, key: str) -> dict[str, Any]:
        return about_run(self.runs / key) or {}

    def _write(self, key: str, about: dict[str, Any]) -> None:
        text = json.dumps(about, indent=2) + "\n"
        write_whole(self.runs / key / OURS, text, mode=0o600)
