"""Does a model keep to sense, in what it judges and in what it writes? Both, as rows of tables."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gpt.checkpoint import Checkpoint
from gpt.checkpoint.generation_config import read_defaults
from gpt.text.memorization import ReferenceText
from train.adapt.forgetting import HeldOut
from train.quality.coherence import Coherence, coherence
from train.quality.continuations import Comparison, compare_with_human
from train.quality.lexicon import Lexicon
from train.quality.metrics import SLIPS, Measure, Quality, jackknife
from train.quality.openings import openings
from train.quality.thresholds import slip_rows
from train.run.document import Table

OPENING_SEED = 1
HEAD = ("the true story is held against", "it is the likelier one", "of")
"""Over the columns of `coherence_rows`."""


def _unknown(texts: Sequence[Quality]) -> float | None:
    of = sum(text.known[1] for text in texts)
    return 1 - sum(text.known[0] for text in texts) / of if of else None


UNKNOWN = Measure("words in no dictionary", _unknown, percent=2)
"""Words that the training text has not."""


@dataclass(frozen=True, slots=True)
class Sense:
    """Both parts on one text.

    Attributes:
        judged: What the model takes for the likelier story.
        written: What it writes beside what people wrote; None where the text has too few openings.
        why_not: Why it is None.
        source_known: The words of the training text are known, not those of the text alone.
        seconds: How long both took.
    """

    judged: Coherence
    written: Comparison | None
    why_not: str
    source_known: bool
    seconds: float


def measure_sense(
    checkpoint: Checkpoint,
    documents: Sequence[str],
    learnt: tuple[ReferenceText, Lexicon] | None,
    *,
    stories: int,
    written: int,
    max_new_tokens: int | None = None,
    most_tokens: float = float("inf"),
) -> Sense:
    """Let a model judge the stories of a held-out text, and go on from openings of it.

    Args:
        learnt: The training text and its words; where it is not here, those of `documents` serve.
        stories, most_tokens: See `coherence`.
        written: How many openings, two or more.
        max_new_tokens: Instead of what the checkpoint's generation_config.json says.
    """
    began = time.perf_counter()
    judged = coherence(checkpoint, documents, stories=stories, most_tokens=most_tokens)
    source, lexicon = learnt or (ReferenceText(documents), Lexicon(documents))
    params = replace(read_defaults(checkpoint.folder), seed=OPENING_SEED)
    if max_new_tokens is not None:
        params = replace(params, max_new_tokens=max_new_tokens)
    comparison, why_not = None, ""
    try:
        found = openings(documents, written)
    except ValueError as error:
        why_not = str(error)
    else:
        comparison = compare_with_human(
            checkpoint, found, params, source, lexicon=lexicon, thorough=False
        )
    seconds = time.perf_counter() - began
    return Sense(judged, comparison, why_not, learnt is not None, seconds)


def coherence_rows(found: Coherence) -> list[tuple[str, str, str]]:
    """Rows of a table under HEAD: what was done to the copy, the share, how many stories."""
    rows: list[tuple[str, str, str]] = []
    for each in found.judged:
        share = "cannot be judged"
        of = f"none of {found.stories} stories has {each.spoiling.needs}"
        if each.share is not None:
            share, of = f"{each.share:.3f} ± {each.error:.3f}", f"{each.of} of {found.stories}"
        rows.append((each.spoiling.does, share, of))
    return rows


def coherence_table(checkpoint: Checkpoint, valid: HeldOut) -> Table:
    """What a model judges of its validation text."""
    return Table(HEAD, coherence_rows(coherence(checkpoint, valid.documents())))


def written_rows(found: Sense) -> list[tuple[str, str, str]]:
    """Rows (slip, model, human) as text."""
    if (written := found.written) is None:
        return []
    rows = slip_rows(written)
    if found.source_known:
        model, human = (UNKNOWN.shown(UNKNOWN.of(each)) for each in (written.model, written.human))
        rows.append((UNKNOWN.name, model, human))
    return rows


def facts(found: Sense) -> dict[str, Any]:
    """The same as plain data; None where nothing could be judged."""
    said: dict[str, Any] = {
        "coherence": {
            each.spoiling.name: {"share": each.share, "error": each.error, "of": each.of}
            for each in found.judged.judged
        },
        "stories": found.judged.stories,
        "seconds": round(found.seconds, 1),
    }
    if (written := found.written) is not None:
        measures = (*SLIPS, UNKNOWN) if found.source_known else SLIPS
        said["written"] = {
            measure.name: {
                who: {"share": measure.of(texts), "error": jackknife(measure, texts)}
                for who, texts in (("model", written.model), ("human", written.human))
            }
            for measure in measures
        }
    return said
