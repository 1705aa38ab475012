"""`python -m gpt.export CHECKPOINT OUT.gguf`: a model in one file, for llama.cpp and its like.

The file holds the weights, the tokenizer and the model's own settings; llama.cpp, Ollama and LM
Studio open it. Beside it lies OUT.Modelfile, for `ollama create NAME -f OUT.Modelfile`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from gpt.checkpoint import CheckpointError
from gpt.checkpoint.gguf import GgufType, modelfile_of, write_gguf
from gpt.checkpoint.hub import load


def make_parser() -> argparse.ArgumentParser:
    """The options of `python -m gpt.export`."""
    parser = argparse.ArgumentParser(
        prog="python -m gpt.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help="checkpoint folder, or a model on the Hub: USER/NAME")
    parser.add_argument("out", type=Path, metavar="OUT.gguf", help="where to write it")
    parser.add_argument(
        "--type",
        choices=get_args(GgufType),
        default="f32",
        help="how each number of a matrix is kept: f32, the same text as Inkling's; bf16, half as "
        "large; q8_0, a quarter (default: f32)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 for an error the user can mend."""
    parser = make_parser()
    options = parser.parse_args(argv)
    out: Path = options.out
    try:
        if out.suffix != ".gguf":
            raise CheckpointError(f"expected a name that ends with .gguf, got {out.name!r}")
        if not out.parent.is_dir():
            raise CheckpointError(f"there is no folder {out.parent} to write to: make it first")
        write_gguf(load(options.checkpoint), out, type=options.type)
    except (CheckpointError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    print(f"{out} ({out.stat().st_size / 1e6:,.1f} MB), and for Ollama {modelfile_of(out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
