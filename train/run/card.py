"""What a checkpoint says of itself: `training.json` for programs, the model card for people."""

import subprocess
from datetime import UTC, datetime
from typing import Any

from gpt.model import GPT
from train.data.folder import Data
from train.loop.config import TrainConfig
from train.loop.device import machine_facts
from train.loop.progress import Progress
from train.run.document import code_span, command_line, escaped


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
    config, data = training["config"], training["data"]
    sources = ", ".join(escaped(s["name"]) for s in data["sources"] if "train" in s["serves"])
    how = f"Trained with Inkling on {sources}."
    if before := training.get("from"):
        how = f"Fine-tuned with Inkling from {code_span(before['name'])} on {sources}."
    return f"""---
library_name: transformers
pipeline_tag: text-generation
tags: [inkling]
---
# A small {config["family"]} model that continues stories

{how}

{facts_table(training)}

The command:

    {command_line(training["command"])}
"""


def facts_table(training: dict[str, Any]) -> str:
    """What training.json says, as a table; it has no end, so that rows can be added."""
    config, data = training["config"], training["data"]
    machine, minutes = training["machine"], training["elapsed_s"] / 60
    threads = f"{machine['threads']} thread{'s' if machine['threads'] != 1 else ''}"
    origin = ""
    if before := training.get("from"):
        learnt = training["finetune"]
        origin = (
            f"\n| begun from | {escaped(before['name'])}, weights {before['sha256'][:16]} |"
            f"\n| what learnt | {escaped(learnt['said'])}: {learnt['parameters']:,} parameters |"
        )
    if taught := training.get("distilled"):
        names = [
            f"{escaped(each['name'])}, weights {each['sha256'][:16]}" for each in taught["teachers"]
        ]
        origin += f"\n| teachers, {taught['share']:.0%} of the loss | {'; '.join(names)} |"
    validation = "not measured at this step"
    if "val_loss" in training:
        nats, bits = training["val_loss"], training["val_bpb"]
        validation = f"{nats:.4f} nats per token, {bits:.4f} bits per byte"
    return f"""| | |
| --- | --- |{origin}
| parameters | {training["parameters"]:,} |
| shape | {config["n_layer"]} layers, {config["n_head"]} heads, {config["n_embd"]} wide |
| window | {training.get("window", config["block_size"])} tokens |
| tokenizer | {escaped(data["tokenizer"])}, {data["vocab_size"]:,} tokens |
| training text | {data["train"]["bytes"]:,} bytes, {data["train"]["tokens"]:,} tokens |
| steps | {training["step"]:,} of {config["max_steps"]:,}, {training["tokens"]:,} tokens |
| time | {minutes:.0f} minutes, {escaped(machine["device"])}, {threads} |
| validation | {validation} |
| date | {escaped(training["date"])} |"""
