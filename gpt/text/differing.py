"""What two texts have in common, in time that is bounded whatever they are.

Source: E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), its greedy form. The
standard library's `difflib` takes quadratic time, and more, for texts that repeat themselves.
"""

import re
from collections.abc import Callable, Iterator, Sequence

MOST_CHANGES = 500
"""What differs in more parts is looked at more coarsely, or as one change."""
MOST_LOOKED_AT = 2_000_000
"""Parts that are compared at all for two texts: half a second."""
LEAST_LETTERS = 3
"""Letters inside a word that was exchanged count as kept from so many on: fewer are chance, but
where all of its letters are still there."""

Match = tuple[int, int, int]
"""Where it begins in the one text, where in the other, and its length, in characters."""


def matches(one: str, other: str) -> list[Match]:
    """What stands in both texts, in order; the rest of `other` is new.

    Both ends are compared letter by letter; between them lines, then the words of lines that
    differ, then the letters of words that do. The space between two changed words counts as
    changed.
    """
    return list(_joined(_Differ(one, other).between((0, len(one)), (0, len(other)), 0)))


def same_beginning(one: Sequence[object], other: Sequence[object]) -> int:
    """How many parts both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


Span = tuple[int, int]
_LEVELS: tuple[Callable[[str], list[str]], ...] = (
    lambda text: text.splitlines(keepends=True),
    re.compile(r"\w+|\s+|[^\w\s]").findall,
    list,
)


class _Differ:
    def __init__(self, one: str, other: str) -> None:
        self._one, self._other = one, other
        self._left = MOST_LOOKED_AT

    def between(self, one: Span, other: Span, level: int) -> Iterator[Match]:
        """The matches in a span of each text, by the parts of a level and those below it."""
        a, b = self._one[slice(*one)], self._other[slice(*other)]
        begins = same_beginning(a, b)
        ends = same_beginning(a[begins:][::-1], b[begins:][::-1])
        if begins:
            yield one[0], other[0], begins
        inner = (one[0] + begins, one[1] - ends), (other[0] + begins, other[1] - ends)
        if all(start < end for start, end in inner):
            yield from self._inner(*inner, level)
        if ends:
            yield one[1] - ends, other[1] - ends, ends

    def _inner(self, one: Span, other: Span, level: int) -> Iterator[Match]:
        if level == len(_LEVELS):
            return
        split, letters = _LEVELS[level], level == len(_LEVELS) - 1
        a, b = split(self._one[slice(*one)]), split(self._other[slice(*other)])
        starts, others = _starts(a, one[0]), _starts(b, other[0])
        at, to = one[0], other[0]
        alike = self._alike(a, b)
        added = sum(count for _, _, count in alike) == len(a)
        for i, j, count in alike:
            start, begin = starts[i], others[j]
            end, size = starts[i + count], starts[i + count] - starts[i]
            chance = size < LEAST_LETTERS if letters else self._one[start:end].isspace()
            if chance and not added:
                continue
            if not letters:
                yield from self.between((at, start), (to, begin), level + 1)
            yield start, begin, size
            at, to = end, begin + size
        if not letters:
            yield from self.between((at, one[1]), (to, other[1]), level + 1)

    def _alike(self, a: Sequence[str], b: Sequence[str]) -> list[Match]:
        """The parts that both have, by Myers' algorithm; none where too much differs."""
        reached = {1: 0}
        trace: list[dict[int, int]] = []
        for changes in range(min(len(a) + len(b), MOST_CHANGES) + 1):
            trace.append(dict(reached))
            for k in range(-changes, changes + 1, 2):
                down = k == -changes or (
                    k != changes and reached.get(k - 1, -1) < reached.get(k + 1, -1)
                )
                x = reached[k + 1] if down else reached[k - 1] + 1
                before = x
                while x < len(a) and 0 <= x - k < len(b) and a[x] == b[x - k]:
                    x += 1
                self._left -= x - before + 1
                reached[k] = x
                if x >= len(a) and x - k >= len(b):
                    return _walked(trace, len(a), len(b))
            if self._left < 0:
                break
        return []


def _walked(trace: list[dict[int, int]], x: int, y: int) -> list[Match]:
    """The matches of the way that `trace` found to the end of both."""
    found: list[Match] = []
    for changes in range(len(trace) - 1, -1, -1):
        reached, k = trace[changes], x - y
        down = k == -changes or (k != changes and reached.get(k - 1, -1) < reached.get(k + 1, -1))
        before = k + 1 if down else k - 1
        old_x = reached.get(before, 0) if changes else 0
        begins = (old_x if down else old_x + 1) if changes else 0
        if x > begins:
            found.append((begins, begins - k, x - begins))
        x, y = old_x, old_x - before
    return found[::-1]


def _starts(parts: Sequence[str], start: int) -> list[int]:
    """Where each part begins, and where the last one ends."""
    starts = [start]
    for part in parts:
        starts.append(starts[-1] + len(part))
    return starts


def _joined(found: Iterator[Match]) -> Iterator[Match]:
    """Matches that follow each other in both texts as one."""
    last: Match | None = None
    for i, j, size in found:
        if last and (last[0] + last[2], last[1] + last[2]) == (i, j):
            last = (last[0], last[1], last[2] + size)
            continue
        if last:
            yield last
        last = (i, j, size)
    if last:
        yield last
