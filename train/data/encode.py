"""From text files to a token file: read in a stream, encoded on all cores, written in order.

The text is cut into batches by the text alone, so the ids do not depend on the number of processes,
and only a few batches are in memory at a time, whatever the size of the files.
"""

import hashlib
import multiprocessing
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gpt.dataset import CHUNK_CHARACTERS, Chunk, read_chunks
from gpt.tokenizers import BPETokenizer, CharTokenizer, Tokenizer, load_tokenizer
from train.data.texts import Part

Ids = npt.NDArray[Any]
Batch = list[Chunk]

MOST_THREADS = 4
"""With more, Python's own work between two calls, one thread at a time, would be the limit."""
SMALL_TEXT_BYTES = 4 << 20
"""A shorter text is encoded by one process before others have started."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A token file: how many ids, the UTF-8 bytes and documents they stand for, its SHA-256."""

    tokens: int
    bytes: int
    documents: int
    sha256: str


def token_dtype(vocab_size: int) -> str:
    """The narrowest of uint16 and uint32 that holds every id."""
    return "uint16" if vocab_size <= 1 << 16 else "uint32"


def write_tokens(
    parts: Iterable[Part],
    tokenizer_folder: Path,
    path: Path,
    *,
    dtype: str,
    eos_id: int,
    workers: int,
    progress: Callable[[float], object],
) -> Written:
    """Encode `parts` one after another into the token file `path`.

    Args:
        parts: What to encode, in order; each starts after an end-of-story token.
        tokenizer_folder: Where `load_tokenizer` finds the tokenizer.
        path: The file to write: raw little-endian ids.
        dtype: "uint16" or "uint32".
        eos_id: The end-of-story id.
        workers: Processes that encode, or threads where they do as well; 1 encodes in this one.
        progress: Called with the UTF-8 bytes of text of each batch, once it is written.
    """
    tokens = n_bytes = documents = 0
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for batch in _encoded(_batches(_chunks(parts)), tokenizer_folder, eos_id, workers):
            data = batch.ids.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
            file.write(data)
            digest.update(data)
            tokens += len(batch.ids)
            n_bytes += batch.bytes
            documents += batch.documents
            progress(batch.bytes)
    return Written(tokens=tokens, bytes=n_bytes, documents=documents, sha256=digest.hexdigest())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Encoded:
    ids: Ids
    bytes: int
    documents: int


def _chunks(parts: Iterable[Part]) -> Iterator[Chunk]:
    """All chunks, with an empty one before the first, and before a file if the last left one open.

    It ends a document, and so gives the end-of-story token that each file has to start after.
    """
    ended = False
    for part in parts:
        if not ended:
            yield Chunk("", starts_document=False, ends_document=True)
        ended = True
        for chunk in read_chunks(part.path, start=part.start, stop=part.stop):
            yield chunk
            ended = chunk.ends_document


def _batches(chunks: Iterable[Chunk]) -> Iterator[Batch]:
    batch: Batch = []
    characters = 0
    for chunk in chunks:
        batch.append(chunk)
        characters += len(chunk.text)
        if characters >= CHUNK_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _encoded(
    batches: Iterable[Batch], tokenizer_folder: Path, eos_id: int, workers: int
) -> Iterator[_Encoded]:
    if workers == 1:
        yield from (_encode(batch, tokenizer_folder, eos_id) for batch in batches)
        return
    if workers <= MOST_THREADS and isinstance(_tokenizer(tokenizer_folder), BPETokenizer):
        pool: Executor = ThreadPoolExecutor(workers)  # tiktoken lets other threads run meanwhile
    else:
        pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    waiting: deque[Future[_Encoded]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(_encode, batch, tokenizer_folder, eos_id))
            if len(waiting) > 2 * workers:  # enough to keep all busy, and a bound on memory
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _encode(batch: Batch, tokenizer_folder: Path, eos_id: int) -> _Encoded:
    encode = _encoder(tokenizer_folder)
    eos = np.array([eos_id], np.uint32)
    pieces: list[Ids] = []
    for chunk in batch:
        if chunk.text:
            pieces.append(encode(chunk.text))
        if chunk.ends_document:
            pieces.append(eos)
    return _Encoded(
        ids=np.concatenate(pieces),
        bytes=sum(len(chunk.text.encode()) for chunk in batch),
        documents=sum(chunk.starts_document for chunk in batch),
    )


@cache
def _tokenizer(folder: Path) -> Tokenizer:
    """Opened once in each process."""
    return load_tokenizer(folder, tried=True)


@cache
def _encoder(tokenizer_folder: Path) -> Callable[[str], Ids]:
    """Text to ids as an array."""
    tokenizer = _tokenizer(tokenizer_folder)
    if not isinstance(tokenizer, CharTokenizer):
        # Half the time of np.array, which looks at each number's type.
        return lambda text: np.frombuffer(array("I", tokenizer.encode(text)), np.uint32)
    unknown = tokenizer.vocab_size
    table = np.full(0x110000, unknown, np.uint32)
    table[[ord(character) for character in tokenizer.characters]] = range(unknown - 1)

    def encode(text: str) -> Ids:
        ids = table[np.frombuffer(text.encode("utf-32-le"), np.uint32)]
        if ids.max(initial=0) == unknown:
            tokenizer.encode(text)  # says which characters
        return ids

    return encode
