"""Where the compiled code lies between two starts, and whether it is there."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

HERE = Path(__file__).parent


def folder() -> Path:
    """The folder of these sources' code, by this Numba.

    Other sources get another one: Numba itself looks only at the file in which a function stands,
    not at those that it calls.
    """
    sources = b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))
    key = hashlib.sha256(sources + version("numba").encode()).hexdigest()[:16]
    return user_cache_path("inkling") / f"decode-{key}"


def marker(precision: str) -> Path:
    """The file that says that all code for weights of a precision is there."""
    return folder() / f"{precision}.compiled"


def claim(precision: str) -> Path:
    """The file that says since when a process compiles for such weights, for a next start."""
    return folder() / f"{precision}.begun"
