"""For the tests of measurements: the trainings that a table begins are forked."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import finetune, recipe
from tests.support.forks import Forked


def run(command: list[str], *, cwd: Path, stdout: Any, **_: Any) -> Any:
    """As `subprocess.run` of `python -m`, whose words go to a file."""
    assert command[:2] == [sys.executable, "-m"]
    module, *arguments = command[2:]
    process = Forked(module, arguments, cwd=cwd, environment=os.environ, out=Path(stdout.name))
    return subprocess.CompletedProcess(command, process.wait(400))


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (finetune, recipe):
        there = SimpleNamespace(run=run, STDOUT=subprocess.STDOUT)
        monkeypatch.setattr(module, "subprocess", there)
