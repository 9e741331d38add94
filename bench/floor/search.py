"""Bisection for a threshold that chance blurs: near the edge the same memory is enough in one boot and not in the next.

Pure: what is tried, and how, is the caller's. Levels are whole numbers of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Works = Callable[[int], bool]
"""Try one level once."""


@dataclass(frozen=True)
class Edge:
    """Where a search ended.

    Attributes:
        level: the lowest level at which every one of the confirmations worked; None when even the highest failed.
        open_below: nothing lower was tried, since the range ends here.
        tally: every try, by level, in the order of the tries.
    """

    level: int | None
    open_below: bool
    tally: dict[int, tuple[bool, ...]]


@dataclass
class _Tries:
    works: Works
    tally: dict[int, list[bool]] = field(default_factory=dict)

    def once(self, level: int) -> bool:
        worked = self.works(level)
        self.tally.setdefault(level, []).append(worked)
        return worked

    def all_work(self, level: int, times: int) -> bool:
        """Whether the level works ``times`` times; ends at the first failure, earlier ones included."""
        seen = self.tally.setdefault(level, [])
        while all(seen) and len(seen) < times:
            self.once(level)
        return all(seen)

    def fill(self, level: int, times: int) -> bool:
        """Try the level until it was tried ``times`` times, failures or not; whether all worked."""
        seen = self.tally.setdefault(level, [])
        while len(seen) < times:
            self.once(level)
        return all(seen)

    def edge(self, level: int | None, *, open_below: bool = False) -> Edge:
        return Edge(level, open_below, {level: tuple(seen) for level, seen in sorted(self.tally.items()) if seen})


def find_edge(works: Works, *, lowest: int, highest: int, confirmations: int) -> Edge:
    """The lowest level that works ``confirmations`` times out of as many, one step above a level that does not.

    First a plain bisection, one try a level, finds where the edge is about. Then the level found is tried until it
    has worked ``confirmations`` times; a failure moves the search one level up. The level below is tried as often;
    when it never fails the search moves down. A level that failed is never taken, and one that never failed is left
    only downwards, so this ends.

    Args:
        works: tries one level once.
        lowest, highest: the range, ``lowest`` <= ``highest``; below it nothing is tried.
        confirmations: >= 1.

    Raises:
        ValueError: there is no level in the range.
    """
    if lowest > highest:
        raise ValueError(f"there is no level from {lowest} to {highest}")
    tries = _Tries(works)
    if not tries.once(highest):
        return tries.edge(None)
    level = _bisect(tries, lowest, highest)
    while level <= highest:
        if not tries.all_work(level, confirmations):
            level += 1
        elif level == lowest:
            return tries.edge(level, open_below=True)
        elif not tries.fill(level - 1, confirmations):
            return tries.edge(level)
        else:
            level -= 1
    return tries.edge(None)


def _bisect(tries: _Tries, lowest: int, highest: int) -> int:
    """The lowest level that worked when each was tried once."""
    below = lowest - 1
    while highest - below > 1:
        middle = (highest + below) // 2
        if tries.once(middle):
            highest = middle
        else:
            below = middle
    return highest


def success_at_least(worked: int, *, level: float = 0.95) -> float:
    """The lower limit of the chance of success, in [0, 1], when ``worked`` of as many tries worked: 0.37 for 3.

    References: Clopper & Pearson 1934; for no failures the limit is (1 - level)^(1/n).
    """
    return float((1 - level) ** (1 / worked)) if worked else 0.0
