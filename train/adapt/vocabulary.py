"""Give a model another vocabulary: what its pieces share with the old one starts from there.

A piece is known by the bytes of text it stands for, whichever tokenizer it comes from. One that the
old vocabulary has keeps its embedding; any other starts from the mean of the pieces that the old
tokenizer cuts its text into (Fast Vocabulary Transfer, Gee et al. 2022, arXiv 2402.09977). All
else in the model stays.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from gpt.model import GPT
from gpt.tokenizers import Tokenizer, UnknownCharacterError


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """Where the embeddings of a new vocabulary started from, in pieces."""

    shared: int
    """Those that the old vocabulary has too."""
    composed: int
    """Those that started from the mean of several old pieces."""
    unknown: int
    """Those that started from the mean of all: the old tokenizer cannot read them."""

    def __str__(self) -> str:
        return (
            f"{self.shared:,} of {self.shared + self.composed + self.unknown:,} pieces are shared "
            f"with the old vocabulary, {self.composed:,} start from the mean of the old pieces "
            f"they are made of, {self.unknown:,} from the mean of all"
        )


def same_tokenizer(one: Tokenizer, other: Tokenizer) -> bool:
    """Whether both cut every text into the same ids: all that decides it is in their files."""
    if (one.kind, one.eos_id, one.pieces) != (other.kind, other.eos_id, other.pieces):
        return False
    return _files(one) == _files(other)


def _files(tokenizer: Tokenizer) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


class OldPieces:
    """The ids of an old vocabulary that a piece of text was made of."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    @cached_property
    def by_bytes(self) -> dict[bytes, int]:
        """The id of each piece. SentencePiece has the same bytes twice: as a letter, as a byte."""
        found: dict[bytes, list[int]] = {}
        for id, piece in enumerate(self.tokenizer.pieces):
            if piece:
                found.setdefault(piece, []).append(id)
        return {
            piece: ids[0] if len(ids) == 1 else self._read(piece, ids)
            for piece, ids in found.items()
        }

    def _read(self, piece: bytes, ids: list[int]) -> int:
        """The one of several ids that text gives, for it alone was trained."""
        given = self.tokenizer.encode(piece.decode(errors="replace"))
        return given[0] if len(given) == 1 and given[0] in ids else ids[-1]

    def cut(self, piece: bytes) -> list[int]:
        """The ids that the old tokenizer reads `piece` as; none where it cannot."""
        try:
            return self._encode(piece.decode())
        except UnicodeDecodeError:
            return self._longest_first(piece)

    def _encode(self, text: str) -> list[int]:
        try:
            return self.tokenizer.encode(text)
        except UnknownCharacterError as error:
            known = "".join(c for c in text if c not in set(error.characters))
            return self.tokenizer.encode(known)

    def _longest_first(self, piece: bytes) -> list[int]:
        """Bytes that are no whole characters have no encoding: the longest old piece, and on."""
        ids: list[int] = []
        while piece:
            ends = range(len(piece), 0, -1)
            end = next((end for end in ends if piece[:end] in self.by_bytes), 0)
            if end:
                ids.append(self.by_bytes[piece[:end]])
            piece = piece[max(end, 1) :]
        return ids


def change_vocabulary(model: GPT, old: Tokenizer, new: Tokenizer) -> tuple[GPT, Carried]:
    """A copy of `model`, all of it trainable, that reads and writes the ids of `new`.

    Args:
        model: Tied or untied; the output layer of an untied one is carried over in the same way.
        old: The tokenizer of `model`.
    """
    sources, carried = origins(old, new)
    weights = dict(model.state_dict())
    for name in {"tokens.weight", "head.weight"} & weights.keys():
        weights[name] = _mean_rows(weights[name][: old.vocab_size], sources)
    changed = GPT(replace(model.config, vocab_size=new.vocab_size)).to(model.device, model.dtype)
    changed.load_state_dict(weights)
    return changed, carried


def origins(old: Tokenizer, new: Tokenizer) -> tuple[list[list[int]], Carried]:
    """The old ids that each new id starts from; none for the mean of all."""
    pieces = OldPieces(old)
    sources: list[list[int]] = []
    shared = 0
    for id, piece in enumerate(new.pieces):
        if id == new.eos_id:
            sources.append([old.eos_id])
        elif piece in pieces.by_bytes:
            sources.append([pieces.by_bytes[piece]])
        else:
            sources.append(pieces.cut(piece))
            continue
        shared += 1
    unknown = sum(not ids for ids in sources)
    composed = len(sources) - shared - unknown
    return sources, Carried(shared=shared, composed=composed, unknown=unknown)


def _mean_rows(rows: Tensor, sources: Sequence[Sequence[int]]) -> Tensor:
    """(V_old, C) and the old ids of each new one → (V_new, C)."""
    mean = rows.mean(dim=0)
    return torch.stack([rows[list(ids)].mean(dim=0) if ids else mean for ids in sources])
