"""Text to ids and back: the interface of every tokenizer, and how one is opened.

The classes are those of gpt/tokenizers/kinds.py, ours, and gpt/tokenizers/fast.py, any other's.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gpt.files import (
    CheckpointError,
    MissingFileError,
    changed_since,
    json_object,
    read_bytes,
    sha256,
)
from gpt.tokenizers.checks import check_ids_of_characters, check_tokenizer
from gpt.tokenizers.errors import TextError, TokenizerError, UnknownCharacterError, panics_said
from gpt.tokenizers.fast import FastTokenizer, fast_spec, read_tokenizer
from gpt.tokenizers.files import SENTENCEPIECE_FILES, kind_of_ours
from gpt.tokenizers.kinds import BPETokenizer, CharTokenizer, SentencePieceTokenizer, ranks_of
from gpt.tokenizers.pieces import EOS, StreamDecoder
from gpt.tokenizers.sentencepiece_scores import check_model
from gpt.tokenizers.trial import Spec, check_trial

__all__ = [
    "EOS",
    "BPETokenizer",
    "CharTokenizer",
    "FastTokenizer",
    "SentencePieceTokenizer",
    "StreamDecoder",
    "TextError",
    "Tokenizer",
    "TokenizerError",
    "UnknownCharacterError",
    "load_tokenizer",
]


class Tokenizer(Protocol):
    """What every tokenizer can do. `<|endoftext|>` typed by a user is text like any other."""

    kind: str
    """"char", "bpe" or "sentencepiece"."""
    vocab_size: int
    """Number of ids, the special ones included: 0 .. vocab_size - 1."""
    eos_id: int
    """The end-of-story token. `encode` never gives it; `decode` gives "" for it."""
    bos_id: int
    """What a story begins after: the end of the one before, unless the model learnt another."""
    end_ids: frozenset[int]
    """All that end a story: `eos_id`, and what a model from elsewhere may have beside it."""

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes of UTF-8 that each id stands for; none for the special ones."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of `text`. Half a surrogate pair, which is no character, is read as U+FFFD."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that are no character become U+FFFD."""
        ...

    def piece(self, id: int) -> str:
        r"""How one token is shown alone: bytes that are no whole character as e.g. `\xe2`."""
        ...

    def decoder(self) -> StreamDecoder:
        """A fresh decoder for one story; all it gives, joined, is `decode` of all the ids."""
        ...

    def save(self, folder: Path) -> None:
        """Write the files that `load_tokenizer` and transformers' `AutoTokenizer` open."""
        ...


AnyTokenizer = CharTokenizer | BPETokenizer | SentencePieceTokenizer | FastTokenizer


def load_tokenizer(
    folder: Path, *, tried: bool = False, hashes: Mapping[str, str] | None = None
) -> AnyTokenizer:
    """Open the tokenizer that lies in `folder`: one of ours, or any other of the two families.

    One from elsewhere is tried in a process of its own first (`gpt.tokenizers.trial`). Ours, of
    which the SHA-256 was noted when it was saved, has nothing in it to be tried: no expression and
    no table of its own; that is looked at, not believed.

    Args:
        tried: The caller knows it already, from another process.
        hashes: The SHA-256 of files, by name, where it is known.

    Raises:
        TokenizerError: There is none, or none that we can open.
    """
    folder = Path(folder)
    try:
        spec = read_spec(folder)
        noted = _as_noted(folder, spec, hashes or {})
        if not (tried or spec.kind == "char" or (noted and spec.kind != "fast")):
            check_trial(spec)
        return build(spec)
    except MissingFileError as error:
        raise TokenizerError(f"no tokenizer in {folder}: {error}") from error
    except (CheckpointError, TokenizerError, TextError, RuntimeError, KeyError, TypeError) as error:
        if isinstance(error, TokenizerError) and str(folder) in str(error):
            raise
        path = folder / "tokenizer.json"
        why = " ".join(str(error).split())[:400]
        raise TokenizerError(f"{path} is not a tokenizer that Inkling can open: {why}") from error


def kind_in(folder: Path) -> str:
    """The `kind` of the tokenizer in `folder`, by its files alone.

    Raises:
        TokenizerError: There is none, or none that we can open.
    """
    try:
        spec = read_spec(folder)
    except CheckpointError as error:
        raise TokenizerError(f"no tokenizer in {folder}: {error}") from error
    if spec.kind == "char":
        return "char"
    if spec.kind == "fast":
        model = json.loads(spec.text)["model"]
        of_words = model.get("type") == "Unigram" or model.get("byte_fallback")
        return "sentencepiece" if of_words else "bpe"
    return "bpe" if spec.kind == "byte" else "sentencepiece"


def read_spec(folder: Path) -> Spec:
    """What the tokenizer in `folder` is made of, checked as far as it can be without running it.

    Raises:
        CheckpointError: A file is missing or cannot be read.
        TokenizerError: It is none that we can open.
    """
    text = read_tokenizer(folder)
    values = json_object(text.encode(), folder / "tokenizer.json")
    check_tokenizer(values)
    kind = kind_of_ours(values)
    if kind is None:
        return fast_spec(folder, text, values)
    if kind in ("bpe", "unigram"):
        data = read_bytes(folder, SENTENCEPIECE_FILES[kind])
        check_model(data)
        return Spec(kind, text, model=data.decode("latin-1"))
    vocab: dict[str, int] = values["model"]["vocab"]
    if EOS not in vocab:
        raise TokenizerError(f"{folder / 'tokenizer.json'} has no {EOS}, which ends a text")
    if kind == "char":
        check_ids_of_characters(vocab, EOS)
    return Spec(kind, text)


def build(spec: Spec) -> AnyTokenizer:
    """The tokenizer that is made of `spec`.

    Raises:
        TokenizerError, TextError, RuntimeError: Its library refuses it.
    """
    if spec.kind == "fast":
        return FastTokenizer(spec.text, spec.ends, spec.begin)
    if spec.kind in ("bpe", "unigram"):
        return SentencePieceTokenizer(spec.model.encode("latin-1"), spec.kind)
    vocab: dict[str, int] = dict(json.loads(spec.text)["model"]["vocab"])
    eos_id = vocab.pop(EOS)
    if spec.kind == "char":
        return CharTokenizer(sorted(vocab, key=vocab.__getitem__))
    with panics_said():
        return BPETokenizer(ranks_of(vocab), eos_id)


def _as_noted(folder: Path, spec: Spec, hashes: Mapping[str, str]) -> bool:
    """Whether the files are those whose SHA-256 was noted.

    Raises:
        TokenizerError: One is another than it was.
    """
    have = {"tokenizer.json": spec.text.encode()}
    if spec.kind in ("bpe", "unigram"):
        have[SENTENCEPIECE_FILES[spec.kind]] = spec.model.encode("latin-1")
    for name, data in have.items():
        if name in hashes and sha256(data) != hashes[name]:
            raise TokenizerError(str(changed_since(folder / name)))
    return all(name in hashes for name in have)
