"""`python -m train.finetune`: teach a model that is there a new text, and say what it forgets.

python -m train.finetune --from checkpoints/stories --data my-stories.txt --out runs/mine
"""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from gpt.checkpoint import Checkpoint, CheckpointError
from gpt.checkpoint.hub import load
from gpt.model import GPT
from gpt.tokenizers import Tokenizer
from train.adapt.base_model import model_facts, open_data, suggest
from train.adapt.forgetting import held_out, losses_of_both, losses_table, old_text
from train.adapt.trainable import Trainable, rate_scale, steer
from train.adapt.vocabulary import Carried, change_vocabulary, same_tokenizer
from train.data.derived import check_same_data
from train.data.folder import Data, DataError
from train.loop.config import SHAPE, TrainConfig
from train.loop.device import pick_device
from train.loop.optimize import make_optimizers
from train.loop.options import add_field_options, given_fields
from train.loop.resumed import resumed_with
from train.loop.run import Run, TrainingError, faults_told
from train.loop.state import StateError
from train.loop.stored import RESUMED, read_config_json
from train.loop.train import train
from train.quality.floor import note_course
from train.report import write_report
from train.run.marks import command_of
from train.run.tensorboard import add_watching_options, cost, open_run
from train.run.validate import Validation


def finetune(
    source: Checkpoint,
    data: Data,
    run: Run,
    *,
    config: TrainConfig,
    steering: Trainable,
    command: str = "",
    resume: bool = False,
    old_file: Path | None = None,
    about: dict[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Train `source` on `data` into `run`, and write run.folder/report.json.

    Where the data was cut by another tokenizer than the model's, the model takes over that
    vocabulary.

    Args:
        about: What config.json and training.json are to say beside the usual.

    Returns:
        The report; None when it was asked to stop.

    Raises:
        ValueError: a value that does not fit this model.
        StateError: the run that is to be resumed is another one.
        TrainingError: the loss was NaN or infinite too often, or a file could not be written.
    """
    old = old_text(source, old_file)
    torch.manual_seed(config.seed)  # pyright: ignore[reportUnknownMemberType]
    device = pick_device(config.device)
    model, carried = start(source, data.tokenizer, config, steering)
    model.to(device)
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    about = {
        "command": command,
        **(about or {}),
        "from": model_facts(source),
        "finetune": {**asdict(steering), "said": str(steering), "parameters": learning},
        "vocabulary": asdict(carried) if carried else None,
    }
    if resume and run.begun:
        check_resumed(run, about, data, config)
    print(f"from {source.name}: {steering}; {learning:,} parameters learn")
    if carried:
        print(f"another vocabulary: {carried}")
    optimizers = make_optimizers(model, config, rate_scale(model.config, steering.layer_decay))
    with faults_told(run):
        finished = train(
            config,
            data,
            run,
            Validation(config, data, run, about),
            resume=resume,
            model=model,
            optimizers=optimizers,
        )
    if not finished:
        return None
    source.model.to(device)
    report = losses_of_both(source, load(run.best, device=str(device)), held_out(data), old)
    run.write_json("report.json", {**about, **report})
    print(losses_table(report))
    return report


def start(
    source: Checkpoint, tokenizer: Tokenizer, config: TrainConfig, steering: Trainable
) -> tuple[GPT, Carried | None]:
    """The model as training begins: a copy of the source's, with another vocabulary if need be."""
    model, carried = source.model, None
    if not same_tokenizer(source.tokenizer, tokenizer):
        if steering.lora or steering.freeze_embeddings:
            raise ValueError(
                "a new vocabulary has to be learnt: leave out --lora and --freeze-embeddings"
            )
        model, carried = change_vocabulary(model, source.tokenizer, tokenizer)
    copy = GPT(replace(model.config, dropout=config.dropout))
    copy.load_state_dict(model.state_dict())
    steer(copy, steering)
    return copy, carried


def check_resumed(run: Run, about: dict[str, Any], data: Data, config: TrainConfig) -> None:
    """Say which settings are others than the run in the folder began with.

    Raises:
        StateError, DataError: it began from another checkpoint, in another way, or from other text.
    """
    begun = read_config_json(run.folder, RESUMED)
    if "from" not in begun or begun["from"]["sha256"] != about["from"]["sha256"]:
        raise StateError(f"the run in {run.folder} began from another checkpoint")
    if begun["finetune"] != about["finetune"]:
        raise StateError(
            f"the run in {run.folder} began with {begun['finetune']['said']}, not with "
            f"{about['finetune']['said']}: give the options it was started with"
        )
    check_same_data(run.folder, begun, data)
    for line in resumed_with(run.folder, begun, config):
        print(line)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.finetune",
        description="Fine-tune a checkpoint on a new text, keep the step with the lowest "
        "validation loss, and report what was gained and forgotten.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="CHECKPOINT",
        help="the model to begin with: a folder, or USER/NAME on the Hub",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="a text file, whose last tenth is kept for validation, or a folder of train.prepare",
    )
    parser.add_argument("--out", type=Path, help="run folder (default: runs/CHECKPOINT-DATA)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on where the run stopped; begin it where there is nothing yet",
    )
    add_watching_options(parser)
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="FOLDER",
        help="change the model's vocabulary to that of this folder (of train.prepare)",
    )
    parser.add_argument(
        "--freeze-embeddings",
        action="store_true",
        help="leave the embeddings, and an output layer tied to them, as they are",
    )
    parser.add_argument(
        "--freeze-first", type=int, default=0, metavar="N", help="freeze the lowest N blocks"
    )
    parser.add_argument(
        "--lora",
        type=int,
        default=0,
        metavar="RANK",
        help="LoRA adapters of this rank on the linear layers, merged when saved; a tied output "
        "layer, being the embedding, stays frozen",
    )
    parser.add_argument(
        "--layer-decay",
        type=float,
        metavar="F",
        help="learning rate of each layer as a share of that of the one above (default: 0.85, and "
        "1 with --lora)",
    )
    parser.add_argument(
        "--old-text",
        type=Path,
        metavar="FILE",
        help="text the model was good at, to see what it forgets (default: its own validation "
        "text, where its data folder is here)",
    )
    add_field_options(
        parser,
        "the training (each has a default that fits the text)",
        without=SHAPE - {"block_size", "dropout"},
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Read the options, open model and data, train; a fault the user can mend is one line."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    command = command_of("train.finetune", (x for x in words if x != "--resume"))
    decay = options.layer_decay
    try:
        steering = Trainable(
            freeze_embeddings=options.freeze_embeddings,
            freeze_first=options.freeze_first,
            lora=options.lora,
            layer_decay=decay if decay is not None else 1.0 if options.lora else 0.85,
        )
        source = load(options.source)
        out = options.out or Path("runs") / f"{source.name}-{options.data.stem}"
        if not options.resume and (out / "metrics.jsonl").exists():
            raise DataError(f"{out} holds a run: go on with --resume, or choose another --out")
        kept = out if options.resume and Run(out).has_states else None
        data = open_data(source, options.data, options.tokenizer, out, kept)
        given = given_fields(options)
        config = replace(suggest(source, data, steering, given.get("optimizer")), **given)
        if config.block_size > source.config.block_size:
            raise ValueError(
                f"block_size must be at most {source.config.block_size}, the window of "
                f"{source.name}, not {config.block_size}"
            )
        run = open_run(out, options)
        report = finetune(
            source,
            data,
            run,
            config=config,
            steering=steering,
            command=command,
            resume=options.resume,
            old_file=options.old_text,
            about=cost(options),
        )
        if report is not None:
            with faults_told(run):
                print(note_course(run, data))
                print(f"report: {write_report(run, data)}")
    except (CheckpointError, DataError, StateError, OSError, ValueError) as error:
        parser.error(str(error))
    except TrainingError as error:
        sys.exit(f"train.finetune: {error}")


if __name__ == "__main__":
    main()
