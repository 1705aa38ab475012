"""`python -m train.copied_runs CHECKPOINT --data FOLDER`: for "Did it copy?", without the text.

Writes copied.runs into the checkpoint: hashes of all runs of eight words of the text it learnt
from, about 10 bits each. Whoever has the model can then ask whether words of theirs stand in that
text, and by many such questions guess at it: leave it away where the text must stay secret.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpt.checkpoint import CheckpointError, load
from gpt.checkpoint.copied_runs import COPIED_RUNS
from gpt.files import write_whole
from gpt.text.run_hashes import RunHashes
from gpt.tokenizers import TokenizerError
from train.adapt.forgetting import HeldOut
from train.data.folder import DataError
from train.quality.reference_text import add_data_option, open_training_data


def make_parser() -> argparse.ArgumentParser:
    """The options of `python -m train.copied_runs`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.copied_runs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint folder, as runs/mine/best")
    add_data_option(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 for an error the user can mend."""
    parser = make_parser()
    options: Any = parser.parse_args(argv)
    try:
        checkpoint = load(options.checkpoint)
        data = open_training_data(checkpoint, options.data)
        documents = HeldOut("", data.train, data.tokenizer).documents()
        hashes = RunHashes.of(documents, checkpoint.training["data"]["train"]["sha256"])
        path = options.checkpoint / COPIED_RUNS
        write_whole(path, hashes.to_bytes())
    except (CheckpointError, DataError, TokenizerError, ValueError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    size = path.stat().st_size
    print(
        f"{path}: {len(hashes.runs):,} runs of {hashes.source_words:,} words, {size:,} bytes, "
        f"{8 * size / max(1, len(hashes.runs)):.1f} bits a run"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
