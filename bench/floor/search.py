"""Bisection for a noisy threshold: near the edge, the same memory is enough in one boot and not in the next.

Pure: the caller runs the tries. Levels are whole numbers of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Works = Callable[[int], bool]
"""Tries one level once; returns whether it worked."""


@dataclass(frozen=True)
class Edge:
    """The end of a search.

    Attributes:
        level: the lowest level at which every confirmation worked; None when even the highest level failed.
        open_below: the level is the lowest of the range, so nothing lower was tried.
        tally: the results of all tries by level, in their order.
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
        """Whether the level works ``times`` times. Stops at the first failure, also an earlier one."""
        seen = self.tally.setdefault(level, [])
        while all(seen) and len(seen) < times:
            self.once(level)
        return all(seen)

    def fill(self, level: int, times: int) -> bool:
        """Try the level until it was tried ``times`` times; return whether all tries worked."""
        seen = self.tally.setdefault(level, [])
        while len(seen) < times:
            self.once(level)
        return all(seen)

    def edge(self, level: int | None, *, open_below: bool = False) -> Edge:
        return Edge(level, open_below, {level: tuple(seen) for level, seen in sorted(self.tally.items()) if seen})


def find_edge(works: Works, *, lowest: int, highest: int, confirmations: int) -> Edge:
    """The lowest level that works in ``confirmations`` of as many tries, one step above a level that does not.

    A bisection with one try per level finds the approximate edge. Then the level found is tried until it has worked
    ``confirmations`` times; a failure moves the search one level up. The level below is tried as often; when it never
    fails, the search moves down. The search ends, because it never returns to a level that failed and leaves a level
    that never failed only downwards.

    Args:
        works: tries one level once.
        lowest, highest: the range, ``lowest`` <= ``highest``.
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
    """The lowest level that worked, with one try per level."""
    below = lowest - 1
    while highest - below > 1:
        middle = (highest + below) // 2
        if tries.once(middle):
            highest = middle
        else:
            below = middle
    return highest


def success_at_least(worked: int, *, level: float = 0.95) -> float:
    """The lower limit of the probability of success, in [0, 1], when all of ``worked`` tries worked: 0.37 for 3.

    References: Clopper & Pearson 1934; for no failures the limit is (1 - level)^(1/n).
    """
    return float((1 - level) ** (1 / worked)) if worked else 0.0
