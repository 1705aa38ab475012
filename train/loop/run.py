"""A run folder: config, metrics, samples, pictures, reports, checkpoints, the state."""

import json
import os
import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from gpt.files import MissingFileError, read_bytes, write_whole
from gpt.files.strict_json import json_lines
from train.loop.config import TrainConfig
from train.loop.state import FOLDER, damage, saved
from train.loop.stored import RECORD, SAMPLE, fault

MOST_LOG = 1 << 32
"""Bytes of a log of our own."""


class TrainingError(Exception):
    """A training that cannot go on, with what is left of it and what to do."""


class Run:
    """The files of one training in `folder`.

    `metrics.jsonl` has one JSON object a line, in the order of the steps: `step`, `tokens`,
    `elapsed_s`, then `train_loss` and `learning_rate` or, at an evaluation, `val_loss`.
    `samples.jsonl` has what the model wrote at each evaluation: `step`, the `text` that was drawn,
    and `greedy`, a list of `prompt` and `text`; `samples.md` is the same for people.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best = folder / "best"
        self.steps = folder / "steps"
        self.metrics = folder / "metrics.jsonl"
        self.sampled = folder / "samples.jsonl"

    @property
    def begun(self) -> bool:
        """Whether there is a run in the folder."""
        return (self.folder / "config.json").exists()

    @property
    def has_states(self) -> bool:
        """Whether there is something to resume, whole or not."""
        return bool(saved(self.folder / FOLDER))

    def begin(self, config: TrainConfig, about: dict[str, Any], *, step: int = 0) -> None:
        """Make the folder, write what is trained, forget what was logged after `step`.

        A resumed run logs the rest again, the evaluation at `step` included.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for half in (*self.folder.glob(".best-*"), *self.steps.glob(".*-*")):
            shutil.rmtree(half)  # what was being saved when the run was killed
        for draft in self.folder.glob(".*.part"):
            draft.unlink()
        self.write_json("config.json", {**about, "config": config.to_dict()})
        kept = [
            record
            for record in self.records()
            if record["step"] < step or (record["step"] == step and "train_loss" in record)
        ]
        write_whole(self.metrics, "".join(json.dumps(record) + "\n" for record in kept))
        samples = [each for each in self.samples() if each["step"] < step]
        write_whole(self.sampled, "".join(json.dumps(each) + "\n" for each in samples))

    def log(self, **record: float) -> None:
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
            if "val_loss" in record:  # a state follows, which counts on the lines before it
                file.flush()
                os.fsync(file.fileno())

    def records(self) -> list[dict[str, float]]:
        """All that was logged; a line cut off by a crash is left out."""
        return _lines(self.metrics, RECORD)

    def keep_sample(self, step: int, text: str, greedy: Sequence[Mapping[str, str]] = ()) -> None:
        """Keep what the model wrote at an evaluation: drawn, and most probable after prompts."""
        with self.sampled.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "text": text, "greedy": list(greedy)}) + "\n")
            file.flush()
            os.fsync(file.fileno())  # as with metrics: a state follows

    def samples(self) -> list[dict[str, Any]]:
        """All that was kept of what the model wrote, in the order of the steps."""
        return _lines(self.sampled, SAMPLE)

    def finished(self, max_steps: int) -> bool:
        """Whether the last thing logged is the evaluation after the last step."""
        records = self.records()
        return bool(records) and "val_loss" in records[-1] and records[-1]["step"] == max_steps

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        self.write_text(name, json.dumps(values, indent=2) + "\n")

    def write_text(self, name: str, text: str) -> None:
        write_whole(self.folder / name, text)

    def left(self) -> str:
        """Which weights there are to go on from or to use, as part of a sentence."""
        whole = [folder for folder in saved(self.folder / FOLDER) if not damage(folder)]
        said = f"the last whole state is of step {int(whole[-1].name)}" if whole else "no state yet"
        if self.best.exists():
            said += f", the best checkpoint so far is {self.best}"
        return said


def _lines(path: Path, shape: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The JSON objects of a log of ours that have its shape; none where it is not there.

    Raises:
        CheckpointError: it is no regular file in its place.
    """
    try:
        data = read_bytes(path.parent, path.name, most=MOST_LOG, grows=True)
    except MissingFileError:
        return []
    return [each for each in json_lines(data, longest=None) if not fault(each, shape)]


@contextmanager
def faults_told(run: Run) -> Generator[None]:
    """Turn what the disk refuses into a TrainingError that says what is left and what to do."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        why = str(error)
        if isinstance(error, OSError) and error.strerror:
            why = error.strerror + (f": {error.filename}" if error.filename else "")
        raise TrainingError(
            f"{run.folder} cannot be written ({why}); {run.left()}. Mend that (is there room on "
            "the disk? may you write there?), then go on with --resume"
        ) from error
