"""`python -m train.choose_sampling CHECKPOINT --data FOLDER`: which settings suit a model best.

Every combination of a temperature and a cut (top-p, or min-p) writes on from the same openings of
the validation text with the same seeds. Of those that miss the fewest thresholds on loops, words
and copies (see train.sample_openings; the one on ends depends on the length), the one nearest to
the human text is chosen: the mean, over distinct-3, repeated 4-grams, words in the dictionary,
quote balance and names kept, of how many standard errors of the human figure it lies away from it;
of the last three only what it falls short counts. --write puts it into generation_config.json.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from gpt.checkpoint import CheckpointError
from gpt.checkpoint.generation_config import as_options, read_defaults, write_defaults
from gpt.checkpoint.hub import load
from gpt.sampling import SamplingParams
from train.data.folder import DataError
from train.loop.device import pick_device
from train.quality.continuations import Comparison, compare_with_human
from train.quality.metrics import MEASURES, Quality
from train.quality.openings import openings
from train.quality.reference_text import add_data_option, open_model_texts
from train.quality.thresholds import BARS, broken, distance, length_for

LENGTHS = 50
"""The length is rounded up to a multiple of this many tokens."""
OF_SETTINGS = BARS[1:]
"""Whether a story comes to its end is for the length to decide."""


def grid(
    start: SamplingParams,
    temperatures: Sequence[float],
    top_ps: Sequence[float],
    min_ps: Sequence[float],
) -> Iterator[SamplingParams]:
    """Each temperature with each top-p alone and each min-p alone; all else as in `start`.

    Raises:
        ValueError: a value is out of its range.
    """
    for temperature in temperatures:
        plain = replace(start, temperature=temperature, top_k=0, top_p=1.0, min_p=0.0)
        yield from (replace(plain, top_p=top_p) for top_p in top_ps)
        yield from (replace(plain, min_p=min_p) for min_p in min_ps)


def rank(comparison: Comparison) -> tuple[int, float]:
    """What makes one better than another, the lowest best: broken bars, then the distance."""
    return sum(bar in OF_SETTINGS for bar in broken(comparison.model)), distance(comparison)


def chosen_length(comparison: Comparison) -> int:
    """Within what length 95% of the stories are over, in steps; what it was where fewer are."""
    needed = length_for(comparison.written)
    highest = comparison.params.max_new_tokens
    return highest if needed is None else min(highest, -(-needed // LENGTHS) * LENGTHS)


def head() -> str:
    """The first lines of the table."""
    names = ["temperature", "top-p", "min-p", *(measure.name for measure in MEASURES)]
    names += ["ended", "loops", "longest copy", "bars broken", "distance"]
    return f"| {' | '.join(names)} |\n|{' --- |' * len(names)}"


def row(comparison: Comparison) -> str:
    """One candidate's line."""
    params, bars = comparison.params, broken(comparison.model)
    which = ", ".join(str(BARS.index(bar) + 1) for bar in bars) or "none"
    begins = [f"{params.temperature:g}", f"{params.top_p:g}", f"{params.min_p:g}"]
    return _line(begins, comparison.model, [which, f"{distance(comparison):.2f}"])


def _line(begins: Sequence[str], texts: Sequence[Quality], ends: Sequence[str]) -> str:
    figures = [measure.shown(measure.of(texts)) for measure in MEASURES]
    ended, loops = sum(text.ended for text in texts), sum(bool(text.loop) for text in texts)
    copied = max(text.copied for text in texts)
    cells = [*begins, *figures, f"{ended} of {len(texts)}", str(loops), str(copied), *ends]
    return f"| {' | '.join(cells)} |"


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.choose_sampling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help="checkpoint folder")
    add_data_option(parser)
    numbers: dict[str, Any] = {"type": float, "nargs": "+", "metavar": "X"}
    parser.add_argument("--temperatures", default=[0.6, 0.8, 1.0], **numbers)
    parser.add_argument("--top-ps", default=[0.9, 0.95, 1.0], **numbers)
    parser.add_argument("--min-ps", default=[0.05, 0.1], **numbers)
    parser.add_argument("--openings", type=int, default=40, help="how many (default: 40)")
    parser.add_argument("--seed", type=int, default=1, help="of the first opening (default: 1)")
    parser.add_argument(
        "--length",
        type=int,
        help="tokens at most (default: the checkpoint's max_new_tokens); where 95%% of the stories "
        f"are over sooner, a shorter one is chosen too, in steps of {LENGTHS}",
    )
    parser.add_argument(
        "--write", action="store_true", help="write the choice to generation_config.json"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: the fastest)")
    return parser


def choose(options: argparse.Namespace) -> SamplingParams:
    """Try every candidate, print the table as it grows, and choose.

    Raises:
        CheckpointError, DataError, ValueError: something cannot be opened, or does not suit.
    """
    checkpoint = load(options.checkpoint, device=str(pick_device(options.device)))
    start = replace(read_defaults(checkpoint.folder), seed=options.seed)
    if options.length is not None:
        start = replace(start, max_new_tokens=options.length)
    candidates = list(grid(start, options.temperatures, options.top_ps, options.min_ps))
    model_texts = open_model_texts(checkpoint, options.data)
    found = openings(model_texts.valid.documents(), options.openings)
    print(
        f"{checkpoint.name}, {len(found)} openings of {model_texts.valid.name}, "
        f"seeds from {start.seed}"
    )
    print(head(), flush=True)
    best: Comparison | None = None
    for params in candidates:
        comparison = compare_with_human(
            checkpoint, found, params, model_texts.source, thorough=False
        )
        print(row(comparison), flush=True)
        if best is None or rank(comparison) < rank(best):
            best = comparison
    assert best is not None  # an option with nargs="+" has a value
    print(_line(["human", "", ""], best.human, ["", ""]))
    print(f"written with {best.core}")
    return replace(best.params, max_new_tokens=chosen_length(best), seed=None)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.openings < 2:
        parser.error(f"--openings must be at least 2, not {options.openings}")
    try:
        params = choose(options)
        if options.write:
            write_defaults(options.checkpoint, params)
    except (CheckpointError, DataError, OSError, ValueError) as error:
        sys.exit(f"train.choose_sampling: {error}")
    said = as_options(params) or "our defaults"
    print(f"chosen: {said}" + (", written" if options.write else "; --write keeps it"))


if __name__ == "__main__":
    main()
