"""Many stories at once: the engine, its requests, and whose turn it is."""

from gpt.engine.engine import Engine
from gpt.engine.errors import EngineBusy, EngineClosed

__all__ = ["Engine", "EngineBusy", "EngineClosed"]
