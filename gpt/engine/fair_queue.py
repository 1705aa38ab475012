"""`FairQueue`: whose turn is next, so that one writer's pile of wishes holds nobody else up.

Who asks is a path of opaque keys from the larger group to the smaller: (account, page). Groups are
served in turn, and within a group those in it: max-min fairness (Bertsekas and Gallager 1992,
section 6.5.2). Next is the group that has fewest in hand; of equals the one that has waited longest
since it was last served, or, where it never was, since it came. Within one path it is first come,
first served, so a single writer notices nothing of it.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heapreplace
from typing import Generic, Protocol, TypeVar

MAX_WAITING = 256
"""Stories that may wait for a place."""
MAX_LOGITS_REQUESTS = 64
"""Requests for logits (`gpt.engine.request.LogitsRequest`) that may wait for their answer."""

Path = tuple[Hashable, ...]
"""Who asks, (account, page); () where it is not known. Opaque keys, not a path of files."""


class Waiting(Protocol):
    """Something that waits for its turn, or for several."""

    @property
    def writer(self) -> Path: ...

    @property
    def turns(self) -> int:
        """How many turns it still waits for; 0 once it has them all, or was given up."""
        ...


W = TypeVar("W", bound=Waiting)


class FairQueue(Generic[W]):
    """Those who wait, in the order in which they will be served. Not for several threads at once.

    Args:
        bound: The most turns that may wait in all.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._came: dict[W, int] = {}
        """Those who wait, in the order they came, and when."""
        self._served: dict[Path, int] = {}
        """When a group that still waits, or has something in hand, was last served."""
        self._clock = 0
        self._order: list[W] | None = None

    def __iter__(self) -> Iterator[W]:
        """Those who wait, in the order they came."""
        return iter(self._came)

    @property
    def waiting(self) -> int:
        """The turns that are waited for."""
        return sum(item.turns for item in self._came)

    def has_room(self, item: W, spare: int = 0) -> bool:
        """Whether `item` may wait as well.

        A writer may have as many turns waiting as places are left for all others (dynamic
        thresholds: Choudhury and Hahne 1998, with alpha 1). So whoever waits for nothing yet finds
        room as long as there is any, and nobody's pile fills the queue. Those who did not say who
        they are count as strangers to each other.

        Args:
            spare: Turns that are free at this moment, on top of the bound.
        """
        mine = sum(each.turns for each in self._came if same_group(each, item))
        return self.waiting + mine + item.turns <= self.bound + spare

    def crowd(self, item: W) -> tuple[int, int]:
        """How many wait, and how many of them are of the same largest group as `item`."""
        waiting = [other for other in self._came if other.turns]
        return len(waiting), sum(same_group(other, item) for other in waiting)

    def add(self, item: W) -> None:
        """Queue `item`; ask `has_room` first."""
        self._clock += 1
        self._came[item] = self._clock
        self._order = None

    def next(self, in_hand: Iterable[W]) -> W | None:
        """Whose turn it is; None where nobody waits.

        Args:
            in_hand: What is being served, once for each of its turns.
        """
        return next((item for item in self.order(in_hand) if item.turns), None)

    def serve(self, item: W) -> None:
        """`item` has got a turn; call it before its `turns` say so."""
        self._clock += 1
        for depth in range(1, len(item.writer) + 1):
            self._served[item.writer[:depth]] = self._clock
        self._order = None

    def changed(self) -> None:
        """Something that was in hand has ended: the order may be another one."""
        self._order = None

    def drop_done(self) -> None:
        """Let go of all that waits no more."""
        if not all(item.turns for item in self._came):
            self._came = {item: came for item, came in self._came.items() if item.turns}
            self._order = None

    def clear(self) -> None:
        self._came.clear()
        self._served.clear()
        self._order = None

    def ahead(self, item: W, in_hand: Iterable[W]) -> int:
        """How many will begin before `item`; 0 where it does not wait."""
        count = 0
        for other in self.order(in_hand):
            if other is item:
                return count if item.turns else 0
            count += other.turns > 0
        return 0

    def order(self, in_hand: Iterable[W]) -> Sequence[W]:
        """All that wait, as they will get their first turn if nothing else comes or ends."""
        if self._order is None:
            held: Counter[Path] = Counter()
            for item in in_hand:
                held.update(item.writer[:depth] for depth in range(1, len(item.writer) + 1))
            waiting = [item for item in self._came if item.turns]
            known = {item.writer[:depth] for item in waiting for depth in range(len(item.writer))}
            known |= {item.writer for item in waiting} | set(held)
            self._served = {key: at for key, at in self._served.items() if key in known}
            self._order = list(dict.fromkeys(self._turns(waiting, 0, held)))
        return self._order

    def _turns(self, items: Sequence[W], depth: int, held: Counter[Path]) -> list[W]:
        """The turns of `items`, all of one group of `depth` keys, each as often as it has some."""
        groups: dict[Path, list[W]] = {}
        for item in items:
            groups.setdefault(item.writer[: depth + 1], []).append(item)
        if len(groups) == 1 and all(len(item.writer) <= depth for item in items):
            return [item for item in items for _ in range(item.turns)]
        heap = [
            (held[key], max(self._served.get(key, 0), self._came[mine[0]]), place, mine)
            for place, (key, mine) in enumerate(
                (key, self._turns(mine, depth + 1, held)) for key, mine in groups.items()
            )
        ]
        heapify(heap)
        order: list[W] = []
        taken = [0] * len(heap)
        clock = self._clock
        while heap:
            count, _, place, mine = heap[0]
            order.append(mine[taken[place]])
            taken[place] += 1
            clock += 1
            if taken[place] < len(mine):
                heapreplace(heap, (count + 1, clock, place, mine))
            else:
                heappop(heap)
        return order


def same_group(one: Waiting, other: Waiting) -> bool:
    """Whether both come from the same largest group, as far as anybody said."""
    return bool(one.writer) and one.writer[:1] == other.writer[:1]
