"""Tasks that run beside the chats, which nobody waits for."""

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

from chat.errors import fault

_tasks: set[asyncio.Task[None]] = set()
"""A task that nobody holds may vanish."""
_log = logging.getLogger(__name__)


def run_beside(coroutine: Coroutine[Any, Any, None]) -> None:
    """Start a task that nobody waits for; an exception in it is logged."""
    # Without the context of the event at hand, which holds its session for as long as it runs.
    empty = Context()
    task = asyncio.create_task(coroutine, context=empty)
    _tasks.add(task)
    task.add_done_callback(_ended, context=empty)


def _ended(task: asyncio.Task[None]) -> None:
    """Let go of what ran beside; how it broke, if it did, is in the log."""
    _tasks.discard(task)
    if not task.cancelled() and (error := task.exception()):
        fault(_log, "beside the chats", error)
