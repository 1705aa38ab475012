"""`make chat` starts without what Chainlit imports and Inkling never uses, and works as before."""

import asyncio
import os
import signal
import sys
import time
import typing
from pathlib import Path

import chainlit
import httpx
import pytest

from frontend.start import STAND_INS, keep_out_unused
from tests.frontend.test_socket import Writer
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters

UNUSED = ("literalai", "traceloop", "grpc", "mcp", "openai")
COMPILER = "torch._dynamo"
"""A second to load, which a model that is only read has no use for."""
# OpenTelemetry's interface is FastAPI's own; what would send something is not to be there.
SENDERS = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation")
LOOK = """
import os, signal, sys
if "frontend.start" in sys.orig_argv:
    folder = os.environ["LOOK"]
    def look(*_):
        with open(os.path.join(folder, "seen"), "w") as file:
            for name, module in sys.modules.items():
                print(name, getattr(module, "__file__", None), file=file)
            print("end", file=file)
    def hear(event, values):
        if event == "socket.connect" and isinstance(values[1], tuple):
            with open(os.path.join(folder, "connected"), "a") as file:
                print(values[1][0], file=file)
    signal.signal(signal.SIGUSR1, look)
    sys.addaudithook(hear)
    with open(os.path.join(folder, "pid"), "w") as file:
        file.write(str(os.getpid()))
"""


@pytest.mark.heavy
def test_a_story_is_written_with_nothing_unused_in_memory_and_nobody_called(tmp_path):
    models, look, app = tmp_path / "models", tmp_path / "look", tmp_path / "app"
    save_characters(models / "letters", starters=["once upon"])
    look.mkdir()
    app.mkdir()
    (look / "sitecustomize.py").write_text(LOOK)
    variables = {"PYTHONPATH": str(look), "LOOK": str(look)}
    with running_app(app, models, module="frontend.start", forked=False, **variables) as base:
        assert "Inkling" in httpx.get(base).text
        asked = {"sessionId": "1", "clientType": "sse", "name": "n", "url": "http://127.0.0.1"}
        for method in ("POST", "DELETE"):
            assert httpx.request(method, f"{base}/mcp", json=asked).status_code == 404
        assert asyncio.run(write(base)).startswith("once upon")
        os.kill(int((look / "pid").read_text()), signal.SIGUSR1)
        seen = lines_of(look / "seen")
    files = dict(line.split(" ", 1) for line in seen if line != "end")
    assert "chainlit.socket" in files
    loaded = [
        name for name, file in files.items() if name.split(".")[0] in UNUSED and file != "None"
    ]
    assert loaded == []
    assert COMPILER not in files
    assert [name for name in files if name.startswith(SENDERS)] == []
    connected = (look / "connected").read_text().split() if (look / "connected").exists() else []
    assert set(connected) <= {"127.0.0.1", "::1"}


async def write(base: str) -> str:
    writer = await Writer(base).connect()
    try:
        return await writer.write("once upon")
    finally:
        await writer.socket.disconnect()


def lines_of(path: Path) -> list[str]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and (lines := path.read_text().splitlines())[-1:] == ["end"]:
            return lines
        time.sleep(0.05)
    raise AssertionError(f"{path.name} was not written")


@pytest.mark.parametrize("name", ["StepType", "TrueStepType", "MessageStepType"])
def test_the_kinds_of_a_step_are_those_of_the_package_that_is_kept_out(name):
    assert chainlit  # the whole package is here, as `chainlit run` has it
    real = getattr(sys.modules["literalai.observability.step"], name)
    assert kinds(STAND_INS["literalai.observability.step"][name]) == kinds(real)


def kinds(of: object) -> set[object]:
    return {each for part in typing.get_args(of) for each in (kinds(part) or {part})}


def test_a_start_that_comes_too_late_says_so():
    with pytest.raises(RuntimeError, match="imported already"):
        keep_out_unused()
