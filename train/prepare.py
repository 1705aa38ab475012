"""`python -m train.prepare`: text files → token files, a tokenizer and data.json.

python -m train.prepare my-stories.txt --tokenizer sentencepiece --vocab-size 4096 --out data/mine
"""

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import get_args

from gpt.tokenizers import Tokenizer, load_tokenizer
from train.data.download import NAMED_TEXTS
from train.data.prepare import Kind, prepare
from train.data.texts import Text, find_texts, text_files
from train.data.wildchat import fetch_rows, read_rows, write_text

WILDCHAT = "wildchat"
DOWNLOADS = Path(__file__).resolve().parents[1] / "data" / "downloads"


def _kind_or_folder(word: str) -> Kind | Tokenizer:
    kind = next((kind for kind in get_args(Kind) if kind == word), None)
    if kind is None and not Path(word).is_dir():
        raise argparse.ArgumentTypeError(
            f"expected {', '.join(get_args(Kind))} or a folder that holds a tokenizer, not {word!r}"
        )
    try:
        return kind or load_tokenizer(Path(word))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def make_parser() -> argparse.ArgumentParser:
    """The options of `python -m train.prepare`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.prepare",
        description="Turn text into token files and a tokenizer, ready for train.pretrain. "
        "<|endoftext|> in a text ends a document, <|startoftext|> begins one; line ends of any "
        "system are read as one.",
    )
    parser.add_argument(
        "texts",
        nargs="+",
        metavar="NAME_OR_FILE",
        help="text files in UTF-8, folders of them (.txt, .md), or texts that are downloaded: "
        f"{', '.join([*NAMED_TEXTS, WILDCHAT])}",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--tokenizer",
        type=_kind_or_folder,
        default="sentencepiece",
        metavar="{char,bpe,gpt2,sentencepiece} or FOLDER",
        help="one token per character; byte pairs learnt from the text; GPT-2's own 50,257; "
        "SentencePiece learnt from the text (default: %(default)s); or the tokenizer of a "
        "checkpoint or data folder, as it is",
    )
    parser.add_argument(
        "--vocab-size",
        type=int,
        metavar="N",
        help="tokens to learn with bpe and sentencepiece, from the whole training text or, above "
        "16 million characters, from an even sample of that size (default: 4096)",
    )
    parser.add_argument(
        "--model-type", choices=["bpe", "unigram"], help="what sentencepiece learns (default: bpe)"
    )
    valid = parser.add_mutually_exclusive_group()
    valid.add_argument(
        "--valid",
        type=Path,
        action="append",
        metavar="FILE",
        help="validation text, a file or a folder of them; may be given several times",
    )
    valid.add_argument(
        "--valid-fraction",
        type=float,
        metavar="F",
        help="without --valid, the last part of each text, in characters (default: 0.1, and "
        "tinystories has a validation text of its own)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes that encode (default: one per core, %(default)s here)",
    )
    parser.add_argument(
        "--downloads",
        type=Path,
        default=DOWNLOADS,
        metavar="DIR",
        help="where downloads are kept (default: data/downloads)",
    )
    wildchat = parser.add_argument_group("wildchat, conversations in English as plain text")
    wildchat.add_argument(
        "--conversations",
        type=int,
        metavar="N",
        help="rows to read from the Hub, about half of them English (default: 10,000)",
    )
    wildchat.add_argument(
        "--file",
        type=Path,
        metavar="JSONL",
        help="an export with the data set's fields, one object a line, in place of the Hub",
    )
    return parser


def _wildchat(options: argparse.Namespace) -> Text:
    """The text made of the rows in --file, or of those that the Hub gives."""
    count = 10_000 if options.conversations is None else options.conversations
    if count < 1:
        raise ValueError(f"--conversations must be at least 1, not {count}")
    rows = read_rows(options.file or fetch_rows(count, options.downloads))
    path = options.downloads / f"{WILDCHAT}.txt"
    print(f"{path}: {write_text(rows if options.file else islice(rows, count), path)}")
    return Text(path=path)


def _name(kind: Kind | Tokenizer) -> str:
    return kind if isinstance(kind, str) else f"FOLDER: a {kind.kind} tokenizer that is there"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, call `train.data.prepare.prepare`, print what was written; an error of the
    user's is one line and exit status 1 or 2."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.vocab_size is not None and options.tokenizer not in ("bpe", "sentencepiece"):
        parser.error(f"--vocab-size has no meaning with --tokenizer {_name(options.tokenizer)}")
    if options.model_type is not None and options.tokenizer != "sentencepiece":
        parser.error(f"--model-type has no meaning with --tokenizer {_name(options.tokenizer)}")
    if WILDCHAT not in options.texts and (options.file or options.conversations is not None):
        parser.error("--file and --conversations have a meaning with wildchat only")
    if options.workers < 1:
        parser.error(f"--workers must be at least 1, not {options.workers}")
    valid: list[Path] = options.valid or []
    try:
        facts = prepare(
            [
                text
                for name in options.texts
                for text in (
                    [_wildchat(options)]
                    if name == WILDCHAT
                    else find_texts(name, options.downloads)
                )
            ],
            options.out,
            kind=options.tokenizer,
            vocab_size=4096 if options.vocab_size is None else options.vocab_size,
            model_type=options.model_type or "bpe",
            valid_files=[file for given in valid for file in text_files(given)],
            valid_fraction=0.1 if options.valid_fraction is None else options.valid_fraction,
            workers=options.workers,
        )
    except (ValueError, OSError) as error:
        sys.exit(f"train.prepare: {error}")
    print(f"{options.out}: {facts['tokenizer']}, {facts['vocab_size']:,} tokens in the vocabulary")
    for split in ("train", "valid"):
        part = facts[split]
        print(
            f"{split}: {part['tokens']:,} tokens, {part['bytes']:,} bytes of text "
            f"({part['bytes'] / part['tokens']:.2f} a token), {part['documents']:,} documents"
        )


if __name__ == "__main__":
    main()
