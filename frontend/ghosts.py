"""The ghost text of each window: what stands in one line says nothing of another's."""

from collections.abc import Callable

from chainlit.session import WebsocketSession

from chat.generate.ghost import Ghost
from chat.turns import Turns
from frontend.windows import OfEachWindow

AT_ONCE = 1
"""Suggestions on this machine: with more of them each would come too late to be of use."""


class Ghosts(OfEachWindow[Ghost]):
    """The `Ghost` of each window.

    Args:
        is_busy: See `Ghost`.
    """

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        turns = Turns(AT_ONCE, each=AT_ONCE)
        super().__init__(lambda _: Ghost(turns, is_busy))

    def stop(self, websocket: WebsocketSession) -> None:
        """Suggest nothing to a page that went away."""
        if websocket.id in self.by_session:
            self.by_session[websocket.id].stop()
