"""`gpt.server` in a thread of this process, on a port of its own, with tiny models."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from openai import OpenAI

from gpt import checkpoint
from gpt.config import GPTConfig
from gpt.server.__main__ import listening
from gpt.server.app import make_app
from gpt.server.served import Served
from gpt.tokenizers import BPETokenizer
from tests.support.tiny import tiny_model

TEXT = "The old king opened the door. “Ça va?” asked the cat, and the dog said no. " * 20


def save_tales(folder: Path, *, block_size: int = 48) -> Path:
    """A Llama of byte pairs that writes nonsense of its own, other words after other words."""
    tokenizer = BPETokenizer.train([TEXT], 300)
    config = GPTConfig(
        vocab_size=tokenizer.vocab_size, block_size=block_size, n_layer=2, n_head=2, n_embd=32
    )
    checkpoint.save(folder, tiny_model(config), tokenizer, card="Nonsense.", training={})
    return folder


def opened(folder: Path, *, max_batch: int = 8, max_waiting: int = 64) -> Served:
    """A model to serve, under its folder's name."""
    return Served.open("", str(folder), max_batch=max_batch, max_waiting=max_waiting)


@contextmanager
def serving(models: Sequence[Served], **settings: Any) -> Iterator[str]:
    """Serve models for the time of the block; give the server's address.

    Args:
        settings: As `make_app` takes them.
    """
    with listening("127.0.0.1", 0) as door:
        config = uvicorn.Config(make_app(models, **settings), log_level="error", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            wait_until(lambda: server.started, "the server starts")
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def client(base: str, key: str = "none") -> Iterator[OpenAI]:
    """OpenAI's own client for a server; it does not try again."""
    with OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0, timeout=60) as made:
        yield made


def wait_until(true: Any, what: str) -> None:
    """Wait for something, but not for ever."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)


def streamed(api: OpenAI, **asked: Any) -> list[Any]:
    """The chunks of a stream."""
    return list(api.completions.create(**asked, stream=True))


def said(base: str, **body: Any) -> dict[str, Any]:
    """The error that a body is answered with, which is a 400."""
    answer = httpx.post(f"{base}/v1/completions", json=body)
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]
