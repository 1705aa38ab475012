"""Figures that are made as always, and saved as one grey pixel."""

import base64
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)


class Sketch(Figure):
    """In the place of a Figure where nobody looks at it: to draw one takes 0.15 s of a processor,
    twice or more in each training."""

    def savefig(self, fname: Any, **_: Any) -> None:
        Path(fname).write_bytes(PIXEL)
