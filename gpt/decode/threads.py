"""Threads that help with a pass: asleep while nothing is written, asked only where they gain.

Whether a second thread gains is measured, again and again: on an idle machine it does, beside a
busy neighbour a pass waits for a thread that has lost its processor.
"""

import threading
from collections.abc import Callable
from statistics import median

TRIAL = 8
"""Passes that are measured with helpers, and as many without."""
AGAIN = 512
"""Passes until it is measured again."""
MARGIN = 0.9
"""Helpers are asked where they take less than this share of the time."""


class Helpers:
    """Threads that run `help_out(thread)` when woken; 0 of them is fine.

    Args:
        count: How many.
        help_out: Called with 1, 2, …; returns when there was nothing to help with for a while.
    """

    def __init__(self, count: int, help_out: Callable[[int], None]) -> None:
        self.count = count
        self._help_out = help_out
        self._wake = [threading.Event() for _ in range(count)]
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, args=(i,), name="inkling-helper", daemon=True)
            for i in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Let them look for pieces; a thread that looks already looks a little longer."""
        for event in self._wake:
            event.set()

    def close(self) -> None:
        """End the threads, once they are back from what they do."""
        self._closed = True
        self.wake()
        for thread in self._threads:
            thread.join()

    def _run(self, i: int) -> None:
        while True:
            self._wake[i].wait()
            self._wake[i].clear()
            if self._closed:
                return
            self._help_out(i + 1)


class Pace:
    """Whether the next pass is better done with helpers, as the last trial showed.

    In a trial, passes are done with helpers and without in turn.
    """

    def __init__(self) -> None:
        self._times: tuple[list[float], list[float]] = ([], [])
        self._passes = 0
        self.gains = False
        """What the last trial said."""

    @property
    def together(self) -> bool:
        """Whether the next pass is to be done with helpers."""
        return self._passes % 2 == 1 if self._passes < 2 * TRIAL else self.gains

    def took(self, seconds: float) -> None:
        """How long the pass took that was done as `together` said."""
        if self._passes < 2 * TRIAL:
            self._times[self._passes % 2].append(seconds)
        self._passes += 1
        if self._passes == 2 * TRIAL:
            alone, together = map(median, self._times)
            self.gains = together < MARGIN * alone
        elif self._passes >= AGAIN:
            self._passes, self._times = 0, ([], [])
