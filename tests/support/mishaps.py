"""What goes wrong while somebody writes: which, how often and at which moments, from a seed."""

from dataclasses import dataclass
from random import Random

KINDS = ("reload", "close", "offline", "second window")
MOMENTS = ("now", "typing", "writing", "sent")
"""Anywhere; after a letter; while a model writes; just after something was sent or pressed."""
PATIENCE_S = 8.0
"""So long its moment is waited for: then it comes all the same."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """One of them.

    Attributes:
        due_s: When it comes, at the earliest.
        lasts_s: How long the line is down, or the server away.
        delay_s: After its moment.
    """

    due_s: float
    kind: str
    moment: str
    lasts_s: float
    delay_s: float

    def comes(self, now_s: float, moments: set[str]) -> bool:
        late = now_s > self.due_s + PATIENCE_S
        return now_s >= self.due_s and (late or self.moment == "now" or self.moment in moments)


def plan(draw: Random, length_s: float, *, count: int, kills: int) -> list[Mishap]:
    """`count` of them, `kills` of which kill the server, first to last."""
    kinds = ["kill"] * kills + [KINDS[at % len(KINDS)] for at in range(count - kills)]
    draw.shuffle(kinds)
    times = sorted(draw.uniform(0.02, 0.95) * length_s for _ in kinds)
    return [
        Mishap(
            due_s=due_s,
            kind=kind,
            moment=draw.choice(MOMENTS),
            lasts_s=draw.uniform(0.5, 5),
            delay_s=draw.choice([0, 0, draw.uniform(0, 0.1), draw.uniform(0, 1)]),
        )
        for due_s, kind in zip(times, kinds, strict=True)
    ]
