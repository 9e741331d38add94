"""From two series of boots to a verdict: medians, ratio, interval, exact test, band. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from bench.analysis.stats import MIN_BOOTS, Interval, RatioEstimate, median, median_ratio_unpaired
from bench.gate.exact import block_ratio, rank_sum, signed_rank
from bench.gate.model import LEVEL, Limits, Look, Verdict

Better = Literal["lower", "higher"]
"""Which way is good."""

Series = Mapping[int, float]
"""One value per boot by block; ``inf`` for a boot that failed or timed out before it came."""

NO_BLOCKS: Final[Series] = {}


class Sides(NamedTuple):
    """One metric of a pair of cells: A's boots and B's."""

    base: Series
    other: Series
    paired: bool = True
    """Whether equal block numbers mean the same moment: not so for a stored baseline."""
    failures: tuple[int, int] = (0, 0)


class Judgement(NamedTuple):
    """A verdict with its words."""

    verdict: Verdict
    improved: bool
    reason: str


class Oriented(NamedTuple):
    """An interval of how many times worse B is: above 1 is worse, whatever the metric."""

    low: float
    high: float


def look_at(sides: Sides, better: Better = "lower") -> tuple[Look, str]:
    """What one stage says about one row, and why it has no ratio (empty when it has one)."""
    base, other = _usable(sides)
    plain = {
        "n_base": len(base),
        "n_other": len(other),
        "failures_base": sides.failures[0],
        "failures_other": sides.failures[1],
        "base": _middle(base, better),
        "other": _middle(other, better),
    }
    if not (sides.base and sides.other):
        return Look(**plain), f"not measured on {' and '.join(_bare(sides))}"
    if min(len(base), len(other)) < MIN_BOOTS:
        few = min(len(base), len(other))
        return Look(**plain), f"{few} boots per side: at least {MIN_BOOTS} are needed for a verdict"
    if not any((*base.values(), *other.values())):
        return Look(**plain, all_zero=True), "0 on both sides"
    try:
        ratio, larger, smaller = _compared(base, other, better, paired=sides.paired)
    except ValueError:
        return Look(**plain), "no ratio: a value is 0"
    return Look(
        **plain,
        ratio=ratio.value,
        interval=Limits(low=ratio.interval.low, high=ratio.interval.high, level=ratio.interval.level),
        p_worse=larger,
        p_better=smaller,
    ), ""


def _bare(sides: Sides) -> list[str]:
    return [name for name, series in (("A", sides.base), ("B", sides.other)) if not series]


def _compared(base: Series, other: Series, better: Better, *, paired: bool) -> tuple[RatioEstimate, float, float]:
    """The ratio, and the p values that B is larger and that it is smaller. Raises ValueError: a value is 0."""
    if better == "lower" or all(map(math.isfinite, (*base.values(), *other.values()))):
        return ratio_of(base, other, paired=paired), *p_values(base, other, paired=paired)
    # As the time per piece of work, a boot that never came is the worst of a rate too.
    costs = _costs(base), _costs(other)
    ratio = ratio_of(*costs, paired=paired)
    value = None if ratio.value is None else _inverse(ratio.value)
    limits = Interval(_inverse(ratio.interval.high), _inverse(ratio.interval.low), ratio.interval.level)
    smaller, larger = p_values(*costs, paired=paired)
    return replace(ratio, value=value, interval=limits), larger, smaller


def _costs(rates: Series) -> Series:
    return {block: rate if math.isinf(rate) else _inverse(rate) for block, rate in rates.items()}


def _inverse(value: float) -> float:
    return 1 / value if value else math.inf


def _middle(series: Series, better: Better) -> float | None:
    """The median; None without a boot, and where that of a rate falls on a boot that never came: no rate says that."""
    if not series:
        return None
    if better == "lower" or all(map(math.isfinite, series.values())):
        return median(list(series.values()))
    cost = median(list(_costs(series).values()))
    return None if math.isinf(cost) else _inverse(cost)


def p_values(base: Series, other: Series, *, paired: bool) -> tuple[float, float]:
    """Exact one-sided p values that B is larger, and that it is smaller."""
    return signed_rank(base, other) if paired else rank_sum(list(base.values()), list(other.values()))


def oriented(interval: Limits, better: Better) -> Oriented:
    """The interval of the ratio as "times worse"."""
    if better == "lower":
        return Oriented(interval.low, interval.high)
    return Oriented(1 / interval.high if interval.high else math.inf, 1 / interval.low if interval.low else math.inf)


def in_question(look: Look, threshold: float, better: Better) -> bool:
    """Whether the first look leaves a change possible that matters, in either direction."""
    if look.interval is None:
        # What a side has no value of, it will not have in fresh blocks either.
        return not look.all_zero and min(look.n_base, look.n_other) > 0
    low, high = oriented(look.interval, better)
    return high > 1 + threshold or low < 1 / (1 + threshold)


def judge(
    look: Look,
    *,
    threshold: float,
    better: Better = "lower",
    p_adjusted: float | None,
    p_better_adjusted: float | None,
    trouble: str = "",
) -> Judgement:
    """The verdict on one row.

    Regressed: the whole interval beyond the threshold, and the test significant after Holm. Not regressed: no part of
    the interval beyond the threshold; the band is open towards better. All else: cannot tell.

    Args:
        p_adjusted, p_better_adjusted: None when the row was not tested, since the first look had ruled a change out.
        trouble: why there is no ratio, as ``look_at`` says it.
    """
    if look.interval is None:
        if look.all_zero:
            return Judgement(Verdict.NOT_REGRESSED, False, trouble)
        return Judgement(Verdict.CANNOT_TELL, False, trouble)
    low, high = oriented(look.interval, better)
    limit = 1 + threshold
    if low > limit:
        return _beyond(p_adjusted, look)
    if high <= limit:
        improved = high < 1 / limit and p_better_adjusted is not None and p_better_adjusted <= LEVEL
        words = "the whole interval is better than the threshold" if improved else "the whole interval is in the band"
        return Judgement(Verdict.NOT_REGRESSED, improved, words)
    words = "the interval reaches beyond the threshold" if low <= 1 else "worse, but perhaps less than the threshold"
    return Judgement(Verdict.CANNOT_TELL, False, f"{words}: more blocks, or a quieter host")


def _beyond(p_adjusted: float | None, look: Look) -> Judgement:
    if p_adjusted is None:
        words = "beyond the threshold in fresh blocks, though the first look had ruled that out: run it again"
        return Judgement(Verdict.CANNOT_TELL, False, words)
    if p_adjusted > LEVEL:
        n = min(look.n_base, look.n_other)
        words = f"beyond the threshold, but {n} boots per side cannot be significant (p {p_adjusted:.2g} after Holm)"
        return Judgement(Verdict.CANNOT_TELL, False, words)
    return Judgement(Verdict.REGRESSED, False, "the whole interval is beyond the threshold")


def _usable(sides: Sides) -> tuple[Series, Series]:
    """Of paired sides only the blocks that hold both; where one side has nothing, what the other has."""
    if not (sides.paired and sides.base and sides.other):
        return sides.base, sides.other
    shared = sorted(sides.base.keys() & sides.other.keys())
    return {block: sides.base[block] for block in shared}, {block: sides.other[block] for block in shared}


def ratio_of(base: Series, other: Series, *, paired: bool) -> RatioEstimate:
    if paired:
        return block_ratio(base, other)
    return median_ratio_unpaired(list(base.values()), list(other.values()))
