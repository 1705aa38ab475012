"""Votes between pairs of writers, summed up: who won how often, and how sure that is.

Pure functions. A tie counts as half a win.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

VoteChoice = Literal["a", "b", "tie"]
Key = TypeVar("Key", bound=Hashable)

Z_95 = 1.959963984540054
"""The standard normal distribution holds 95% between -Z_95 and Z_95."""
ENOUGH_P = 0.05


@dataclass(frozen=True, slots=True)
class Record:
    """How one of two, or one against all, has fared."""

    wins: int = 0
    losses: int = 0
    ties: int = 0

    @property
    def count(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def rate(self) -> float:
        """Share of wins, a tie being half of one; 0.5 where nothing was voted."""
        return (self.wins + self.ties / 2) / self.count if self.count else 0.5

    @property
    def interval(self) -> tuple[float, float]:
        """95% Wilson interval of `rate`. With ties it is a little wider than it would have to be,
        for a half varies less than a win and a loss do."""
        return wilson(self.wins + self.ties / 2, self.count)

    @property
    def p_value(self) -> float:
        return sign_test(self.wins, self.losses)

    @property
    def decided(self) -> bool:
        """Whether so clear a record would be rare (less than 5%) if both were equally good."""
        return self.p_value < ENOUGH_P

    def plus(self, choice: VoteChoice) -> "Record":
        """The record with one more vote, `choice` being seen from its own side, "a"."""
        won, lost = choice == "a", choice == "b"
        return Record(self.wins + won, self.losses + lost, self.ties + (choice == "tie"))


def wilson(successes: float, count: int, z: float = Z_95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927, "Probable inference, the law of succession, and
    statistical inference", Journal of the American Statistical Association 22, pages 209 to 212).

    Args:
        successes: 0 to `count`; halves will do.
        z: Quantile of the standard normal distribution; the default is for 95%.

    Returns:
        Both ends; (0, 1) where nothing was counted.

    Raises:
        ValueError: More successes than trials, or fewer than none.
    """
    if not 0 <= successes <= count:
        raise ValueError(f"successes must be 0 to {count}, not {successes}")
    if count == 0:
        return 0.0, 1.0
    rate, z2 = successes / count, z * z
    middle = (rate + z2 / (2 * count)) / (1 + z2 / count)
    half = z / (1 + z2 / count) * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count**2))
    # Rounding must not leave 0 out where nothing was won, nor 1 where all was.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == count else middle + half
    return low, high


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p-value that both are equally good: the exact sign test, ties left out (Dixon and
    Mood 1946, "The statistical sign test", same journal, volume 41, pages 557 to 566).

    Wilson's interval alone would call 4 wins of 4 clear, which luck brings one time in eight.
    """
    count, fewer = wins + losses, min(wins, losses)
    tail = sum(math.comb(count, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / 2**count)


def rounds_for(record: Record) -> int | None:
    """About how many votes in all would be enough, if they went on as they did so far.

    The normal approximation of the sign test, ties coming as often as until now.

    Returns:
        None where that cannot be told: as many wins as losses.
    """
    decisive = record.wins + record.losses
    if record.wins == record.losses:
        return None
    lead = record.wins / decisive - 0.5
    # Fewer than 6 can never do: 5 of 5 is luck one time in sixteen.
    needed = max(6, math.ceil((Z_95 / (2 * lead)) ** 2))
    return math.ceil(needed * record.count / decisive)


@dataclass(frozen=True, slots=True)
class Pair(Generic[Key]):
    """Two that were compared; `record` is that of the first."""

    first: Key
    second: Key
    record: Record


def pairs(votes: Iterable[tuple[Key, Key, VoteChoice]]) -> list[Pair[Key]]:
    """Sum up each pair, whichever of the two stood left; the better one first, most votes first."""
    found: dict[frozenset[Key], Pair[Key]] = {}
    for a, b, choice in votes:
        key = frozenset((a, b))
        pair = found.get(key, Pair(a, b, Record()))
        seen = choice if pair.first == a else _turned(choice)
        found[key] = Pair(pair.first, pair.second, pair.record.plus(seen))
    ordered = [_better_first(pair) for pair in found.values()]
    return sorted(ordered, key=lambda pair: -pair.record.count)


def standings(votes: Sequence[tuple[Key, Key, VoteChoice]]) -> list[tuple[Key, Record]]:
    """Each one's record against all others together; the best rate first."""
    found: dict[Key, Record] = {}
    for a, b, choice in votes:
        found[a] = found.get(a, Record()).plus(choice)
        found[b] = found.get(b, Record()).plus(_turned(choice))
    return sorted(found.items(), key=lambda each: (-each[1].rate, -each[1].count))


def _turned(choice: VoteChoice) -> VoteChoice:
    """The same choice as the other side sees it."""
    turned: dict[VoteChoice, VoteChoice] = {"a": "b", "b": "a", "tie": "tie"}
    return turned[choice]


def _better_first(pair: Pair[Key]) -> Pair[Key]:
    record = pair.record
    if record.wins >= record.losses:
        return pair
    return Pair(pair.second, pair.first, Record(record.losses, record.wins, record.ties))
