"""`python -m bench.recipe --data FOLDER`: our recipe beside nanoGPT's, same data, same compute.

Trains the baseline preset and ours with several seeds each, through `python -m train.pretrain` as
anyone would, taking turns so that a busy hour hits both. A run that is there already is not made
again, and one that was cut short goes on, so the command may be stopped and repeated.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.recipe_table import Outcome, markdown, outcome
from train.data.folder import Data, DataError, load_data
from train.loop.config import PRESETS, TrainConfig
from train.loop.run import Run
from train.run.marks import command_line

ROOT = Path(__file__).resolve().parents[1]
PARAMETERS_ABOVE = 1.01
"""How many times the baseline's parameters ours may have at most."""


class RecipeError(Exception):
    """The two cannot be compared, or a run failed; the message says what to do."""


def parameters(config: TrainConfig, vocab_size: int) -> int:
    """The parameters of the model that `config` makes, without making it."""
    import torch

    from gpt.model import GPT

    with torch.device("meta"):
        return GPT(config.model_config(vocab_size)).n_params


def check_fair(baseline: TrainConfig, ours: TrainConfig, vocab_size: int) -> None:
    """Raise RecipeError unless both see as many tokens a step, steps and (at most) parameters."""
    for name in ("max_steps", "tokens_per_step"):
        theirs, own = getattr(baseline, name), getattr(ours, name)
        if theirs != own:
            raise RecipeError(
                f"both must have the same {name}: the baseline's {theirs}, ours {own}"
            )
    theirs, own = parameters(baseline, vocab_size), parameters(ours, vocab_size)
    if own > PARAMETERS_ABOVE * theirs:
        raise RecipeError(
            f"ours has {own:,} parameters, the baseline {theirs:,}: choose a preset of its size"
        )


def pretrain_command(preset: str, config: TrainConfig, data: Path, folder: Path) -> list[str]:
    """The command that trains `config`, spelt as the preset and what differs from it."""
    command = [sys.executable, "-m", "train.pretrain", "--preset", preset]
    command += ["--data", str(data.resolve()), "--out", str(folder.resolve())]
    usual = PRESETS[preset]().to_dict()
    for name, value in config.to_dict().items():
        option = "--" + name.replace("_", "-")
        if value != usual[name] and isinstance(value, bool):
            command.append(option if value else option.replace("--", "--no-", 1))
        elif value != usual[name]:
            command += [option, str(value)]
    return [*command, "--resume"] if Run(folder).begun else command


def at_its_end(run: Run, config: TrainConfig) -> bool:
    """Whether a training came to its last step, or ran out of patience before it."""
    if run.finished(config.max_steps) or not config.patience:
        return run.finished(config.max_steps)
    evaluations = [record for record in run.records() if "val_loss" in record]
    if not evaluations:
        return False
    best = min(evaluations, key=lambda record: record["val_loss"])
    return evaluations[-1]["step"] - best["step"] >= config.patience * config.eval_every


def train(preset: str, config: TrainConfig, data: Data, folder: Path) -> Outcome:
    """The outcome of one training in `folder`, which is made, gone on with, or read.

    Raises:
        RecipeError: the folder holds another training, or the training failed.
    """
    run = Run(folder)
    about = folder / "config.json"
    if about.exists():
        found = json.loads(about.read_text(encoding="utf-8"))
        if (found["config"], found["data"]) != (config.to_dict(), data.facts):
            raise RecipeError(
                f"{folder} holds a training of another recipe or text: choose another --out"
            )
    if at_its_end(run, config):
        return outcome(run.records(), config.tokens_per_step)
    command = pretrain_command(preset, config, data.folder, folder)
    folder.mkdir(parents=True, exist_ok=True)
    said = folder / "output.txt"
    with said.open("a", encoding="utf-8") as file:
        ended = subprocess.run(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False
        )
    if ended.returncode or not at_its_end(run, config):
        raise RecipeError(f"a training did not come to its end: {said} holds what it said")
    return outcome(run.records(), config.tokens_per_step)


def train_both(
    names: tuple[str, str], data: Data, seeds: Sequence[int], out: Path, over: dict[str, int]
) -> dict[str, list[Outcome]]:
    """The outcomes of the baseline and ours, by preset, one per seed.

    Args:
        names: The baseline's preset and ours.
        out: Where the runs are: out/DATA/PRESET-SEED.
        over: Fields of both configs to set otherwise, such as max_steps.
    """
    configs = {
        name: replace(PRESETS[name](), sample_tokens=0, save_steps=0, **over) for name in names
    }
    check_fair(configs[names[0]], configs[names[1]], data.tokenizer.vocab_size)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in names}
    for seed in seeds:
        for name, config in configs.items():
            folder = out / data.folder.name / f"{name}-{seed}"
            result = train(name, replace(config, seed=seed), data, folder)
            outcomes[name].append(result)
            print(
                f"{data.folder.name}, {name}, seed {seed}: {result.loss:.4f} nats per token, "
                f"{result.bpb:.4f} bits per byte, {result.seconds:.0f} s",
                flush=True,
            )
    return outcomes


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.recipe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        required=True,
        help="folder that train.prepare made; may be given several times",
    )
    parser.add_argument("--baseline", choices=sorted(PRESETS), default="nanogpt")
    parser.add_argument("--ours", choices=sorted(PRESETS), default="small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--max-steps", type=int, help="a smaller budget for both")
    parser.add_argument("--eval-every", type=int, default=100, help="steps (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    parser.add_argument("--out", type=Path, default=Path("runs/recipe"), help="where the runs are")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Train what is missing, print the table of each text."""
    options = make_parser().parse_args(arguments)
    over = {"eval_every": options.eval_every, "threads": options.threads}
    if options.max_steps is not None:
        over["max_steps"] = options.max_steps
    given = sys.argv[1:] if arguments is None else arguments
    parts: list[str] = []
    try:
        for folder in options.data:
            data = load_data(folder)
            names = (options.baseline, options.ours)
            outcomes = train_both(names, data, options.seeds, options.out, over)
            configs = [replace(PRESETS[name](), **over) for name in names]
            sizes = [parameters(config, data.tokenizer.vocab_size) for config in configs]
            parts.append(markdown(data, outcomes, sizes, configs[0]))
            print("\n" + parts[-1], flush=True)
    except (DataError, RecipeError, ValueError) as error:
        sys.exit(f"bench.recipe: {error}")
    if options.markdown:
        title = f"# Our recipe beside {options.baseline}\n\n"
        command = f"    {command_line('python -m bench.recipe ' + shlex.join(given))}\n\n"
        options.markdown.write_text(title + command + "\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
