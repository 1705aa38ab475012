"""`python -m train.explore FOLDER_OR_TXT`: look at a text before a model is trained on it.

Takes a text file, a folder of them, or a folder that train.prepare made. Prints what stands out,
and writes explore.md with sizes, characters, words, tokens, lengths and duplicates, and pictures.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gpt.files import write_whole
from gpt.tokenizers import TokenizerError
from train.data.folder import DataError
from train.data.statistics import read_place
from train.reports.text_report import draw, remarks, report, sizes
from train.run.document import render


def explore(place: Path, out: Path, tokenizer_folder: Path | None = None) -> str:
    """Look at the text of `place`, write explore.md and its pictures into `out`; what to print.

    Raises:
        DataError, OSError, ValueError: there is no text that can be read.
    """
    found, held_out, tokenizer = read_place(place, tokenizer_folder)
    if not found.bytes:
        raise DataError(f"expected some text in {place}, found none")
    out.mkdir(parents=True, exist_ok=True)
    draw(found, out)
    said = report(found, held_out, tokenizer)
    text = render("explore.md", name=place.name, held_out=held_out, report=said)
    write_whole(out / "explore.md", text)
    points = "\n".join(f"- {remark}" for remark in remarks(found, held_out))
    return f"{points}\n\n{sizes(found, tokenizer)}\n\n{out / 'explore.md'} holds the rest."


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
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a fault the user can mend is one line."""
    options = make_parser().parse_args(arguments)
    try:
        if not options.text.exists():
            raise DataError(f"there is no {options.text}")
        out = options.out or Path("runs/explore") / options.text.stem
        print(explore(options.text, out, options.tokenizer))
    except (DataError, TokenizerError, OSError, ValueError) as error:
        sys.exit(f"train.explore: {error}")


if __name__ == "__main__":
    main()
