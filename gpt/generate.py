"""`python -m gpt.generate CHECKPOINT "prompt"`: write on from the prompt, in the terminal.

The continuation alone goes to standard output, as it is written; seeds and notes go to standard
error. With no prompt, or -, the prompt is read from standard input; an empty one, or none in a
terminal, begins a fresh story. INKLING_CORE=torch writes with PyTorch, INKLING_CORE=numba with the
compiled core, which else writes from the second time on; a seed gives the same text with each.
"""

import argparse
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, replace
from typing import Any

from gpt.checkpoint import Checkpoint, CheckpointError
from gpt.checkpoint.generation_config import KEYS, usable_defaults
from gpt.checkpoint.hub import load
from gpt.files import decoded, plain_text
from gpt.generator import Generator
from gpt.sampling import LIMITS, Limit, SamplingParams
from gpt.text.prompt import check_for, prompt_ids, window_start
from gpt.text.token import Token

INTERRUPTED = 130
"""The exit status of what Ctrl-C ended, as shells have it."""
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
REFERENCE = "torch float32"
OF_TAKE = ("seed", "finish_reason", "take", "core")
"""What a token says of its whole take."""


def make_parser() -> argparse.ArgumentParser:
    """The command line; every sampling option, its range and its help come from `LIMITS`."""
    parser = argparse.ArgumentParser(
        prog="python -m gpt.generate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint", help="checkpoint folder, or a model on the Hugging Face Hub: USER/NAME"
    )
    parser.add_argument(
        "prompt", nargs="?", help="the beginning of the story; - reads it from stdin"
    )
    for limit in LIMITS.values():
        option = "--" + limit.name.replace("_", "-")
        if limit.kind == "strings":
            about = (
                f"{limit.explanation} May be given up to {limit.high:g} times; "
                r"\n is a line end."
            )
            parser.add_argument(option, action="append", metavar="TEXT", help=about)
            continue
        if limit.kind == "switch":
            parser.add_argument(
                option, action="store_const", const=True, help=f"{limit.explanation} Default: off."
            )
            continue
        default = "random" if limit.default is None else f"{limit.default}"
        if limit.name in KEYS:
            default = f"the model's own, else {default}"
        about = f"{limit.explanation} Range: {limit.range}; default: {default}."
        metavar = "N" if limit.kind == "whole number" else "X"
        parser.add_argument(option, type=_number(limit), metavar=metavar, help=about)
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object at the end: prompt, settings, and each take with its tokens",
    )
    return parser


def _number(limit: Limit) -> Callable[[str], float]:
    """What reads one option: a number within its range, or an error that names the range."""

    def read(text: str) -> float:
        try:
            value = int(text) if limit.kind == "whole number" else float(text)
        except ValueError:
            value = text
        try:
            limit.check(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        assert not isinstance(value, str)  # no text passes the check
        return value

    return read


def read_prompt(given: str | None) -> str:
    """The prompt as it was given, from the command line or from standard input.

    Raises:
        ValueError: what came from there is no text in UTF-8.
    """
    if given == "-" or (given is None and not sys.stdin.isatty()):
        # As bytes: the locale may be another, and a text stream keeps marks and \r.
        data = sys.stdin.buffer.read()
        return decoded(data, "the prompt on standard input")
    return plain_text(given or "")


def unescaped(given: str) -> str:
    r"""A text as a shell can give it: \n, \r and \t are a line end, a return and a tab, \\ a
    backslash.

    >>> unescaped(r"\n\nEND")
    '\n\nEND'
    """
    return re.sub(r"\\([nrt\\])", lambda found: _ESCAPES[found[1]], given)


def prepare(
    checkpoint: Checkpoint, given: str, params: SamplingParams
) -> tuple[str, list[int], SamplingParams]:
    """The prompt without spaces at its end, its ids, and the settings that suit it; what is changed
    or left out is said. A word before a space is whole: there is nothing to heal.

    Raises:
        ValueError: the settings or the text do not suit the model.
    """
    check_for(params, checkpoint.tokenizer)
    prompt = given.rstrip(" \t")
    if prompt != given:
        # In the tokens a space belongs to the word that follows: after one, no word can begin.
        say("spaces at the end of the prompt are left out: the next word brings its own")
        params = replace(params, heal=False)
    ids = prompt_ids(checkpoint.tokenizer, prompt)
    if unseen := window_start(len(ids), checkpoint.config.block_size):
        say(
            f"the prompt has {len(ids)} tokens, more than the {checkpoint.config.block_size} that "
            f"the model can see: it goes on from the last {len(ids) - unseen}"
        )
    return prompt, ids, params


def say(message: str) -> None:
    """Tell the person, not the pipe."""
    print(message, file=sys.stderr, flush=True)


def say_seeds(seeds: Sequence[int], generator: Generator) -> None:
    """Say what writes the same again: the seeds, and the core where it is not PyTorch's."""
    core = generator.core.name
    say("seed " + ", ".join(map(str, seeds)) + (f" with {core}" if core != REFERENCE else ""))


def print_takes(tokens: Iterator[Token], seeds: Sequence[int]) -> None:
    """Print stories that are written side by side one after the other, the first one live."""
    held, done, current = [""] * len(seeds), [False] * len(seeds), 0
    _title(current, seeds)
    for token in tokens:
        held[token.take] += token.text
        done[token.take] = token.finish_reason is not None
        while current < len(seeds):
            print(held[current], end="", flush=True)
            held[current] = ""
            if not done[current]:
                break
            current += 1
            _title(current, seeds)
    if sys.stdout.isatty():
        print()


def _title(take: int, seeds: Sequence[int]) -> None:
    """Set several takes apart; one alone is printed as it is."""
    if 1 < len(seeds) != take:
        space = "\n\n" if take else ""
        print(f"{space}── take {take + 1} of {len(seeds)}, seed {seeds[take]} ──", flush=True)


def in_json(takes: Sequence[Sequence[Token]], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Each take with its tokens, ready for JSON."""
    return [
        {
            "text": "".join(token.text for token in tokens),
            "seed": seed,
            "core": tokens[0].core if tokens else None,
            "finish_reason": tokens[-1].finish_reason if tokens else None,
            "tokens": [
                {key: value for key, value in asdict(token).items() if key not in OF_TAKE}
                for token in tokens
            ],
        }
        for tokens, seed in zip(takes, seeds, strict=True)
    ]


def resolve_params(args: argparse.Namespace, checkpoint: Checkpoint) -> SamplingParams:
    """The settings: the model's own, and over them what the command line says."""
    own = usable_defaults(checkpoint.folder)
    for note in own.notes:
        say(note)
    values: dict[str, Any] = dict(own.values)
    for name in LIMITS:
        if (value := getattr(args, name)) is not None:
            values[name] = tuple(map(unescaped, value)) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType]
    return SamplingParams(**values)


def generate(args: argparse.Namespace) -> int:
    """Write as the command line says; the exit status."""
    checkpoint = load(args.checkpoint)
    params = resolve_params(args, checkpoint)
    prompt, ids, params = prepare(checkpoint, read_prompt(args.prompt), params)
    takes = params.takes()
    seeds = [take.seed for take in takes if take.seed is not None]
    if len(takes) < params.n:
        say(f"temperature 0 writes the same text each time: 1 take, not {params.n}")
    # The first seed names all: one that was drawn here must not be drawn again.
    params = replace(params, seed=seeds[0])
    with closing(open_generator(checkpoint, len(takes))) as generator:
        tokens = generator.stream(ids, params)
        if not args.json:
            say_seeds(seeds, generator)
            print_takes(tokens, seeds)
            return 0
        written: list[list[Token]] = [[] for _ in takes]
        status = 0
        try:
            say_seeds(seeds, generator)
            for token in tokens:
                written[token.take].append(token)
        except KeyboardInterrupt:
            status = INTERRUPTED
    result = {
        "model": checkpoint.name,
        "prompt": prompt,
        "settings": asdict(params),
        "takes": in_json(written, seeds),
    }
    print(json.dumps(result, ensure_ascii=False), flush=True)
    return status


def open_generator(checkpoint: Checkpoint, takes: int) -> Generator:
    """What writes: with the compiled core where its code is on disk. Else with PyTorch, and a
    process begins to compile it for the next time."""
    generator = Generator(checkpoint.model, checkpoint.tokenizer, max_batch=takes)
    generator.use_compiled(wait=False)
    return generator


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 2 for what can be mended there."""
    parser = make_parser()
    args = parser.parse_args(argv)
    out: Any = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")  # a terminal that lacks a letter shows "?"
    try:
        return generate(args)
    except (CheckpointError, ValueError) as error:
        say(f"{parser.prog}: error: {error}")
        return 2
    except KeyboardInterrupt:
        say("")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has had enough. Python would complain once more when it flushes at the end.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
