"""The app with PyTorch, with the compiled core, and on the way from one to the other."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.frontend.test_socket import Writer, at_the_app, until
from tests.support.app_server import other_work, running_app, status
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

SAME = "The same again, to the letter."
COMPILED_S = 60.0
"""Until the core is there where nothing is compiled: 20 seconds of one processor."""
BROKEN = 'raise ImportError("this Numba is for another Python")\n'


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "slow", n_embd=128, n_layer=4, block_size=256)
    return models


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> dict[str, str]:
    """Where the code of these tests' apps lies: empty at first, wherever the system keeps it."""
    folder = str(tmp_path_factory.mktemp("cache"))
    return {"XDG_CACHE_HOME": folder, "HOME": folder, "LOCALAPPDATA": folder}


def decoding(base: str) -> list[str]:
    with urllib.request.urlopen(base + "/health", timeout=10) as answer:
        health = json.load(answer)
    assert health["status"] == "ok"
    return health["decoding"]


async def again(writer: Writer, passage: str) -> str:
    """Write a passage the same again; what is said of it."""
    said = len(writer.said)
    await writer.send("", metadata={"ask": "again", "passage": passage})
    await until(lambda: len(writer.said) > said and not writer.state["writing"])
    return writer.said[-1]


def core(writer: Writer) -> str:
    return writer.state["passages"][-1]["facts"]["core"]


def test_an_app_that_never_compiled_writes_at_once_and_compiles_meanwhile(models, cache, tmp_path):
    async def act(writer: Writer) -> None:
        await writer.write("/with max=20 p=1 once")
        assert core(writer) == "torch float32"
        first = writer.state["passages"][-1]["id"]
        deadline = time.monotonic() + COMPILED_S * other_work()
        while not decoding(base)[0].startswith("numba bfloat16, "):
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            await asyncio.sleep(0.2)
        assert await again(writer, first) == SAME
        await writer.write("/with max=20 p=1 then")
        assert core(writer) == "numba bfloat16"
        assert await again(writer, writer.state["passages"][-1]["id"]) == SAME
        assert await again(writer, first) == SAME

    with running_app(tmp_path, models, INKLING_CORE="", **cache) as base:
        at_the_app(base, act)


def test_with_the_compiled_core_a_story_is_written_stopped_retried_and_the_same_again(
    models, cache, tmp_path
):
    async def act(writer: Writer) -> None:
        await writer.send("/with max=2048 p=1 t=2 once")
        await until(lambda: len(writer.text) > 30)
        await writer.socket.emit("stop")
        await until(lambda: not writer.state["writing"] and status(base)["active"] == 0)
        assert writer.state["passages"][-1]["finish"] == "stopped"
        whole = await writer.write("/with max=30 p=1 then")
        first = writer.state["passages"][-1]["id"]
        assert core(writer) == "numba bfloat16"
        await writer.write("", metadata={"ask": "retry"})
        assert writer.text != whole
        assert core(writer) == "numba bfloat16"
        assert await again(writer, first) == SAME

    with running_app(tmp_path, models, INKLING_CORE="numba", **cache) as base:
        at_the_app(base, act)


def test_where_numba_does_not_run_pytorch_writes_and_the_log_says_so_once(models, cache, tmp_path):
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "numba.py").write_text(BROKEN)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "slow").symlink_to(models / "slow")
    save_characters(tmp_path / "more" / "letters")
    (tmp_path / "app").mkdir()
    variables = {**cache, "PYTHONPATH": str(tmp_path / "fake"), "INKLING_CORE": ""}

    def act(model: str) -> Callable[[Writer], Awaitable[None]]:
        async def write(writer: Writer) -> None:
            await writer.write("/with max=5 once", modes={"model": model})
            assert core(writer) == "torch float32"

        return write

    # Begun anew: a fork would have the real Numba.
    with running_app(tmp_path / "app", tmp_path / "more", forked=False, **variables) as base:
        for model in ("slow", "letters"):
            at_the_app(base, act(model))
        deadline = time.monotonic() + COMPILED_S
        while (log := (tmp_path / "app" / "log").read_text()).count("PyTorch writes") < 1:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert [line[:5] for line in decoding(base)] == ["torch", "torch"]
    log = (tmp_path / "app" / "log").read_text()
    assert log.count("PyTorch writes the stories: ") == 1, log
    assert "this Numba is for another Python" in log
