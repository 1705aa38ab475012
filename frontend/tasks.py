"""Stop, closed tabs and memory: what Chainlit leaves running, or lying about."""

import asyncio
from collections.abc import Callable
from typing import Any

from chainlit.chat_context import chat_contexts
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.user_session import user_sessions

GRACE_S = 15.0
"""How long a page may be away (a lost connection, a reload) before its generation is stopped."""
SWEEP_S = 60.0
POLL_S = 0.02
"""How often a message that waits for another looks whether that one has a model write."""


def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task, once: a second time would cut short how it ends, and what it keeps then."""
    if not task.cancelling():
        task.cancel()


def stop_quietly(sio: Any) -> None:
    """Replace Chainlit's Stop, which writes "Task manually stopped." into every story."""

    async def stop(sid: str) -> None:
        websocket = WebsocketSession.get(sid)
        if websocket and websocket.current_task:
            cancel(websocket.current_task)

    sio.on("stop", handler=stop)


class Tasks:
    """Which task writes for each session, so that Stop reaches it whatever came since."""

    def __init__(self) -> None:
        self.writing: dict[str, asyncio.Task[Any]] = {}
        self.turns: dict[str, asyncio.Lock] = {}

    async def claim(self, websocket: WebsocketSession, writing: Callable[[], bool]) -> bool:
        """Make the running task the one that Stop cancels, once what is in hand is done.

        An edit and an action run in tasks that Chainlit's Stop does not know, and a second message
        would take the first one's place.

        Args:
            writing: Whether a model writes. Nobody waits for that; but who presses Retry while a
                command is still in hand wants both, in this order.

        Returns:
            False where a model writes.
        """
        websocket.current_task = self.writing.get(websocket.id, websocket.current_task)
        turn = self.turns.setdefault(websocket.id, asyncio.Lock())
        if not await _taken(turn, writing):
            return False
        task = asyncio.current_task()
        assert task is not None
        self.writing[websocket.id] = websocket.current_task = task
        task.add_done_callback(lambda task: self._done(websocket.id, task, turn))
        return True

    def _done(self, session_id: str, task: asyncio.Task[Any], turn: asyncio.Lock) -> None:
        # Another session may go by this id by now; see `forget`.
        if self.writing.get(session_id) is task:
            del self.writing[session_id]
        turn.release()


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


async def reap(session_id: str, grace_s: float = GRACE_S) -> None:
    """Give up the generation of a page that went away and does not come back."""
    # By its id: while it is waited for, the session itself may end.
    if (websocket := ws_sessions_id.get(session_id)) is None:
        return
    socket_id, on_purpose = websocket.socket_id, websocket.to_clear
    del websocket
    if not on_purpose:
        await asyncio.sleep(grace_s)
    websocket = ws_sessions_id.get(session_id)
    if websocket is None or websocket.socket_id != socket_id:
        return
    if (task := websocket.current_task) and not task.done():
        cancel(task)


async def stop_all() -> None:
    """Stop all that is being written: what is there by then is kept."""
    tasks = [websocket.current_task for websocket in ws_sessions_id.values()]
    running = [task for task in tasks if task and not task.done()]
    for task in running:
        cancel(task)
    await asyncio.gather(*running, return_exceptions=True)


async def sweep(*by_session: dict[str, Any], every_s: float = SWEEP_S) -> None:
    """Drop, now and then, what belongs to sessions that are gone; Chainlit never does."""
    while True:
        await asyncio.sleep(every_s)
        for each in (*by_session, chat_contexts):
            for session_id in [gone for gone in each if gone not in ws_sessions_id]:
                del each[session_id]


def forget(session_id: str, *by_session: dict[str, Any]) -> None:
    """Drop what is left of a session: one that begins now by its id may be another writer's."""
    for each in (*by_session, chat_contexts, user_sessions):
        each.pop(session_id, None)
