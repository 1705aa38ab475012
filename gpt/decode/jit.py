"""How the core is compiled: without Python's lock, and kept on disk from one start to the next."""

from functools import partial
from typing import Any

import numba
import numba.core.config
from numba.core.caching import UserProvidedCacheLocator

from gpt.decode import disk


class CodeLocator(UserProvidedCacheLocator):
    """Keeps code by its sources alone, as `disk.folder` names them, and not by their path: the same
    sources in another folder, or behind a link, find what was compiled for them."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """The same folder for a file, wherever it lies."""
        return "code"


numba.config.CACHE_DIR = str(disk.folder())  # pyright: ignore[reportAttributeAccessIssue]
setattr(numba.core.config, "CACHE_LOCATOR_CLASSES", f"{__name__}.{CodeLocator.__name__}")  # noqa: B010 - it has no types

compiled: Any = partial(numba.njit, nogil=True, cache=True)
"""`numba.njit` for what Python calls."""
inner: Any = partial(numba.njit, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""`numba.njit` for what only compiled functions call: their code holds it."""

SUMS = {"reassoc", "contract", "nsz", "arcp"}
"""`fastmath=` for a sum: what lets it use wide registers. NaN and infinity keep their meaning."""
