"""`python -m train.compare_tokenizers --text FILE`: which way to cut a text suits a small model.

Trains the same model on the same text once for each tokenizer, vocabulary size and seed: the same
parameters beside the embeddings, the same context and the same amount of text, both in bytes. What
is trained already is not trained again, so the command may be stopped and repeated. It leaves
results.jsonl, tokenizers.md (the table and samples) and tokenizers.png in --out.

A variant is char (characters), bpe (byte-pair, the text split into words first), bpe-nosplit
(byte-pair across words), bpe-dropout (byte-pair, cut in another way on each pass through the
training text), sp-bpe or sp-unigram (SentencePiece); bpe:512,2048 has vocabularies of its own.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from gpt.files import write_whole
from train.data.folder import DataError
from train.data.texts import Text
from train.loop.config import PRESETS
from train.loop.device import machine_facts
from train.loop.options import add_field_options, given_fields
from train.loop.run import TrainingError
from train.run.document import render
from train.run.marks import command_of
from train.studies.tokenizer_study import (
    SET_BY_THE_STUDY,
    Study,
    StudyError,
    open_study,
    run_missing,
)
from train.studies.tokenizer_table import Result, by_variant, markdown, plot
from train.studies.tokenizer_variants import TITLES, TokenizerVariant, parse_variants


def write_up(
    study: Study, variants: Sequence[TokenizerVariant], results: Sequence[Result], command: str
) -> Path:
    """Write tokenizers.md and tokenizers.png; the path of the first."""
    groups = by_variant(variants, results)
    plot(groups, study.out / "tokenizers.png")
    path = study.out / "tokenizers.md"
    text = render(
        "tokenizers.md",
        command=command,
        names=", ".join(text.path.name for text in study.texts),
        study=study,
        base=study.base,
        machine=machine_facts(torch.device("cpu")),
        results=markdown(groups, study.dropout),
    )
    write_whole(path, text)
    return path


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.compare_tokenizers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--text", type=Path, nargs="+", required=True, metavar="FILE", help="in UTF-8")
    add("--out", type=Path, default=Path("runs/tokenizers"), help="folder (default: %(default)s)")
    add("--variants", nargs="+", default=list(TITLES), metavar="VARIANT", help="default: all")
    add(
        "--vocab-sizes",
        type=int,
        nargs="+",
        default=[512, 2048],
        metavar="N",
        help="of the variants that name none of their own (default: 512 2048)",
    )
    add("--seeds", type=int, nargs="+", default=[1, 2, 3], help="default: 1 2 3")
    add("--context-bytes", type=int, default=256, help="text in a window (default: %(default)s)")
    add(
        "--train-bytes",
        type=int,
        default=4_000_000,
        help="text that each model reads, passes included (default: %(default)s)",
    )
    add("--valid-fraction", type=float, default=0.1, help="last part (default: %(default)s)")
    add(
        "--bpe-dropout",
        type=float,
        default=0.1,
        help="joins left out in bpe-dropout, in training only (default: %(default)s)",
    )
    add("--sample-bytes", type=int, default=300, help="length of the samples, about")
    llama = sorted(name for name, preset in PRESETS.items() if preset().family == "llama")
    add("--preset", choices=llama, default="small", help="model and recipe (default: %(default)s)")
    add_field_options(parser, "the config (each overrides the preset)", without=SET_BY_THE_STUDY)
    return parser


def study_from(options: argparse.Namespace) -> Study:
    """What the command line asks for.

    Raises:
        ValueError: a value out of its range.
    """
    for name in ("context_bytes", "train_bytes", "sample_bytes"):
        if getattr(options, name) < 1:
            option = "--" + name.replace("_", "-")
            raise ValueError(f"{option} must be at least 1, not {getattr(options, name)}")
    if not 0 < options.bpe_dropout < 1:
        raise ValueError(f"--bpe-dropout must be between 0 and 1, not {options.bpe_dropout}")
    return Study(
        texts=[Text(path=path) for path in options.text],
        base=replace(PRESETS[options.preset](), **given_fields(options)),
        context_bytes=options.context_bytes,
        train_bytes=options.train_bytes,
        valid_fraction=options.valid_fraction,
        dropout=options.bpe_dropout,
        sample_bytes=options.sample_bytes,
        out=options.out,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, write it up; Ctrl-C ends it with every finished training kept."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    command = command_of("train.compare_tokenizers", given)
    try:
        study = study_from(options)
        variants = parse_variants(options.variants, options.vocab_sizes)
        open_study(study)
    except (StudyError, ValueError, OSError) as error:
        parser.error(str(error))
    try:
        results = run_missing(study, variants, options.seeds)
    except KeyboardInterrupt:
        sys.exit("stopped; every training that ended is kept: the same command goes on")
    except (DataError, TrainingError, ValueError, OSError) as error:
        sys.exit(f"train.compare_tokenizers: {error}")
    path = write_up(study, variants, results, command)
    print(f"{path}:\n\n{path.read_text(encoding='utf-8')}")


if __name__ == "__main__":
    main()
