"""The training and the validation text of a model, found again by the SHA-256 of their tokens."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gpt.checkpoint import Checkpoint
from gpt.checkpoint.provenance import prepare_command
from gpt.text.memorization import ReferenceText
from train.adapt.forgetting import HeldOut, held_out
from train.data.folder import Data, DataError, find_data
from train.loop.stored import LEARNT_FROM, hold
from train.quality.lexicon import Lexicon


@dataclass(frozen=True, slots=True)
class ModelTexts:
    """What a model's text is held against."""

    data: Data
    source: ReferenceText
    """The training text."""
    lexicon: Lexicon
    """What its words are."""
    valid: HeldOut


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """--data, for every command that holds a model against its training text."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="folders of train.prepare to look for the training text in, which is known by its "
        "fingerprint (also looked for: where the training's command says, and data/)",
    )


def open_model_texts(checkpoint: Checkpoint, folders: Iterable[Path]) -> ModelTexts:
    """What a checkpoint's text is held against, from `open_training_data`.

    Raises:
        DataError: see there.
    """
    data = open_training_data(checkpoint, folders)
    train = HeldOut("", data.train, data.tokenizer)
    source, lexicon = ReferenceText(train.documents()), Lexicon(train.documents())
    return ModelTexts(data, source, lexicon, held_out(data))


def open_training_data(checkpoint: Checkpoint, folders: Iterable[Path]) -> Data:
    """The data of a checkpoint's training: in `folders`, where its command says, or in data/.

    Raises:
        DataError: it is in none of them; the message has the command that makes it.
    """
    training = checkpoint.training
    if "data" not in training:
        raise DataError(
            f"nothing in {checkpoint.folder} says what {checkpoint.name} learnt from: expected a "
            "training.json, as train.pretrain and train.finetune write it"
        )
    hold(training, LEARNT_FROM, checkpoint.folder / "training.json")
    folders = list(folders)
    data = find_data(training, "train", folders)
    if data is None:
        looked = ", ".join(map(str, folders)) or "data/ (and no folder was given as --data)"
        again = prepare_command(training, str(checkpoint.folder), "FOLDER")
        raise DataError(
            f"the text that {checkpoint.name} learnt from is not in {looked}: expected a folder of "
            f"train.prepare with the fingerprint {training['data']['train']['sha256'][:16]}. Make "
            f"it with `{again}`, the files being where they lie, and give it as --data FOLDER"
        )
    return data
