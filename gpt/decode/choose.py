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
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from gpt.cache import KVCache
from gpt.decode.core import Core
from gpt.decode.precision import Precision, exact_precision
from gpt.model import GPT

VARIABLE = "INKLING_CORE"
MAX_THREADS = 4
"""More wait for each other longer than they help, with models of this size."""
COMPILING_S = 600
"""Whoever began to compile so long ago has failed."""
PROJECT = Path(__file__).parents[2]

_log = logging.getLogger(__name__)
_said: set[str] = set()
_turn = threading.Lock()
"""One process compiles at a time for this one."""


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


def compiled(model: GPT, vocab_size: int, cache: KVCache, *, wait: bool = True) -> Core | None:
    """The compiled core; None where PyTorch is to write, and where the other cannot, which is said
    once.

    Args:
        wait: Where its code is not on disk, wait until another process has compiled it. Else that
            process begins, for the next time, and this is None.

    Raises:
        CoreError: `INKLING_CORE` asks for what is not there.
    """
    choice = wanted()
    if choice == "torch":
        return None
    if choice == "numba":
        return make(model, vocab_size, cache)
    try:
        if reason := obstacle(model):
            raise CoreError(reason)
        precision = exact_precision(model)
        if wait:
            compile_now(precision)
        elif not _is_compiled(precision):
            _begin_to_compile(precision)
            return None
        return make(model, vocab_size, cache, precision)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, PyTorch can write
        message = f"PyTorch writes the stories: {error}"
        if message not in _said:
            _said.add(message)
            _log.warning(message)
        return None


def prepare(
    model: GPT, vocab_size: int, cache: KVCache, use: Callable[[Core], None]
) -> Future[None]:
    """Hand the compiled core to `use`, from a thread, when it is there: soon where its code is on
    disk, else when another process has compiled it. With `INKLING_CORE=numba`, before this ends.

    Where it cannot run, that is said once, and `use` is not called.

    Returns:
        Done once it was handed over, or is known not to come.

    Raises:
        CoreError: the variable asks for what is not there.
    """
    decided: Future[None] = Future()
    decided.set_running_or_notify_cancel()  # none who waits for it can cancel it

    def work() -> None:
        try:
            if core := compiled(model, vocab_size, cache):
                use(core)
        finally:
            decided.set_result(None)

    if wanted():
        work()
    else:
        threading.Thread(target=work, name="inkling-core", daemon=True).start()
    return decided


def make(model: GPT, vocab_size: int, cache: KVCache, precision: Precision | None = None) -> Core:
    """The compiled core; where its code is not on disk, this compiles it.

    Args:
        precision: None for `exact_precision`.

    Raises:
        CoreError: it cannot run here.
    """
    if reason := obstacle(model):
        raise CoreError(reason)
    try:
        from gpt.decode.numba_core import NumbaCore
    except Exception as error:  # Numba may be there and not run
        raise CoreError(f"Numba does not run here: {error}") from error
    threads = min(MAX_THREADS, processors())
    return NumbaCore(model, vocab_size, cache, precision=precision, threads=threads)


def processors() -> int:
    """How many this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def obstacle(model: GPT) -> str:
    """Why the compiled core cannot write with a model here; "" where it may."""
    if type(model) is not GPT:
        return "the model is not a plain GPT"
    if model.device.type != "cpu":
        return f"the model is on {model.device.type}, and the compiled core runs on the CPU"
    if model.dtype.itemsize != 4:
        return f"the model is in {model.dtype}, and the compiled core needs float32"
    if find_spec("numba") is None:
        return "Numba, which compiles a faster core, is not installed"
    return ""


def _is_compiled(precision: Precision) -> bool:
    from gpt.decode import disk

    return disk.marker(precision).exists()


def compile_now(precision: Precision) -> None:
    """Let another process compile for such weights, unless that is done; wait for it.

    Raises:
        CoreError: it failed.
    """
    with _turn:
        if _is_compiled(precision):
            return
        result = subprocess.run(
            _command(precision), cwd=PROJECT, capture_output=True, text=True, check=False
        )
    if result.returncode:
        said = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        raise CoreError(f"the compiled core could not be made: {said[-1]}")


def _begin_to_compile(precision: Precision) -> None:
    """Start another process that compiles, and goes on when this one ends; one at a time."""
    from gpt.decode import disk

    claim = disk.claim(precision)
    claim.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if time.time() - claim.stat().st_mtime > COMPILING_S:
            claim.unlink()
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return
    subprocess.Popen(
        _command(precision),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _command(precision: Precision) -> list[str]:
    return [sys.executable, "-m", "gpt.decode.compile", precision]
