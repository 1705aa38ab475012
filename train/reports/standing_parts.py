"""Where a model stands between noise and the best, as parts of a report."""

from collections.abc import Iterator, Mapping
from typing import Any

from train.quality.floor import standing
from train.run.document import Heading, Paragraph, Part, Table


def standing_parts(
    name: str, training: Mapping[str, Any], records: list[dict[str, Any]]
) -> Iterator[Part]:
    """Nothing where there is no checkpoint yet.

    Args:
        training: training.json of the best checkpoint; empty where there is none.
        records: The lines of metrics.jsonl.
    """
    if not training:
        return
    found = standing(name, training, records)
    yield Heading("Where it stands")
    yield Paragraph(" ".join(filter(None, (found.where, found.expect))))
    if found.scale:
        yield Table(
            ("", "bits per byte"), [(str(each), f"{each.bits:.4f}") for each in found.scale]
        )
        yield Paragraph(found.note)
    yield Paragraph(f"What would help most: {found.advice.text}")
