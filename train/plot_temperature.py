"""`python -m train.plot_temperature CHECKPOINT "prompt"`: what temperature does to the next token.

A picture of the likeliest tokens at several temperatures, each with its entropy, and what top-k,
top-p and min-p cut away in grey: computed by the same functions of gpt.sampling as in the chat.
"""

# matplotlib leaves out the types of what it passes on (`**kwargs`), torch those of `tolist`.
# pyright: reportUnknownMemberType=false

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from gpt.checkpoint import Checkpoint, CheckpointError
from gpt.checkpoint.hub import load
from gpt.sampling import LIMITS, SamplingParams, probabilities
from gpt.text.prompt import check_for, prompt_ids, window_start
from train.run.plot import drawable

TEMPERATURES = (0.2, 0.5, 0.8, 1.0, 1.3)
CUTS = ("top_k", "top_p", "min_p", "repetition_penalty")
SHOWN = 70
"""Characters of the prompt's end in the title."""
KEPT, CUT = "#b5532a", "#c3cad1"


@dataclass(frozen=True, slots=True)
class Panel:
    """One temperature: the distribution before anything is cut, and the one that is drawn from."""

    params: SamplingParams
    before: Tensor
    """After repetition penalty and temperature, (V,)."""
    after: Tensor
    """After top-k, top-p and min-p too, (V,); 0 where a token was cut."""

    @property
    def n_kept(self) -> int:
        return int((self.after > 0).sum())


def entropy(probability: Tensor) -> float:
    """Of a distribution (V,), in nats: e to this many tokens, all alike, would be as uncertain."""
    nats = cast("Tensor", torch.special.entr(probability))  # (V,)
    return float(nats.sum())


def next_logits(checkpoint: Checkpoint, prompt: str) -> tuple[Tensor, list[int]]:
    """Logits (V,) for the token after `prompt`, and the ids that the model saw of it."""
    ids = prompt_ids(checkpoint.tokenizer, prompt)
    ids = ids[window_start(len(ids), checkpoint.config.block_size) :]
    with torch.inference_mode():
        tokens = torch.tensor([ids], device=checkpoint.model.device)
        return checkpoint.model(tokens, last=True)[0, 0].float().cpu(), ids


def panels(
    logits: Tensor, seen: Sequence[int], params: SamplingParams, temperatures: Sequence[float]
) -> list[Panel]:
    """The distributions (V,) that `params` gives at each of `temperatures`."""
    found: list[Panel] = []
    for temperature in temperatures:
        cutting = replace(params, temperature=temperature)
        open_wide = replace(cutting, top_k=0, top_p=1.0, min_p=0.0)
        before, after = (probabilities(logits, each, seen) for each in (open_wide, cutting))
        found.append(Panel(cutting, before, after))
    return found


def visible(piece: str) -> str:
    """A token as a label, with a mark for what would not be seen."""
    return drawable(piece.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")) or "∅"


def draw(found: Sequence[Panel], labels: Sequence[str], top: Sequence[int], title: str) -> Figure:
    """Panels side by side, a bar for each token of `top`, in one order for all.

    Args:
        labels: Of the tokens of `top`.
        top: Ids, likeliest first.
    """
    height = 1.7 + 0.24 * len(top)
    figure = Figure(figsize=(2.3 * len(found) + 1.2, height), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    every: list[Axes] = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[
        0
    ].tolist()
    for axes, panel in zip(every, found, strict=True):
        _draw_panel(axes, panel, list(top))
    every[0].set_yticks(range(len(top)), labels, parse_math=False)
    every[0].invert_yaxis()
    figure.suptitle(title, fontsize=11, parse_math=False)
    figure.supxlabel("probability of the next token; grey: cut, so never drawn", fontsize=9)
    return figure


def _draw_panel(axes: Axes, panel: Panel, top: list[int]) -> None:
    before, after = panel.before[top], panel.after[top]
    kept = after > 0
    chance = cast("list[float]", torch.where(kept, after, before).tolist())
    colors = [KEPT if stays else CUT for stays in kept]
    bars = axes.barh(range(len(top)), chance, color=colors)
    said = [f"{p:.0%}" if p >= 0.005 else "" for p in chance]
    for label, stays in zip(axes.bar_label(bars, said, padding=2, fontsize=7), kept, strict=True):
        label.set_color("black" if stays else "#7b858f")
    axes.set_xlim(0, 1.18)
    axes.set_xticks([0, 0.5, 1], ["0", "50%", "100%"])
    axes.set_title(
        f"temperature {panel.params.temperature:g}\n"
        f"entropy {entropy(panel.before):.2f} nats, {entropy(panel.after):.2f} once cut\n"
        f"{panel.n_kept:,} of {len(panel.after):,} left",
        fontsize=8,
    )
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def plot_temperature(
    checkpoint: Checkpoint,
    prompt: str,
    params: SamplingParams,
    temperatures: Sequence[float] = TEMPERATURES,
    bars: int = 16,
) -> Figure:
    """The picture for one prompt.

    Raises:
        ValueError: the prompt or the settings do not fit the model.
    """
    check_for(params, checkpoint.tokenizer)
    logits, seen = next_logits(checkpoint, prompt)
    top = cast("list[int]", logits.topk(min(bars, len(logits))).indices.tolist())
    labels = [visible(checkpoint.tokenizer.piece(id)) for id in top]
    end = prompt if len(prompt) <= SHOWN else f"… {prompt[-SHOWN:].partition(' ')[2]}"
    cuts = ", ".join(
        f"{name.replace('_', '-')} {getattr(params, name):g}"
        for name in CUTS
        if getattr(params, name) != LIMITS[name].off
    )
    title = f"{checkpoint.name}: what comes after “{visible(end).replace('␣', ' ')}”"
    found = panels(logits, seen, params, temperatures)
    return draw(found, labels, top, f"{title} ({cuts or 'nothing cut'})")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.plot_temperature",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", help="checkpoint folder, or USER/NAME on the Hub")
    parser.add_argument("prompt", help="what the next token follows; '' begins a fresh story")
    parser.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES, metavar="T")
    parser.add_argument("--bars", type=int, default=16, help="tokens shown (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("temperature.png"), help="PNG to write")
    for name in CUTS:
        limit = LIMITS[name]
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=int if limit.kind == "whole number" else float,
            default=limit.default,
            help=f"{limit.explanation} Range: {limit.range}; default: {limit.default}.",
        )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the picture; a fault the user can mend is one line."""
    options = make_parser().parse_args(arguments)
    try:
        if options.bars < 1:
            raise ValueError(f"--bars must be at least 1, not {options.bars}")
        params = SamplingParams(**{name: getattr(options, name) for name in CUTS})
        checkpoint = load(options.checkpoint)
        figure = plot_temperature(
            checkpoint, options.prompt, params, options.temperatures, options.bars
        )
        figure.savefig(options.out)
    except (CheckpointError, OSError, ValueError) as error:
        sys.exit(f"train.plot_temperature: {error}")
    print(options.out)


if __name__ == "__main__":
    main()
