"""What `train.compare_tokenizers` found: one line for each training, the table and the chart."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from statistics import mean, stdev

from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gpt.files.strict_json import json_lines
from train.run.document import Table, render
from train.run.plot import save_figure
from train.studies.tokenizer_variants import TITLES, TokenizerVariant

UPPER_BOUND = (
    "Every text is scored in the one way its tokenizer cuts it. The model could write the same "
    "text in other cuts too, so bits per byte are an upper bound of what it would need (for "
    "characters, which have one cut only, they are exact)."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One training with one tokenizer, from one seed."""

    variant: str
    seed: int
    bpb: float
    """Bits per byte of the validation text, after the last step."""
    vocab_size: int
    tokens_per_byte: float
    """Of the validation text, cut without dropout; ends of stories are tokens too."""
    window: int
    """Tokens that hold the context."""
    steps: int
    parameters: int
    embedding_parameters: int
    bytes_per_second: float | None
    """Text read in training; None where it was too short to measure."""
    seconds: float
    sample: str


def read_results(path: Path) -> list[Result]:
    """The results of results.jsonl; a line that was cut off, or holds no result, is left out."""
    found: list[Result] = []
    for record in json_lines(path.read_bytes(), longest=None) if path.exists() else ():
        with suppress(TypeError):
            found.append(Result(**record))
    return found


def add_result(path: Path, result: Result) -> None:
    """Write one more line; after half a line it begins a new one."""
    half = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * half + json.dumps(asdict(result)) + "\n")


def mean_and_deviation(values: Iterable[float], form: str) -> str:
    """Mean ± standard deviation (of a sample, n - 1); of one value the value alone."""
    values = list(values)
    if len(values) == 1:
        return format(values[0], form)
    return f"{mean(values):{form}} ± {stdev(values):{form}}"


def by_variant(
    variants: Sequence[TokenizerVariant], results: Sequence[Result]
) -> list[list[Result]]:
    """The results of each variant that has any, in the order of `variants`."""
    places = {str(variant): place for place, variant in enumerate(variants)}
    known = sorted((r for r in results if r.variant in places), key=lambda r: places[r.variant])
    return [list(group) for _, group in groupby(known, key=lambda r: r.variant)]


def title(result: Result) -> str:
    """The name of a tokenizer in the table, without its vocabulary size."""
    return next(
        text
        for name, text in TITLES.items()
        if result.variant == name or result.variant.rpartition("-")[0] == name
    )


def markdown(groups: Sequence[Sequence[Result]], dropout: float) -> Markup:
    """The table, a row for each tokenizer and size, and a sample of each below it.

    Args:
        dropout: Of the variant that has it.
    """
    head = [
        "tokenizer",
        "vocabulary",
        "bits per byte",
        "tokens per byte",
        "window, tokens",
        "steps",
    ]
    head += ["parameters", "text per second, kB", "seconds", "seeds"]
    rows: list[list[str]] = []
    for group in groups:
        one = group[0]
        speeds = [r.bytes_per_second / 1000 for r in group if r.bytes_per_second is not None]
        cells = [
            title(one),
            f"{one.vocab_size:,}",
            mean_and_deviation([r.bpb for r in group], ".3f"),
            f"{one.tokens_per_byte:.3f}",
            f"{one.window:,}",
            mean_and_deviation([r.steps for r in group], ",.0f")
            if len({r.steps for r in group}) > 1
            else f"{one.steps:,}",
            f"{one.parameters:,}",
            mean_and_deviation(speeds, ".1f") if speeds else "not measured",
            mean_and_deviation([r.seconds for r in group], ".0f"),
            str(len(group)),
        ]
        rows.append(cells)
    one = groups[0][0]
    same = f"Every model has {one.parameters - one.embedding_parameters:,} parameters beside its "
    same += "embeddings; mean ± standard deviation over the seeds."
    if any(group[0].variant.startswith("bpe-dropout") for group in groups):
        same += f" With dropout, each join is left out with probability {dropout:g}, in training "
        same += "only, where the same text is more tokens, and its windows are that much longer."
    samples = [(title(g[0]), f"{g[0].vocab_size:,}", _sample(g)) for g in groups]
    results, said = Table(head, rows), f"{same} {UPPER_BOUND}"
    return render("tokenizer_results.md", results=results, said=said, samples=samples)


def _sample(group: Sequence[Result]) -> str:
    """Of the first seed that wrote anything; "" where none did."""
    return next((r.sample for r in group if r.sample.strip()), "")


def plot(groups: Sequence[Sequence[Result]], path: Path) -> None:
    """Draw bits per byte (each seed, mean ± standard deviation) and tokens per byte to a PNG."""
    figure = Figure(figsize=(10, 1.4 + 0.42 * len(groups)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    for place, group in enumerate(groups):
        values = [r.bpb for r in group]
        left.plot(values, [place] * len(values), "o", color="#7f95ab", markersize=7)
        off = stdev(values) if len(values) > 1 else 0.0
        left.errorbar(
            mean(values), place, xerr=off, fmt="D", color="#b5532a", capsize=4, markersize=4
        )
        right.barh(place, group[0].tokens_per_byte, color="#7f95ab", height=0.6)
    left.set_yticks(range(len(groups)), [f"{title(g[0])}, {g[0].vocab_size:,}" for g in groups])
    left.invert_yaxis()
    left.set_xlabel("bits per byte (lower is better), mean ± sd; dots: seeds")
    right.set_xlabel("tokens per byte")
    for axes in (left, right):
        axes.grid(alpha=0.25, axis="x")
    save_figure(figure, path)
