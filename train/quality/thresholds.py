"""The quality table of model text beside human text, four pass/fail thresholds, one distance.

Input is a `Comparison`: continuations of the same openings by a model and by people, each measured
(`train.quality.metrics.Quality`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from train.quality.continuations import Comparison, Continuation
from train.quality.metrics import MEASURES, SLIPS, SURPRISE, Measure, Quality, jackknife

MOST_COPIED = 30
"""The longest verbatim copy of training text that passes, in words."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A threshold that a set of texts passes or fails.

    Attributes:
        asks: The requirement, as the card says it.
        holds: Whether the texts pass.
        found: The measured value, as the card says it.
    """

    asks: str
    holds: Callable[[Sequence[Quality]], bool]
    found: Callable[[Sequence[Quality]], str]


def _ended(texts: Sequence[Quality]) -> int:
    return sum(text.ended for text in texts)


def _loops(texts: Sequence[Quality]) -> int:
    return sum(bool(text.loop) for text in texts)


def _known(texts: Sequence[Quality]) -> Fraction:
    of = sum(text.words for text in texts)
    return Fraction(sum(text.known[0] for text in texts), of) if of else Fraction(1)


def _copied(texts: Sequence[Quality]) -> int:
    return max(text.copied for text in texts)


BARS = (
    Bar(
        "at least 95% end with a whole sentence or the end of the story",
        lambda texts: 100 * _ended(texts) >= 95 * len(texts),
        lambda texts: f"{_ended(texts)} of {len(texts)}",
    ),
    Bar(
        "at most 3% fall into a loop",
        lambda texts: 100 * _loops(texts) <= 3 * len(texts),
        lambda texts: f"{_loops(texts)} of {len(texts)}",
    ),
    Bar(
        "at least 98% of the words are in the training text",
        lambda texts: _known(texts) >= Fraction(98, 100),
        lambda texts: f"{float(_known(texts)):.2%} of {sum(text.words for text in texts):,}",
    ),
    Bar(
        f"no run of more than {MOST_COPIED} words is copied from it",
        lambda texts: _copied(texts) <= MOST_COPIED,
        lambda texts: f"the longest has {_copied(texts)}",
    ),
)

COUNTS: tuple[tuple[str, Callable[[Sequence[Quality]], str]], ...] = (
    ("story or sentence ended", lambda texts: f"{_ended(texts)} of {len(texts)}"),
    ("fell into a loop", lambda texts: f"{_loops(texts)} of {len(texts)}"),
    ("longest verbatim copy of the training text", lambda texts: f"{_copied(texts)} words"),
    ("words in a text", lambda texts: f"{sum(t.words for t in texts) / len(texts):.0f}"),
)
"""Rows of the table that are no measure: a name, and what it says of a set of texts."""


def measure_rows(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Rows (measure, model, human) as text, with ± the jackknife's standard error if it exists."""
    rows = _rows(comparison, (SURPRISE, *MEASURES))
    rows += slip_rows(comparison)
    rows += [(name, said(comparison.model), said(comparison.human)) for name, said in COUNTS]
    return rows


def slip_rows(comparison: Comparison) -> list[tuple[str, str, str]]:
    """The same of the slips against sense; none where they were not looked for."""
    looked = any(text.slips for text in comparison.model)
    return _rows(comparison, SLIPS) if looked else []


def _rows(comparison: Comparison, measures: Iterable[Measure]) -> list[tuple[str, str, str]]:
    return [
        (
            measure.name,
            _with_error(measure, comparison.model),
            _with_error(measure, comparison.human),
        )
        for measure in measures
    ]


def _with_error(measure: Measure, texts: Sequence[Quality]) -> str:
    error = jackknife(measure, texts)
    shown = measure.shown(measure.of(texts))
    return shown if error is None else f"{shown} ± {measure.shown(error)}"


def broken(texts: Sequence[Quality]) -> list[Bar]:
    """The thresholds that a set of texts fails."""
    return [bar for bar in BARS if not bar.holds(texts)]


def length_for(written: Sequence[Continuation], share: float = 0.95) -> int | None:
    """The smallest token count within which `share` of the stories ended; None where fewer did."""
    lengths = sorted(each.tokens for each in written if each.over)
    needed = -int(-share * len(written) // 1)
    return lengths[needed - 1] if 0 < needed <= len(lengths) else None


def threshold_items(comparison: Comparison) -> Iterator[str]:
    """Markdown list items: pass or fail of each of `BARS`, then how many stories end within
    max_new_tokens, which decides the first."""
    for bar in BARS:
        said = "holds" if bar.holds(comparison.model) else "**does not hold**"
        yield f"- {bar.asks}: {said}, {bar.found(comparison.model)}"
    of, length = len(comparison.written), comparison.params.max_new_tokens
    needed = length_for(comparison.written)
    over = sum(each.over and each.tokens <= length for each in comparison.written)
    yield (
        f"- within {length} tokens {over} of {of} stories are over"
        + (f"; 95% are within {needed}" if needed else ", too few to say what length 95% need")
    )


def distance(comparison: Comparison) -> float:
    """How far model text is from human text: the mean over `MEASURES` of |model - human| / error,
    or of max(0, human - model) / error where more is no fault (`Measure.enough`).

    The error is the jackknife's standard error of the human figure, or 1 / number of texts where
    that is 0. A measure without a figure on either side is left out; 0 where all are.
    """
    found: list[float] = []
    for measure in MEASURES:
        model, human = measure.of(comparison.model), measure.of(comparison.human)
        if model is not None and human is not None:
            error = jackknife(measure, comparison.human) or 1 / len(comparison.human)
            short = human - model
            found.append((max(0.0, short) if measure.enough else abs(short)) / error)
    return sum(found) / len(found) if found else 0.0
