"""Stop, closed tabs and memory: what Chainlit leaves running, or lying about."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chainlit.chat_context import chat_contexts
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.user_session import user_sessions

from frontend.memory import Key, key_of

SWEEP_S = 60.0
POLL_S = 0.02
"""How often a message that waits for another looks whether that one has a model write."""


def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task, once: a second time would cut short how it ends, and what it keeps then."""
    if not task.cancelling():
        task.cancel()


@contextmanager
def unless_it_left(websocket: WebsocketSession) -> Iterator[None]:
    """Send a page elements, whose files Chainlit writes in a folder of its session: one that leaves
    meanwhile takes the folder along, which is no fault."""
    try:
        yield
    except FileNotFoundError:
        if ws_sessions_id.get(websocket.id) is websocket:
            raise


def stop_quietly(sio: Any, tasks: "Tasks") -> None:
    """Replace Chainlit's Stop, which writes "Task manually stopped." into every story, and knows
    of the window's own messages alone."""

    async def stop(sid: str) -> None:
        if (websocket := WebsocketSession.get(sid)) is not None:
            tasks.stop(key_of(websocket))

    sio.on("stop", handler=stop)


class Tasks:
    """Which task writes for each story, so that Stop reaches it from any window, whatever came
    since."""

    def __init__(self) -> None:
        self.writing: dict[Key, asyncio.Task[Any]] = {}
        self.idle: Callable[[Key], None] = lambda key: None
        """Called for a story once nothing is in hand for it, or waits for its turn."""
        self._claims: Counter[Key] = Counter()
        self._turns: dict[Key, asyncio.Lock] = {}

    async def claim(self, key: Key, writing: Callable[[], bool]) -> bool:
        """Make the running task the one that Stop cancels, once what is in hand is done.

        Args:
            key: The story that it changes.
            writing: Whether a model writes. Nobody waits for that; but who presses Retry while a
                command is still in hand wants both, in this order.

        Returns:
            False where a model writes.
        """
        turn = self._turns.setdefault(key, asyncio.Lock())
        self._claims[key] += 1
        taken = False
        try:
            taken = await _taken(turn, writing)
        finally:
            if not taken:
                self._drop_claim(key)
        if not taken:
            return False
        task = asyncio.current_task()
        assert task is not None
        self.writing[key] = task
        task.add_done_callback(lambda task: self._done(key, task, turn))
        return True

    def _done(self, key: Key, task: asyncio.Task[Any], turn: asyncio.Lock) -> None:
        # The story may have been let go, and opened anew since.
        if self.writing.get(key) is task:
            del self.writing[key]
        turn.release()
        self._drop_claim(key)

    def _drop_claim(self, key: Key) -> None:
        self._claims[key] -= 1
        if not self._claims[key]:
            del self._claims[key]
            self.idle(key)

    def busy(self, key: Key) -> bool:
        """Whether something is in hand for a story, or waits for its turn."""
        return key in self._claims

    def stop(self, key: Key) -> None:
        """Stop what is written for a story: what is there by then is kept."""
        if (task := self.writing.get(key)) is not None and not task.done():
            cancel(task)

    async def stop_all(self) -> None:
        """Stop all that is being written: what is there by then is kept."""
        running = [task for task in self.writing.values() if not task.done()]
        for task in running:
            cancel(task)
        await asyncio.gather(*running, return_exceptions=True)

    def forget(self, key: Key) -> None:
        """Drop what is left of a story that nobody is at any more."""
        self.writing.pop(key, None)
        self._turns.pop(key, None)


async def _taken(turn: asyncio.Lock, writing: Callable[[], bool]) -> bool:
    """Wait for `turn`, first come, first served; give up, with False, once `writing`."""
    if not turn.locked():
        return await turn.acquire()
    in_line = asyncio.create_task(turn.acquire())
    try:
        while not in_line.done() and not writing():
            await asyncio.wait({in_line}, timeout=POLL_S)
    except asyncio.CancelledError:
        if not in_line.cancel():
            turn.release()
        raise
    # One that is done cannot be cancelled.
    return not in_line.cancel()


async def sweep(
    stories: Callable[[], None], *by_session: dict[str, Any], every_s: float = SWEEP_S
) -> None:
    """Drop, now and then, what belongs to sessions that are gone; Chainlit never does.

    Args:
        stories: Called to take them out of their stories.
    """
    while True:
        await asyncio.sleep(every_s)
        stories()
        for each in (*by_session, chat_contexts):
            for session_id in [gone for gone in each if gone not in ws_sessions_id]:
                del each[session_id]


def forget(session_id: str, leave: Callable[[str], object], *by_session: dict[str, Any]) -> None:
    """Drop what is left of a session: one that begins now by its id may be another writer's.

    Args:
        leave: Takes it out of its story.
    """
    leave(session_id)
    for each in (*by_session, chat_contexts, user_sessions):
        each.pop(session_id, None)
