"""`python -m train.report RUN`: the report card of a training, as report.md and report.html.

Both say what was trained on what, how long it took and what it cost, how the loss fell, the loss
on held-out text, what the model wrote along the way, whether it copied its training
text, and the command to do it again. report.html is one file that loads nothing from elsewhere. A
training writes both at its end; here they are written anew, at any time.
"""

import argparse
import sys
from pathlib import Path

from gpt.checkpoint import CheckpointError, load
from gpt.files import is_there, read_json, said
from train.data.folder import Data, DataError, find_data, load_data
from train.loop.device import pick_device
from train.loop.run import Run
from train.loop.stored import REPORT_JSON, TRAINING_JSON, hold, read_config_json
from train.quality.final_eval import COMPARED_TOKENS, copied, read_training_text, scores, sense
from train.reports.run_report import Found, parts
from train.run.document import markdown, page
from train.run.plot import plot_losses
from train.run.tensorboard import add_cost_option

FINETUNED = "report.json"
PAGE = "report.html"
NEEDED = ("tokens", "elapsed_s")
"""What every line of the metrics must tell."""


def write_report(
    run: Run,
    data: Data | None = None,
    *,
    cost_per_hour: float | None = None,
    whole: bool = False,
) -> Path:
    """Measure a run's best checkpoint, write report.md and report.html; where the latter is.

    Args:
        data: What it was trained on; by default it is looked for (see `find_data`), and where it is
            not found, the report does without what it is needed for.
        cost_per_hour: Of the machine; by default what the run was started with.
        whole: Score all of the validation text, and read all of the training text for copies.

    Raises:
        DataError: there is no run in the folder, or it is of other data.
        CheckpointError: its best checkpoint cannot be read.
        OSError: something could not be read or written.
    """
    found = gather(run, data, cost_per_hour=cost_per_hour, whole=whole)
    content = parts(found)
    run.write_text("report.md", markdown(content))
    run.write_text(PAGE, page(f"The training of {found.name}", content))
    return run.folder / PAGE


def gather(run: Run, data: Data | None, *, cost_per_hour: float | None, whole: bool) -> Found:
    """All that the report tells: read what the run left, measure the rest; see `write_report`."""
    if not run.folder.is_dir():
        raise DataError(f"expected a run in {said(run.folder)}, and there is no such folder")
    about = read_config_json(run.folder)
    records = [each for each in run.records() if all(map(each.__contains__, NEEDED))]
    if not records:
        raise DataError(
            f"expected lines of a training in {said(run.metrics)}, with “step”, “tokens” and "
            "“elapsed_s”, and it has none: give the folder that was its --out"
        )
    config = about["config"]
    per_step = config["batch_size"] * config["accumulate"] * config["block_size"]
    plot_losses(records, per_step, run.folder / "loss.png")
    if data and data.facts["train"]["sha256"] != about["data"]["train"]["sha256"]:
        raise DataError(f"{data.folder} holds another text than {run.folder} was trained on")
    data = data or find_data(about, "train", [run.folder / "data"])
    finetuned = read_json(run.folder, FINETUNED) if is_there(run.folder, FINETUNED) else None
    if finetuned is not None:
        hold(finetuned, REPORT_JSON, run.folder / FINETUNED)
        for each in filter(None, (finetuned["new"], finetuned["old"])):
            if (each["before"] is None) != (each["after"] is None):
                raise DataError(
                    f"{said(run.folder / FINETUNED)}: expected losses before and after, got one"
                )
    checkpoint, scored, samples, judged = None, None, [], None
    most = None if whole else COMPARED_TOKENS
    if run.best.exists():
        checkpoint = load(run.best, device=str(pick_device(config["device"])))
        if checkpoint.training:
            hold(checkpoint.training, TRAINING_JSON, run.best / "training.json")
        if data is not None:
            read = None if whole else int(records[-1]["tokens"])
            scored = scores(checkpoint, data, read)
            learnt = read_training_text(data, most)
            samples = copied(checkpoint, learnt[0], config["sample_prompt"])
            judged = sense(checkpoint, data, learnt, read)
    return Found(
        name=run.folder.resolve().name,
        best=str(run.best),
        about=about,
        training=checkpoint.training if checkpoint else {},
        records=records,
        samples=run.samples(),
        picture=(run.folder / "loss.png").read_bytes(),
        cost_per_hour=about.get("cost_per_hour") if cost_per_hour is None else cost_per_hour,
        scores=scored,
        copied=samples,
        sense=judged,
        compared_tokens=len(data.train[:most]) if data else 0,
        finetuned=finetuned,
    )


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("run", type=Path, help="run folder, for instance runs/story")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="its data folder, where it is not found"
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="measure on all of the text, which may take long; by default on as much as costs a "
        "small part of the training",
    )
    add_cost_option(parser)
    return parser


def main(arguments: list[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    try:
        data = load_data(options.data) if options.data else None
        path = write_report(
            Run(options.run), data, cost_per_hour=options.cost_per_hour, whole=options.whole
        )
    except (CheckpointError, DataError, OSError, ValueError) as error:
        sys.exit(f"train.report: {error}")
    print(f"{path}, and report.md beside it")


if __name__ == "__main__":
    main()
