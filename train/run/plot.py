"""`loss.png`: how training and validation loss fell; and labels that a picture can show."""

# matplotlib leaves out the types of what it passes on (`**kwargs`).
# pyright: reportUnknownMemberType=false

from functools import cache
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import (
    FontProperties,
    findfont,  # pyright: ignore[reportUnknownVariableType]
)
from matplotlib.ft2font import FT2Font

from gpt.files import drafted

LINES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("train_loss", "training", {"color": "#9aa5b1", "linewidth": 1.0}),
    (
        "val_loss",
        "validation",
        {"color": "#b5532a", "linewidth": 2.0, "marker": "o", "markersize": 3},
    ),
)
"""Both losses: the key in metrics.jsonl, what the picture calls it, how it is drawn."""


@cache
def _glyphs() -> frozenset[int]:
    """The characters that the font of the pictures can draw."""
    return frozenset(FT2Font(findfont(FontProperties())).get_charmap())


def drawable(text: str) -> str:
    """`text` with a number in hexadecimal for each character that the font has not."""
    return "".join(c if ord(c) in _glyphs() else f"U+{ord(c):04X}" for c in text)


def plot_losses(records: list[dict[str, float]], tokens_per_step: int, path: Path) -> None:
    """Draw both losses over steps (below) and tokens seen (above) into a PNG file.

    Args:
        records: The lines of metrics.jsonl.
    """
    # A Figure of its own, not pyplot: no global state, no window, safe in any thread.
    figure = Figure(figsize=(7, 4.2), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for key, label, style in LINES:
        points = [(record["step"], record[key]) for record in records if key in record]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, **style)
    axes.set_xlabel("steps")
    axes.set_ylabel("loss (nats per token)")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    above = axes.twiny()
    low, high = axes.get_xlim()
    above.set_xlim(low * tokens_per_step / 1e6, high * tokens_per_step / 1e6)
    above.set_xlabel("tokens seen (millions)")
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a picture whole or not at all, in the format that the name ends with."""
    with drafted(path) as draft:
        figure.savefig(draft, format=path.suffix.removeprefix(".") or "png")
