"""How the core is compiled: without Python's lock, and kept on disk from one start to the next."""

from functools import partial
from typing import Any

import numba

from gpt.decode import disk

numba.config.CACHE_DIR = str(disk.folder())  # pyright: ignore[reportAttributeAccessIssue]

compiled: Any = partial(numba.njit, nogil=True, cache=True)
"""`numba.njit` for what Python calls."""
inner: Any = partial(numba.njit, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""`numba.njit` for what only compiled functions call: their code holds it."""

SUMS = {"reassoc", "contract", "nsz", "arcp"}
"""`fastmath=` for a sum: what lets it use wide registers. NaN and infinity keep their meaning."""
