"""Where the compiled code lies between two starts, and whether it is there."""

import hashlib
import platform
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

HERE = Path(__file__).parent


def folder() -> Path:
    """The folder of these sources' code, by this Numba and Python, for this processor.

    Other sources get another one: Numba itself looks only at the file in which a function stands,
    not at those that it calls. Wherever they lie, the same sources have the same.
    """
    return user_cache_path("inkling") / f"decode-{_key()}"


@cache
def _key() -> str:
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py"))))
    for part in (version("numba"), sys.implementation.cache_tag, _processor()):
        key.update(f"\0{part}".encode())
    return key.hexdigest()[:16]


def _processor() -> str:
    """What code that is compiled here may not run on another one for."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    names = ("model name", "flags", "Features")
    return "".join(sorted({line for line in lines if line.startswith(names)}))


def marker(precision: str) -> Path:
    """The file that says that all code for weights of a precision is there."""
    return folder() / f"{precision}.compiled"


def claim(precision: str) -> Path:
    """The file that says since when a process compiles for such weights, for a next start."""
    return folder() / f"{precision}.begun"
