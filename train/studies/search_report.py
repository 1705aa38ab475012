"""What a search found: a line a trial, a table, what mattered, how it went, the winner as JSON."""

# matplotlib leaves out the types of what it passes on (`**kwargs`).
# pyright: reportUnknownMemberType=false

import json
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import optuna
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from gpt.files import write_whole
from train.loop.config import TrainConfig
from train.run.document import render, table
from train.run.marks import code_span, shell_word
from train.run.plot import save_figure
from train.studies.search_space import Space, apply
from train.studies.search_study import SearchError

ENOUGH = 4
"""Trials trained to their end without which nothing is said of importance."""


def shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def completed(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that were trained to their end, best first."""
    trials = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return sorted(trials, key=lambda trial: (trial.value or 0.0, trial.number))


def last_report(trial: FrozenTrial) -> tuple[int, float] | None:
    """(evaluation, nats per token) of the last evaluation that gave a number."""
    finite = [(n, loss) for n, loss in trial.intermediate_values.items() if math.isfinite(loss)]
    return max(finite) if finite else None


def outcome(trial: FrozenTrial) -> str:
    """What became of a trial, in words."""
    if trial.state == TrialState.COMPLETE:
        return "trained to its end"
    if trial.state != TrialState.PRUNED:
        return "interrupted"
    why, last = trial.user_attrs.get("why", "given up"), last_report(trial)
    return f"{why} at {last[1]:.4f}, evaluation {last[0]}" if last else why


def trial_line(trial: FrozenTrial, study: optuna.Study) -> str:
    """One progress line: how good, of which settings, how long."""
    values = ", ".join(f"{name} {shown(value)}" for name, value in trial.params.items())
    said = outcome(trial)
    if trial.value is not None and trial.state == TrialState.COMPLETE:
        best = completed(study)[0]
        rank = "the best so far" if best.number == trial.number else f"best {best.value:.4f}"
        said = f"{trial.value:.4f} nats per token ({rank})"
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    return f"trial {trial.number}: {said}; {values}; {seconds:.0f} s"


def importances(study: optuna.Study) -> dict[str, float]:
    """How much each field decided, by PED-ANOVA (Watanabe et al. 2023): shares of 1, largest first.

    Asked is what sets the better half of the trials apart; {} where too few came to their end.
    """
    if len(completed(study)) < ENOUGH:
        return {}
    # Optuna calls the better tenth usual, which of twenty trials is two.
    evaluator = PedAnovaImportanceEvaluator(target_quantile=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_param_importances(study, evaluator=evaluator)
    return found if all(math.isfinite(share) for share in found.values()) else {}


def trials_table(study: optuna.Study, names: Sequence[str]) -> Markup:
    """Every trial as a Markdown table: those trained to their end first, best on top."""
    ended = completed(study)
    rest = study.get_trials(deepcopy=False, states=[TrialState.PRUNED])
    head = ["trial", "nats per token", "bits per byte", *names, "outcome", "seconds"]
    rows: list[list[str]] = []
    for trial in [*ended, *rest]:
        bpb = trial.user_attrs.get("bpb")
        rows.append(
            [
                str(trial.number),
                f"{trial.value:.4f}" if trial.state == TrialState.COMPLETE else "",
                f"{bpb:.4f}" if bpb is not None else "",
                *(shown(trial.params.get(name, "")) for name in names),
                outcome(trial),
                f"{trial.duration.total_seconds():.0f}" if trial.duration else "",
            ]
        )
    return table(head, rows)


def _figure(height: float) -> Figure:
    # A Figure of its own, not pyplot: no global state and no window.
    figure = Figure(figsize=(7, height), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plot_importances(shares: dict[str, float], path: Path) -> None:
    """A bar for each field, the most important on top."""
    figure = _figure(1.2 + 0.4 * len(shares))
    axes = figure.add_subplot()
    names = list(shares)[::-1]
    bars = axes.barh(names, [shares[name] for name in names], color="#b5532a")
    axes.bar_label(bars, fmt="{:.0%}", padding=3)
    axes.set_xlim(0, 1.12 * max(shares.values()))
    axes.set_xlabel("share of what sets the better half of the trials apart")
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def plot_history(study: optuna.Study, path: Path) -> None:
    """Every trial where it ended, and the best so far."""
    figure = _figure(4.0)
    axes = figure.add_subplot()
    ended = sorted(completed(study), key=lambda trial: trial.number)
    lost = [
        (trial.number, last[1])
        for trial in study.get_trials(deepcopy=False, states=[TrialState.PRUNED])
        if (last := last_report(trial))
    ]
    if lost:
        axes.plot(*zip(*lost, strict=True), "x", color="#9aa5b1", label="given up, last loss")
    if ended:
        numbers, losses = [t.number for t in ended], [t.value or 0.0 for t in ended]
        best = [min(losses[: i + 1]) for i in range(len(losses))]
        axes.plot(numbers, losses, "o", color="#b5532a", label="trained to its end")
        axes.step(numbers, best, where="post", color="#b5532a", alpha=0.5, label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel("validation loss (nats per token)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    save_figure(figure, path)


def check_report(folder: Path, name: str) -> None:
    """Raise a SearchError where a folder has the report of another study than that called `name`;
    that of an older version, which noted no name, counts as one.
    """
    if not (folder / "best.json").exists():
        return
    try:
        lines = (folder / "search.md").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    noted = next((line for line in lines if line.startswith("Study `")), "")
    if noted != f"Study {code_span(name)}":
        whose = f"the s{noted[1:]}" if noted else "another study"
        raise SearchError(
            f"{folder} has the search.md and best.json of {whose}, which those of {name!r} would "
            "replace: give another --out, or move the two away"
        )


def write_search(
    study: optuna.Study, base: TrainConfig, space: Space, folder: Path, command: str
) -> str:
    """Write search.md, the charts and best.json into `folder`; what to print of it."""
    ended = completed(study)
    if not ended:
        return "no trial was trained to its end yet, so there is nothing to report"
    shares = importances(study)
    plot_history(study, folder / "history.png")
    said = f"Importance needs at least {ENOUGH} trials trained to their end that differ."
    if shares:
        plot_importances(shares, folder / "importance.png")
        said = "What mattered: " + ", ".join(f"{n} {s:.0%}" for n, s in shares.items()) + "."
    winner = apply(base, ended[0].params)
    text = json.dumps(winner.to_dict(), indent=2) + "\n"
    write_whole(folder / "best.json", text)
    rows = trials_table(study, list(space))
    text = render(
        "search.md",
        command=command,
        study=study.study_name,
        space=space,
        trials=rows,
        said=said,
        shares=shares,
    )
    write_whole(folder / "search.md", text)
    best = shell_word(str(folder / "best.json"))
    return (
        f"\n{rows}\n\n{said}\nBest: trial {ended[0].number}, {ended[0].value:.4f} nats per token. "
        f"{folder} holds search.md, its charts and best.json; train it with\n"
        f"  python -m train.pretrain --config {best} --data FOLDER --out runs/best"
    )
