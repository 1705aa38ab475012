"""`python -m bench.equal_seconds CHECKPOINT --data DATA`: a trained model beside nanoGPT's recipe.

The baseline gets the model's data, window, tokens per step and, within 1%, its parameters; and as
many steps as fit into the seconds that the model's training takes, and those of its teachers.
Machines are shared and hours differ, so seconds are steps × seconds per step, all recipes measured
in one run, in turns.

Without --train the seconds are measured, and the command that trains the baseline is printed. With
it the baseline is trained and both are scored on the validation text, in float32, every token once.
What is there already is not done again, and a training that was cut short goes on, so the command
may be stopped and repeated.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.recipe import RecipeError, parameters, pretrain_command, train
from bench.tables import in_turns, middle, table
from gpt.checkpoint import Checkpoint, CheckpointError, load
from gpt.checkpoint.provenance import called
from train.adapt.base_model import model_facts
from train.adapt.distill import Teachers
from train.data.folder import Data, DataError, load_data
from train.loop.config import PRESETS, TrainConfig
from train.loop.device import machine_facts, pick_device, tune
from train.loop.loss_eval import score, summary
from train.loop.options import add_field_options, given_fields
from train.loop.run import Run
from train.loop.throughput import Throughput

SHARED = (
    *("block_size", "n_layer", "n_head", "n_embd", "batch_size", "accumulate"),
    *("eval_every", "device", "precision", "compile", "threads"),
)
"""What the baseline takes over: the shape but for the MLP, the tokens of a step, the machine."""
WIDTHS = 32
"""The MLP's width is a multiple of this."""
PARAMETERS_APART = 0.01
SECONDS = "seconds.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training among those whose steps are timed in turns.

    Attributes:
        teachers: What it learnt from beside the text, `share` of its loss.
    """

    name: str
    config: TrainConfig
    teachers: tuple[Checkpoint, ...] = ()
    share: float = 0.0

    def pace(self, data: Data) -> Throughput:
        """Its steps, for their seconds."""
        if not self.teachers:
            return Throughput(self.config, data)
        return Throughput(self.config, data, Teachers(self.teachers, self.share, self.config, data))


def recipe_of(checkpoint: Checkpoint, data: Data, teachers: Mapping[str, Checkpoint]) -> Recipe:
    """How `checkpoint` was trained, once it is known that `data` is what it learnt from.

    Args:
        teachers: By the fingerprint of their weights; its own must be among them.

    Raises:
        RecipeError: it was not trained from nothing by train.pretrain, or on other data; or one of
            its teachers is missing.
    """
    training, name = checkpoint.training, called(checkpoint.folder)
    if "config" not in training or "from" in training:
        raise RecipeError(
            f"expected a model that train.pretrain made from nothing, with training.json beside "
            f"it, and {checkpoint.folder} is none"
        )
    for split in ("train", "valid"):
        learnt, given = (facts[split]["sha256"] for facts in (training["data"], data.facts))
        if learnt != given:
            raise RecipeError(
                f"{data.folder} is not what {name} was trained on: its {split} tokens "
                f"have the fingerprint {given[:16]}, not {learnt[:16]}. Prepare the same text, "
                "with the tokenizer of the model"
            )
    taught = training.get("distilled", {"teachers": [], "share": 0.0})
    for teacher in taught["teachers"]:
        if teacher["sha256"] not in teachers:
            raise RecipeError(
                f"{name} learnt from {teacher['name']}, weights {teacher['sha256'][:16]}: give its "
                "folder with --teachers, for its seconds count too"
            )
    own = tuple(teachers[each["sha256"]] for each in taught["teachers"])
    return Recipe(name, TrainConfig.from_dict(training["config"]), own, taught["share"])


def baseline_of(
    ours: TrainConfig, preset: str, vocab_size: int, over: dict[str, Any]
) -> TrainConfig:
    """The config of `preset` in the size of `ours`, with the fields of `over` put over it.

    Raises:
        RecipeError: the two differ in tokens per step, or in parameters by more than 1%.
    """
    shared = {name: getattr(ours, name) for name in SHARED}
    config = replace(PRESETS[preset](), sample_tokens=0, save_steps=0, **{**shared, **over})
    goal = parameters(ours, vocab_size)
    if "n_inner" not in over:
        narrow, wide = (
            parameters(replace(config, n_inner=width), vocab_size) for width in (WIDTHS, 2 * WIDTHS)
        )
        times = max(1, 1 + round((goal - narrow) / (wide - narrow)))
        config = replace(config, n_inner=times * WIDTHS)
    found = parameters(config, vocab_size)
    if abs(found / goal - 1) > PARAMETERS_APART:
        raise RecipeError(
            f"the baseline has {found:,} parameters, the model {goal:,}: give an --n-embd, "
            "--n-layer or --n-inner that brings them within 1%"
        )
    if config.tokens_per_step != ours.tokens_per_step:
        raise RecipeError(
            f"a step of the baseline reads {config.tokens_per_step:,} tokens, one of the model "
            f"{ours.tokens_per_step:,}: both must read as many"
        )
    return config


def block_seconds(
    recipes: Sequence[Recipe], data: Data, *, blocks: int, steps: int
) -> list[list[float]]:
    """Seconds per step of each recipe, one for each block of `steps`, in turns."""
    paces = [recipe.pace(data) for recipe in recipes]
    for pace in paces:
        pace.seconds(2)
    sides = {str(i): partial(_per_step, pace, steps) for i, pace in enumerate(paces)}
    return list(in_turns(sides, blocks, warm_up=0).values())


def _per_step(pace: Throughput, steps: int) -> float:
    return pace.seconds(steps) / steps


def kept_seconds(
    out: Path, recipes: Sequence[Recipe], data: Data, *, blocks: int, steps: int
) -> dict[str, Any]:
    """`block_seconds` of the recipes, kept in `out`: a training that goes on keeps its length.

    Raises:
        RecipeError: what is kept there is of other configs.
    """
    path = out / SECONDS
    about = [recipe.config.to_dict() for recipe in recipes]
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["configs"] != about:
            raise RecipeError(f"{path} was measured with other settings: choose another --out")
        return kept
    first = recipes[0].config
    tune(first.threads)
    found = {
        "configs": about,
        "steps_per_block": steps,
        "seconds": block_seconds(recipes, data, blocks=blocks, steps=steps),
        "machine": machine_facts(pick_device(first.device)),
    }
    out.mkdir(parents=True, exist_ok=True)
    Run(out).write_json(SECONDS, found)
    return found


def steps_that_fit(ours: Sequence[TrainConfig], seconds: Sequence[Sequence[float]]) -> int:
    """The baseline's steps in the seconds of all of `ours`, one run after the other.

    Args:
        seconds: Per step, for each of `ours` and last for the baseline, block by block. The median
            over the blocks counts, for within one the machine was as busy for all.
    """
    fit = [
        sum(config.max_steps * own for config, own in zip(ours, block, strict=False)) / block[-1]
        for block in zip(*seconds, strict=True)
    ]
    return max(1, round(median(fit)))


def seconds_table(names: Sequence[str], found: dict[str, Any], steps: Sequence[int]) -> str:
    """The measured seconds per step, with their spread over the blocks."""
    head = ["", "seconds per step, median (lowest to highest)", "steps", "seconds"]
    rows = [
        [name, middle(each, ".3f"), f"{count:,}", f"{count * median(each):,.0f}"]
        for name, each, count in zip(names, found["seconds"], steps, strict=True)
    ]
    machine = found["machine"]
    return (
        f"{table(head, rows)}\n\n"
        f"{len(found['seconds'][0])} blocks of {found['steps_per_block']} steps each, in turns. "
        f"{machine['cores']} cores, {machine['threads']} thread(s), {machine['device']}, "
        f"torch {machine['torch']}."
    )


def scores_table(names: tuple[str, str], models: tuple[Checkpoint, Checkpoint], data: Data) -> str:
    """What both reach on the validation text, every token scored once, in float32."""
    rows: list[list[str]] = []
    bits: list[float] = []
    for name, checkpoint in zip(names, models, strict=True):
        nats = score(checkpoint.model, data.valid, checkpoint.config.block_size)
        size = data.facts["valid"]["bytes"]
        found = summary(nats, data.valid[1:], data.tokenizer.eos_id, size)
        bits.append(found["bpb"])
        sizes = [f"{checkpoint.model.n_params:,}", f"{checkpoint.training['step']:,}"]
        rows.append([name, *sizes, f"{found['loss']:.4f}", f"{found['bpb']:.4f}"])
    less = 1 - bits[0] / bits[1]
    said = f"{abs(less):.1%} {'fewer' if less >= 0 else 'more'} bits per byte than {names[1]}"
    made = table(["", "parameters", "step", "nats per token", "bits per byte"], rows)
    return f"{made}\n\n{names[0]} needs {said}, given the same seconds."


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.equal_seconds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("checkpoint", type=Path, help="the model, as checkpoints/stories")
    parser.add_argument("--data", type=Path, required=True, help="what it was trained on")
    parser.add_argument(
        "--teachers",
        nargs="+",
        default=[],
        type=Path,
        metavar="CHECKPOINT",
        help="the models it learnt from, and theirs: what they took counts too",
    )
    parser.add_argument("--baseline", choices=sorted(PRESETS), default="nanogpt")
    parser.add_argument("--blocks", type=int, default=9, help="of steps that are timed, each")
    parser.add_argument("--steps", type=int, default=3, help="in a block")
    parser.add_argument("--out", type=Path, help="folder (default: runs/equal/CHECKPOINT)")
    parser.add_argument("--train", action="store_true", help="train the baseline, score both")
    add_field_options(
        parser,
        "the baseline's config (each overrides its preset and what it takes over from the model)",
        without=("max_steps", "sample_tokens", "save_steps"),
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    out = options.out or Path("runs") / "equal" / options.checkpoint.name
    if min(options.blocks, options.steps) < 1:
        sys.exit("bench.equal_seconds: --blocks and --steps must be 1 or more")
    try:
        data, model = load_data(options.data), load(options.checkpoint)
        teachers = {model_facts(each)["sha256"]: each for each in map(load, options.teachers)}
        recipes = [recipe_of(each, data, teachers) for each in (model, *teachers.values())]
        over = given_fields(options)
        vocab_size = data.tokenizer.vocab_size
        theirs = baseline_of(recipes[0].config, options.baseline, vocab_size, over)
        here = {name: over[name] for name in ("device", "compile", "threads") if name in over}
        recipes = [replace(each, config=replace(each.config, **here)) for each in recipes]
        timed = kept_seconds(
            out,
            [*recipes, Recipe(options.baseline, theirs)],
            data,
            blocks=options.blocks,
            steps=options.steps,
        )
        ours = [each.config for each in recipes]
        theirs = replace(theirs, max_steps=steps_that_fit(ours, timed["seconds"]))
        names = [*(each.name for each in recipes), options.baseline]
        steps = [each.max_steps for each in (*ours, theirs)]
        print(seconds_table(names, timed, steps) + "\n", flush=True)
        folder = out / options.baseline
        command = pretrain_command(options.baseline, theirs, options.data, folder)
        print(f"The baseline:\n\n    {shlex.join(command)}\n", flush=True)
        if options.train:
            train(options.baseline, theirs, data, folder)
            print(scores_table((names[0], names[-1]), (model, load(folder / "best")), data))
    except (CheckpointError, DataError, RecipeError, ValueError) as error:
        sys.exit(f"bench.equal_seconds: {error}")


if __name__ == "__main__":
    main()
