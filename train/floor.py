"""`python -m train.floor CHECKPOINT`: why is it gibberish? Where a model stands, and what helps.

Says where it stands between noise and what tables of its training text give (which token follows
which, gpt/text/ngram.py), and what would help most. A training of ours keeps those tables' figures
in training.json of its checkpoint; where they are not yet there, they are computed from the text
that the model learnt from and added. Its weights stay as they are.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpt.checkpoint import CheckpointError, load, read_training
from gpt.checkpoint.evidence import floor_in
from gpt.checkpoint.training_json import add_notes
from gpt.tokenizers import TokenizerError
from train.data.folder import DataError
from train.quality.floor import floor_facts, standing_in
from train.quality.reference_text import add_data_option, open_training_data


def make_parser() -> argparse.ArgumentParser:
    """The options of `python -m train.floor`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.floor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint folder, as runs/mine/best")
    add_data_option(parser)
    return parser


def add_floor(folder: Path, data_folders: Sequence[Path]) -> None:
    """Compute the floor of a checkpoint's training text and keep it in its training.json.

    Raises:
        DataError: the text is not here, or its validation text is another than the model's.
        CheckpointError, TokenizerError, OSError: something cannot be read or written.
    """
    checkpoint = load(folder)
    data = open_training_data(checkpoint, data_folders)
    judged, found = checkpoint.training["data"]["valid"]["sha256"], data.facts["valid"]["sha256"]
    if judged != found:
        raise DataError(
            f"{data.folder} has another validation text than {checkpoint.name} was judged on: "
            f"expected the fingerprint {judged[:16]}, got {found[:16]}. Prepare the text with the "
            "same part kept back"
        )
    add_notes(folder, floor_facts(data))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 for an error the user can mend."""
    parser = make_parser()
    options: Any = parser.parse_args(argv)
    folder: Path = options.checkpoint
    try:
        if options.data or floor_in(read_training(folder)) is None:
            add_floor(folder, options.data)
        print(*standing_in(folder).lines(), sep="\n")
    except (CheckpointError, DataError, TokenizerError, ValueError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
