"""Room for a model's weights in huge pages, where the system has them."""

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

HUGE = 2 << 20
"""Bytes of a huge page on the processors that have them."""
LINE = 64
"""An array begins where a line of the processor's cache does."""


def in_huge_pages(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """The same arrays, one behind the other in one stretch of memory.

    A model of 20 MB has more small pages than a processor keeps the addresses of, and looking them
    up takes a tenth of a pass (LOG.md). Where the system has no huge pages, small ones it is.
    """
    sizes = [-(-array.nbytes // LINE) * LINE for array in arrays]
    room = mmap.mmap(-1, sum(sizes) + HUGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        room.madvise(mmap.MADV_HUGEPAGE)
    memory = np.frombuffer(room, np.uint8)
    at = -memory.ctypes.data % HUGE
    moved: list[NDArray[Any]] = []
    for array, size in zip(arrays, sizes, strict=True):
        place = memory[at : at + array.nbytes].view(array.dtype).reshape(array.shape)
        place[...] = array
        moved.append(place)
        at += size
    return moved
