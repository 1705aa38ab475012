"""The real app on a port of its own, in a folder that it may share with another."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError

from tests.support.forks import ROOT, Forked
from tests.support.tiny_checkpoint import save_characters

PARTS = (".chainlit", "app.py", "chainlit.md", "chat", "frontend", "gpt", "public", "train")
START_S = 120
STOP_S = 60
"""It takes a fifth of a second; beside much other work it once took more than ten."""


@contextmanager
def running_app(
    folder: Path,
    models: Path,
    *,
    app: str = "app.py",
    module: str = "chainlit",
    forked: bool = True,
    **variables: str,
) -> Iterator[str]:
    """Run `chainlit run app.py` with the models in `models`; give its address.

    Stories lie in the folder, and are there again when it runs a second time.

    Args:
        module: What is run in place of Chainlit; it takes the same arguments.
        forked: False: by a Python that starts from nothing, where its start is what is tested.
        variables: More of its environment.
    """
    more: dict[str, Any] = {"app": app, "module": module, "forked": forked, **variables}
    process, base = start_app(folder, models, **more)
    try:
        yield base
    finally:
        process.terminate()
        process.wait(STOP_S)


def start_app(
    folder: Path,
    models: Path,
    *,
    app: str = "app.py",
    module: str = "chainlit",
    forked: bool = True,
    port: int = 0,
    **variables: str,
) -> tuple[Forked | subprocess.Popen[bytes], str]:
    """As `running_app`; gives the process as well, which the caller ends.

    Args:
        port: Of an app that ran before, to which its pages come back; 0 for a free one.
    """
    for part in PARTS:
        if not (folder / part).exists():
            (folder / part).symlink_to(ROOT / part)
    port = port or usual_port()
    base = f"http://127.0.0.1:{port}"
    command = ["run", app, "-h", "--host", "127.0.0.1", "--port", str(port)]
    others = {name: value for name, value in os.environ.items() if "INKLING" not in name}
    environment = {
        **others,
        "INKLING_CORE": "torch",
        **variables,
        "INKLING_MODELS": str(models),
        "CHAINLIT_APP_ROOT": str(folder),
    }
    process: Forked | subprocess.Popen[bytes]
    if forked:
        process = Forked(module, command, cwd=folder, environment=environment, out=folder / "log")
    else:
        with (folder / "log").open("ab") as log:
            started = [sys.executable, "-m", module, *command]
            process = subprocess.Popen(started, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_for(base, process, folder / "log")
    except BaseException:
        process.kill()
        process.wait(STOP_S)
        raise
    return process, base


def lend_stories(models: Path) -> None:
    """Put the shipped stories model among `models`; where none is, one of letters by its name."""
    shipped = Path(os.environ.get("INKLING_BROWSER_MODELS", ROOT / "checkpoints")) / "stories"
    if shipped.is_dir():
        (models / "stories").symlink_to(shipped)
    else:
        save_characters(models / "stories", n_embd=128, n_layer=4, block_size=256)


@cache
def _usual() -> int:
    return free_port()


def usual_port() -> int:
    """The same port for each app of this process, or another while one has it: see the browser's
    conftest.py."""
    with socket.socket() as asked:
        # As a server does: what an app before left behind does not count.
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind(("127.0.0.1", _usual()))
        except OSError:
            return free_port()
    return _usual()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(base: str, process: Forked | subprocess.Popen[bytes], log: Path) -> None:
    """Return once the app answers.

    Raises:
        RuntimeError: it ended, or does not answer in time; what it printed is in the message.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(base + "/health", timeout=5).close()
        except (URLError, TimeoutError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the app did not start:\n{log.read_text()}")


def status(base: str) -> dict:
    """How busy its models are."""
    with urllib.request.urlopen(base + "/inkling/status", timeout=10) as answer:
        return json.load(answer)


def wait_idle(base: str, patience_s: float = 5) -> None:
    """Return once no story is written: an engine ends the token at hand after the page was told.

    Raises:
        AssertionError: One still is.
    """
    deadline = time.monotonic() + patience_s
    while status(base)["active"]:
        assert time.monotonic() < deadline, "a story is still being written"
        time.sleep(0.02)


def other_work() -> float:
    """How many times longer things take beside what else the machine does: 1 where it is idle."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
