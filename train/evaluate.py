"""`python -m train.evaluate CHECKPOINT --text FILE`: the loss of a model on a text.

The whole text is scored, every token exactly once, in float32. The last line, for each of several
texts, is one JSON object:

    val_loss           nats per token over disjoint windows of block_size: the deterministic form of
                       nanoGPT's random windows
    val_loss_sliding   the same with windows an eighth apart, so that all but the first tokens have
                       seven eighths of the window as context
    val_bpb, val_bpb_sliding   bits per byte of the text (a line <|endoftext|> is no text: neither
                       its nats nor its bytes count)
    perplexity         exp(val_loss)
    tokens, bytes      what was scored, ends of stories included, and the bytes of the text

With --coherence it is also seen whether the model keeps to sense, and the JSON object has

    coherence          held-out stories against copies spoilt in one respect
                       (`train.quality.spoil`): the share in which the true one is the likelier,
                       its standard error, and of how many stories; null where none could be
                       spoilt so. The copies depend on the text alone, so that models can be
                       compared
    written            slips in what it writes after openings of the text, beside what people wrote
                       (`train.quality.slips`); words in no dictionary are those that the training
                       text has not, and are told where that is found
    stories, seconds   how many stories were judged, and how long all of it took

With --report the figures go into the card too, README.md in the checkpoint's folder, which is
written anew: data, recipe, curve, time, three prompts at three temperatures to the letter, and a
table beside human text (see train.sample_openings). What people wrote in it stays: the front
matter, all before the first table, and the part “What it is good and bad at”.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gpt.checkpoint import Checkpoint, CheckpointError
from gpt.checkpoint.hub import load
from gpt.dataset import TokenizedText, read_tokens, validation_start
from train.adapt.forgetting import HeldOut
from train.data.folder import DataError
from train.loop.device import pick_device
from train.loop.loss_eval import losses_of_text
from train.loop.stored import TRAINING_JSON, hold
from train.quality.coherence import STORIES
from train.quality.reference_text import ModelTexts, add_data_option, open_model_texts
from train.quality.sense import HEAD, Sense, coherence_rows, facts, measure_sense, written_rows
from train.reports.model_card import CardRequest, default_prompts, write_model_card
from train.run.marks import command_of


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help="checkpoint folder, or USER/NAME on the Hub")
    parser.add_argument(
        "--text",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="texts in UTF-8 (with --report by default the validation text of the training)",
    )
    parser.add_argument(
        "--last-fraction",
        type=float,
        default=1.0,
        help="score only the last part of each text, in characters (default: all of it)",
    )
    parser.add_argument(
        "--report", action="store_true", help="write the card, README.md, of the checkpoint anew"
    )
    parser.add_argument(
        "--coherence",
        action="store_true",
        help="does it tell true stories from spoilt ones, and what slips in its own?",
    )
    parser.add_argument(
        "--stories",
        type=int,
        default=STORIES,
        help=f"how many stories it judges, evenly spaced in each text (default: {STORIES})",
    )
    add_data_option(parser)
    parser.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="TEXT",
        help="for the report: what the model goes on from, given once for each (default: the "
        "prompt of the training and two openings of its validation text)",
    )
    parser.add_argument(
        "--openings",
        type=int,
        default=100,
        help="after how many openings it writes, for the report and --coherence (default: 100)",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: the fastest)")
    return parser


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser()
    options = parser.parse_args(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    if not 0 < options.last_fraction <= 1:
        sys.exit(f"train.evaluate: --last-fraction must be in (0, 1], not {options.last_fraction}")
    if not options.text and not options.report:
        parser.error("expected a text to evaluate on: give it as --text FILE")
    if options.openings < 2:
        parser.error(f"--openings must be at least 2, not {options.openings}")
    if options.stories < 1:
        parser.error(f"--stories must be at least 1, not {options.stories}")
    try:
        checkpoint = load(options.checkpoint, device=str(pick_device(options.device)))
        model_texts = _model_texts(checkpoint, options)
        texts = list(_texts(checkpoint, options.text, options.last_fraction))
        if options.report:
            hold(checkpoint.training, TRAINING_JSON, checkpoint.folder / "training.json")
        if model_texts and not texts:
            texts = [(model_texts.valid.name, model_texts.valid.read_by(checkpoint.tokenizer))]
        scores = {name: _told(checkpoint, name, text, model_texts, options) for name, text in texts}
        if model_texts and options.report:
            prompts = options.prompt or default_prompts(checkpoint, model_texts)
            command = command_of("train.evaluate", words)
            wish = CardRequest(options.checkpoint, command, prompts, options.openings)
            print(f"card: {write_model_card(checkpoint, model_texts, scores, wish)}")
    except (CheckpointError, DataError, OSError, ValueError) as error:
        sys.exit(f"train.evaluate: {error}")


def _texts(
    checkpoint: Checkpoint, paths: Iterable[Path], last_fraction: float
) -> Iterator[tuple[str, TokenizedText]]:
    """What each text is called, and its ids."""
    tokenizer = checkpoint.tokenizer
    for path in paths:
        start = validation_start(path, last_fraction) if last_fraction < 1 else 0
        part = f"the last {last_fraction:g} of " if start else ""
        text = read_tokens(path, tokenizer.encode, tokenizer.eos_id, start=start)
        yield part + path.name, text


def _model_texts(checkpoint: Checkpoint, options: argparse.Namespace) -> ModelTexts | None:
    """What the model learnt from: a report asks for it, --coherence does without."""
    if not options.report and not options.coherence:
        return None
    try:
        return open_model_texts(checkpoint, options.data)
    except DataError as error:
        if options.report or options.data:
            raise
        print(f"words in no dictionary are not told: {error}", file=sys.stderr)
        return None


def _told(
    checkpoint: Checkpoint,
    name: str,
    text: TokenizedText,
    model_texts: ModelTexts | None,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Evaluate on a text, and print what was found."""
    config = checkpoint.config
    found: dict[str, Any] = losses_of_text(checkpoint.model, text, checkpoint.tokenizer.eos_id)
    print(
        f"{checkpoint.name}: {checkpoint.model.n_params:,} parameters, window {config.block_size}, "
        f"{len(text.tokens) - 1:,} tokens of {name}"
    )
    if options.coherence:
        documents = list(HeldOut(name, text.tokens, checkpoint.tokenizer).documents())
        learnt = (model_texts.source, model_texts.lexicon) if model_texts else None
        sense = measure_sense(
            checkpoint, documents, learnt, stories=options.stories, written=options.openings
        )
        _print_sense(checkpoint.name, sense)
        found |= facts(sense)
    print(json.dumps(found), flush=True)
    return found


def _print_sense(name: str, sense: Sense) -> None:
    for row in (HEAD, *coherence_rows(sense.judged)):
        print("  {:62} {:>22}  {}".format(*row))
    if sense.written is None:
        print(f"  what it writes was not looked at: {sense.why_not}")
        return
    print("  {:42} {:>20} {:>20}".format("what slips in what is written by", name, "people"))
    for row in written_rows(sense):
        print("  {:42} {:>20} {:>20}".format(*row))


if __name__ == "__main__":
    main()
