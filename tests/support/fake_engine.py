"""A server of the completions API in a thread of its own, which can misbehave in every known way.

What a request gets depends on the model it names; see `MODELS`.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

TEXT = " there was a fox. It ran, and ran, and the sun went down over the quiet hills."
WORDS = [" " + word for word in TEXT.split()]
MODELS = (
    "fine",  # words with probabilities, chat-style, an end
    "legacy",  # the lists of the completions API as it was first
    "plain",  # no probabilities
    "whole",  # no stream, whatever was asked
    "slow",  # a word each 50 ms, without end
    "hangs",  # two words, then nothing
    "silent",  # not even a header
    "cut",  # two words, then the connection is gone
    "halves",  # bytes of a character, and surrogates, in different events
    "busy",  # 429, and the second time an answer
    "always-busy",
    "single",  # 429 while it writes another
    "second-busy",  # 429 for ever, for a seed of 8
    "ever-long",  # 400: the prompt is too long, however short
    "second-long",  # 400 for ever, for a seed of 8
    "broken",  # 500
    "garbage",  # events that are no JSON
    "endless",  # a line that never ends
    "wild",  # numbers and types that no probability has
    "error",  # an error in the middle of the stream
    "long",  # 400: the prompt is too long, unless it has fewer than 400 characters
    "key",  # 401 with the key in the error
)
FOX = "🦊"
TOO_LONG = {"n_prompt_tokens": 999, "n_ctx": 256}


class FakeEngine:
    """The server, while it runs.

    Attributes:
        url: Of its API.
        asked: The bodies of requests for words, in order.
        keys: The Authorization of every request.
        gone: How many clients went away before their answer had ended.
    """

    def __init__(self, owner: str = "vllm", models: tuple[str, ...] = MODELS) -> None:
        self.owner, self.models = owner, models
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.gone = 0
        self.up = True
        self._writing = 0
        self._started = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=[self._run()], daemon=True)
        self._thread.start()
        self._started.wait()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._started.set()
        await self._stop.wait()
        server.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (h.partition(": ") for h in head)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.keys.append(headers.get("authorization", ""))
            watch = asyncio.ensure_future(reader.read(1))
            answering = asyncio.ensure_future(self._answer(head[0], body, writer))
            await asyncio.wait((watch, answering), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.gone += 1
                answering.cancel()
            watch.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone += 1
        finally:
            writer.close()

    async def _answer(self, line: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if not self.up:
            return
        if line.startswith("GET /v1/models"):
            entry = {"object": "model", "owned_by": self.owner, "max_model_len": 2048}
            models = [{"id": name, **entry} for name in self.models]
            return _whole(writer, 200, {"object": "list", "data": models})
        asked = json.loads(body)
        self.asked.append(asked)
        await self._write(asked, writer)

    async def _write(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        model, name = asked["model"], asked["model"].removeprefix("always-")
        if model == "silent":
            await asyncio.sleep(60)
        if name == "busy" and (model != name or sum(a["model"] == name for a in self.asked) == 1):
            return _whole(writer, 429, {"error": {"message": "all slots\nare taken"}}, "1")
        if (model == "single" and self._writing) or (model == "second-busy" and asked["seed"] == 8):
            return _whole(writer, 429, {"error": {"message": "no slot is free"}})
        if model == "ever-long" or (model == "second-long" and asked["seed"] == 8):
            return _whole(writer, 400, {"error": {"message": "too long", **TOO_LONG}})
        if model == "broken":
            return _whole(writer, 500, {"error": "out of memory"})
        if model == "key":
            return _whole(writer, 400, {"error": f"bad key {self.keys[-1]}"})
        if model == "long" and len(asked["prompt"]) >= 400:
            return _whole(
                writer,
                400,
                {"error": {"message": "too long", **TOO_LONG}},
            )
        if model == "whole" or not asked["stream"]:
            choice = {"text": TEXT, "finish_reason": "stop", **_legacy(WORDS)}
            return _whole(writer, 200, {"choices": [choice], "usage": {"prompt_tokens": 9}})
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        self._writing += 1
        try:
            async for data in _events(model, asked):
                writer.write(data)
                await writer.drain()
        finally:
            self._writing -= 1


def _whole(writer: asyncio.StreamWriter, status: int, value: Any, after: str = "") -> None:
    data = json.dumps(value).encode()
    pause = f"Retry-After: {after}\r\n" if after else ""
    writer.write(
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{pause}"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )


def _chat(word: str, logprob: Any = -0.5) -> dict[str, Any]:
    top = [{"token": word, "logprob": logprob}, {"token": " wolf", "logprob": -1.25}]
    return {"logprobs": {"content": [{"token": word, "logprob": logprob, "top_logprobs": top}]}}


def _legacy(words: list[str]) -> dict[str, Any]:
    tops = [{word: -0.5, " wolf": -1.25} for word in words]
    values = [-0.5 for _ in words]
    return {"logprobs": {"tokens": words, "token_logprobs": values, "top_logprobs": tops}}


def _event(text: str, finish: str | None = None, **more: Any) -> bytes:
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish, **more}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


async def _events(model: str, asked: dict[str, Any]) -> AsyncIterator[bytes]:
    for at in range(10_000 if model in ("slow", "endless") else len(WORDS)):
        word = WORDS[at % len(WORDS)]
        if model in ("slow", "single", "second-busy", "second-long"):
            await asyncio.sleep(0.05 if model == "slow" else 0.01)
        if at == 2 and model in ODD:
            async for data in ODD[model]():
                yield data
            return
        if at == asked["max_tokens"]:
            yield _event("", "length")
            break
        more = _legacy([word]) if model == "legacy" else {} if model == "plain" else _chat(word)
        yield _event(word, **more)
    else:
        yield b": a comment\r\n\r\n" + _event("", "stop")
    yield b'data: {"choices": [], "usage": {"prompt_tokens": 40}}\n\ndata: [DONE]\n\n'


async def _hangs() -> AsyncIterator[bytes]:
    await asyncio.sleep(60)
    yield b""


async def _cut() -> AsyncIterator[bytes]:
    yield b'data: {"choices": [{"te'


async def _halves() -> AsyncIterator[bytes]:
    for part in (FOX.encode()[:2], FOX.encode()[2:]):
        yield b'data: {"choices": [{"text": "' + part + b'"}]}\n\n'
    for half in ("\\ud83e", "\\udd8a"):
        yield f'data: {{"choices": [{{"text": "{half}"}}]}}\n\n'.encode()
    whole = _event(" ran é.", "stop").replace(b"\\u00e9", "é".encode())
    for byte in whole:  # the wire may cut anywhere
        yield bytes([byte])


async def _garbage() -> AsyncIterator[bytes]:
    yield b"data: <html>Bad gateway</html>\n\n"


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield b"data: " + b"x" * 100_000


async def _wild() -> AsyncIterator[bytes]:
    for value in ("NaN", "Infinity", "-Infinity", "true", '"0"', "7", "-1e999", "null"):
        one = f'{{"token": " a", "logprob": {value}, "top_logprobs": []}}'
        yield (
            f'data: {{"choices": [{{"text": " a", "logprobs": {{"content": [{one}]}}}}]}}\n\n'
        ).encode()
    yield _event(".", "stop")


async def _error() -> AsyncIterator[bytes]:
    yield b'data: {"error": {"message": "the model fell over"}}\n\n'


ODD = {
    "hangs": _hangs,
    "cut": _cut,
    "halves": _halves,
    "garbage": _garbage,
    "endless": _endless,
    "wild": _wild,
    "error": _error,
}


@contextmanager
def fake_engine(owner: str = "vllm", models: tuple[str, ...] = MODELS) -> Iterator[FakeEngine]:
    """The server for the time of the block."""
    engine = FakeEngine(owner, models)
    try:
        yield engine
    finally:
        engine.stop()


def wait_until(true: Any, timeout_s: float = 10) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + timeout_s
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(true())
