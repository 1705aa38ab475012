"""The picture of docs/performance.md: tokens a second of each writer, a panel for each model."""

# matplotlib leaves out the types of what it passes on (`**kwargs`).
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

OURS, THEIRS = "#b5532a", "#c3cad1"


def draw(panels: Mapping[str, Mapping[str, Sequence[float]]], path: Path) -> None:
    """Write a PNG.

    Args:
        panels: Tokens a second of each round, by the writer's name, by the panel's title.
    """
    longest = max(len(speeds) for speeds in panels.values())
    figure = Figure(figsize=(5.5 * len(panels), 1.2 + 0.32 * longest), layout="constrained")
    FigureCanvasAgg(figure)
    for i, (title, speeds) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), i + 1)
        names = list(speeds)[::-1]
        middles = [median(speeds[name]) for name in names]
        reach = [
            [at - min(speeds[name]) for name, at in zip(names, middles, strict=True)],
            [max(speeds[name]) - at for name, at in zip(names, middles, strict=True)],
        ]
        colours = [OURS if name.startswith("ours") else THEIRS for name in names]
        axes.barh(names, middles, xerr=reach, color=colours, ecolor="#555555")
        for row, value in enumerate(middles):
            axes.annotate(
                f"{value:,.0f}", (0, row), xytext=(4, 0), textcoords="offset points", va="center"
            )
        axes.set_title(title)
        axes.set_xlabel("tokens a second")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
