"""Which core writes: what is asked for, what can run, and what begins to compile."""

import subprocess
import sys
from pathlib import Path

import pytest

from gpt.cache import KVCache
from gpt.decode import choose, disk
from gpt.decode.choose import CoreError, compiled, prepare
from gpt.model import GPT
from tests.support.tiny import SHAPES, tiny_model
from tests.support.tiny_checkpoint import LETTERS


class Odd(GPT):
    """A model whose layers may be anything."""


@pytest.fixture
def model() -> GPT:
    return tiny_model(SHAPES["llama"])


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The commands that are started, where nothing is compiled yet; none runs."""
    commands: list[list[str]] = []
    monkeypatch.setenv(choose.VARIABLE, "")
    monkeypatch.setattr(choose, "_said", set())
    monkeypatch.setattr(disk, "user_cache_path", lambda name: tmp_path / name)

    def failed(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nOSError: no space left")

    monkeypatch.setattr(subprocess, "run", failed)
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: commands.append(command))
    return commands


def core_of(model: GPT, *, wait: bool = True):
    return compiled(model, len(LETTERS), KVCache(model.config, 1), wait=wait)


def test_a_core_that_nobody_knows_is_refused_and_the_known_ones_are_named(model, monkeypatch):
    monkeypatch.setenv(choose.VARIABLE, "cuda")
    with pytest.raises(CoreError, match="must be torch, numba or empty, not 'cuda'"):
        core_of(model)


def test_what_does_not_wait_begins_to_compile_once_and_writes_with_pytorch(model, begun):
    assert core_of(model, wait=False) is None
    assert core_of(model, wait=False) is None
    assert [command[1:3] for command in begun] == [["-m", "gpt.decode.compile"]]


def test_what_does_not_wait_loads_no_numba_where_nothing_is_compiled():
    lines = (
        "import sys; from gpt.decode import choose",
        "from gpt.cache import KVCache; from tests.support.tiny import SHAPES, tiny_model",
        "choose._begin_to_compile = choose._is_compiled = lambda precision: False",
        "model = tiny_model(SHAPES['llama'])",
        "assert choose.compiled(model, 9, KVCache(model.config, 1), wait=False) is None",
        "assert 'numba' not in sys.modules",
    )
    subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        check=True,
        cwd=choose.PROJECT,
        env={**choose.os.environ, choose.VARIABLE: ""},
    )


def test_where_it_cannot_be_compiled_pytorch_writes_and_that_is_said_once(model, begun, caplog):
    assert core_of(model) is core_of(model) is None
    assert [each.message for each in caplog.records] == [
        "PyTorch writes the stories: the compiled core could not be made: OSError: no space left"
    ]


def test_where_numba_is_missing_nothing_is_begun_and_asking_for_it_is_an_error(
    model, begun, caplog, monkeypatch
):
    monkeypatch.setattr(choose, "find_spec", lambda name: None)
    assert core_of(model) is core_of(model, wait=False) is None
    assert begun == []
    assert len(caplog.records) == 1
    monkeypatch.setenv(choose.VARIABLE, "numba")
    with pytest.raises(CoreError, match="not installed"):
        core_of(model)


def test_a_model_that_is_no_plain_one_is_left_to_pytorch(model, begun):
    assert core_of(Odd(model.config).eval()) is None
    assert begun == []


def test_whoever_waits_for_a_core_that_does_not_come_waits_no_longer_than_it_takes(model, begun):
    came: list[object] = []
    cache = KVCache(model.config, 1)
    prepare(model, len(LETTERS), cache, came.append).result(timeout=30)
    assert (came, len(begun)) == ([], 1)
