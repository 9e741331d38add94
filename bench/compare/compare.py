"""Two campaigns beside each other: ratios with unpaired intervals on one host, and no ratio across hosts. Pure.

Blocks of two campaigns have nothing in common, so nothing is paired. What differs between two sittings as such (a
host's mood on another day) is in no interval. It moves the control too: the same program as a bare process. So a
difference counts as sure only where the control stayed and the difference lies outside of the control's interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.analysis.analyse import analyse
from bench.analysis.compare import TOLERANCE, only_discoveries, ratio_verdict
from bench.analysis.estimates import Interval
from bench.analysis.exact import rank_sum
from bench.analysis.metrics import Metric
from bench.analysis.ratios import unpaired_ratio
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.analysis.sources import source_word
from bench.analysis.verdicts import RatioVerdict
from bench.compare.differences import differences, same_host, same_workload
from bench.compare.model import Compared, ComparedRow, ControlWord, Side
from bench.gate.cells import place
from bench.gate.thresholds import default_metrics
from bench.plan.trials import Cell
from bench.records.campaign import read_campaign
from bench.util.errors import TooFewBootsError, UsageError

UNPAIRED: Final = (
    "Blocks of two campaigns are not paired: each interval joins those of two medians that know nothing of each other."
)
_MOVED: Final = "the control moved too, so the host ran at another speed"
_WITHIN: Final = "not further than the control moved"

_Level = tuple[str, Metric, tuple[tuple[str, str], ...]]
"""A scenario, a metric, and factor levels."""


def read_side(name: str, path: Path) -> Side:
    """A campaign directory. Raises CampaignError, RecordError, NotComparableError."""
    return Side(name=name, label=str(path), analysis=analyse(*read_campaign(path)))


def compare_campaigns(a: Side, b: Side) -> Compared:
    """The comparison.

    Raises:
        UsageError: both are one campaign, or they have no box of one scenario in common.
    """
    if a.manifest.id == b.manifest.id:
        raise UsageError(
            f"{a.label} and {b.label} are one campaign, {a.manifest.id}",
            hint="name two campaigns; boxes of one are compared by its own report",
        )
    pairs = _scenarios(a.analysis, b.analysis)
    no_ratios = _no_ratios(a, b)
    found, same = differences(a.manifest, b.manifest, pairs)
    rows = tuple(row for pair in pairs for row in _rows(a.analysis, b.analysis, pair, ratios=not no_ratios))
    if not rows:
        raise UsageError(
            f"{a.label} and {b.label} have no box of one scenario in common: {_held(a)}; {_held(b)}",
            hint="give two campaigns of one scenario, or of one scenario each, with a target that both have",
        )
    met = {side: {getattr(row, side).cell.key for row in rows} for side in ("a", "b")}
    return Compared(
        a=a,
        b=b,
        no_ratios=no_ratios,
        differences=found,
        same=same,
        rows=_sure(rows, a, b, pairs),
        only_a=_alone(a.analysis, met["a"]),
        only_b=_alone(b.analysis, met["b"]),
        notes=() if no_ratios else (UNPAIRED, _rule(a, b, pairs)),
    )


def _held(side: Side) -> str:
    boxes = dict.fromkeys(cell.box for name in side.manifest.scenarios for cell in side.analysis.cells(name))
    return f"{side.name} has {', '.join(side.manifest.scenarios)} in {', '.join(boxes)}"


def _cells(analysis: Analysis) -> list[str]:
    return [cell.key for name in analysis.manifest.scenarios for cell in analysis.cells(name)]


def _alone(analysis: Analysis, met: set[str]) -> tuple[str, ...]:
    return tuple(key for key in _cells(analysis) if key not in met)


def _scenarios(a: Analysis, b: Analysis) -> list[tuple[str, str]]:
    """Scenarios of one name; the only ones of two campaigns, whatever their names."""
    mine, theirs = list(a.manifest.scenarios), list(b.manifest.scenarios)
    shared = [(name, name) for name in mine if name in theirs]
    return [(mine[0], theirs[0])] if not shared and len(mine) == len(theirs) == 1 else shared


def _no_ratios(a: Side, b: Side) -> str:
    """Why no ratio is given; empty where one is."""
    words = [source_word(side.analysis.records) for side in (a, b)]
    if any(words):
        which = " and ".join(f"{side.name} is {word}" for side, word in zip((a, b), words, strict=True) if word)
        return f"{which}, and only measured campaigns are divided by each other"
    if not same_host(a.manifest, b.manifest):
        marks = [str(side.manifest.host.get("fingerprint") or "unknown") for side in (a, b)]
        return f"two hosts ({marks[0]} and {marks[1]}): side by side, never pooled, and without a ratio"
    return ""


def _rows(a: Analysis, b: Analysis, pair: tuple[str, str], *, ratios: bool) -> Iterator[ComparedRow]:
    theirs = {place(cell): cell for cell in b.cells(pair[1])}
    control = a.scenario(pair[0]).native_control.label
    for mine in a.cells(pair[0]):
        other = theirs.get(place(mine))
        for name in default_metrics(a.scenario(pair[0])) if other is not None else ():
            metric = Metric(name)
            left, right = a.summary(mine, metric), None if other is None else b.summary(other, metric)
            if left is not None and right is not None:
                yield ComparedRow(
                    scenario=pair[0],
                    metric=metric,
                    a=left,
                    b=right,
                    comparison=_comparison(a, b, left, right) if ratios else None,
                    is_control=mine.box == control,
                )


def _comparison(a: Analysis, b: Analysis, left: CellSummary, right: CellSummary) -> Comparison:
    metric = left.metric
    found = Comparison(
        metric=metric,
        baseline=left.cell,
        other=right.cell,
        ratio=None,
        p_value=None,
        verdict=RatioVerdict.CANNOT_TELL,
        notes=(),
    )
    try:
        ratio = unpaired_ratio(left.median, right.median)
    except TooFewBootsError as error:
        return replace(found, notes=(error.message,))
    except ValueError:
        if _all_zero(left) and _all_zero(right):
            return replace(found, verdict=RatioVerdict.SAME, notes=())
        return replace(found, notes=("no ratio: a value is zero or negative",))
    if not ratio.value:
        where = "in A and in B" if ratio.value is None else "in A"
        return replace(found, notes=(f"no ratio: half of the boots or more failed {where}",))
    values = [_values(analysis, cell, metric) for analysis, cell in ((a, left.cell), (b, right.cell))]
    return replace(
        found,
        ratio=ratio,
        p_value=min(1.0, 2 * min(rank_sum(values[0], values[1]))),
        verdict=ratio_verdict(metric, ratio.interval, TOLERANCE),
    )


def _all_zero(summary: CellSummary) -> bool:
    limits = summary.median.interval
    return limits is not None and limits.low == limits.high == 0


def _values(analysis: Analysis, cell: Cell, metric: Metric) -> list[float]:
    return [value for _, value in analysis.series[cell.key][metric].measured()]


def _sure(rows: Sequence[ComparedRow], a: Side, b: Side, pairs: Sequence[tuple[str, str]]) -> tuple[ComparedRow, ...]:
    """The rows with verdicts that hold among all of them and beside the control."""
    compared = [row.comparison for row in rows if row.comparison is not None]
    if not compared:
        return tuple(rows)
    judged = iter(only_discoveries(compared))
    found = [row if row.comparison is None else replace(row, comparison=next(judged)) for row in rows]
    controls = {_level(row): row.comparison for row in found if row.is_control}
    alike = {pair[0]: same_workload(a.manifest, b.manifest, pair) for pair in pairs}
    return tuple(_beside(row, controls, alike=alike[row.scenario]) for row in found)


def _level(row: ComparedRow) -> _Level:
    """What a control shares with the rows that it vouches for."""
    return row.scenario, row.metric, tuple(sorted(row.cell.factors.items()))


def _beside(row: ComparedRow, controls: Mapping[_Level, Comparison | None], *, alike: bool) -> ComparedRow:
    comparison = row.comparison
    if comparison is None:
        return row
    if row.is_control and alike:
        return replace(row, control=control_word(comparison))
    if comparison.ratio is None or comparison.verdict is RatioVerdict.CANNOT_TELL:
        return row
    level = _level(row)
    if not alike:
        doubt = "another workload, so the control says nothing about the host"
    elif level not in controls:
        doubt = "no control at this level" if row.cell.factors else "no control in both campaigns"
    else:
        doubt = doubt_beside(comparison, controls[level])
    if not doubt:
        return row
    return replace(row, comparison=replace(comparison, verdict=RatioVerdict.CANNOT_TELL), doubt=doubt)


def control_word(control: Comparison) -> ControlWord | None:
    """How the control moved between the campaigns; None: it has no ratio."""
    if control.ratio is None:
        return "stayed" if control.verdict is RatioVerdict.SAME else None
    if _has_one(control.ratio.interval):
        return "stayed"
    return "moved a bit" if control.verdict is RatioVerdict.SAME else "moved"


def doubt_beside(found: Comparison, control: Comparison | None) -> str:
    """Why a difference is not sure; empty when the control agrees with it."""
    if control is not None and control.ratio is None and control.verdict is RatioVerdict.SAME:
        return ""
    if control is None or control.ratio is None or found.ratio is None:
        return "there is no ratio of a control"
    if found.verdict is RatioVerdict.SAME and control.verdict is RatioVerdict.SAME:
        return ""
    if not _has_one(control.ratio.interval):
        return _MOVED
    if found.verdict is not RatioVerdict.SAME and _overlap(found.ratio.interval, control.ratio.interval):
        return _WITHIN
    return ""


def _has_one(found: Interval) -> bool:
    return found.low <= 1 <= found.high


def _overlap(a: Interval, b: Interval) -> bool:
    return a.low <= b.high and b.low <= a.high


def _rule(a: Side, b: Side, pairs: Sequence[tuple[str, str]]) -> str:
    """How a difference becomes sure, or why none can."""
    if not any(same_workload(a.manifest, b.manifest, pair) for pair in pairs):
        return (
            "The two campaigns ran different workloads, so no control tells a change of the workload from one of the "
            "host: no difference is sure. `boxbench gate compare` runs both in turns, and decides."
        )
    return (
        "What differs between two sittings as such is in no interval. A difference is sure where the control (the "
        "same program as a bare process, at the same levels of factors) stayed, and where the difference lies outside "
        "of the control's whole interval. `boxbench gate compare` runs both in turns, and finds smaller changes."
    )
