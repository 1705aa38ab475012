"""Weights in safetensors files, read by a reader of our own that trusts nothing in them.

The file is 8 bytes of length, a JSON header, the numbers. Every tensor's type, shape and place is
held against what config.json needs and against the size of the file before anything is allocated,
so that a header cannot ask for memory or time; see github.com/huggingface/safetensors, "Format".
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from gpt.checkpoint.hf_names import full_name, hf_shapes, is_weight
from gpt.config import GPTConfig
from gpt.files import CheckpointError, changed_since, json_object, opened, said
from gpt.files.text import LOOKED_AT, known_as

FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
SIZES = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
}
"""Bytes of one number; a tensor that is no weight of ours may be of any of these types."""
_NAMES = {"I8": "torch.int8", "U8": "torch.uint8", "I32": "torch.int32", "F64": "torch.float64"}
MAX_HEADER_BYTES = 4_000_000
"""The largest models of the two families have headers of some hundred thousand."""
MAX_TENSORS = 20_000
SPARSE_BYTES = 50_000_000
"""A larger file of which less than half is on the disk is full of holes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tensor lies in a file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    """From the beginning of the file, in bytes."""
    end: int


def read_weights(
    folder: Path, names: Iterable[str], config: GPTConfig, hashes: Mapping[str, str]
) -> dict[str, Tensor]:
    """All weights of the files `names`, by the names that `to_hf` has; what is no weight is left
    out.

    Args:
        hashes: The SHA-256 of files, by name, where it is known.

    Raises:
        CheckpointError: a file is damaged, or does not hold the weights that `config` needs.
    """
    weights: dict[str, Tensor] = {}
    for name, inside in check_weights(folder, names, config).items():
        with opened(folder, name, most=_most_bytes(config)) as file:
            for place, tensor in _tensors(file, inside, config, folder / name, hashes.get(name)):
                weights[full_name(config, place.name)] = tensor
    return weights


def _most_bytes(config: GPTConfig) -> int:
    """What the weights may have on the disk: room for masks, tables and a tied output layer, which
    older files carry, is in it."""
    needed = 4 * sum(map(prod, hf_shapes(config).values()))
    return 2 * needed + MAX_HEADER_BYTES + 4 * config.n_layer * config.block_size**2


def check_weights(folder: Path, names: Iterable[str], config: GPTConfig) -> dict[str, list[Place]]:
    """What lies where in each file, held against `config`; only headers are read.

    Raises:
        CheckpointError: see `read_weights`.
    """
    shapes, most = hf_shapes(config), _most_bytes(config)
    places: dict[str, list[Place]] = {}
    found: dict[str, str] = {}
    for name in names:
        with opened(folder, name, most=1 << 62) as file:
            places[name] = _places(file, folder / name, most)
        for place in places[name]:
            if not is_weight(config, place.name):
                continue
            full = full_name(config, place.name)
            _check(place, shapes.get(full), folder / name)
            if full in found:
                raise CheckpointError(
                    f"{said(folder / name)} holds {place.name[:80]} again, which is in "
                    f"{found[full]} already: expected each tensor once"
                )
            found[full] = name
    if missing := [name for name in shapes if name not in found]:
        first = next(iter(places), "the weights")
        raise CheckpointError(f"{said(folder / first)} lacks the tensor {missing[0]!r}")
    return places


def _places(file: BufferedReader, path: Path, most: int) -> list[Place]:
    """Every tensor that the header names, in the order of the file."""
    size = file.seek(0, 2)
    blocks = os.fstat(file.fileno()).st_blocks * 512
    if size > SPARSE_BYTES and 0 < blocks < size // 2:
        raise _damaged(path, f"of its {size:,} bytes only {blocks:,} are on the disk")
    file.seek(0)
    head = file.read(LOOKED_AT)
    length = int.from_bytes(head[:8], "little")
    # Where a header begins, the bytes before it are its length, whatever they spell.
    if (head[8:9] != b"{" or length > MAX_HEADER_BYTES) and (known := known_as(head)):
        raise CheckpointError(f"{said(path)} is {_other_than_weights(*known)}")
    file.seek(8)
    if length > MAX_HEADER_BYTES:
        raise _damaged(
            path, f"its header claims {length:,} bytes, {MAX_HEADER_BYTES:,} is the most"
        )
    if size > most:
        raise _damaged(path, f"it has {size:,} bytes, {most:,} is the most such a model needs")
    begin = 8 + length
    if size < begin:
        raise _damaged(path, f"it ends within its header, after {size:,} bytes")
    header = json_object(file.read(length), path)
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise _damaged(path, f"it names {len(header):,} tensors, {MAX_TENSORS:,} is the most")
    places = sorted(
        (_place(name, entry, begin, path) for name, entry in header.items()),
        key=lambda place: (place.begin, place.end),
    )
    at = begin
    for place in places:
        if place.begin != at:
            raise _damaged(path, f"its tensors overlap, or leave a gap, at {place.name[:80]!r}")
        at = place.end
    if at != size:
        raise _damaged(path, f"its header tells of {at:,} bytes, the file has {size:,}")
    return places


def _other_than_weights(what: str, do: str) -> str:
    """What is no safetensors, and what to do; no text is to be made of what should be weights."""
    again = "copy or download it again"
    return f"{what}, no safetensors: {again if do.startswith(('save', 'write')) else do}"


def _place(name: str, entry: object, begin: int, path: Path) -> Place:
    match entry:
        case {"dtype": str(dtype), "shape": list(), "data_offsets": [int(start), int(end)]}:
            sizes = cast("list[object]", cast("dict[str, Any]", entry)["shape"])
        case _:
            raise _damaged(path, f"{name[:80]!r} has no dtype, shape and data_offsets")
    if dtype not in SIZES:
        raise _unknown_dtype(name, dtype, path)
    if not all(type(each) is int and 0 <= each < 1 << 40 for each in sizes) or len(sizes) > 8:
        raise _damaged(path, f"the shape of {name[:80]!r} is none: {str(sizes)[:80]}")
    whole = tuple(cast("list[int]", sizes))
    numbers = type(start) is int and type(end) is int and 0 <= start <= end
    if not numbers or end - start != prod(whole) * SIZES[dtype]:
        raise _damaged(path, f"{name[:80]!r} lies from {start} to {end}, not what its shape needs")
    return Place(name, dtype, whole, begin + start, begin + end)


def _check(place: Place, wanted: tuple[int, ...] | None, path: Path) -> None:
    if wanted is None:
        raise CheckpointError(
            f"config.json has no place for {place.name[:80]!r}, which is in {said(path)}"
        )
    if place.dtype not in FLOATS:
        raise _unknown_dtype(place.name, place.dtype, path)
    if place.shape != wanted:
        raise CheckpointError(
            f"{said(path)} is damaged or does not fit config.json: expected {place.name[:80]} of "
            f"shape {wanted}, got {place.shape}"
        )


def _tensors(
    file: BufferedReader, places: list[Place], config: GPTConfig, path: Path, sha256: str | None
) -> Iterator[tuple[Place, Tensor]]:
    """The weights among `places`; the whole file is held against its hash where there is one.

    A tensor is given out before the end of the file is known to be right; the caller keeps none
    when this raises.
    """
    digest = hashlib.sha256()
    # Beside the reading, which waits for the disk, and the look for NaN.
    with ThreadPoolExecutor(max_workers=1) as beside:

        def note(data: bytes | memoryview) -> None:
            if sha256:
                beside.submit(digest.update, data)

        start = places[0].begin if places else file.seek(0, 2)
        file.seek(0)
        note(file.read(start))
        for place in places:
            if not is_weight(config, place.name):
                for size in _chunks(place.end - place.begin) if sha256 else ():
                    note(file.read(size))
                file.seek(place.end)
                continue
            raw = torch.empty(place.end - place.begin, dtype=torch.uint8)
            view = memoryview(cast("Any", raw.numpy()))
            if file.readinto(view) != len(view):
                raise _damaged(path, "it became shorter while it was read")
            note(view)
            tensor = raw.view(FLOATS[place.dtype]).view(place.shape)
            if not bool(tensor.isfinite().all()):
                raise CheckpointError(f"{place.name} in {said(path)} is not finite: train it again")
            yield place, tensor
    if sha256 and digest.hexdigest() != sha256:
        raise changed_since(path)


def _chunks(size: int, most: int = 1 << 20) -> Iterator[int]:
    for at in range(0, size, most):
        yield min(most, size - at)


def _unknown_dtype(name: str, dtype: str, path: Path) -> CheckpointError:
    return CheckpointError(
        f"{name[:80]} in {said(path)} is {_NAMES.get(dtype, dtype[:20])}: Inkling reads float32, "
        "float16 and bfloat16 weights, none that are quantized"
    )


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{said(path)} is damaged or does not fit config.json: {why}. Copy or download it again"
    )
