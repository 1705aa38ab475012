"""How the core is compiled: without Python's lock, and kept on disk from one start to the next."""

from functools import partial
from typing import Any

import numba
import numba.extending
from numba.core import config
from numba.core.caching import UserProvidedCacheLocator

from gpt.decode import disk


class Locator(UserProvidedCacheLocator):
    """Keeps the code in the folder itself: Numba's own has a folder for each place of the sources,
    and what is marked as compiled would not be found from another one."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        return ""


# Numba's settings have no types.
setattr(config, "CACHE_DIR", str(disk.folder()))  # noqa: B010
setattr(config, "CACHE_LOCATOR_CLASSES", f"{__name__}.Locator")  # noqa: B010

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
