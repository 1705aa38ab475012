"""vLLM's own server, from the environment that `make certify-vllm` makes, asked over HTTP."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.app_server import free_port
from tests.support.imports import ROOT

PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
START_S = 600
KEY = "a-key-of-the-test"
ALONE = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


class Vllm:
    """A server with one model, called by its folder's name."""

    def __init__(self, address: str, model: str) -> None:
        self.address, self.model = address, model
        self._client = httpx.Client(
            base_url=address, timeout=600, headers={"Authorization": f"Bearer {KEY}"}
        )

    def ask(self, where: str, **body: Any) -> Any:
        """What it answers to JSON that is sent to a path."""
        answer = self._client.post(where, json={"model": self.model, **body})
        answer.raise_for_status()
        return answer.json()

    def tokenize(self, text: str) -> list[int]:
        """The ids of a text in the middle of a story."""
        return self.ask("/tokenize", prompt=text, add_special_tokens=False)["tokens"]

    def greedy(self, prompts: Sequence[str], length: int, end: int) -> list[list[int]]:
        """The likeliest tokens after each prompt, up to its end, the id `end`, which is among
        them."""
        answer = self.ask(
            "/v1/completions",
            prompt=list(prompts),
            temperature=0,
            max_tokens=length,
            return_token_ids=True,
        )
        found: list[list[int]] = []
        for choice in sorted(answer["choices"], key=lambda each: each["index"]):
            ids = choice["token_ids"]
            stopped = choice["finish_reason"] == "stop" and ids[-1:] != [end]
            found.append([*ids, end] if stopped else ids)
        return found

    def running(self) -> float:
        """How many stories it writes now."""
        lines = self._client.get("/metrics").text.splitlines()
        (count,) = (line for line in lines if line.startswith("vllm:num_requests_running{"))
        return float(count.rpartition(" ")[2])

    def close(self) -> None:
        self._client.close()


@contextmanager
def vllm(folder: Path, log: Path, *, dtype: str = "float32") -> Iterator[Vllm]:
    """A server for the time of the block; what it says goes to `log`."""
    if not PYTHON.exists():
        pytest.skip("vLLM is not installed: make certify-vllm does both")
    port = free_port()
    # Its command `vllm` looks for a package of that name, which this build has not.
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", folder]
    command += ["--served-model-name", folder.name, "--host", "127.0.0.1", "--port", str(port)]
    # Eager: compiled graphs need a compiler, and minutes.
    command += ["--dtype", dtype, "--enforce-eager", "--max-num-seqs", "8", "--api-key", KEY]
    with log.open("ab") as said:
        process = subprocess.Popen(
            command, env=os.environ | ALONE, stdout=said, stderr=subprocess.STDOUT
        )
    server = Vllm(f"http://127.0.0.1:{port}", folder.name)

    try:
        _wait_for(server, process, log)
        yield server
    finally:
        server.close()
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait_for(server: Vllm, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{server.address}/health", timeout=10).status_code == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"vLLM did not start:\n{log.read_text()[-3000:]}")
