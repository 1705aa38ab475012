"""`python -m train.search --data FOLDER --trials N`: look for better settings, with Optuna.

Each trial is a whole training with settings that the trials before it suggest; one that falls
behind is given up early. All is kept in a study, an SQLite file in --out or a database by
--storage: the same command goes on where it was stopped, and begun several times, on one machine or
many, it is as many workers on one study (docs/scale.md). The first trial is the preset as it
stands. At the end: search.md with the table, importance.png, history.png, and best.json for
`python -m train.pretrain --config`.
"""

import argparse
import math
import shutil
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import optuna
import torch
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.trial import FrozenTrial

from train.data.folder import Data, DataError, load_data
from train.data.folds import cut_folds
from train.loop.config import TrainConfig
from train.loop.options import add_config_options, config_from
from train.loop.progress import own_signals
from train.loop.run import Run, TrainingError
from train.loop.state import FOLDER as STATE
from train.loop.train import train
from train.run.marks import command_of
from train.run.validate import Validation
from train.studies.search_report import check_report, trial_line, write_search
from train.studies.search_space import USUAL, Space, apply, known_fields, parse_space, suggest
from train.studies.search_study import (
    OUT_OF_REACH,
    SearchError,
    Storage,
    Worker,
    hidden,
    open_study,
    said,
)

MACHINE = ("device", "precision", "compile", "threads")
"""Fields in which the workers of one study may differ."""


class TrialRun(Run):
    """A run that reports its evaluations to a trial, which may give it up."""

    def __init__(self, folder: Path, trial: optuna.Trial | None, eval_every: int) -> None:
        super().__init__(folder)
        self.trial, self.eval_every = trial, eval_every

    def log(self, **record: float) -> None:
        """Write the record; raise TrialPruned where the trial is not worth going on with."""
        super().log(**record)
        if self.trial is None or "val_loss" not in record or not record["step"]:
            return
        # Counted in evaluations, since another batch size takes other steps for the same text.
        self.trial.report(record["val_loss"], math.ceil(record["step"] / self.eval_every))
        if self.trial.should_prune():
            self.trial.set_user_attr("why", "fell behind")
            raise optuna.TrialPruned

    def best_evaluation(self) -> dict[str, float]:
        """The record of the evaluation with the lowest loss."""
        return min((r for r in self.records() if "val_loss" in r), key=lambda r: r["val_loss"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What a study is about: the text, the preset, the fields, where the trials are kept."""

    facts: dict[str, Any]
    """data.json of the text."""
    parts: Sequence[Data]
    """What each trial trains on, one after another: the folds, or the text as it was prepared."""
    base: TrainConfig
    space: Space
    evaluations: int
    """In each training; any of them but the last may end it."""
    out: Path

    def about(self) -> dict[str, Any]:
        """What must be the same whenever the study is gone on with."""
        base = {name: v for name, v in self.base.to_dict().items() if name not in MACHINE}
        texts = [self.facts[split]["sha256"] for split in ("train", "valid")]
        folds, evaluations = len(self.parts), self.evaluations
        return {"base": base, "texts": texts, "folds": folds, "evaluations": evaluations}

    def first(self) -> dict[str, Any] | None:
        """The preset as it stands; None where the space does not hold it."""
        usual = {name: getattr(self.base, name) for name in self.space}
        return usual if all(self.space[name].holds(usual[name]) for name in usual) else None

    def objective(self, trial: optuna.Trial) -> float:
        """Train with what `trial` suggests: nats per token, the mean over the folds.

        Raises:
            TrialPruned: it fell behind, diverged, or did not fit into memory.
            KeyboardInterrupt: it was asked to stop; the trial is put back into the queue.
        """
        every = math.ceil(self.base.max_steps / self.evaluations)
        base = replace(self.base, eval_every=every, sample_tokens=0, save_steps=0)
        config = apply(base, suggest(trial, self.space))
        folder = self.out / "trials" / f"{trial.number:04}"
        found: list[dict[str, float]] = []
        try:
            for number, part in enumerate(self.parts):
                # The first fold decides alone: another may be harder, whatever the settings.
                watched = trial if number == 0 else None
                run = TrialRun(folder / f"fold-{number}", watched, config.eval_every)
                found.append(run_quietly(config, part, run))
        except (TrainingError, torch.OutOfMemoryError) as error:
            diverged = isinstance(error, TrainingError)
            trial.set_user_attr("why", "diverged" if diverged else "out of memory")
            raise optuna.TrialPruned from error
        except KeyboardInterrupt:
            trial.study.enqueue_trial(trial.params)
            raise
        trial.set_user_attr("bpb", mean(record["val_bpb"] for record in found))
        return mean(record["val_loss"] for record in found)


def run_quietly(config: TrainConfig, data: Data, run: TrialRun) -> dict[str, float]:
    """Train into `run`, its output in output.txt; the best evaluation. Weights are not kept.

    Raises:
        KeyboardInterrupt: a signal ended the training before its time.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    with (run.folder / "output.txt").open("w", encoding="utf-8") as said, own_signals():
        try:
            with redirect_stdout(said), redirect_stderr(said):
                validation = Validation(config, data, run, {"command": "train.search"})
                ended = train(config, data, run, validation, resume=False)
        finally:
            shutil.rmtree(run.best, ignore_errors=True)
            shutil.rmtree(run.folder / STATE, ignore_errors=True)
    if not ended:
        raise KeyboardInterrupt
    return run.best_evaluation()


def train_trials(search: Search, study: optuna.Study, storage: Storage, trials: int) -> None:
    """Train until the study holds `trials` that came to an end, or until Ctrl-C."""

    def say(trial: FrozenTrial, ended: int) -> None:
        print(f"{ended}/{trials}  {trial_line(trial, study)}", flush=True)

    objective, seed = search.objective, search.base.seed
    try:
        Worker(study, storage, objective, trials=trials, seed=seed, say=say).run()
    except KeyboardInterrupt:
        print("stopped; every trial that ended is kept: the same command goes on")
    except (OSError, ValueError) as error:
        sys.exit(f"train.search: {error}")


def make_pruner(name: str, evaluations: int) -> BasePruner:
    """The pruner called `name`; resources are counted in evaluations."""
    if name == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=evaluations)
    early = evaluations // 4  # where the warm-up still decides
    return NopPruner() if name == "none" else MedianPruner(n_startup_trials=4, n_warmup_steps=early)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.search",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    fields = ", ".join(known_fields(TrainConfig()))
    parser.add_argument("--data", type=Path, required=True, help="folder that train.prepare made")
    parser.add_argument("--trials", type=int, default=20, help="in all (default: %(default)s)")
    parser.add_argument(
        "--fields",
        nargs="+",
        default=USUAL,
        metavar="FIELD",
        help=f"what to search, each with a range or without: dropout, learning_rate=0.001:0.01, "
        f"batch_size=8,16 (known: {fields}; default: {' '.join(USUAL)})",
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=0,
        metavar="K",
        help="score by k-fold cross-validation over the training text (default: on the validation "
        "text); takes K times as long",
    )
    parser.add_argument(
        "--pruner",
        choices=("median", "hyperband", "none"),
        default="median",
        help="when to give a trial up (default: %(default)s)",
    )
    parser.add_argument(
        "--evaluations", type=int, default=8, help="in each training (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, help="folder (default: runs/search/DATA)")
    parser.add_argument("--name", help="of the study (default: DATA-PRESET)")
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="database of the study, as in postgresql://HOST/NAME (default: a file in --out)",
    )
    parser.add_argument(
        "--lost-after",
        type=int,
        default=120,
        metavar="S",
        help="seconds without a sign of life after which a worker is lost, and another trains its "
        "trial (default: %(default)s)",
    )
    add_config_options(parser)
    return parser


def search_from(options: argparse.Namespace) -> Search:
    """What to search, from the command line.

    Raises:
        DataError, ValueError: it cannot be searched, with the reason.
    """
    for name in ("trials", "evaluations", "lost_after"):
        if getattr(options, name) < 1:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} must be at least 1, not {getattr(options, name)}")
    base = config_from(options)
    data = load_data(options.data)
    return Search(
        facts=data.facts,
        parts=cut_folds(data, options.folds) if options.folds else [data],
        base=base,
        space=parse_space(options.fields, base),
        evaluations=options.evaluations,
        out=options.out or Path("runs/search") / options.data.name,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, and write what was found; Ctrl-C ends it with everything kept."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        search = search_from(options)
        search.out.mkdir(parents=True, exist_ok=True)
        name = options.name or f"{options.data.name}-{options.preset}"
        study, storage = open_study(
            options.storage or f"sqlite:///{(search.out / 'study.sqlite').resolve()}",
            name,
            make_pruner(options.pruner, search.evaluations),
            about=search.about(),
            first=search.first(),
            patience_s=options.lost_after,
            begins=lambda: check_report(search.out, name),
        )
    except (DataError, SearchError, OSError, ValueError) as error:
        parser.error(str(error))
    given = sys.argv[1:] if arguments is None else arguments
    command = command_of("train.search", (hidden(word) for word in given))
    try:
        train_trials(search, study, storage, options.trials)
        print(write_search(study, search.base, search.space, search.out, command))
    except OUT_OF_REACH as error:
        sys.exit(
            f"train.search: the study database does not answer: {said(error)}. Every trial that "
            "ended is kept: the same command goes on"
        )
    except OSError as error:
        sys.exit(f"train.search: {error}; the study itself is kept, the same command writes it")


if __name__ == "__main__":
    main()
