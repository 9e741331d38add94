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
from bench.analysis.exact import rank_sum
from bench.analysis.metrics import Metric
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.analysis.sources import source_word
from bench.analysis.stats import Interval, RatioVerdict, unpaired_ratio
from bench.compare.differences import differences, same_host, same_workload
from bench.compare.model import Compared, ComparedRow, Side
from bench.gate.cells import place
from bench.gate.thresholds import default_metrics
from bench.plan.trials import Cell
from bench.records.campaign import read_campaign
from bench.util.errors import TooFewBootsError, UsageError

UNPAIRED: Final = (
    "Blocks of two campaigns are not paired: each interval joins those of two medians that know nothing of each other."
)
_MOVED: Final = "the control itself moved, so the host was not the same"
_WITHIN: Final = "not further than the control moved"


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
    if ratio.value is None:
        return replace(found, notes=("no ratio: most boots of both failed",))
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
    controls = {(row.scenario, row.metric): row.comparison for row in found if row.is_control}
    alike = {pair[0]: same_workload(a.manifest, b.manifest, pair) for pair in pairs}
    return tuple(row if row.is_control else _beside(row, controls, alike=alike[row.scenario]) for row in found)


def _beside(row: ComparedRow, controls: Mapping[tuple[str, Metric], Comparison | None], *, alike: bool) -> ComparedRow:
    comparison = row.comparison
    if comparison is None or comparison.ratio is None or comparison.verdict is RatioVerdict.CANNOT_TELL:
        return row
    control = controls.get((row.scenario, row.metric))
    doubt = _doubt(comparison, control, alike=alike)
    if not doubt:
        return row
    return replace(row, comparison=replace(comparison, verdict=RatioVerdict.CANNOT_TELL), doubt=doubt)


def _doubt(found: Comparison, control: Comparison | None, *, alike: bool) -> str:
    """Why a difference is not sure; empty when the control agrees with it."""
    if not alike:
        return "another workload, so the control says nothing about the host"
    if control is not None and control.ratio is None and control.verdict is RatioVerdict.SAME:
        return ""
    if control is None or control.ratio is None or found.ratio is None:
        return "there is no ratio of a control"
    mine, theirs = found.ratio.interval, control.ratio.interval
    if not theirs.low <= 1 <= theirs.high:
        return _MOVED
    if found.verdict is not RatioVerdict.SAME and _overlap(mine, theirs):
        return _WITHIN
    return ""


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
        "same program as a bare process) stayed, and where the difference is further from 1 than the control's whole "
        "interval. `boxbench gate compare` runs both in turns, and finds smaller changes."
    )
