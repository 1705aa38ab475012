"""What a training reached and how soon, and the table that holds two recipes side by side."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

from bench.tables import environment, table
from train.data.folder import Data
from train.loop.config import TrainConfig
from train.run.marks import escaped
from train.studies.tokenizer_table import mean_and_deviation

Record = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One training as its metrics.jsonl tells it."""

    loss: float
    """Nats per token over the whole validation split, after the last step."""
    bpb: float
    """Bits per byte of the same."""
    seconds: float
    """From start to end, evaluations included."""
    tokens_per_second: float
    """While training; the evaluations between left out."""
    curve: tuple[tuple[int, float, float], ...]
    """(step, seconds, validation loss) of each evaluation."""

    def reach(self, loss: float) -> tuple[int, float] | None:
        """The step and second of the first evaluation at `loss` or below; None if never."""
        return next(((step, s) for step, s, value in self.curve if value <= loss), None)


def outcome(records: Sequence[Record], tokens_per_step: int) -> Outcome:
    """Read the lines of a metrics.jsonl that has come to its end.

    Raises:
        ValueError: there is no evaluation in it.
    """
    evaluations = [record for record in records if "val_loss" in record]
    if not evaluations:
        raise ValueError("expected at least one evaluation in metrics.jsonl, found none")
    last = evaluations[-1]
    steps = seconds = 0.0
    for before, after in pairwise(records):
        if "train_loss" in before and "train_loss" in after:
            steps += after["step"] - before["step"]
            seconds += after["elapsed_s"] - before["elapsed_s"]
    return Outcome(
        loss=last["val_loss"],
        bpb=last["val_bpb"],
        seconds=last["elapsed_s"],
        tokens_per_second=steps * tokens_per_step / seconds if seconds else math.nan,
        curve=tuple((int(r["step"]), r["elapsed_s"], r["val_loss"]) for r in evaluations),
    )


def markdown(
    data: Data,
    outcomes: Mapping[str, Sequence[Outcome]],
    sizes: Sequence[int],
    config: TrainConfig,
) -> str:
    """The table of the baseline (first) and ours, with what it means below it.

    Args:
        data: What both were trained on.
        outcomes: By preset, the baseline first, one per seed.
        sizes: Parameters of each.
        config: What both have in common: steps, tokens per step, window, threads.
    """
    (base, theirs), (ours, own) = outcomes.items()
    goal = mean(o.loss for o in theirs)
    rows = [["parameters", *(f"{size:,}" for size in sizes)]]
    both = (theirs, own)
    rows.append(
        ["nats per token", *(mean_and_deviation((o.loss for o in each), ".4f") for each in both)]
    )
    rows.append(
        ["bits per byte", *(mean_and_deviation((o.bpb for o in each), ".4f") for each in both)]
    )
    rows.append(["steps", *[f"{config.max_steps:,}"] * 2])
    rows.append(
        ["seconds in all", *(mean_and_deviation((o.seconds for o in each), ".0f") for each in both)]
    )
    speeds = [mean_and_deviation((o.tokens_per_second for o in each), ",.0f") for each in both]
    rows.append(["tokens per second", *speeds])
    reached = [[o.reach(goal) for o in each] for each in both]
    for place, name in enumerate(("steps", "seconds")):
        cells = [
            mean_and_deviation([hit[place] for hit in each if hit], ",.0f")
            if all(each)
            else "not by all"
            for each in reached
        ]
        rows.append([f"{name} to {goal:.4f}, the baseline's mean", *cells])
    better = 1 - mean(o.bpb for o in own) / mean(o.bpb for o in theirs)
    said = f"{ours} needs {better:.1%} fewer bits per byte than {base}"
    if all(reached[1]):
        share = mean(hit[0] for hit in reached[1] if hit) / config.max_steps
        said += f", and reaches the baseline's last loss after {share:.0%} of its steps"
    made = table(["", base, ours], rows)
    return f"{_heading(data, len(own), config)}\n\n{made}\n\n{escaped(said)}.\n"


def _heading(data: Data, seeds: int, config: TrainConfig) -> str:
    names = " and ".join(s["name"] for s in data.facts["sources"] if "train" in s["serves"])
    return (
        f"## {escaped(names)}, {data.facts['tokenizer']}, {data.facts['vocab_size']:,} tokens\n\n"
        f"{seeds} seeds, mean ± standard deviation. {config.max_steps:,} steps of "
        f"{config.tokens_per_step:,} tokens, window {config.block_size}, "
        f"{data.facts['train']['tokens']:,} tokens of training text; every token of the validation "
        f"text ({data.facts['valid']['bytes']:,} bytes) scored once, in disjoint windows, every "
        f"{config.eval_every} steps. "
        f"{environment(config.threads or None)}."
    )
