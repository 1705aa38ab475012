"""Whether a model keeps to sense, as parts of a page."""

from collections.abc import Iterator

from train.quality.sense import HEAD, Sense, coherence_rows, written_rows
from train.run.document import Heading, Paragraph, Part, Table


def duration(seconds: float) -> str:
    """Seconds in the units one would say it in.

    >>> duration(8), duration(200), duration(9000)
    ('8 s', '3 min 20 s', '2 h 30 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def sense_parts(sense: Sense | None, model: str, text: str) -> Iterator[Part]:
    """The section of a report.

    Args:
        model: What the model is called.
        text: What the validation text is called.
    """
    if sense is None:
        return
    yield Heading("Does it hang together?")
    yield Paragraph(
        f"{sense.judged.stories} stories of the validation text, {text}, against copies that are "
        "spoilt in one respect: the share in which the model holds the true one likelier (a guess "
        "has 0.5), with its standard error. The copies depend on the text alone, so that models "
        "can be compared on it; train.evaluate --coherence judges more. All of this took "
        f"{duration(sense.seconds)}."
    )
    yield Table(HEAD, coherence_rows(sense.judged))
    if sense.written is None:
        yield Paragraph(f"What it writes was not looked at: {sense.why_not}.")
        return
    yield Paragraph(
        f"What slips after {len(sense.written.written)} openings of that text, beside what people "
        f"wrote, with the jackknife's standard error; at most "
        f"{sense.written.params.max_new_tokens} tokens each."
    )
    yield Table(("", model, "human"), written_rows(sense))
