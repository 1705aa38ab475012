"""Processes that are forked from one which has loaded what takes Python long to load.

The app takes four seconds of a processor to start, a training two and a half, nearly all of it for
imports; a fork of a process that has done with them takes half a second. What runs in it is the
same command line.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Chainlit, `chat`, `frontend` and huggingface_hub look at the environment or the folder while they
# are loaded.
LOADED = [
    *(
        "torch",
        "torch._dynamo",
        "torch.nn.functional",
        "numba",
        "safetensors.torch",
        "tokenizers",
        "tiktoken",
    ),
    *("sentencepiece", "matplotlib.backends.backend_agg", "optuna"),
    *("fastapi", "uvicorn", "socketio", "aiohttp", "httpx", "mcp", "literalai", "traceloop.sdk"),
    *("cryptography.x509", "click", "jwt", "tornado", "yaml", "jinja2"),
    "train.pretrain",
]
ROOT = Path(__file__).parents[2]
# Windows cannot fork: each is started there.
FORKED = "forkserver" in multiprocessing.get_all_start_methods()
FORKS = (
    multiprocessing.get_context("forkserver") if FORKED else multiprocessing.get_context("spawn")
)
FORKS.set_forkserver_preload(LOADED)


def begin(
    module: str,
    arguments: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    out: Path,
    err: Path | None = None,
) -> BaseProcess:
    """`python -m MODULE ARGUMENTS` in `cwd`; what it says is added to `out` and `err`.

    Args:
        environment: All of its variables.
        err: None: `out` too.
    """
    said = (str(out), str(err or out))
    process = FORKS.Process(
        target=_run, args=(module, list(arguments), str(cwd), dict(environment), *said)
    )
    process.start()
    return process


class Forked:
    """What `begin` began, with the methods of `subprocess.Popen` that tests use.

    Args:
        how: See `begin`.
    """

    def __init__(self, module: str, arguments: Sequence[str], **how: Any) -> None:
        self._process = begin(module, arguments, **how)
        assert self._process.pid
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_module(
    module: str,
    *arguments: str,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 400,
) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE ARGUMENTS` to its end, as `subprocess.run` with text that is captured.

    Args:
        environment: All of its variables; None: this process's.
    """
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        environment = os.environ if environment is None else environment
        process = Forked(module, arguments, cwd=cwd, environment=environment, out=out, err=err)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        said = [path.read_text(encoding="utf-8") for path in (out, err)]
    return subprocess.CompletedProcess([module, *arguments], code, *said)


def _run(
    module: str, arguments: list[str], cwd: str, environment: dict[str, str], out: str, err: str
) -> None:
    """What runs in the process."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for number, path in ((1, out), (2, err)):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(handle, number)
        os.close(handle)
    # As with `python -m`, in place of the tests' folder.
    sys.path[:] = [cwd, *(path for path in sys.path if path not in ("", str(ROOT)))]
    sys.argv = [module, *arguments]
    sys.modules.pop(module, None)  # it is run anew, as the main one
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        # multiprocessing leaves without them.
        atexit._run_exitfuncs()
