"""Turn text into what training reads: token files, their description and a tokenizer.

python -m train.prepare story.txt --tokenizer sentencepiece --vocab-size 4096 --out data/story
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from gpt.dataset import read_chunks, validation_start
from gpt.tokenizer import (
    BPETokenizer,
    CharTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
)
from train.encode import SMALL_TEXT, Part, Written, token_dtype, write_tokens

SAMPLE_CHARACTERS = 16 << 20
"""Tokenizers are trained on this much of a longer text, taken evenly from all of it; characters on all of it."""


def prepare(
    train_files: Sequence[Path],
    out: Path,
    *,
    kind: Literal["char", "bpe", "gpt2", "sentencepiece"],
    vocab_size: int = 4096,
    model_type: Literal["bpe", "unigram"] = "bpe",
    valid_files: Sequence[Path] = (),
    valid_fraction: float = 0.1,
    workers: int = 1,
) -> dict[str, object]:
    """Write train.bin, valid.bin, data.json and the tokenizer's files into `out`; the content of data.json.

    Args:
        train_files: Text files in UTF-8; a line `<|endoftext|>` ends a document.
        out: The data folder; what it held under these names is replaced.
        kind: The tokenizer: trained on the training text, save for "gpt2". Characters are taken from the validation
            text too, as the field does: which characters there are gives nothing away.
        vocab_size: Tokens to learn, with "bpe" and "sentencepiece".
        model_type: What SentencePiece learns.
        valid_files: Validation text. Without any, the last `valid_fraction` of each file's characters.
        workers: Processes that encode.
    """
    train = [Part(path=path) for path in train_files]
    valid = [Part(path=path) for path in valid_files]
    if not valid:
        cuts = [validation_start(path, valid_fraction) for path in train_files]
        train = [Part(path=path, stop=cut) for path, cut in zip(train_files, cuts, strict=True)]
        valid = [Part(path=path, start=cut) for path, cut in zip(train_files, cuts, strict=True)]
    sources = [_fingerprint(path) for path in [*train_files, *valid_files]]
    tokenizer = _tokenizer(kind, train, valid, vocab_size, model_type)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".part-") as name:
        folder = Path(name)
        tokenizer.save(folder)
        dtype = token_dtype(tokenizer.vocab_size)
        splits = {
            split: _write(split, parts, folder, tokenizer.eos_id, dtype, workers)
            for split, parts in (("train", train), ("valid", valid))
        }
        description: dict[str, object] = {
            "format": 1,
            "tokenizer": tokenizer.kind,
            "vocab_size": tokenizer.vocab_size,
            "dtype": dtype,
            "eos_id": tokenizer.eos_id,
            **{split: asdict(written) for split, written in splits.items()},
            "sources": [asdict(source) for source in sources],
        }
        text = json.dumps(description, indent=2) + "\n"
        (folder / "data.json").write_text(text, encoding="utf-8")
        _move(folder, out)
    return description


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A text file and its fingerprint."""

    name: str
    bytes: int
    sha256: str


def _fingerprint(path: Path) -> Source:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return Source(name=path.name, bytes=path.stat().st_size, sha256=digest.hexdigest())


def _tokenizer(
    kind: str,
    train: Sequence[Part],
    valid: Sequence[Part],
    vocab_size: int,
    model_type: Literal["bpe", "unigram"],
) -> Tokenizer:
    if kind == "gpt2":
        return BPETokenizer.gpt2()
    if kind == "char":
        return CharTokenizer.train(_texts([*train, *valid]))
    sample = _sample(train, SAMPLE_CHARACTERS)
    if kind == "bpe":
        return BPETokenizer.train(sample, vocab_size)
    return SentencePieceTokenizer.train(sample, vocab_size, model_type)


def _texts(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        for chunk in read_chunks(part.path, start=part.start, stop=part.stop):
            yield chunk.text


def _sample(parts: Sequence[Part], characters: int) -> Iterator[str]:
    """All of a text up to `characters`, or about so many, in chunks taken evenly from all of it."""
    total = sum(part.path.stat().st_size for part in parts)
    seen = taken = 0
    for text in _texts(parts):
        if taken * total <= seen * characters:
            yield text
            taken += len(text)
        seen += len(text)


def _write(
    split: str, parts: Sequence[Part], folder: Path, eos_id: int, dtype: str, workers: int
) -> Written:
    size = sum(part.path.stat().st_size for part in parts)
    with tqdm(total=size, unit="B", unit_scale=True, desc=split, leave=False) as bar:
        return write_tokens(
            parts,
            folder,
            folder / f"{split}.bin",
            dtype=dtype,
            eos_id=eos_id,
            workers=workers if size > SMALL_TEXT else 1,
            progress=lambda n: None if bar.update(n) else None,
        )


def _move(folder: Path, out: Path) -> None:
    """Move the files into place; data.json, which says that all are there, goes first and comes last."""
    (out / "data.json").unlink(missing_ok=True)
    names = sorted((path.name for path in folder.iterdir()), key=lambda name: name == "data.json")
    for name in names:
        os.replace(folder / name, out / name)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.prepare",
        description="Turn text into token files and a tokenizer, ready for train.pretrain.",
    )
    add = parser.add_argument
    add(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="text file in UTF-8; a line <|endoftext|> ends a document",
    )
    add("--tokenizer", required=True, choices=["char", "bpe", "gpt2", "sentencepiece"])
    add(
        "--vocab-size",
        type=int,
        default=4096,
        help="tokens to learn with bpe and sentencepiece (default: %(default)s)",
    )
    add(
        "--model-type",
        choices=["bpe", "unigram"],
        default="bpe",
        help="what sentencepiece learns (default: %(default)s)",
    )
    add(
        "--valid",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="validation text; may be given several times",
    )
    add(
        "--valid-fraction",
        type=float,
        default=0.1,
        help="without --valid, the last part of each file (default: %(default)s)",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="data folder to write")
    add(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="processes that encode (default: all cores, %(default)s)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    args = make_parser().parse_args(argv)
    try:
        data = prepare(
            args.files,
            args.out,
            kind=args.tokenizer,
            vocab_size=args.vocab_size,
            model_type=args.model_type,
            valid_files=args.valid,
            valid_fraction=args.valid_fraction,
            workers=args.workers,
        )
    except (ValueError, OSError) as error:
        sys.exit(f"train.prepare: {error}")
    print(json.dumps(data, indent=2))


if __name__ == "__main__":
    main()
