"""The ghost text of each window: what stands in one line says nothing of another's."""

from collections.abc import Callable

from chainlit.session import WebsocketSession

from chat.generate.ghost import Ghost
from chat.turns import Turns
from frontend.windows import asking

AT_ONCE = 1
"""Suggestions on this machine: with more of them each would come too late to be of use."""


class Ghosts:
    """The `Ghost` of each window, made when it first asks for one.

    Args:
        is_busy: See `Ghost`.
    """

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self.by_session: dict[str, Ghost] = {}
        self._is_busy = is_busy
        self._turns = Turns(AT_ONCE, each=AT_ONCE)

    def of_who_asks(self) -> Ghost:
        """That of the window whose request is at hand.

        Raises:
            LookupError: None is: a fault of the caller's.
        """
        asker = asking()
        if asker is None:
            raise LookupError("no window's request is at hand, so there is no line to go on from")
        if asker.window not in self.by_session:
            self.by_session[asker.window] = Ghost(self._turns, self._is_busy)
        return self.by_session[asker.window]

    def stop(self, websocket: WebsocketSession) -> None:
        """Suggest nothing to a page that went away."""
        if websocket.id in self.by_session:
            self.by_session[websocket.id].stop()
