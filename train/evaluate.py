"""`python -m train.evaluate CHECKPOINT --text FILE`: how well a model foresees a text.

The whole text is scored, every token exactly once, in float32. The last line is one JSON object:

    val_loss           nats per token over disjoint windows of block_size: the deterministic form of
                       nanoGPT's random windows
    val_loss_sliding   the same with windows an eighth apart, so that all but the first tokens have
                       seven eighths of the window as context
    val_bpb, val_bpb_sliding   bits per byte of the text (a line <|endoftext|> is no text: neither
                       its nats nor its bytes count)
    perplexity         exp(val_loss)
    tokens, bytes      what was scored, ends of stories included, and the bytes of the text
"""

import argparse
import json
import math
import sys
from pathlib import Path

from gpt.checkpoint import Checkpoint, CheckpointError
from gpt.dataset import TokenizedText, read_tokens, validation_start
from gpt.hub import load
from train.machine import pick_device
from train.scoring import score, summary


def evaluate(checkpoint: Checkpoint, text: TokenizedText) -> dict[str, float | int]:
    """Both protocols on one text; the keys are those of the module's docstring.

    Raises:
        ValueError: the text is empty.
    """
    if not text.bytes:
        raise ValueError("expected some text to evaluate on, the file holds none")
    block = checkpoint.config.block_size
    targets, eos_id = text.tokens[1:], checkpoint.tokenizer.eos_id
    disjoint = score(checkpoint.model, text.tokens, block)
    sliding = score(checkpoint.model, text.tokens, max(1, block // 8))
    whole, near = (summary(nats, targets, eos_id, text.bytes) for nats in (disjoint, sliding))
    return {
        "val_loss": whole["loss"],
        "val_loss_sliding": near["loss"],
        "val_bpb": whole["bpb"],
        "val_bpb_sliding": near["bpb"],
        "perplexity": math.exp(whole["loss"]),
        "tokens": len(targets),
        "bytes": text.bytes,
    }


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help="checkpoint folder, or USER/NAME on the Hub")
    parser.add_argument("--text", type=Path, required=True, help="text file in UTF-8")
    parser.add_argument(
        "--last-fraction",
        type=float,
        default=1.0,
        help="score only the last part of the text, in characters (default: all of it)",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps (default: the fastest)")
    return parser


def main(arguments: list[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    if not 0 < options.last_fraction <= 1:
        sys.exit(f"train.evaluate: --last-fraction must be in (0, 1], not {options.last_fraction}")
    try:
        checkpoint = load(options.checkpoint, device=str(pick_device(options.device)))
        start = 0
        if options.last_fraction < 1:
            start = validation_start(options.text, options.last_fraction)
        tokenizer = checkpoint.tokenizer
        text = read_tokens(options.text, tokenizer.encode, tokenizer.eos_id, start=start)
        result = evaluate(checkpoint, text)
    except (CheckpointError, OSError, ValueError) as error:
        sys.exit(f"train.evaluate: {error}")
    config = checkpoint.config
    print(
        f"{checkpoint.name}: {checkpoint.model.n_params:,} parameters, window {config.block_size}, "
        f"{len(text.tokens) - 1:,} tokens of {options.text.name}"
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
