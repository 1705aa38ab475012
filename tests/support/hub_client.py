"""A process that talks to a Hub of our own: huggingface_hub reads where it is when imported.

Each line in is a JSON list, a function's name and its arguments; each line out is a JSON object
with its "value", or with the "error" it raised.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NOBODY_LISTENS = "http://127.0.0.1:9"
"""The discard port."""


class Client:
    """The process, and what was said to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def _say(self, *call: str) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(call) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

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
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.hub_client"],
        cwd=ROOT,
        env=environment(address, home, **variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Client(process)
        assert process.stdin
        process.stdin.close()


def serve() -> None:
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
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = {"value": calls[name](*arguments)}
        except CheckpointError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
