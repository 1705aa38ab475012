"""A crowd at the app's own sockets: all ask in one moment.

The app runs as its own process, the writers are the ones of its tests, and how long the app's
event loop lets others wait is asked by a third process, which has nothing else to do.
"""

import asyncio
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.tables import table
from gpt import checkpoint
from gpt.decode.choose import compile_now, obstacle
from gpt.decode.precision import exact_precision
from tests.frontend.test_socket import Writer, until
from tests.support.app_server import lend_stories, start_app
from tests.support.tiny_checkpoint import save_characters

MAX_NEW_TOKENS = 100
ALONE = 3
"""Writers of the crowd who ask again when it is gone."""
PROBE = """
import http.client, json, sys, threading, time
connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
def ask():
    began = time.perf_counter()
    connection.request("GET", "/health")
    connection.getresponse().read()
    return time.perf_counter() - began
ask()
print("there", flush=True)
took = [ask()]
while not ended.wait(0.01):
    took.append(ask())
print(json.dumps(took))
"""
"""Asks a hundred times a second for what the event loop answers at once, from when it says that it
is there; prints the seconds."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def request(number: int, tokens: int) -> str:
    """What a writer sends: a prompt and a seed of their own."""
    who = "".join("abcdefghij"[int(digit)] for digit in f"{number:02}")  # letters, for any model
    return f"/with max={tokens} end=0 seed={1000 + number} t=1 p=1 The {who} sat down and"


class Timed(Writer):
    """A writer who notes when a token of the first story that is asked for is there."""

    asked_s = first_s = 0.0

    async def heard(self, event: str, data: Any = None) -> None:
        await super().heard(event, data)
        if self.asked_s and not self.first_s and self.new_tokens > self._before:
            self.first_s = time.perf_counter()

    @property
    def new_tokens(self) -> int:
        """Of all that the model wrote."""
        passages = self.state.get("passages", [])
        return sum(len(each["tokens"]) for each in passages if each["author"] == "model")

    async def ask(self, words: str) -> str:
        """Ask for a passage; the whole text, once it is written."""
        self._before, self.first_s = self.new_tokens, 0.0
        self.asked_s = time.perf_counter()
        return await self.write(words)


async def arrive(base: str, count: int) -> list[Timed]:
    """So many pages of a guest each, all of which have begun."""
    writers = [Timed(base) for _ in range(count)]
    for some in range(0, count, 10):
        await asyncio.gather(*(writer.connect() for writer in writers[some : some + 10]))
    for writer in writers:
        await until(lambda writer=writer: bool(writer.state))
    return writers


async def leave(writers: Sequence[Timed]) -> None:
    for writer in writers:
        await writer.socket.emit("clear_session")
    await asyncio.gather(*(writer.socket.disconnect() for writer in writers))


async def _ask(base: str, count: int, tokens: int) -> dict[str, Any]:
    """Let them all ask at once, and some again, alone."""
    for _ in range(2):  # the model is read, and the compiled core takes over
        await (early := await arrive(base, 1))[0].ask(request(0, tokens))
        await leave(early)
        await asyncio.sleep(1)
    writers = await arrive(base, count)
    probe = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROBE, base.removeprefix("http://")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert probe.stdout
    await probe.stdout.readline()
    began = time.perf_counter()
    texts = await asyncio.gather(
        *(writer.ask(request(number, tokens)) for number, writer in enumerate(writers)),
        return_exceptions=True,
    )
    took_s = time.perf_counter() - began
    lags, _ = await probe.communicate(b"")
    waited = [writer.first_s - writer.asked_s for writer in writers if writer.first_s]
    written = sum(writer.new_tokens for writer in writers)
    await leave(writers)
    same = 0
    again = range(0, count, max(1, count // ALONE))
    for number in again:
        await (alone := await arrive(base, 1))[0].ask(request(number, tokens))
        same += alone[0].text == texts[number]
        await leave(alone)
    return {
        "writers": count,
        "failed": count - len(waited) + sum(isinstance(text, BaseException) for text in texts),
        "seconds": took_s,
        "tokens_per_s": written / took_s,
        "first_token_p95_s": percentile(waited, 95) if waited else None,
        "lag_p99_ms": 1e3 * percentile(json.loads(lags), 99),
        "same_alone": same / len(again),
    }


def compile_for(folder: Path) -> None:
    """Have the compiled core of a model on disk: it is made once for each machine, not at each
    start."""
    model = checkpoint.load(folder).model
    if not obstacle(model):
        compile_now(exact_precision(model))


@contextmanager
def app_of_writers(folder: Path, models: Path) -> Iterator[tuple[str, int]]:
    """The app as `make chat` starts it, open to guests: its address, and its process's id."""
    process, base = start_app(
        folder,
        models,
        module="frontend.start",
        forked=False,
        INKLING_GUESTS="1",
        INKLING_CORE="",
    )
    try:
        yield base, process.pid
    finally:
        process.terminate()
        process.wait(10)


def measure(count: int, *, quick: bool = False) -> dict[str, Any]:
    """Start the app with the stories model, and let so many write at once.

    Args:
        quick: A tiny model in its place, and a few tokens each.
    """
    with tempfile.TemporaryDirectory() as name:
        (models := Path(name) / "models").mkdir()
        (folder := Path(name) / "app").mkdir()
        if quick:
            save_characters(models / "stories", n_embd=32)
        else:
            lend_stories(models)
        compile_for(models / "stories")
        with app_of_writers(folder, models) as (base, _):
            return asyncio.run(_ask(base, count, 6 if quick else MAX_NEW_TOKENS))


def in_table(found: Mapping[str, Any]) -> str:
    """What was found, for reading."""
    rows = [
        ["failed", f"{found['failed']}"],
        ["seconds until all had their words", f"{found['seconds']:.1f}"],
        ["tokens a second of all", f"{found['tokens_per_s']:,.0f}"],
        ["first token, 95th percentile", f"{found['first_token_p95_s'] or math.nan:.2f} s"],
        ["an answer of the event loop, 99th percentile", f"{found['lag_p99_ms']:.0f} ms"],
        ["the same text alone", f"{found['same_alone']:.0%}"],
    ]
    return table([f"{found['writers']} writers at the app", ""], rows)
