"""Text files read as documents, token files mapped into memory, and the windows a model trains on.

In a text file `<|endoftext|>` ends a document and `<|startoftext|>` begins one, on lines of their
own or within one. Neither is text, nor is the line end behind it; the one before it belongs to the
document. As tokens a marker is the end-of-story id, which also stands at the start of every file,
so that each document's start is preceded by one; two never stand in a row.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from gpt.files.text import check_text, no_utf8, shape_of

END_OF_DOCUMENT = "<|endoftext|>"
CHUNK_CHARACTERS = 1 << 18

MARKERS = (END_OF_DOCUMENT, "<|startoftext|>")
_LONGEST_MARKER = max(map(len, MARKERS))
_MARKER = re.compile(rf"(?:{'|'.join(map(re.escape, MARKERS))})\n?")
# No tokenizer of ours joins anything across these places, so text cut there and encoded in parts
# gives the ids of the whole: after a line end between two visible characters, before such a space.
_LINE_START = re.compile(r"\S\n(?=\S)")
_WORD_START = re.compile(r"\S(?= \S)")


class SlidingWindowDataset(Dataset[tuple[Tensor, Tensor]]):
    """Windows of block_size + 1 tokens: item i is (x, y), y being x shifted by one.

    Args:
        tokens: Ids, one-dimensional; a memory map stays on disk, whatever its size.
        block_size: Length of x and of y, in tokens.
        stride: Distance between the starts of two windows, in tokens. block_size predicts each
            token once, 1 gives every window there is.

    Raises:
        ValueError: `tokens` does not fill one window, or a size is not positive.
    """

    def __init__(self, tokens: npt.ArrayLike, block_size: int, stride: int) -> None:
        self.tokens: npt.NDArray[Any] = np.asarray(tokens)
        if self.tokens.ndim != 1:
            raise ValueError(f"tokens must have one dimension, not shape {self.tokens.shape}")
        if block_size < 1 or stride < 1:
            raise ValueError(
                f"block_size and stride must be at least 1, not {block_size} and {stride}"
            )
        if len(self.tokens) < block_size + 1:
            raise ValueError(
                f"a text of {len(self.tokens)} tokens is too short for one window of "
                f"block_size + 1 = {block_size + 1}: use a longer text or a smaller block_size"
            )
        self.block_size = block_size
        self.stride = stride

    def __len__(self) -> int:
        return (len(self.tokens) - self.block_size - 1) // self.stride + 1

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Window `index` as two LongTensors of shape (block_size,)."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        start = index % len(self) * self.stride
        window = self.tokens[start : start + self.block_size + 1].astype(np.int64)
        tokens = torch.as_tensor(window)  # (block_size + 1,)
        return tokens[:-1], tokens[1:]


def open_tokens(path: Path, dtype: npt.DTypeLike) -> np.memmap[Any, Any]:
    """Map a token file into memory, read only: (n_tokens,) of uint16 or uint32, little-endian."""
    path = Path(path)
    size, width = path.stat().st_size, np.dtype(dtype).itemsize
    if size == 0 or size % width:
        raise ValueError(
            f"{path} holds {size} bytes, no whole number of {width}-byte tokens above 0: "
            "make it again with `python -m train.prepare`"
        )
    return np.memmap(path, dtype=np.dtype(dtype).newbyteorder("<"), mode="r")


def documents(
    tokens: npt.NDArray[np.unsignedinteger], end_id: int
) -> Iterator[npt.NDArray[np.unsignedinteger]]:
    """What lies before, between and after the ends of documents, which are in none of them.

    >>> [part.tolist() for part in documents(np.array([0, 5, 6, 0, 7], np.uint16), 0)]
    [[], [5, 6], [7]]
    """
    start = 0
    for end in (*np.flatnonzero(tokens == end_id).tolist(), len(tokens)):
        yield tokens[start:end]
        start = end + 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part of a document, or all of a short one; `text` may be "" only where a long one ends."""

    text: str
    starts_document: bool
    ends_document: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizedText:
    """A text as the model sees it: ids, and the UTF-8 bytes and documents they stand for."""

    tokens: npt.NDArray[np.uint32]
    bytes: int
    documents: int


def read_chunks(
    path: Path, *, start: int = 0, stop: int | None = None, size: int = CHUNK_CHARACTERS
) -> Iterator[Chunk]:
    """The documents of a text file in order, long ones in parts, a few parts in memory at a time.

    A document is cut only where encoding the parts gives the same ids as encoding the whole, save
    that a stretch of 16 * size characters without such a place is cut all the same. Documents
    without text are left out.

    Args:
        path: A UTF-8 file; line ends \\r\\n and \\r are read as \\n, a byte order mark is skipped.
        start, stop: The part of the file to read, in characters.
        size: Parts are `size` to 2 * size characters long.

    Raises:
        ValueError: The file is not UTF-8; the message says what it is.
    """
    part, in_document = "", False
    for text in _texts_and_ends(_blocks(path, start, stop, size)):
        if text is None:
            if part or in_document:
                yield Chunk(part, not in_document, ends_document=True)
            part, in_document = "", False
            continue
        part += text
        while len(part) >= 2 * size and (cut := _cut(part, size)):
            yield Chunk(part[:cut], not in_document, ends_document=False)
            part, in_document = part[cut:], True
    if part:
        yield Chunk(part, not in_document, ends_document=False)


def read_tokens(
    path: Path,
    encode: Callable[[str], list[int]],
    eos_id: int,
    *,
    start: int = 0,
    stop: int | None = None,
) -> TokenizedText:
    """A text file, or its characters start .. stop, as ids: what train.prepare writes for it."""
    ids, n_bytes, documents = [eos_id], 0, 0
    for chunk in read_chunks(path, start=start, stop=stop):
        documents += chunk.starts_document
        ids += encode(chunk.text)
        n_bytes += len(chunk.text.encode())
        if chunk.ends_document:
            ids.append(eos_id)
    return TokenizedText(tokens=np.array(ids, np.uint32), bytes=n_bytes, documents=documents)


def validation_start(path: Path, fraction: float) -> int:
    """Where the last `fraction` of a text begins, in characters: int((1 - fraction) * n).

    This is nanoGPT's split. Where it would cut a marker in two, the next place that does not is
    taken.
    """
    n = sum(len(block) for block in _blocks(path, 0, None, CHUNK_CHARACTERS))
    cut = int((1 - fraction) * n)
    length = _LONGEST_MARKER + 1
    first = max(0, cut - length)
    around = "".join(_blocks(path, first, cut + 2 * length, CHUNK_CHARACTERS))
    at = cut - first
    while _markers(around[:at]) + _markers(around[at:], at) != _markers(around):
        at += 1
    return first + at


def _markers(text: str, offset: int = 0) -> list[tuple[int, int]]:
    return [(offset + m.start(), offset + m.end()) for m in _MARKER.finditer(text)]


def _blocks(path: Path, start: int, stop: int | None, size: int) -> Iterator[str]:
    """Characters start .. stop of a file, in blocks of at most `size`."""
    check_text(Path(path))
    with Path(path).open(encoding="utf-8-sig") as file:
        try:
            position = 0
            for block in _read(file, size):
                if "\0" in block:
                    raise ValueError(f"{path} {shape_of(bytes(2))}")
                begin, position = position, position + len(block)
                if position > start:
                    yield block[max(0, start - begin) : None if stop is None else stop - begin]
                if stop is not None and position >= stop:
                    return
        except UnicodeDecodeError as error:
            raise ValueError(no_utf8(str(path), error)) from error


def _read(file: TextIO, size: int) -> Iterator[str]:
    while block := file.read(size):
        yield block


def _texts_and_ends(blocks: Iterable[str]) -> Iterator[str | None]:
    """Stretches of text, and None wherever a marker ends a document."""
    rest = ""
    for block in chain(blocks, [None]):
        ready, rest = (rest, "") if block is None else _without_half_marker(rest + block)
        for number, text in enumerate(_MARKER.split(ready)):
            if number:
                yield None
            if text:
                yield text


def _without_half_marker(text: str) -> tuple[str, str]:
    """The text, and what at its end may belong to a marker or the line end behind one."""
    at = text.rfind("<", -_LONGEST_MARKER)
    if at >= 0 and any(marker.startswith(text[at:]) for marker in MARKERS):
        return text[:at], text[at:]
    return text, ""


def _cut(text: str, size: int) -> int:
    """A harmless place to cut between size and 2 * size; 0 where there is none yet."""
    for boundary in (_LINE_START, _WORD_START):
        match = boundary.search(text, size - 1)
        if match and match.end() <= 2 * size:
            return match.end()
    if len(text) < 16 * size:
        return 0
    match = _WORD_START.search(text, size)
    return match.end() if match else size
