"""`python -m train.explore FOLDER_OR_TXT`: look at a text before a model is trained on it.

Takes a text file, a folder of them, or a folder that train.prepare made. Prints what stands out,
and writes explore.md with sizes, characters, words, tokens, lengths and duplicates, and pictures.
Of a text under 1 MB it says whether a model knows its language, so that a training should go on
from there: a model that learns so little from nothing writes gibberish (docs/finetuning.md).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gpt.checkpoint import CheckpointError, load
from gpt.files import write_whole
from gpt.files.text import check_prose
from gpt.tokenizers import TokenizerError
from train.adapt.language import language
from train.data.folder import DataError
from train.data.statistics import read_place, text_of
from train.data.texts import text_files
from train.reports.text_report import (
    LITTLE_BYTES,
    draw,
    remarks,
    report,
    sizes,
    where_to_begin,
)
from train.run.document import render

BASE = Path("checkpoints/stories")
"""The model that is asked for the language."""
MOST_REFUSED = 3
"""Files of which it is said that no training begins on them."""


def explore(
    place: Path, out: Path, tokenizer_folder: Path | None = None, base: Path | None = None
) -> str:
    """Look at the text of `place`, write explore.md and its pictures into `out`; what to print.

    Args:
        base: The model that a training could go on from.

    Raises:
        CheckpointError: `base` cannot be read.
        DataError, OSError, ValueError: there is no text that can be read.
    """
    found, held_out, tokenizer = read_place(place, tokenizer_folder)
    if not found.bytes:
        raise DataError(f"expected some text in {place}, found none")
    out.mkdir(parents=True, exist_ok=True)
    draw(found, out)
    stands_out = [*_refused(place), *remarks(found, held_out)]
    if base and found.bytes < LITTLE_BYTES:
        known = language(load(base), "".join(text_of(place)))
        stands_out.append(where_to_begin(known, str(base), str(place)))
    said = report(found, stands_out, tokenizer)
    text = render("explore.md", name=place.name, held_out=held_out, report=said)
    write_whole(out / "explore.md", text)
    points = "\n".join(f"- {remark}" for remark in stands_out)
    return f"{points}\n\n{sizes(found, tokenizer)}\n\n{out / 'explore.md'} holds the rest."


def _refused(place: Path) -> list[str]:
    """Of each file that can be read, but not be learnt from, what it is."""
    if (place / "data.json").exists():
        return []
    said: list[str] = []
    for path in text_files(place):
        try:
            check_prose(path)
        except ValueError as error:
            said.append(f"No training begins on it: {error}.")
    more = len(said) - MOST_REFUSED
    return [*said[:MOST_REFUSED], f"So it is of {more:,} other files."] if more > 0 else said


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.explore",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", type=Path, metavar="FOLDER_OR_TXT")
    parser.add_argument("--out", type=Path, help="folder to write (default: runs/explore/NAME)")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="FOLDER",
        help="count tokens too, as a checkpoint or a prepared folder cuts them",
    )
    parser.add_argument(
        "--from",
        dest="base",
        type=Path,
        metavar="CHECKPOINT",
        help=f"the model a training could go on from (default: {BASE}, where it is there)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a fault the user can mend is one line."""
    options = make_parser().parse_args(arguments)
    try:
        if not options.text.exists():
            raise DataError(f"there is no {options.text}")
        out = options.out or Path("runs/explore") / options.text.stem
        base = options.base or (BASE if BASE.exists() else None)
        print(explore(options.text, out, options.tokenizer, base))
    except (CheckpointError, DataError, TokenizerError, OSError, ValueError) as error:
        sys.exit(f"train.explore: {error}")


if __name__ == "__main__":
    main()
