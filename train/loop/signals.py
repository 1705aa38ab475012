"""Ending a training from outside: a signal is remembered until a step is whole."""

import signal
from collections.abc import Generator
from contextlib import contextmanager


class StopSignal:
    """Remembers that SIGINT or SIGTERM came, so that a step is never cut in half."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._remember)

    def _remember(self, number: int, _frame: object) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt  # a second Ctrl-C does not wait for the step
        self.asked = True


@contextmanager
def own_signals() -> Generator[None]:
    """Put back, afterwards, what answers SIGINT and SIGTERM: a training takes them for itself."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
