"""A training that is asked to stop, as by a signal, but after so many steps to the step."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from train.loop import train as loop


@contextmanager
def stopped_after(steps: int) -> Iterator[None]:
    """Trainings begun within do so many steps, save and leave."""

    class AfterSteps:
        looks = 0

        @property
        def asked(self) -> bool:
            self.looks += 1
            return self.looks > steps

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "StopSignal", AfterSteps)
        yield
