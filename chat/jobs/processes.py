"""Commands of ours as processes of their own: behind whoever writes, and their user's alone."""

import asyncio
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from chat.accounts.home import PRIVATE, private
from chat.errors import RefusedError, fault

log = logging.getLogger(__name__)
PYTHONS = re.compile(r"(?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning)\b", re.A)
"""So Python says what broke, which a page has no use for."""
TIMEOUT_S = 180
"""So long may a command take whose answer is waited for."""


def begin(root: Path, module: str, *options: str, log: Path) -> subprocess.Popen[bytes]:
    """Begin `python -m module`, whose words are added to `log`.

    It outlives the app, and a Ctrl-C meant for the app.

    Args:
        root: The project's folder, where it runs.
    """
    with open(log, "ab", opener=private) as said:
        return subprocess.Popen(
            _command(module, *options),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=PRIVATE,
        )


async def run_json(root: Path, module: str, *options: str) -> dict[str, Any]:
    """The JSON that `python -m module` prints last. Cancelling it ends the process.

    Args:
        root: The project's folder, where it runs.

    Raises:
        RefusedError: It failed, or took too long; the message is what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(module, *options),
        cwd=root,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        umask=PRIVATE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError:
        raise RefusedError("This machine is too busy to say how long it would take.") from None
    finally:
        if process.returncode is None:
            # With all that it began itself.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
    if process.returncode:
        lines = err.decode(errors="replace").strip().splitlines() or ["it failed"]
        if PYTHONS.match(lines[-1]):
            raise RefusedError(fault(log, module, RuntimeError(lines[-1])))
        raise RefusedError(lines[-1].removeprefix(f"{module}: "))
    return json.loads(out.decode().splitlines()[-1])


def is_alive(pid: object, word: str) -> bool:
    """Whether a process runs that has a word of its command end with `word`, whoever began it.

    Args:
        pid: As it was noted: it may have become another program's since.
    """
    # To the system 0, 1 and what is below name groups of processes, or all there are.
    if type(pid) is not int or pid <= 1:
        return False
    try:
        os.kill(pid, 0)
        if not Path("/proc/self").exists():  # not on macOS
            return True
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return any(each.endswith(word.encode()) for each in words)
    except (OSError, OverflowError):
        return False


def _command(module: str, *options: str) -> list[str]:
    nicely = ["nice"] if shutil.which("nice") else []  # who writes goes first
    return [*nicely, sys.executable, "-m", module, *options]
