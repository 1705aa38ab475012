"""A process that talks to a Hub of our own: huggingface_hub reads where it is when imported.

Each call is a function's name and its arguments; each answer has its "value", or the "error" that
it raised.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.support.forks import FORKS

NOBODY_LISTENS = "http://127.0.0.1:9"
"""The discard port."""
MOST_S = 120
"""For one answer."""


class Client:
    """The process, and what was said to it."""

    def __init__(self, line: Connection) -> None:
        self.line = line

    def _say(self, *call: str) -> dict[str, Any]:
        self.line.send(call)
        assert self.line.poll(MOST_S)
        return self.line.recv()

    def ask(self, *call: str) -> Any:
        """What the function gives."""
        answer = self._say(*call)
        assert "value" in answer, answer["error"]
        return answer["value"]

    def fails(self, *call: str) -> str:
        """What the function complains of: one sentence, not a stack of them."""
        answer = self._say(*call)
        assert "error" in answer, answer["value"]
        assert "\n" not in answer["error"]
        return answer["error"]


def environment(address: str, home: Path, **variables: str) -> dict[str, str]:
    """The environment of a program that finds the Hub at `address` and its cache in `home`."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("HF_", "INK"))}
    ours = {
        "HF_ENDPOINT": address,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "OMP_NUM_THREADS": "1",
    }
    return kept | ours | variables


@contextmanager
def running_client(address: str, home: Path, **variables: str) -> Iterator[Client]:
    """Start it; it ends when it is not needed any more."""
    ours, its = FORKS.Pipe()
    variables = environment(address, home, **variables)
    process = FORKS.Process(target=serve, args=(its, variables))
    process.start()
    its.close()
    try:
        yield Client(ours)
    finally:
        ours.close()
        process.join(MOST_S)
        process.kill()


def serve(line: Connection, variables: dict[str, str]) -> None:
    """What runs in the process: an answer to each call."""
    os.environ.clear()
    os.environ.update(variables)
    from chat.models import find_models
    from chat.models.engines import Engines
    from gpt.checkpoint import CheckpointError, hub

    def pick(extra: str, key: str) -> list[Any]:
        async def write() -> list[Any]:
            engines = Engines()
            models = find_models(Path("nowhere"), extra)
            loaded = [await engines.get(models[key]) for _ in range(2)]
            later = await engines.get(find_models(Path("nowhere"), extra)[key])
            engines.close()
            same = loaded[0] is loaded[1] is later
            return [later.listing.key, later.listing.block_size, same]

        return asyncio.run(write())

    def picker(extra: str) -> dict[str, str]:
        return {key: each.summary for key, each in find_models(Path("nowhere"), extra).items()}

    calls = {
        "pick": pick,
        "picker": picker,
        "fetch": lambda name: str(hub.resolve(name)),
        "cached": lambda name: str(hub.cached(hub.HubName(name))),
        "name": lambda name: hub.load(name).name,
    }
    while True:
        try:
            name, *arguments = line.recv()
        except EOFError:
            return
        try:
            line.send({"value": calls[name](*arguments)})
        except CheckpointError as error:
            line.send({"error": str(error)})
