"""Texts → a data folder: token files, the tokenizer's files, data.json."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from gpt.checkpoint.training_json import hashes_of
from gpt.tokenizers import BPETokenizer, CharTokenizer, SentencePieceTokenizer, Tokenizer
from train.data.encode import SMALL_TEXT_BYTES, Written, token_dtype, write_tokens
from train.data.texts import Part, Text, fingerprints, read_texts, sample_texts, split_texts

Kind = Literal["char", "bpe", "gpt2", "sentencepiece"]
ModelType = Literal["bpe", "unigram"]

SAMPLE_CHARACTERS = 16 << 20
"""The most text that a vocabulary is learnt from; of a longer one an even sample of this size."""


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
            "tokenizer_sha256": hashes_of(folder),
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
