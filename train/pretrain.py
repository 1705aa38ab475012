"""`python -m train.pretrain`: train a model from nothing; its loop is train/loop/train.py."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gpt.checkpoint import CheckpointError
from train.adapt.distill import add_teacher_options, objective_from
from train.data.derived import check_same_data, default_text, open_or_prepare
from train.data.folder import Data, DataError
from train.loop.batches import steps_in
from train.loop.config import TrainConfig
from train.loop.distributed import Processes, Replicated, join, leave
from train.loop.options import add_config_options, config_from
from train.loop.resumed import resumed_with
from train.loop.run import Run, TrainingError, faults_told
from train.loop.state import StateError
from train.loop.stored import RESUMED, read_config_json
from train.loop.train import quiet, train
from train.quality.floor import note_course
from train.report import write_report
from train.run.marks import command_of
from train.run.tensorboard import add_watching_options, cost, open_run
from train.run.validate import Validation


def make_parser() -> argparse.ArgumentParser:
    """Its own options, and one for each field of `TrainConfig` (train/loop/options.py)."""
    parser = argparse.ArgumentParser(
        prog="python -m train.pretrain", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="folder that train.prepare made, or a text file, which is prepared as characters "
        "(preset story: data/story.txt)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="run folder (default: runs/PRESET, or runs/ and the name of the --config)",
    )
    parser.add_argument(
        "--epochs", type=float, metavar="E", help="length in epochs, in place of --max-steps"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on where the run stopped; begin it where there is nothing yet",
    )
    parser.add_argument(
        "--parallel",
        choices=("ddp", "fsdp"),
        default="ddp",
        help="how the processes of torchrun share the work: each has the whole model (ddp), or a "
        "part of it where it outgrows a GPU (fsdp); docs/scale.md",
    )
    add_teacher_options(parser)
    add_watching_options(parser)
    add_config_options(parser)
    return parser


def kind_of_processes(parallel: str) -> type[Processes]:
    """What --parallel means."""
    if parallel == "ddp":
        return Replicated
    from train.loop.sharded import Sharded  # half a second of imports, for whoever asks for it

    return Sharded


def tell_resumed(
    folder: Path, config: TrainConfig, data: Data, say: Callable[[str], object]
) -> None:
    """Say what is another now than when the run began.

    Raises:
        CheckpointError, DataError: it does not say how it began, or learns from other tokens.
    """
    begun = read_config_json(folder, RESUMED)
    check_same_data(folder, begun, data)
    for line in resumed_with(folder, begun, config):
        say(line)


def main(arguments: list[str] | None = None) -> None:
    """Read the options, open the data, train; a fault the user can mend is one line."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    name = options.config.stem if options.config else options.preset
    out = options.out or Path("runs") / name
    given = sys.argv[1:] if arguments is None else arguments
    command = command_of("train.pretrain", (x for x in given if x != "--resume"))
    try:
        processes = join(kind_of_processes(options.parallel))
    except ValueError as error:
        parser.error(str(error))
    try:
        if options.parallel == "fsdp" and "WORLD_SIZE" not in os.environ:
            raise ValueError(
                "--parallel fsdp cuts the model up over several processes, and this is one: begin "
                "them with torchrun --nproc-per-node N -m train.pretrain … (docs/scale.md)"
            )
        config = config_from(options)
        if options.epochs is not None and hasattr(options, "max_steps"):
            raise ValueError("give the length by --epochs or by --max-steps, not by both")
        if not options.resume and (out / "metrics.jsonl").exists():
            raise DataError(f"{out} holds a run: go on with --resume, or choose another --out")
        if not processes.first:
            processes.wait()  # while the first prepares the text, if it has to be
        kept = out if options.resume and Run(out).has_states else None
        data = open_or_prepare(options.data or default_text(name), out, kept)
        if processes.first:
            processes.wait()
        if options.epochs is not None:
            config = replace(config, max_steps=steps_in(options.epochs, len(data.train), config))
        if kept:
            tell_resumed(kept, config, data, print if processes.first else quiet)
        objective, taught = objective_from(options, config, data, out)
        run = open_run(out, options, first=processes.first)
        with faults_told(run):
            about = {"command": command, **cost(options), **taught}
            finished = train(
                config,
                data,
                run,
                Validation(config, data, run, about),
                resume=options.resume,
                processes=processes,
                objective=objective,
            )
            if finished and processes.first:
                print(note_course(run, data))
                print(f"report: {write_report(run, data)}")
    except (CheckpointError, DataError, StateError, OSError, ValueError) as error:
        parser.error(str(error))
    except TrainingError as error:
        sys.exit(f"train.pretrain: {error}" if processes.first else 1)
    leave(processes)


if __name__ == "__main__":
    main()
