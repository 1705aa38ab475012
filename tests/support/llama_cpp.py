"""llama.cpp's own server, run in this process from the package xllamacpp, asked over HTTP."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

xllamacpp: Any = import_module("xllamacpp")  # compiled, and without types


class LlamaCpp:
    """A server with one model; it answers as `llama-server` does."""

    def __init__(self, model: Path, *, context: int, slots: int = 8) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_parallel = slots
        params.n_ctx = context * slots
        params.port = 0  # any that is free
        params.warmup = False
        params.verbosity = -1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        # Keys and values in float32 too; by default they are rounded to float16.
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._server = xllamacpp.Server(params)

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._server.listening_address

    def ask(self, where: str, **body: Any) -> Any:
        """What the server answers to JSON that is sent to a path, or to a look at it."""
        request = Request(
            self.address + where,
            json.dumps(body).encode() if body else None,
            {"Content-Type": "application/json"},
        )
        with urlopen(request) as answer:
            return json.loads(answer.read())

    def tokenize(self, texts: Sequence[str], separator: int) -> list[list[int]]:
        """The ids of each text, all in one request.

        Args:
            separator: An id that no text gives, to stand between them.
        """
        mixed = [part for text in texts for part in (separator, text)]
        ids = self.ask("/tokenize", content=mixed, add_special=False, parse_special=False)
        found: list[list[int]] = []
        for id in ids["tokens"]:
            if id == separator:
                found.append([])
            else:
                found[-1].append(id)
        return found

    def greedy(self, prompts: Sequence[str], length: int, **settings: Any) -> list[list[int]]:
        """The likeliest tokens after each prompt, up to its end, which is among them.

        Args:
            settings: More of the request's fields.
        """
        answers = self.ask(
            "/completion",
            prompt=list(prompts),
            temperature=0,
            n_predict=length,
            return_tokens=True,
            cache_prompt=False,
            **settings,
        )
        answers = answers if isinstance(answers, list) else [answers]  # of one prompt, no list
        return [each["tokens"] for each in sorted(answers, key=lambda each: each["index"])]

    def close(self) -> None:
        """Stop the server."""
        del self._server


@contextmanager
def llama_cpp(model: Path, *, context: int, slots: int = 8) -> Iterator[LlamaCpp]:
    """A server for the time of the block."""
    server = LlamaCpp(model, context=context, slots=slots)
    try:
        yield server
    finally:
        server.close()
