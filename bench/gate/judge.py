"""The verdict on one row, from two series of boots: medians, ratio, interval, exact test, threshold. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from bench.analysis.estimates import MIN_BOOTS, Interval, RatioEstimate
from bench.analysis.exact import block_ratio, signed_rank
from bench.analysis.order_statistics import median
from bench.gate.apart import Apart, apart_of, level_under_drift, widening_under_drift
from bench.gate.baseline_ratio import FewCampaignsError, campaigns_ratio
from bench.gate.model import APART_LEVEL, LEVEL, StageResult, Verdict
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
        campaigns: A's boots by campaign, with a stored baseline; ``a`` has them all.
    """

    a: Series
    b: Series
    paired: bool = True
    failures: tuple[int, int] = (0, 0)
    campaigns: tuple[Series, ...] = ()


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
        ratio, larger, smaller = _compared(pair._replace(a=a, b=b), better)
    except (FewCampaignsError, TooFewBootsError, ValueError) as error:
        message = "no ratio: a value is 0" if isinstance(error, ValueError) else error.message
        return StageResult(**plain, ratio=getattr(error, "ratio", None)), message
    found = apart_of(ratio.block_ratios)
    return StageResult(
        **plain,
        ratio=ratio.value,
        interval=ratio.interval,
        p_worse=larger,
        p_better=smaller,
        autocorrelation=found.autocorrelation,
        p_apart=found.p,
        interval_apart=_interval_apart(pair._replace(a=a, b=b), better, found),
    ), ""


def _interval_apart(pair: SeriesPair, better: Better, found: Apart) -> Interval | None:
    """The interval that allows for a drift of A and B apart; None where they do not drift."""
    if found.p is None or found.p > APART_LEVEL:
        return None
    level = level_under_drift(found, len(pair.a))
    interval = _compared(pair, better, level=level)[0].interval
    if interval.level >= level:
        return interval
    # No interval of so few blocks reaches the level: the usual one, as much wider as it should be.
    ratio = _compared(pair, better)[0]
    factor = widening_under_drift(found, len(pair.a))
    low, high = (_moved(ratio.value, limit, factor) for limit in (ratio.interval.low, ratio.interval.high))
    return Interval(min(low, interval.low), max(high, interval.high), ratio.interval.level)


def _moved(value: float | None, limit: float, factor: float) -> float:
    """The limit at ``factor`` times its distance from the ratio, on the log scale."""
    if not value or math.isinf(value) or not 0 < limit < math.inf:
        return limit
    return float(value * (limit / value) ** factor)


def _sides_without_boots(pair: SeriesPair) -> list[str]:
    return [name for name, series in (("A", pair.a), ("B", pair.b)) if not series]


def _compared(pair: SeriesPair, better: Better, *, level: float = 0.95) -> tuple[RatioEstimate, float, float]:
    """The ratio, and the p values that B is larger and that it is smaller.

    Raises:
        ValueError: a value is 0.
        TooFewBootsError: too few blocks, or boots of a campaign.
        FewCampaignsError: too few stored campaigns.
    """
    if better == "lower" or all(map(math.isfinite, (*pair.a.values(), *pair.b.values()))):
        return ratio_and_p(pair, level=level)
    # A failed boot must be the worst value of a rate, too. As time per piece of work it is: infinite.
    campaigns = tuple(map(_costs, pair.campaigns))
    ratio, smaller, larger = ratio_and_p(
        pair._replace(a=_costs(pair.a), b=_costs(pair.b), campaigns=campaigns), level=level
    )
    value = None if ratio.value is None else _inverse(ratio.value)
    limits = Interval(_inverse(ratio.interval.high), _inverse(ratio.interval.low), ratio.interval.level)
    return replace(ratio, value=value, interval=limits), larger, smaller


def ratio_and_p(pair: SeriesPair, *, level: float = 0.95) -> tuple[RatioEstimate, float, float]:
    """How many times A's value B's is, and one-sided p values that B is larger, and that it is smaller.

    Raises as ``block_ratio`` and ``campaigns_ratio``.
    """
    if not pair.paired:
        return campaigns_ratio([list(one.values()) for one in pair.campaigns or (pair.a,)], list(pair.b.values()))
    return block_ratio(pair.a, pair.b, level=level), *signed_rank(pair.a, pair.b)


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
    ends = [oriented(one, better) for one in (stage.interval, stage.interval_apart) if one is not None]
    return max(end.high for end in ends) > 1 + threshold or min(end.low for end in ends) < 1 / (1 + threshold)


def judge(
    stage: StageResult,
    *,
    threshold: float,
    better: Better = "lower",
    p_adjusted: float | None,
    p_better_adjusted: float | None,
    problem: str = "",
    level: float = LEVEL,
) -> Judgement:
    """The verdict on one row.

    Regressed: the whole interval is beyond the threshold, and the test is significant after Holm's adjustment. Where A
    and B drift apart on their own, the wider interval that allows for it must be beyond the threshold, too.
    Not regressed: no part of the interval is beyond the threshold, nor of the wider one; an improvement of any size
    passes.
    Otherwise: cannot tell.

    Args:
        p_adjusted, p_better_adjusted: None when the row was not tested, because screening had ruled a change out.
        problem: why there is no ratio, as ``stage_result`` returns it.
        level: of the tests; a gate that is run again has less than ``LEVEL``.
    """
    if stage.interval is None:
        if stage.all_zero:
            return Judgement(Verdict.NOT_REGRESSED, False, problem)
        return Judgement(Verdict.CANNOT_TELL, False, problem)
    low, high = oriented(stage.interval, better)
    limit, named = 1 + threshold, f"the threshold of {threshold * 100:.3g}%"
    if low > limit:
        return _beyond(p_adjusted, stage, named, level) or _under_drift(stage, better, limit, named)
    if high <= limit:
        significant = p_better_adjusted is not None and p_better_adjusted <= level
        return _within(stage, better, limit, named, significant=significant)
    reason = f"the interval reaches beyond {named}" if low <= 1 else f"worse, but perhaps less than {named}"
    return Judgement(Verdict.CANNOT_TELL, False, f"{reason}: run more blocks, or use a quieter host")


def _beyond(p_adjusted: float | None, stage: StageResult, named: str, level: float) -> Judgement | None:
    """Why an interval beyond the threshold is no regression all the same; None when it is one."""
    if p_adjusted is None:
        reason = (
            f"confirmation is beyond {named} although screening had ruled that out: run the gate again, with --again"
        )
        return Judgement(Verdict.CANNOT_TELL, False, reason)
    if p_adjusted > level:
        n = min(stage.n_a, stage.n_b)
        reason = f"beyond {named}, but {n} boots per side cannot be significant (p {p_adjusted:.2g} after Holm)"
        return Judgement(Verdict.CANNOT_TELL, False, reason)
    return None


def _within(stage: StageResult, better: Better, limit: float, named: str, *, significant: bool) -> Judgement:
    """Not regressed, unless A and B drift apart so much that a regression may look like this."""
    found = stage.interval_apart or stage.interval
    assert found is not None
    high = oriented(found, better).high
    if high > limit:
        return _drifting(f"within {named}", stage)
    improved = significant and high < 1 / limit
    side = f"better than {named}" if improved else f"within {named}"
    return Judgement(Verdict.NOT_REGRESSED, improved, f"the whole interval is {side}")


def _under_drift(stage: StageResult, better: Better, limit: float, named: str) -> Judgement:
    """Regressed, unless A and B drift apart so much that chance alone may look like this."""
    if stage.interval_apart is None or oriented(stage.interval_apart, better).low > limit:
        return Judgement(Verdict.REGRESSED, False, f"the whole interval is beyond {named}")
    return _drifting(f"beyond {named}", stage)


def _drifting(seen: str, stage: StageResult) -> Judgement:
    reason = f"{seen}, but {describe_apart(stage)}: wait until the host is steady, and run it again, with --again"
    return Judgement(Verdict.CANNOT_TELL, False, reason)


def describe_apart(stage: StageResult) -> str:
    """What is wrong where neighbouring blocks have alike ratios."""
    return (
        "A and B drift apart on their own (ratios of neighbouring blocks are alike: autocorrelation "
        f"{stage.autocorrelation:.2f}, p {stage.p_apart:.2g})"
    )


def _usable(pair: SeriesPair) -> tuple[Series, Series]:
    """Paired: only blocks with both boots. When one side has no boot at all: the boots of the other."""
    if not (pair.paired and pair.a and pair.b):
        return pair.a, pair.b
    shared = sorted(pair.a.keys() & pair.b.keys())
    return {block: pair.a[block] for block in shared}, {block: pair.b[block] for block in shared}
