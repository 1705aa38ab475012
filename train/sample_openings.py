"""`python -m train.sample_openings CHECKPOINT … --data FOLDER …`: 100 openings continued by models.

Each model goes on from openings of its own validation text, at the settings in its
generation_config.json, with a fixed seed for each. What it wrote is measured beside the human
continuation, held against four thresholds, and printed verbatim into one page.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from gpt.checkpoint import Checkpoint, CheckpointError
from gpt.checkpoint.generation_config import as_options, read_defaults
from gpt.checkpoint.hub import load
from train.adapt.forgetting import HeldOut
from train.data.folder import DataError
from train.loop.device import pick_device
from train.quality.continuations import Comparison, Continuation, compare_with_human
from train.quality.metrics import Quality
from train.quality.openings import LEAST_WORDS, openings
from train.quality.reference_text import ModelTexts, add_data_option, open_model_texts
from train.quality.sense import coherence_table
from train.quality.slips import KINDS
from train.quality.thresholds import measure_rows, threshold_items
from train.run.document import Table, render
from train.run.marks import command_of, escaped

QUOTED = 12
"""A copied run of this many words or more is shown."""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.sample_openings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoints", nargs="+", help="checkpoint folders")
    add_data_option(parser)
    parser.add_argument("--out", type=Path, default=Path("docs/samples.md"), help="the page")
    parser.add_argument("--openings", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="of the first opening (default: 1)")
    parser.add_argument(
        "--length", type=int, help="tokens at most, instead of the checkpoint's max_new_tokens"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: the fastest)")
    return parser


def openings_page(parts: Sequence[Markup], command: str) -> Markup:
    """docs/samples.md."""
    return render("openings.md", command=command, least_words=LEAST_WORDS, parts=parts)


def model_part(checkpoint: Checkpoint, comparison: Comparison, valid: HeldOut) -> Markup:
    """One model's section of the page."""
    pairs = zip(comparison.written, comparison.model, strict=True)
    return render(
        "openings_of_a_model.md",
        name=checkpoint.name,
        comparison=comparison,
        valid=valid.name,
        coherence=coherence_table(checkpoint, valid),
        settings=as_options(replace(comparison.params, seed=None)),
        measures=Table(("", checkpoint.name, "human"), measure_rows(comparison)),
        thresholds=Markup("\n".join(threshold_items(comparison))),
        written=[(one, facts_of(one, found)) for one, found in pairs],
    )


def facts_of(one: Continuation, found: Quality) -> list[str]:
    """What is to be said of a text that the model wrote, in a few words each."""
    why = "the story is over" if one.over else "its sentence is whole"
    facts = [f"seed {one.seed}", f"{one.tokens} tokens", f"{found.words} words"]
    facts.append(why if found.ended else "cut off")
    if unknown := found.words - found.known[0]:
        facts.append(f"{unknown} unknown to the training text")
    if found.repeated_4:
        facts.append(f"{found.repeated_4:.0%} of 4-grams repeated")
    if found.names[1]:
        facts.append(f"names kept {found.names[0]} of {found.names[1]}")
    if found.slips:
        counts = {name: pair(found.slips)[0] for name, pair in KINDS.items()}
        facts += [f"{name}: {count}" for name, count in counts.items() if count]
    if left_open := found.quotes[1] - found.quotes[0]:
        facts.append(f"quotes left open: {left_open}")
    if found.loop:
        facts.append(Markup(f"**loop** on “{escaped(found.loop)}”"))
    copied = f"longest copy {found.copied} words"
    facts.append(copied + (f": “{found.quote}”" if found.copied >= QUOTED else ""))
    return facts


def sampled(name: str, options: argparse.Namespace) -> tuple[Checkpoint, Comparison, ModelTexts]:
    """Open a checkpoint and its data, and let it write.

    Raises:
        CheckpointError, DataError, ValueError: one cannot be opened, or does not suit.
    """
    checkpoint = load(name, device=str(pick_device(options.device)))
    params = replace(read_defaults(checkpoint.folder), seed=options.seed)
    if options.length is not None:
        params = replace(params, max_new_tokens=options.length)
    model_texts = open_model_texts(checkpoint, options.data)
    found = openings(model_texts.valid.documents(), options.openings)
    return (
        checkpoint,
        compare_with_human(
            checkpoint, found, params, model_texts.source, lexicon=model_texts.lexicon
        ),
        model_texts,
    )


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser()
    options = parser.parse_args(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    if options.openings < 2:
        parser.error(f"--openings must be at least 2, not {options.openings}")
    parts: list[Markup] = []
    try:
        for name in options.checkpoints:
            checkpoint, comparison, model_texts = sampled(name, options)
            parts.append(model_part(checkpoint, comparison, model_texts.valid))
            print(
                f"{checkpoint.name}, {len(comparison.written)} openings of "
                f"{model_texts.valid.name}, written with {comparison.core}"
            )
            for row in measure_rows(comparison):
                print(f"  {row[0]:45} {row[1]:>20} {row[2]:>20}")
            print("\n".join(threshold_items(comparison)), flush=True)
        command = command_of("train.sample_openings", words)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(openings_page(parts, command), encoding="utf-8")
    except (CheckpointError, DataError, OSError, ValueError) as error:
        sys.exit(f"train.sample_openings: {error}")
    print(f"page: {options.out}")


if __name__ == "__main__":
    main()
