"""A run folder: `config.json`, `metrics.jsonl`, `loss.png`, checkpoints, the state."""

import json
from pathlib import Path
from typing import Any

from train.config import TrainConfig


class Run:
    """The files of one training in `folder`.

    `metrics.jsonl` has one JSON object a line, in the order of the steps: `step`, `tokens`,
    `elapsed_s`, then `train_loss` and `learning_rate` or, at an evaluation, `val_loss`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best = folder / "best"
        self.steps = folder / "steps"
        self.metrics = folder / "metrics.jsonl"

    def begin(self, config: TrainConfig, about: dict[str, Any], *, step: int = 0) -> None:
        """Make the folder, write what is trained, forget what was logged after `step`.

        A resumed run logs the rest again, the evaluation at `step` included.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_json("config.json", {**about, "config": config.to_dict()})
        kept = [
            record
            for record in self.records()
            if record["step"] < step or (record["step"] == step and "train_loss" in record)
        ]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        self.metrics.write_text(text, encoding="utf-8")

    def log(self, **record: float) -> None:
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def records(self) -> list[dict[str, float]]:
        """All that was logged; a line cut off by a crash is left out."""
        if not self.metrics.exists():
            return []
        records: list[dict[str, float]] = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return records

    def finished(self, max_steps: int) -> bool:
        """Whether the last thing logged is the evaluation after the last step."""
        records = self.records()
        return bool(records) and "val_loss" in records[-1] and records[-1]["step"] == max_steps

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        part = self.folder / (name + ".part")
        part.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        part.replace(self.folder / name)
