"""Comparisons of cells with their baseline, facts that boxes report, and drift of the native control."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bench.analysis.metrics import Metric, headline, in_order
from bench.analysis.results import Comparison, Drift, MetricSeries, SeriesTable, by_cell, cells_of
from bench.analysis.stats import Interval, RatioEstimate, RatioVerdict, Trend, band, median_ratio, trend, verdict
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.util.errors import TooFewBootsError

TOLERANCE: Final = 0.05
"""Two medians count as the same when the whole interval of their ratio is within 5 % of 1."""

_CAVEATS: Final = {
    "tcg": "tcg: emulated CPU, not what KVM would cost",
    "icount": "icount: virtual time, one instruction is one nanosecond, not this host's speed",
}
_EQUAL_INSIDE: Final = ("cpus", "uid", "gid", "cwd", "digest")
"""Facts that must be equal in both boxes for a meaningful comparison."""

Pair = tuple[Mapping[int, float], Mapping[int, float]]
"""Values of the baseline and of the other cell, by block."""


def compare(
    manifest: Manifest, series: SeriesTable, records: Sequence[Record], *, tolerance: float = TOLERANCE
) -> tuple[Comparison, ...]:
    """Every cell against the baseline cell with the same factors, for every metric that both have."""
    inside = {key: inside_facts(group) for key, group in by_cell(records).items()}
    found: list[Comparison] = []
    for scenario, entry in manifest.scenarios.items():
        for base, other in _pairs(cells_of(manifest, scenario), entry.scenario.baseline):
            notes = (*caveats(base, other), *_inside_notes(inside.get(base.key, {}), inside.get(other.key, {})))
            left, right = series.get(base.key, {}), series.get(other.key, {})
            for metric in in_order(left.keys() & right.keys()):
                pair = left[metric].by_block(), right[metric].by_block()
                if all(pair):
                    found.append(_comparison(left[metric], right[metric], pair, notes, tolerance))
    return tuple(found)


def caveats(base: Cell, other: Cell) -> tuple[str, ...]:
    """Notes that belong beside a ratio of two cells; empty when both have the same accelerator."""
    if base.accel == other.accel:
        return ()
    return tuple(_CAVEATS[accel] for accel in sorted({base.accel, other.accel}) if accel in _CAVEATS)


def _pairs(cells: Sequence[Cell], base: str) -> Iterable[tuple[Cell, Cell]]:
    """Each cell with the baseline cell of the same factors; of several accelerators that of the cell itself."""
    bases = [cell for cell in cells if base in (cell.target, cell.box)]
    for cell in cells:
        same = [candidate for candidate in bases if candidate.factors == cell.factors]
        same.sort(key=lambda candidate: (candidate.accel != cell.accel, candidate.key))
        if same and cell not in same:
            yield same[0], cell


def _comparison(
    left: MetricSeries, right: MetricSeries, pair: Pair, notes: tuple[str, ...], tolerance: float
) -> Comparison:
    ratio, why_not = _ratio(left, right, pair)
    verdict_of = RatioVerdict.CANNOT_TELL if ratio is None else _verdict(left.metric, ratio.interval, tolerance)
    return Comparison(
        metric=left.metric,
        baseline=left.cell,
        other=right.cell,
        ratio=ratio,
        verdict=verdict_of,
        notes=(why_not, *notes) if why_not else notes,
    )


def _ratio(left: MetricSeries, right: MetricSeries, pair: Pair) -> tuple[RatioEstimate | None, str]:
    """The ratio of two metrics, or None and the reason why there is none."""
    if left.source != right.source:
        return None, f"not compared: {right.source} against {left.source}"
    try:
        ratio = median_ratio(*pair)
    except TooFewBootsError as error:
        return None, error.message
    except ValueError:
        return None, "no ratio: a value is zero or negative"
    if not ratio.value:
        return None, f"no ratio: half of the baseline's boots or more have no value ({left.cell.box} is the baseline)"
    return ratio, ""


def inverted(found: Comparison) -> Comparison:
    """The same comparison with the two cells exchanged. A ratio of infinity has no reciprocal, so it is None then."""
    swapped = {RatioVerdict.FASTER: RatioVerdict.SLOWER, RatioVerdict.SLOWER: RatioVerdict.FASTER}
    ratio = found.ratio
    return replace(
        found,
        baseline=found.other,
        other=found.baseline,
        ratio=_reciprocal(ratio) if ratio is not None and ratio.value and math.isfinite(ratio.value) else None,
        verdict=swapped.get(found.verdict, found.verdict),
    )


def _reciprocal(ratio: RatioEstimate) -> RatioEstimate:
    def of(value: float) -> float:
        return 1 / value if value else math.inf

    return replace(
        ratio,
        value=None if ratio.value is None else of(ratio.value),
        interval=Interval(of(ratio.interval.high), of(ratio.interval.low), ratio.interval.level),
        block_ratios=tuple(map(of, ratio.block_ratios)),
    )


def _verdict(metric: str, found: Interval, tolerance: float) -> RatioVerdict:
    """The verdict of a ratio. A rate is judged by its reciprocal, since half the rate is as slow as twice the time."""
    if Metric(metric).higher_is_better:
        upper = 1 / found.low if found.low > 0 else math.inf
        found = Interval(1 / found.high if found.high > 0 else math.inf, upper, found.level)
    return verdict(found, band(tolerance))


def drift(manifest: Manifest, scenario: str, table: SeriesTable) -> Drift:
    """The trend of the native control's headline over the blocks of a scenario."""
    entry = manifest.scenarios[scenario].scenario
    box, metric = entry.native_control.label, headline(entry)
    keys = sorted(cell.key for cell in cells_of(manifest, scenario) if cell.box == box)
    # With several factor levels one cell of the control is used, since a change of level is no drift.
    control = (table[key][metric].by_block() for key in keys if metric in table.get(key, {}))
    series = next(filter(None, control), {})
    if not series:
        return Drift(scenario, box, None, _no_control(scenario, box, left_out=not entry.design.root_control))
    try:
        moved = trend(series)
    except (TooFewBootsError, ValueError) as error:
        return Drift(scenario, box, None, f"{scenario}: drift is unknown: {error}")
    return Drift(scenario, box, moved, _drift_note(scenario, box, moved))


def _no_control(scenario: str, box: str, *, left_out: bool) -> str:
    if not left_out:
        return f"{scenario}: no native control, so drift of the host is unknown"
    return (
        f"{scenario}: the root control `{box}` was left out, so no box is compared with a start without isolation, and "
        "drift of the host is unknown"
    )


def _drift_note(scenario: str, box: str, moved: Trend) -> str:
    low, high = moved.interval.low, moved.interval.high
    if low <= 0 <= high or abs(moved.change) < TOLERANCE:
        return ""
    way = "slower" if moved.change > 0 else "faster"
    return (
        f"{scenario}: {box} became {abs(moved.change):.0%} {way} from the first block to the last "
        f"[{low:+.0%}, {high:+.0%}]: the host drifted; ratios within blocks still hold"
    )


def inside_facts(records: Sequence[Record]) -> dict[str, tuple[str, ...]]:
    """The distinct values, sorted, of each fact that these boots reported; one value when all boots agree."""
    facts: dict[str, set[str]] = {}
    for record in records:
        for key, value in record.inside.items():
            facts.setdefault(key, set()).add(value)
    return {key: tuple(sorted(values)) for key, values in sorted(facts.items())}


def _inside_notes(base: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(
        f"not equal inside: {key} is {' or '.join(other[key])}, in the baseline {' or '.join(base[key])}"
        for key in _EQUAL_INSIDE
        if key in base and key in other and base[key] != other[key]
    )
