"""Ending a training from outside: a signal is remembered until a step is whole."""

import signal


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
