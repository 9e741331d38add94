"""``--accel icount``: which targets of two sides can be counted in instructions, and rows from the counts. Pure.

The runs of a side show how far its count moves without a change that matters (``bench.instructions.verdict``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.analysis.estimates import Interval
from bench.analysis.metrics import INSTRUCTIONS
from bench.gate.model import GateRow, Identity, StageResult, Verdict
from bench.gate.sides import Side, SideName, SidePair
from bench.gate.thresholds import Thresholds
from bench.instructions.model import ACCEL, TARGETS, Count, Instructions
from bench.instructions.verdict import LIMITS_LEVEL, CountOutcome, CountVerdict, compare_all, doubt
from bench.scenario import target_table
from bench.util.errors import UsageError
from bench.util.units import grouped

_COMPARABLE: Final = (CountOutcome.IDENTICAL, CountOutcome.CHANGED)


@dataclass(frozen=True)
class CountedCell:
    """One cell of both sides with its row.

    Attributes:
        target: as the counts name it: ``runc``.
        stable: False when equal inputs gave different counts, so that they decide nothing here.
        false_alarm: the chance that the row is red although nothing changed.
    """

    target: str
    stable: bool
    row: GateRow
    false_alarm: float = 0.0


def countable_targets(
    sides: SidePair, *, asked: bool, baseline: Instructions | None = None
) -> tuple[tuple[str, ...], str]:
    """The targets that both sides have and that can be counted, and a note on those left out (may be empty).

    Args:
        asked: the targets were named, so that one that cannot be counted is an error.

    Raises:
        UsageError: none is left, one that was asked for cannot be counted or is not in the baseline, or the sides
            name two different ones.
    """
    pairs = sides.targets()
    for mine, theirs in pairs.items():
        if mine != theirs:
            raise UsageError(
                f"{sides.a.label} and {sides.b.label} are different cells: instructions of {mine} and of {theirs} "
                "are not two versions of one program",
                hint="`boxbench instructions SCENARIO` shows what each target costs; give both sides one target here",
            )
    stored = None if baseline is None else {count.cell.target for count in baseline.counts}
    found = tuple(label for label in pairs if label in TARGETS and (stored is None or label in stored))
    left_out = tuple(label for label in pairs if label not in found)
    if left_out and (asked or not found):
        raise UsageError(_refusal(left_out, stored), hint=f"targets that can be counted: {_choice(stored)}")
    return found, _left_out(left_out)


def _refusal(labels: Sequence[str], stored: set[str] | None) -> str:
    absent = [label for label in labels if label in TARGETS]
    if absent and stored is not None:
        return f"the baseline has no count of {', '.join(absent)}"
    return f"{', '.join(map(_named, labels))} cannot be counted in instructions"


def _choice(stored: set[str] | None) -> str:
    return ", ".join(target for target in TARGETS if stored is None or target in stored) or "none of the baseline's"


def _named(label: str) -> str:
    name = target_table.target_name(label)
    info = target_table.TARGETS.get(name)
    if info is None or info.counted_as in (None, name):
        return label
    return f"{label} (its countable relative is {info.counted_as})"


def _left_out(labels: Sequence[str]) -> str:
    if not labels:
        return ""
    return f"left out, since their instructions cannot be counted: {', '.join(map(_named, labels))}"


def count_rows(
    title: str, counts_a: Instructions, counts_b: Instructions, thresholds: Thresholds | None = None
) -> tuple[CountedCell, ...]:
    """Judge every cell that B has, and those that only A has of B's targets.

    Args:
        title: the name of the scenario, or of both scenarios.
        thresholds: only the one of ``instructions`` is used.
    """
    limit = (thresholds or Thresholds()).of(INSTRUCTIONS)
    by_label_a, by_label_b = ({count.label: count for count in side.counts} for side in (counts_a, counts_b))
    found = []
    for verdict in compare_all(counts_a, counts_b):
        # A pair has A's key; a cell of one side has its own.
        count = counts_a.find(verdict.key) or counts_b.find(verdict.key)
        assert count is not None
        pair = by_label_a.get(count.label), by_label_b.get(count.label)
        row = _row(title, count, pair, verdict, limit)
        stable = verdict.outcome is not CountOutcome.UNSTABLE
        found.append(CountedCell(count.cell.target, stable, row, verdict.false_alarm))
    return tuple(found)


def counted_identity(side: Side, name: SideName, counts: Instructions) -> Identity:
    """The identity of a side that was counted, with all inputs of its counts."""
    tree = next((count.inputs["tree"] for count in counts.counts if "tree" in count.inputs), None)
    return Identity(
        name=name,
        label=side.label,
        kind=side.kind,
        commit=side.commit,
        images={} if tree is None else {side.name: tree},
        targets=_inputs(counts),
    )


def stored_counts_identity(label: str, counts: Instructions) -> Identity:
    """The identity of A when A is a stored file of counts."""
    return Identity(name="A", label=label, kind="baseline", targets=_inputs(counts))


def _inputs(counts: Instructions) -> dict[str, dict[str, str]]:
    return {count.cell.box: count.inputs for count in counts.counts}


def _row(
    title: str, count: Count, pair: tuple[Count | None, Count | None], verdict: CountVerdict, threshold: float
) -> GateRow:
    count_a, count_b = pair
    judged, improved = _judge(verdict, threshold)
    return GateRow(
        scenario=title,
        box=count.label,
        cell_a=(count_a or count).cell.key,
        cell_b=(count_b or count).cell.key,
        accel=ACCEL,
        metric=INSTRUCTIONS,
        threshold=threshold,
        candidate=False,
        confirmation=StageResult(
            n_a=_runs(count_a),
            n_b=_runs(count_b),
            median_a=verdict.instructions_a,
            median_b=verdict.instructions_b,
            ratio=verdict.ratio,
            interval=_interval(verdict),
        ),
        detectable=None if verdict.exact else verdict.sure_from(band=threshold),
        verdict=judged,
        improved=improved,
        reason=_reason(verdict, judged, threshold),
    )


def _runs(count: Count | None) -> int:
    return 0 if count is None else len(count.clocks)


def _interval(verdict: CountVerdict) -> Interval | None:
    """The limits of the ratio; None where the ratio is exact, or there is none."""
    if verdict.low is None or verdict.high is None or verdict.low == verdict.high:
        return None
    return Interval(verdict.low, verdict.high, LIMITS_LEVEL if verdict.tried else 0.0)


def _judge(verdict: CountVerdict, threshold: float) -> tuple[Verdict, bool]:
    """The verdict, and whether B is better by more than the threshold."""
    if verdict.outcome not in _COMPARABLE or verdict.unsure(band=threshold):
        return Verdict.CANNOT_TELL, False
    if verdict.regressed(band=threshold):
        return Verdict.REGRESSED, False
    return Verdict.NOT_REGRESSED, verdict.high is not None and verdict.high < 1 - threshold


def _reason(verdict: CountVerdict, judged: Verdict, threshold: float) -> str:
    if verdict.outcome is CountOutcome.UNSTABLE:
        return f"the counts do not repeat here: {verdict.reason}"
    if verdict.outcome is not CountOutcome.CHANGED or verdict.difference is None:
        return verdict.reason
    inside = "" if verdict.inside is None else f", {_signed(verdict.inside)} of it in the workload"
    within = " (within the threshold)" if abs((verdict.ratio or 1) - 1) <= threshold else ""
    unsure = f"; {doubt(verdict, band=threshold)}" if judged is Verdict.CANNOT_TELL else ""
    return f"{_signed(verdict.difference)} instructions{inside}{within}: {verdict.reason}{unsure}"


def _signed(count: int) -> str:
    return ("+" if count > 0 else "−" if count < 0 else "") + grouped(abs(count))
