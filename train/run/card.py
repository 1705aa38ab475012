"""What a checkpoint says of itself: `training.json` for programs, the model card for people."""

import subprocess
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from gpt.model import GPT
from train.data.folder import Data
from train.loop.config import TrainConfig
from train.loop.device import machine_facts
from train.loop.progress import Progress
from train.run.document import render


def code_version() -> str:
    """The commit of the code, or "" outside a git checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return found.stdout.strip()


def about_training(
    model: GPT,
    config: TrainConfig,
    data: Data,
    losses: dict[str, float] | None,
    progress: Progress,
    *,
    about: dict[str, Any],
) -> dict[str, Any]:
    """training.json: data fingerprint, recipe, steps, losses, machine, time, code version.

    Args:
        losses: At this step; None where they were not measured.
        about: What comes first in it: "command", and for a fine-tuned model "from".
    """
    return {
        **about,
        "data": data.facts,
        "config": config.to_dict(),
        "parameters": model.n_params,
        "window": model.config.block_size,
        "step": progress.step,
        "tokens": progress.step * config.tokens_per_step,
        **({"val_loss": losses["loss"], "val_bpb": losses["bpb"]} if losses else {}),
        "elapsed_s": round(progress.elapsed_s, 1),
        "machine": machine_facts(model.device),
        "commit": code_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def write_card(training: dict[str, Any]) -> str:
    """The model card (Markdown with the Hub's front matter) of a trained checkpoint."""
    named = training["data"]["sources"]
    sources = ", ".join(each["name"] for each in named if "train" in each["serves"])
    return render("card.md", **training, sources=sources, facts=facts_table(training))


def facts_table(training: dict[str, Any]) -> Markup:
    """What training.json says, as a table; it has no end, so that rows can be added."""
    return render("facts.md", **training)
