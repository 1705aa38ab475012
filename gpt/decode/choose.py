"""Which core writes: the compiled one where it can, PyTorch until it is there.

Compiling takes some seconds, once: another process does it, so that nobody waits, and leaves the
code on disk. From then on it is read in a moment. `INKLING_CORE=torch` or `numba` decides for
itself; with `numba` a story waits for the compiler.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from gpt.cache import KVCache
from gpt.decode.core import Core
from gpt.model import GPT

VARIABLE = "INKLING_CORE"
MAX_THREADS = 4
"""More wait for each other longer than they help, with models of this size."""
PROJECT = Path(__file__).parents[2]

_log = logging.getLogger(__name__)
_said: set[str] = set()


class CoreError(ValueError):
    """`INKLING_CORE` holds what is none of its values, or what cannot run here."""


def wanted() -> str:
    """ "torch", "numba", or "" for the better one of the two.

    Raises:
        CoreError: the variable holds something else.
    """
    value = os.environ.get(VARIABLE, "").strip().lower()
    if value not in ("", "torch", "numba"):
        raise CoreError(f"{VARIABLE} must be torch, numba or empty, not {value!r}")
    return value


def obstacle(model: GPT) -> str:
    """Why the compiled core cannot write with a model here; "" where it can."""
    if type(model) is not GPT:
        return "the model is not a plain GPT"
    if model.device.type != "cpu":
        return f"the model is on {model.device.type}, and the compiled core runs on the CPU"
    if model.dtype.itemsize != 4:
        return f"the model is in {model.dtype}, and the compiled core needs float32"
    try:
        import_module("numba")  # it may be there and not run
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, PyTorch can write
        return f"Numba does not run here: {error}"
    return ""


def make(model: GPT, vocab_size: int, cache: KVCache) -> Core:
    """The compiled core; where its code is not on disk, this compiles it.

    Raises:
        CoreError: it cannot run here.
    """
    if reason := obstacle(model):
        raise CoreError(reason)
    from gpt.decode.numba_core import NumbaCore

    threads = min(MAX_THREADS, os.cpu_count() or 1)
    return NumbaCore(model, vocab_size, cache, threads=threads)


def prepare(model: GPT, vocab_size: int, cache: KVCache, use: Callable[[Core], None]) -> None:
    """Hand the compiled core to `use`, from a thread, when it is there: soon where its code is on
    disk, else when another process has compiled it. With `INKLING_CORE=numba`, before this ends.

    Where it cannot run, that is said once, and `use` is not called.

    Raises:
        CoreError: the variable asks for what is not there.
    """
    choice = wanted()
    if choice == "numba":
        use(make(model, vocab_size, cache))
    elif choice == "":
        work = threading.Thread(
            target=_prepare, args=(model, vocab_size, cache, use), name="inkling-core", daemon=True
        )
        work.start()


def _prepare(model: GPT, vocab_size: int, cache: KVCache, use: Callable[[Core], None]) -> None:
    try:
        if reason := obstacle(model):
            raise CoreError(reason)
        compile_now(model)
        use(make(model, vocab_size, cache))
    except Exception as error:  # noqa: BLE001 - PyTorch goes on
        message = f"stories are written by PyTorch, slower than they could be: {error}"
        if message not in _said:
            _said.add(message)
            _log.warning(message)


def compile_now(model: GPT) -> None:
    """Let another process compile for such a model, unless that is done; wait for it.

    Raises:
        CoreError: it failed.
    """
    from gpt.decode import disk
    from gpt.decode.weights import exact_precision

    precision = exact_precision(model)
    if disk.marker(precision).exists():
        return
    command = [sys.executable, "-m", "gpt.decode.compile", precision]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if result.returncode:
        said = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        raise CoreError(f"the compiled core could not be made: {said[-1]}")
