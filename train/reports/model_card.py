"""The long model card, README.md of a checkpoint: training data and recipe, loss, commands to
reproduce it, quality beside human text, samples.

`python -m train.evaluate CHECKPOINT --report` writes it. What people wrote in the card is kept: the
front matter, all before the first table, and the section GOOD_AND_BAD. (The short card that
every checkpoint gets is `train.run.card`, that of the Hub `train.hub.hub_card`.)
"""

import math
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gpt.checkpoint import Checkpoint
from gpt.checkpoint.generation_config import as_options, read_defaults
from gpt.checkpoint.provenance import command_words, prepare_command
from gpt.files import write_whole
from gpt.generator import Generator
from train.data.command import all_given, option, without
from train.loop.config import TrainConfig
from train.quality.continuations import compare_with_human
from train.quality.openings import openings
from train.quality.reference_text import ModelTexts
from train.quality.sense import coherence_table
from train.quality.thresholds import measure_rows, threshold_items
from train.run.card import facts_table
from train.run.document import Table, render
from train.run.marks import escaped, generate_command, writable
from train.run.samples import prompts

GOOD_AND_BAD = "## What it is good and bad at"
PICTURE = "loss.png"
TEMPERATURES = (0.5, 0.8, 1.1)
SEED = 7
LENGTH, LENGTH_OF_CHARACTERS = 200, 300
"""Tokens that are written after each prompt."""
OPENING_SEED = 1
CPU_WINDOWS = 4
"""The micro-batch size that the card suggests for a CPU, in windows."""


@dataclass(frozen=True, slots=True)
class CardRequest:
    """The inputs of a card beside the checkpoint.

    Attributes:
        called: The checkpoint's folder or Hub name, as the commands in the card spell it.
        command: The command that makes this card, quoted at its end.
        prompts: Prompts of the samples.
        openings: Number of openings of the validation text for the comparison with human text.
    """

    called: str
    command: str
    prompts: Sequence[str]
    openings: int


def write_model_card(
    checkpoint: Checkpoint,
    model_texts: ModelTexts,
    scores: Mapping[str, Mapping[str, Any]],
    wish: CardRequest,
) -> Path:
    """Write README.md into the checkpoint's folder, all or nothing; return its path.

    Args:
        model_texts: The training and validation text.
        scores: By the name of a text: "val_loss", "val_bpb", and both with "_sliding" behind.

    Raises:
        UnknownCharacterError: a prompt has characters the model never saw.
        ValueError: the validation text has too few openings.
    """
    front, begins, ends = own_words(checkpoint.card)
    training = checkpoint.training
    said, other = elsewhere(training)
    text = render(
        "model_card.md",
        begins=Markup(begins) if begins else Markup("# ") + Markup(escaped(checkpoint.name)),
        facts=facts_table(training),
        scores=scores,
        picture=PICTURE if find_picture(checkpoint.folder) else "",
        steps=commands(training),
        elsewhere=said,
        other=other,
        **_beside_human_text(checkpoint, model_texts, wish),
        coherence=coherence_table(checkpoint, model_texts.valid),
        samples=list(_samples(checkpoint, wish)),
        title_of_ends=Markup(GOOD_AND_BAD),
        ends=Markup(ends),
        made_by=wish.command,
    )
    path = checkpoint.folder / "README.md"
    write_whole(path, writable(front) + text)
    return path


def default_prompts(checkpoint: Checkpoint, model_texts: ModelTexts) -> tuple[str, ...]:
    """`sample_prompt` of the training, and two openings of its validation text."""
    return prompts(TrainConfig.from_dict(checkpoint.training["config"]), model_texts.data)


def own_words(card: str) -> tuple[str, str, str]:
    """The parts of a card that people wrote: front matter, all before the first table,
    GOOD_AND_BAD; "" for one that is not there."""
    front = re.match(r"---\n.*?^---\n", card, re.DOTALL | re.MULTILINE)
    rest = card[front.end() :] if front else card
    begins = re.split(r"^(?:\||## )", rest, maxsplit=1, flags=re.MULTILINE)[0]
    ends = re.search(
        rf"^{GOOD_AND_BAD}\n(.*?)(?=^## |^This card was made by$|\Z)",
        rest,
        re.DOTALL | re.MULTILINE,
    )
    return front[0] if front else "", begins.strip(), ends[1].strip() if ends else ""


def find_picture(folder: Path) -> bool:
    """Whether the folder has loss.png; where only its parent, the run, has one, that is copied."""
    own, of_run = folder / PICTURE, folder.parent / PICTURE
    if not own.exists() and of_run.exists():
        shutil.copy(of_run, own)
    return own.exists()


def commands(training: Mapping[str, Any]) -> list[str]:
    """The commands from the text to the model: its data, its teachers, itself."""
    words, kind = command_words(training), training["data"]["tokenizer"]
    folder = option(words, "--data") or "data/mine"
    return [
        prepare_command(training, kind, folder),
        *teachers_commands(training),
        training["command"],
    ]


def elsewhere(training: Mapping[str, Any]) -> tuple[str, str]:
    """A sentence and the command for the same training on a GPU where it ran on a CPU, or on a CPU
    where it ran on a GPU.

    The tokens of a step stay the same; batch_size and accumulate change.
    """
    machine, config = training["machine"]["device"], training["config"]
    windows = config["batch_size"] * config["accumulate"]
    words = without(command_words(training), ("--device", "--batch-size", "--accumulate"))
    if machine == "cpu":
        said, device, batch = (
            "It was trained on a CPU. On a GPU a step fits in one batch",
            "cuda",
            windows,
        )
    else:
        batch = math.gcd(windows, CPU_WINDOWS)
        said, device = f"It was trained on an {machine}. On a CPU, {batch} windows at a time", "cpu"
    if training.get("distilled"):
        said += ", its teachers alike"
    command = [*words, "--device", device, "--batch-size", str(batch)]
    command += ["--accumulate", str(windows // batch)]
    said += "; rounding differs, so the figures will be near and not equal:"
    return said, shlex.join(command)


def teachers_commands(training: Mapping[str, Any]) -> Iterator[str]:
    """For each teacher of a distilled model the command that trains it into the folder that the
    student's command names."""
    places = all_given(command_words(training), "--teachers")
    taught = training.get("distilled", {"teachers": ()})["teachers"]
    for place, teacher in zip(map(Path, places), taught, strict=False):
        own = command_words(teacher)
        out = ["--out", str(place.parent)] if place.name == "best" and "--out" not in own else []
        if own:
            yield shlex.join([*own, *out])


def _beside_human_text(
    checkpoint: Checkpoint, model_texts: ModelTexts, wish: CardRequest
) -> dict[str, Any]:
    """What model_card.md says of the model's text and a person's."""
    params = replace(read_defaults(checkpoint.folder), seed=OPENING_SEED)
    found = openings(model_texts.valid.documents(), wish.openings)
    comparison = compare_with_human(
        checkpoint, found, params, model_texts.source, lexicon=model_texts.lexicon
    )
    return {
        "openings": len(found),
        "valid": model_texts.valid.name,
        "settings": as_options(replace(params, seed=None)) or "the defaults of gpt.generate",
        "measures": Table(("", checkpoint.name, "human"), measure_rows(comparison)),
        "thresholds": Markup("\n".join(threshold_items(comparison))),
    }


def _samples(checkpoint: Checkpoint, wish: CardRequest) -> Iterator[tuple[str, str, str]]:
    """What it writes: the command, the prompt, what comes after it."""
    generator = Generator(checkpoint.model, checkpoint.tokenizer)
    length = LENGTH_OF_CHARACTERS if checkpoint.tokenizer.kind == "char" else LENGTH
    start = replace(read_defaults(checkpoint.folder), seed=SEED, max_new_tokens=length)
    for prompt in wish.prompts:
        for temperature in TEMPERATURES:
            params = replace(start, temperature=temperature)
            text = "".join(token.text for token in generator.stream(prompt, params))
            options = as_options(params)
            # Said even where it is the usual one, for it is what differs.
            if "--temperature" not in options:
                options = f"--temperature {temperature:g} {options}"
            yield generate_command(str(wish.called), prompt, options), prompt, text
