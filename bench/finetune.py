"""`python -m bench.finetune --data data/story.txt`: ways to carry a model over, side by side.

One model and one short text: the model untouched, models from scratch of the same shape, tokenizer
and steps, and every way that train.finetune has. Each is trained by the command that anyone would
type, kept at its lowest validation loss on the new text, and scored on the new text and
on the old one. A run that is there already is not made again, and one that was cut short goes on.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from bench.tables import table
from gpt.checkpoint import Checkpoint, CheckpointError, load
from train.adapt.base_model import suggest
from train.adapt.forgetting import held_out, losses_of_both, old_text
from train.adapt.trainable import Trainable
from train.data.folder import Data, DataError, load_data
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop.config import SHAPE
from train.loop.run import Run
from train.studies.tokenizer_table import mean_and_deviation

ROOT = Path(__file__).resolve().parents[1]
SCRATCH_RATES = (4e-3, 1e-3)
"""Learning rates for the models from scratch; the table has the better one."""

Report = dict[str, Any]


class FineTuneError(Exception):
    """A training failed; the message says where its words are."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a model of the new text."""

    name: str
    options: tuple[str, ...]
    scratch: bool = False
    """From nothing, with train.pretrain."""


def ways(n_layer: int) -> list[Way]:
    """What is compared, for a model of `n_layer` blocks."""
    half = str(n_layer // 2)
    return [
        *(
            Way(f"from scratch, learning rate {rate:g}", ("--learning-rate", str(rate)), True)
            for rate in SCRATCH_RATES
        ),
        Way("all weights", ()),
        Way("all weights, one rate for all layers", ("--layer-decay", "1")),
        Way("all weights, AdamW", ("--optimizer", "adamw")),
        Way("embeddings frozen", ("--freeze-embeddings",)),
        Way(f"lowest {half} blocks frozen", ("--freeze-first", half)),
        Way(
            f"embeddings and lowest {half} blocks frozen",
            ("--freeze-embeddings", "--freeze-first", half),
        ),
        Way("LoRA, rank 4", ("--lora", "4")),
        Way("LoRA, rank 32", ("--lora", "32")),
    ]


def command(
    way: Way, source: Checkpoint, data: Data, folder: Path, over: Sequence[str]
) -> list[str]:
    """The words that train one way into `folder`, as they would be typed."""
    words = ["--data", str(data.folder.resolve()), "--out", str(folder.resolve()), *over]
    if not way.scratch:
        source_folder = str(source.folder.resolve())
        return ["train.finetune", "--from", source_folder, *words, *way.options]
    shape = suggest(source, data, Trainable()).to_dict()
    for name in sorted(SHAPE - {"block_size", "dropout"}):
        option = "--" + name.replace("_", "-")
        if isinstance(shape[name], bool):
            words.append(option if shape[name] else option.replace("--", "--no-", 1))
        else:
            words += [option, str(shape[name])]
    return ["train.pretrain", *words, *way.options]


def train(
    way: Way, source: Checkpoint, data: Data, old: Path | None, folder: Path, over: Sequence[str]
) -> Report:
    """The report of one way in `folder`, which is made, gone on with, or read.

    Raises:
        FineTuneError: the training failed, or was stopped.
    """
    done = folder / "report.json"
    if not done.exists():
        words = command(way, source, data, folder, over)
        if old and not way.scratch:
            words += ["--old-text", str(old.resolve())]
        run(words, folder)
        if way.scratch:
            report_scratch(folder, source, data, old)
    if not done.exists():
        raise FineTuneError(f"the training in {folder} was stopped: run the command again")
    return json.loads(done.read_text(encoding="utf-8"))


def run(words: list[str], folder: Path) -> None:
    """Type the command; what it says goes to output.txt in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "metrics.jsonl").exists():
        words = [*words, "--resume"]
    said = folder / "output.txt"
    with said.open("a", encoding="utf-8") as file:
        ended = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode:
        raise FineTuneError(f"a training failed: {said} holds what it said")


def report_scratch(folder: Path, source: Checkpoint, data: Data, old: Path | None) -> None:
    """What train.finetune writes of itself, for a model that train.pretrain made to its end."""
    steps = json.loads((folder / "config.json").read_text(encoding="utf-8"))["config"]["max_steps"]
    if Run(folder).finished(steps):
        best = load(folder / "best")
        report = losses_of_both(source, best, held_out(data), old_text(source, old))
        learnt = {"finetune": {"parameters": best.model.n_params}}
        Run(folder).write_json("report.json", {**report, **learnt})


def markdown(found: dict[str, list[Report]]) -> str:
    """The table: the model untouched, then each way with all its seeds."""
    head = ["", "parameters that learn", "new text, nats per token", "bits per byte"]
    head += ["old text, nats per token", "change", "best step"]
    first = next(iter(found.values()))[0]
    old = first["old"]["before"]["loss"] if first["old"] else None
    new = first["new"]["before"]
    rows = [["untouched", "0", f"{new['loss']:.3f}", f"{new['bpb']:.3f}", _figure(old), "", ""]]
    for name, reports in found.items():
        after = [report["new"]["after"] for report in reports]
        forgot = [report["old"]["after"]["loss"] for report in reports if report["old"]]
        rows.append(
            [
                name,
                f"{reports[0]['finetune']['parameters']:,}",
                mean_and_deviation([a["loss"] for a in after], ".3f"),
                mean_and_deviation([a["bpb"] for a in after], ".3f"),
                mean_and_deviation(forgot, ".3f") if forgot else "",
                f"{mean(forgot) - old:+.3f}" if forgot else "",
                ", ".join(str(report["step"]) for report in reports),
            ]
        )
    return table(head, rows) + "\n"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.finetune", description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, default=ROOT / "checkpoints/stories")
    parser.add_argument("--data", type=Path, default=ROOT / "data/story.txt", help="a text file")
    parser.add_argument("--old-text", type=Path, help="text that the model was good at")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--max-steps", type=int, default=80)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--block-size", type=int, default=128, help="tokens in a window")
    parser.add_argument("--eval-every", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/finetune"), help="where the runs are"
    )
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    return parser


def train_all(options: argparse.Namespace) -> str:
    """Train what is missing; the table of all.

    Raises:
        FineTuneError: a training failed, or was stopped.
    """
    source = load(options.source)
    prepare([Text(path=options.data)], options.out / "data", kind=source.tokenizer)
    data = load_data(options.out / "data")
    over = ["--sample-tokens", "0", "--save-steps", "0"]
    over += ["--warmup-steps", str(min(20, options.max_steps // 5))]
    for name in ("max_steps", "batch_size", "block_size", "eval_every", "threads"):
        over += ["--" + name.replace("_", "-"), str(getattr(options, name))]
    found: dict[str, list[Report]] = {}
    for seed in options.seeds:
        for way in ways(source.config.n_layer):
            place = options.out / f"{way.name.replace(', ', '-').replace(' ', '-')}-{seed}"
            seeded = [*over, "--seed", str(seed)]
            report = train(way, source, data, options.old_text, place, seeded)
            found.setdefault(way.name, []).append(report)
            print(f"{way.name}, seed {seed}: {report['new']['after']['loss']:.4f}", flush=True)
    return markdown(found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the table and print it."""
    options = make_parser().parse_args(arguments)
    try:
        made = train_all(options)
    except (CheckpointError, DataError, FineTuneError, OSError, ValueError) as error:
        sys.exit(f"bench.finetune: {error}")
    print("\n" + made)
    if options.markdown:
        options.markdown.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
