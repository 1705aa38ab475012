"""How a training that was begun from a page stands: what its folder says, for the page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from chat.jobs.processes import PYTHONS
from chat.models import without_place
from chat.models.saved_steps import MOST_STEP, number, read_curve
from chat.models.saved_steps import records as logged
from gpt.files import CheckpointError, read_bytes

State = Literal["training", "paused", "stopped", "done", "broken"]

BROKE = "It broke off by an error; the log.txt in its folder says which."
LOG = "log.txt"
MOST_SAMPLE = 20_000
"""Characters of a sample that a page shows."""


def progress(folder: Path, about: Mapping[str, Any], *, runs: bool) -> dict[str, Any]:
    """How it stands; JSON.

    Args:
        about: What was noted in the folder when it was begun or halted.
        runs: Its process runs.
    """
    plan, records = about["plan"], logged(folder, "metrics.jsonl")
    last = records[-1] if records else {}
    step, elapsed_s = _step(last), number(last.get("elapsed_s")) or 0.0
    state: State = "training" if runs else state_of(folder, about, last)
    curve = read_curve(folder)
    samples = logged(folder, "samples.jsonl")
    left_s = elapsed_s / step * (plan["steps"] - step) if step else None
    return {
        "key": folder.name,
        "shared": about.get("shared") is True,
        "title": about["title"],
        "state": state,
        "step": step,
        "steps": plan["steps"],
        "elapsed_s": elapsed_s,
        "left_s": number(left_s) if state == "training" else None,
        "rate": number((number(last.get("tokens")) or 0) / elapsed_s) if elapsed_s else None,
        "train": curve.train,
        "valid": curve.valid,
        "sample": _sample(samples[-1]) if samples else None,
        "model": (folder / "best" / "model.safetensors").exists(),
        "why": _last_words(folder) if state == "broken" else None,
    }


def state_of(folder: Path, about: Mapping[str, Any], last: Mapping[str, Any]) -> State:
    """How a training stands that runs no more; `last` is what it logged last."""
    # One that was ended early, since it got no better, has written its report all the same.
    if "val_loss" in last and last.get("step") == about["plan"]["steps"]:
        return "done"
    if (folder / "report.json").exists():
        return "done"
    return about["halted"] or "broken"


def _step(record: dict[str, Any]) -> int:
    step = record.get("step")
    return step if type(step) is int and 0 <= step <= MOST_STEP else 0


def _sample(record: dict[str, Any]) -> dict[str, Any]:
    """What the model wrote: whatever else stands in the line is not for a page."""
    text = record.get("text")
    text = text[:MOST_SAMPLE].encode("utf-8", "replace").decode() if isinstance(text, str) else ""
    return {"step": _step(record), "text": text}


def _last_words(folder: Path) -> str:
    """What the process said last, for one that broke off."""
    try:
        whole = read_bytes(folder, LOG, grows=True).decode("utf-8", "replace")
    except CheckpointError:
        return ""
    said = [line for line in whole[-20_000:].replace("\r", "\n").splitlines() if line.strip()]
    last = said[-1][:300] if said else ""
    return BROKE if PYTHONS.match(last) else without_place(last, folder)
