"""Whose turn it is to train, where one training runs at a time and several writers want one."""

import time
from collections.abc import Callable

from chat.errors import RefusedError

WAITS_S = 3600
"""How long who found another's training running is taken to want one still, in seconds."""
OFFER_S = 120
"""How long the others have to begin before whoever trained last may again, in seconds."""


class Line:
    """Nobody trains twice in a row before others who asked meanwhile.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waits: dict[str, float] = {}
        """Who was turned away, and when last."""
        self._last: str | None = None
        """Whose training began last."""
        self._offered_s: float | None = None
        """When that one wanted to go on, and it was offered to the others first."""

    def turned_away(self, owner: str) -> None:
        self._waits[owner] = self._clock()

    def begins(self, owner: str) -> None:
        """Let `owner` begin.

        Raises:
            RefusedError: It is the turn of others, who have some time to take it.
        """
        now = self._clock()
        self._waits = {who: at for who, at in self._waits.items() if now - at < WAITS_S}
        self._waits.pop(owner, None)
        if owner == self._last and self._waits:
            self._offered_s = now if self._offered_s is None else self._offered_s
            left_s = self._offered_s + OFFER_S - now
            if left_s > 0:
                raise RefusedError(
                    "Somebody else asked to train while yours ran, so it is their turn. If they do "
                    f"not begin within {left_s:.0f} seconds, it is yours again."
                )
            self._waits.clear()
        self._last, self._offered_s = owner, None
