"""What `tests.support.forks` loads before it forks."""

import gc
from contextlib import suppress
from importlib import import_module

from tests.support.sketch import Sketch

# Chainlit, `chat`, `frontend` and huggingface_hub look at the environment or the folder while they
# are loaded.
LOADED = [
    *("torch", "torch.nn.functional", "numba", "safetensors.torch", "tokenizers", "tiktoken"),
    *("sentencepiece", "matplotlib.backends.backend_agg", "optuna"),
    *("fastapi", "uvicorn", "socketio", "aiohttp", "httpx", "mcp", "literalai", "traceloop.sdk"),
    *("cryptography.x509", "click", "jwt", "tornado", "yaml", "jinja2"),
    # Each optimizer loads torch._dynamo.
    *("torch._dynamo", "train.pretrain"),
    *("aiofiles", "anyio.from_thread", "asyncer", "dataclasses_json", "filetype", "nest_asyncio"),
    *("pydantic.v1", "tomli", "fastapi.middleware.gzip", "h11", "wsproto"),
    "uvicorn.protocols.http.h11_impl",
]

gc.disable()
for name in LOADED:
    with suppress(ImportError):
        import_module(name)
vars(import_module("train.run.plot"))["Figure"] = Sketch
# A fork neither looks through it for garbage nor copies the pages on which that is noted.
gc.freeze()
gc.enable()
