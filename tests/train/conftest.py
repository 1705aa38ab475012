"""For the tests of training: pictures of losses are sketched, but where they are looked at."""

import pytest

from tests.support.sketch import Sketch
from train.run import plot


@pytest.fixture(autouse=True)
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "Figure", Sketch)
