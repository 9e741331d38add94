"""The verdict on one row, from two series of boots: medians, ratio, interval, exact test, threshold. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from bench.analysis.exact import block_ratio, rank_sum, signed_rank
from bench.analysis.stats import MIN_BOOTS, Interval, RatioEstimate, median, median_ratio_unpaired
from bench.gate.model import LEVEL, StageResult, Verdict
from bench.util.errors import TooFewBootsError

Better = Literal["lower", "higher"]
"""Which way a metric improves."""

Series = Mapping[int, float]
"""One value per boot, by block. ``inf`` stands for a boot that failed or timed out before it had a value."""

NO_BLOCKS: Final[Series] = {}


class SeriesPair(NamedTuple):
    """The boots of A and of B: one metric of a pair of cells.

    Attributes:
        paired: equal block numbers mean the same moment; False with a stored baseline.
        failures: how many boots of A and of B failed.
    """

    a: Series
    b: Series
    paired: bool = True
    failures: tuple[int, int] = (0, 0)


class Judgement(NamedTuple):
    """A verdict with its reason, one sentence."""

    verdict: Verdict
    improved: bool
    reason: str


class Oriented(NamedTuple):
    """An interval of how many times worse B is: above 1 is worse, for every metric."""

    low: float
    high: float


def stage_result(pair: SeriesPair, better: Better = "lower") -> tuple[StageResult, str]:
    """The result of one stage for one row, and why it has no ratio (empty when it has one)."""
    a, b = _usable(pair)
    plain = {
        "n_a": len(a),
        "n_b": len(b),
        "failures_a": pair.failures[0],
        "failures_b": pair.failures[1],
        "median_a": _middle(a, better),
        "median_b": _middle(b, better),
    }
    if not (pair.a and pair.b):
        return StageResult(**plain), f"not measured on {' and '.join(_sides_without_boots(pair))}"
    if min(len(a), len(b)) < MIN_BOOTS:
        few = min(len(a), len(b))
        return StageResult(**plain), f"{few} boots per side; a verdict needs at least {MIN_BOOTS}"
    if not any((*a.values(), *b.values())):
        return StageResult(**plain, all_zero=True), "0 on both sides"
    try:
        ratio, larger, smaller = _compared(a, b, better, paired=pair.paired)
    except ValueError:
        return StageResult(**plain), "no ratio: a value is 0"
    except TooFewBootsError as error:
        return StageResult(**plain), error.message
    return StageResult(**plain, ratio=ratio.value, interval=ratio.interval, p_worse=larger, p_better=smaller), ""


def _sides_without_boots(pair: SeriesPair) -> list[str]:
    return [name for name, series in (("A", pair.a), ("B", pair.b)) if not series]


def _compared(a: Series, b: Series, better: Better, *, paired: bool) -> tuple[RatioEstimate, float, float]:
    """The ratio, and the p values that B is larger and that it is smaller. Raises ValueError: a value is 0."""
    if better == "lower" or all(map(math.isfinite, (*a.values(), *b.values()))):
        return ratio_of(a, b, paired=paired), *p_values(a, b, paired=paired)
    # A failed boot must be the worst value of a rate, too. As time per piece of work it is: infinite.
    costs = _costs(a), _costs(b)
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
    """The median; None without a boot, and where the median of a rate falls on a failed boot, which has no rate."""
    if not series:
        return None
    if better == "lower" or all(map(math.isfinite, series.values())):
        return median(list(series.values()))
    cost = median(list(_costs(series).values()))
    return None if math.isinf(cost) else _inverse(cost)


def p_values(a: Series, b: Series, *, paired: bool) -> tuple[float, float]:
    """Exact one-sided p values that B is larger, and that it is smaller."""
    return signed_rank(a, b) if paired else rank_sum(list(a.values()), list(b.values()))


def oriented(interval: Interval, better: Better) -> Oriented:
    """The interval of the ratio as "times worse"."""
    if better == "lower":
        return Oriented(interval.low, interval.high)
    return Oriented(_inverse(interval.high), _inverse(interval.low))


def in_question(stage: StageResult, threshold: float, better: Better) -> bool:
    """Whether screening leaves a change possible that is beyond the threshold, in either direction."""
    if stage.interval is None:
        # A side without values in screening will have none in confirmation either.
        return not stage.all_zero and min(stage.n_a, stage.n_b) > 0
    low, high = oriented(stage.interval, better)
    return high > 1 + threshold or low < 1 / (1 + threshold)


def judge(
    stage: StageResult,
    *,
    threshold: float,
    better: Better = "lower",
    p_adjusted: float | None,
    p_better_adjusted: float | None,
    problem: str = "",
) -> Judgement:
    """The verdict on one row.

    Regressed: the whole interval is beyond the threshold, and the test is significant after Holm's adjustment.
    Not regressed: no part of the interval is beyond the threshold; an improvement of any size passes.
    Otherwise: cannot tell.

    Args:
        p_adjusted, p_better_adjusted: None when the row was not tested, because screening had ruled a change out.
        problem: why there is no ratio, as ``stage_result`` returns it.
    """
    if stage.interval is None:
        if stage.all_zero:
            return Judgement(Verdict.NOT_REGRESSED, False, problem)
        return Judgement(Verdict.CANNOT_TELL, False, problem)
    low, high = oriented(stage.interval, better)
    limit, named = 1 + threshold, f"the threshold of {threshold * 100:.3g}%"
    if low > limit:
        return _beyond(p_adjusted, stage, named)
    if high <= limit:
        improved = high < 1 / limit and p_better_adjusted is not None and p_better_adjusted <= LEVEL
        side = f"better than {named}" if improved else f"within {named}"
        return Judgement(Verdict.NOT_REGRESSED, improved, f"the whole interval is {side}")
    reason = f"the interval reaches beyond {named}" if low <= 1 else f"worse, but perhaps less than {named}"
    return Judgement(Verdict.CANNOT_TELL, False, f"{reason}: run more blocks, or use a quieter host")


def _beyond(p_adjusted: float | None, stage: StageResult, named: str) -> Judgement:
    if p_adjusted is None:
        reason = f"confirmation is beyond {named} although screening had ruled that out: run the gate again"
        return Judgement(Verdict.CANNOT_TELL, False, reason)
    if p_adjusted > LEVEL:
        n = min(stage.n_a, stage.n_b)
        reason = f"beyond {named}, but {n} boots per side cannot be significant (p {p_adjusted:.2g} after Holm)"
        return Judgement(Verdict.CANNOT_TELL, False, reason)
    return Judgement(Verdict.REGRESSED, False, f"the whole interval is beyond {named}")


def _usable(pair: SeriesPair) -> tuple[Series, Series]:
    """Paired: only blocks with both boots. When one side has no boot at all: the boots of the other."""
    if not (pair.paired and pair.a and pair.b):
        return pair.a, pair.b
    shared = sorted(pair.a.keys() & pair.b.keys())
    return {block: pair.a[block] for block in shared}, {block: pair.b[block] for block in shared}


def ratio_of(a: Series, b: Series, *, paired: bool) -> RatioEstimate:
    """How many times A's value B's is, with its interval. Raises ValueError: a value is 0."""
    if paired:
        return block_ratio(a, b)
    return median_ratio_unpaired(list(a.values()), list(b.values()))
