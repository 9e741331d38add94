"""What an interval of a ratio says: faster, slower, the same, or nothing."""

from __future__ import annotations

from enum import StrEnum

from bench.analysis.estimates import Interval


class RatioVerdict(StrEnum):
    """The verdict on a ratio of durations, from its interval."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    CANNOT_TELL = "cannot tell"


def band(tolerance: float) -> tuple[float, float]:
    """The ratios that count as the same within ``tolerance`` (0.05: 5 %), symmetric on the log scale."""
    return 1 / (1 + tolerance), 1 + tolerance


def same_within(interval: Interval, limits: tuple[float, float]) -> bool:
    """Whether the whole interval lies inside ``limits``. An interval that only overlaps them proves no equality."""
    return limits[0] <= interval.low and interval.high <= limits[1]


def verdict(interval: Interval, limits: tuple[float, float]) -> RatioVerdict:
    """The verdict on ``other`` from the interval of other / base, both durations."""
    if same_within(interval, limits):
        return RatioVerdict.SAME
    if interval.high < 1:
        return RatioVerdict.FASTER
    return RatioVerdict.SLOWER if interval.low > 1 else RatioVerdict.CANNOT_TELL
