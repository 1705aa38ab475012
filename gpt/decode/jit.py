"""How the core is compiled: without Python's lock, and kept on disk from one start to the next."""

from functools import partial
from typing import Any

import numba
import numba.core.config
import numba.extending

from gpt.decode import disk

setattr(numba.core.config, "CACHE_DIR", str(disk.folder()))  # noqa: B010 - it has no types

# Numba's decorators have no types that tell what they make.
_njit: Any = numba.njit
intrinsic: Any = numba.extending.intrinsic
"""As Numba's own."""
compiled: Any = partial(_njit, nogil=True, cache=True)
"""`numba.njit` for what Python calls."""
inner: Any = partial(_njit, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""`numba.njit` for what only compiled functions call: their code holds it."""

SUMS = {"reassoc", "contract", "nsz", "arcp"}
"""`fastmath=` for a sum: what lets it use wide registers. NaN and infinity keep their meaning."""
