"""Comparisons of cells with their baseline, facts that boxes report, and drift of the native control."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from bench.analysis.between_sittings import sittings_note
from bench.analysis.estimates import Floats, Interval, RatioEstimate, Trend
from bench.analysis.exact import false_discovery, paired_signed_rank, rank_sum
from bench.analysis.metrics import Metric, headline, in_order
from bench.analysis.paired import Pair, Pairing, paired, pairing
from bench.analysis.ratios import paired_ratio
from bench.analysis.results import Comparison, Drift, MetricSeries, SeriesTable, cells_of
from bench.analysis.trends import trend
from bench.analysis.verdicts import RatioVerdict, band, verdict
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.util.errors import TooFewBootsError

TOLERANCE: Final = 0.05
"""Two medians count as the same when the whole interval of their ratio is within 5 % of 1."""

LEVEL: Final = 0.05
"""The share of false ones among the differences that a report names; the chance of one where nothing differs."""
_ENOUGH_SIGNS: Final = 8

_CAVEATS: Final = {
    "tcg": "tcg: emulated CPU, not what KVM would cost",
    "icount": "icount: virtual time, one instruction is one nanosecond, not this host's speed",
}
_EQUAL_INSIDE: Final = ("cpus", "uid", "gid", "cwd", "digest")
"""Facts that must be equal in both boxes for a meaningful comparison."""


def pairs_of(manifest: Manifest) -> list[tuple[Cell, Cell]]:
    """Each cell that is compared, after the baseline cell with the same factors."""
    return [
        pair
        for scenario, entry in manifest.scenarios.items()
        for pair in _pairs(cells_of(manifest, scenario), entry.scenario.baseline)
    ]


def compare(
    pair: tuple[Cell, Cell],
    series: SeriesTable,
    inside: Mapping[str, Mapping[str, tuple[str, ...]]],
    *,
    tolerance: float = TOLERANCE,
) -> list[Comparison]:
    """A cell against its baseline cell, which is the first of the pair, for every metric that both have.

    Each is by itself: ``only_discoveries`` then looks at those of all pairs.

    Args:
        inside: what the boxes of each cell reported about themselves, as ``Analysis.inside``.
    """
    base, other = pair
    found: list[Comparison] = []
    notes = (*caveats(base, other), *_inside_notes(inside.get(base.key, {}), inside.get(other.key, {})))
    left, right = series.get(base.key, {}), series.get(other.key, {})
    # Most metrics of a cell have the same boots.
    known: dict[tuple[int, int], Pairing] = {}
    for metric in in_order(left.keys() & right.keys()):
        mine, theirs = left[metric], right[metric]
        if len(mine.boots.measured) and len(theirs.boots.measured):
            key = id(mine.boots), id(theirs.boots)
            at = known[key] = known.get(key) or pairing(mine.boots, theirs.boots)
            found.append(_comparison(mine, theirs, at, notes, tolerance))
    return found


def only_discoveries(found: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons, where "faster" and "slower" become "cannot tell" unless they hold among all of them.

    Each interval leaves out the truth in 5 of 100 cases. Thirty comparisons of equal boxes would so give a false
    difference in most reports.
    """
    tested = [one for one in found if one.p_value is not None]
    adjusted = false_discovery([one.p_value for one in tested if one.p_value is not None])
    doubtful = {id(one) for one, p_value in zip(tested, adjusted, strict=True) if p_value > LEVEL}
    return tuple(
        replace(one, verdict=RatioVerdict.CANNOT_TELL)
        if id(one) in doubtful and one.verdict in (RatioVerdict.FASTER, RatioVerdict.SLOWER)
        else one
        for one in found
    )


def caveats(base: Cell, other: Cell) -> tuple[str, ...]:
    """Notes that belong beside a ratio of two cells; empty when both have the same accelerator."""
    if base.accel == other.accel:
        return ()
    return tuple(sorted(filter(None, {caveat_of(base), caveat_of(other)})))


def caveat_of(cell: Cell) -> str:
    """What belongs beside each ratio of this cell to one with another accelerator; empty for a real CPU."""
    return _CAVEATS.get(cell.accel, "")


def _pairs(cells: Sequence[Cell], base: str) -> Iterable[tuple[Cell, Cell]]:
    """Each cell with the baseline cell of the same factors; of several accelerators that of the cell itself."""
    bases = [cell for cell in cells if base in (cell.target, cell.box)]
    for cell in cells:
        same = [candidate for candidate in bases if candidate.factors == cell.factors]
        same.sort(key=lambda candidate: (candidate.accel != cell.accel, candidate.key))
        if same and cell not in same:
            yield same[0], cell


def compared(
    metric: Metric, cells: tuple[Cell, Cell], pair: Pair, *, notes: tuple[str, ...] = (), tolerance: float = TOLERANCE
) -> Comparison:
    """One metric of two cells, the baseline first, by itself: ``only_discoveries`` then looks at all of them."""
    ratio, why_not = _ratio(metric, pair, cells[0].box)
    return Comparison(
        metric=metric,
        baseline=cells[0],
        other=cells[1],
        ratio=ratio,
        p_value=None if ratio is None else _p_value(pair),
        verdict=RatioVerdict.CANNOT_TELL if ratio is None else ratio_verdict(metric, ratio.interval, tolerance),
        notes=(why_not, *notes) if why_not else notes,
    )


def _comparison(
    left: MetricSeries, right: MetricSeries, at: Pairing, notes: tuple[str, ...], tolerance: float
) -> Comparison:
    cells = left.cell, right.cell
    if left.source == right.source:
        found = compared(left.metric, cells, paired(left, right, at), notes=notes, tolerance=tolerance)
        note = "" if found.ratio is None else sittings_note(left, right, at)
        return replace(found, notes=(*found.notes, note)) if note else found
    return Comparison(
        metric=left.metric,
        baseline=left.cell,
        other=right.cell,
        ratio=None,
        p_value=None,
        verdict=RatioVerdict.CANNOT_TELL,
        notes=(f"not compared: {right.source} against {left.source}", *notes),
    )


def _ratio(metric: Metric, pair: Pair, base: str) -> tuple[RatioEstimate | None, str]:
    """The ratio of two metrics, or None and the reason why there is none."""
    # A rate of 0 is that of a boot that failed. As a cost it is infinite, for which there is a ratio.
    as_costs = metric.higher_is_better and pair.has_zero
    sides = (_costs(pair.base), _costs(pair.other)) if as_costs else (pair.base, pair.other)
    try:
        ratio = paired_ratio(*sides, pair.dropped)
    except TooFewBootsError as error:
        return None, error.message
    except ValueError:
        return None, "no ratio: a value is zero or negative"
    if not ratio.value:
        return None, f"no ratio: half of the baseline's boots or more have no value ({base} is the baseline)"
    return _inverse(ratio) if as_costs else ratio, ""


def _costs(rates: Floats) -> Floats:
    return np.array([_over(rate) for rate in rates.tolist()], dtype=np.float64)


def _over(value: float) -> float:
    return 1 / value if value else math.inf


def _inverse(ratio: RatioEstimate) -> RatioEstimate:
    limits = ratio.interval
    return replace(
        ratio,
        value=None if ratio.value is None else _over(ratio.value),
        interval=Interval(_over(limits.high), _over(limits.low), limits.level),
        block_ratios=array("d", map(_over, ratio.block_ratios)),
    )


def _p_value(pair: Pair) -> float:
    """That the two differ, two-sided: by signed ranks within blocks, or by ranks where few blocks have too few signs.

    With 5 blocks the smallest p value of signs is 6 %, that of ranks 0.8 %. What the host does to a whole block makes
    the p value of ranks larger, never smaller.
    """
    if len(pair.base) >= _ENOUGH_SIGNS:
        both = paired_signed_rank(pair.base, pair.other)
    else:
        both = rank_sum(pair.base.tolist(), pair.other.tolist())
    return min(1.0, 2 * min(both))


def inverted(found: Comparison) -> Comparison:
    """The same comparison with the two cells exchanged. A ratio of infinity has no reciprocal, so it is None then."""
    swapped = {RatioVerdict.FASTER: RatioVerdict.SLOWER, RatioVerdict.SLOWER: RatioVerdict.FASTER}
    ratio = found.ratio
    return replace(
        found,
        baseline=found.other,
        other=found.baseline,
        ratio=_inverse(ratio) if ratio is not None and ratio.value and math.isfinite(ratio.value) else None,
        verdict=swapped.get(found.verdict, found.verdict),
    )


def ratio_verdict(metric: str, found: Interval, tolerance: float) -> RatioVerdict:
    """The verdict of a ratio. A rate is judged by its reciprocal, since half the rate is as slow as twice the time."""
    if Metric(metric).higher_is_better:
        found = Interval(_over(found.high), _over(found.low), found.level)
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


def _inside_notes(base: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(
        f"not equal inside: {key} is {' or '.join(other[key])}, in the baseline {' or '.join(base[key])}"
        for key in _EQUAL_INSIDE
        if key in base and key in other and base[key] != other[key]
    )
