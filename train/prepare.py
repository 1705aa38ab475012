"""Turn text into what training reads: token files, a tokenizer and a description of both.

python -m train.prepare my-stories.txt --tokenizer sentencepiece --vocab-size 4096 --out data/mine
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from tqdm import tqdm

from gpt.tokenizer import (
    BPETokenizer,
    CharTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    load_tokenizer,
)
from train.data.download import NAMED_TEXTS
from train.data.encode import SMALL_TEXT_BYTES, Written, token_dtype, write_tokens
from train.data.texts import (
    Part,
    Text,
    find_text,
    fingerprints,
    read_texts,
    sample_texts,
    split_texts,
)
from train.data.wildchat import fetch_rows, read_rows, write_text

Kind = Literal["char", "bpe", "gpt2", "sentencepiece"]
ModelType = Literal["bpe", "unigram"]

SAMPLE_CHARACTERS = 16 << 20
"""Pieces are learnt from all of a text up to this length, and from so much of a longer one."""
WILDCHAT = "wildchat"
DOWNLOADS = Path(__file__).resolve().parents[1] / "data" / "downloads"


def prepare(
    texts: Sequence[Text],
    out: Path,
    *,
    kind: Kind | Tokenizer,
    vocab_size: int = 4096,
    model_type: ModelType = "bpe",
    valid_files: Sequence[Path] = (),
    valid_fraction: float = 0.1,
    workers: int = 1,
) -> dict[str, Any]:
    """Write train.bin, valid.bin, the tokenizer's files and data.json into `out`.

    Args:
        texts: UTF-8 files, in which a line `<|endoftext|>` ends a document.
        out: The data folder. What it held of these files is replaced, all or nothing.
        kind: The tokenizer, one that is there or what to learn. Pieces are learnt from the training
            text alone; characters from the validation text too, as the field does: which ones
            there are gives nothing away.
        vocab_size: Tokens to learn with "bpe" and "sentencepiece".
        model_type: What SentencePiece learns.
        valid_files: Validation text. Empty: each text's own, and where it has none the last
            `valid_fraction` of its characters, from int((1 - valid_fraction) * n) on (nanoGPT).
        valid_fraction: See there.
        workers: Processes that encode; the ids are the same for any number.

    Returns:
        The content of data.json.

    Raises:
        ValueError: The text does not fit what is asked of it; the message says why.
        OSError: A file cannot be read or written.
    """
    train, valid = split_texts(texts, valid_files, valid_fraction)
    sources = fingerprints(train, valid)
    learns = isinstance(kind, str)
    tokenizer = _tokenizer(kind, train, valid, vocab_size, model_type) if learns else kind
    out.mkdir(parents=True, exist_ok=True)
    for left_behind in out.glob(".part-*"):
        shutil.rmtree(left_behind)
    with tempfile.TemporaryDirectory(dir=out, prefix=".part-") as name:
        folder = Path(name)
        tokenizer.save(folder)
        facts: dict[str, Any] = {
            "format": 1,
            "tokenizer": tokenizer.kind,
            "vocab_size": tokenizer.vocab_size,
            "dtype": token_dtype(tokenizer.vocab_size),
            "eos_id": tokenizer.eos_id,
        }
        for split, parts in (("train", train), ("valid", valid)):
            written = _write(parts, folder, split, facts["dtype"], tokenizer.eos_id, workers)
            if not written.bytes:
                raise ValueError(f"there is no text in the {split} part: give more text")
            facts[split] = asdict(written)
        facts["sources"] = [asdict(source) for source in sources]
        text = json.dumps(facts, indent=2) + "\n"
        (folder / "data.json").write_text(text, encoding="utf-8")
        _move(folder, out)
    return facts


def _tokenizer(
    kind: Kind,
    train: Sequence[Part],
    valid: Sequence[Part],
    vocab_size: int,
    model_type: ModelType,
) -> Tokenizer:
    if kind == "gpt2":
        return BPETokenizer.gpt2()
    if kind == "char":
        return CharTokenizer.train(read_texts([*train, *valid]))
    sample = sample_texts(train, SAMPLE_CHARACTERS)
    if kind == "bpe":
        return BPETokenizer.train(sample, vocab_size)
    return SentencePieceTokenizer.train(sample, vocab_size, model_type)


def _write(
    parts: Sequence[Part], folder: Path, split: str, dtype: str, eos_id: int, workers: int
) -> Written:
    size = sum(part.path.stat().st_size for part in parts)
    whole = all(part.start == 0 and part.stop is None for part in parts)
    total = size if whole else None
    # disable=None shows the bar in a terminal and nowhere else.
    with tqdm(total=total, unit="B", unit_scale=True, desc=split, disable=None) as bar:
        return write_tokens(
            parts,
            folder,
            folder / f"{split}.bin",
            dtype=dtype,
            eos_id=eos_id,
            workers=workers if size > SMALL_TEXT_BYTES else 1,
            progress=bar.update,
        )


def _move(folder: Path, out: Path) -> None:
    """Put the files in their place; data.json, which says that all are there, comes last."""
    names = {path.name for path in folder.iterdir()}
    (out / "data.json").unlink(missing_ok=True)
    for stale in ("tokenizer.model", "spiece.model"):
        if stale not in names:
            (out / stale).unlink(missing_ok=True)
    for name in [*sorted(names - {"data.json"}), "data.json"]:
        (folder / name).replace(out / name)


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
        description="Turn text into token files and a tokenizer, ready for train.pretrain. A line "
        "<|endoftext|> in a text ends a document; line ends of any system are read as one.",
    )
    parser.add_argument(
        "texts",
        nargs="+",
        metavar="NAME_OR_FILE",
        help="text files in UTF-8, or texts that are downloaded: "
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
        "16 million characters, an even sample of so many (default: 4096)",
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
        help="validation text; may be given several times",
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
    """Run the command."""
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
    try:
        facts = prepare(
            [
                _wildchat(options) if name == WILDCHAT else find_text(name, options.downloads)
                for name in options.texts
            ],
            options.out,
            kind=options.tokenizer,
            vocab_size=4096 if options.vocab_size is None else options.vocab_size,
            model_type=options.model_type or "bpe",
            valid_files=options.valid or [],
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
