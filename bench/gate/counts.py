"""Rows of a gate from counts of instructions: one run a side decides, since a count is exact. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.analysis.metrics import INSTRUCTIONS
from bench.gate.model import Identity, Look, Row, Verdict
from bench.gate.sides import Side, SideName
from bench.gate.thresholds import Thresholds
from bench.instructions.model import ACCEL, Count, Instructions
from bench.instructions.verdict import CountVerdict, Outcome, compare_all
from bench.util.units import grouped

_COMPARABLE: Final = (Outcome.IDENTICAL, Outcome.CHANGED)


@dataclass(frozen=True)
class Counted:
    """One cell of both sides.

    Attributes:
        target: as the counts name it: ``runc``.
        stable: False when the clock did not repeat, so that counts decide nothing here.
    """

    target: str
    stable: bool
    row: Row


def count_rows(
    title: str, base: Instructions, other: Instructions, thresholds: Thresholds | None = None
) -> tuple[Counted, ...]:
    """Every cell that B has, and those that only A has of B's targets, judged.

    Args:
        title: what people call the scenario of both sides.
        thresholds: of which that of ``instructions`` counts.
    """
    limit = (thresholds or Thresholds()).of(INSTRUCTIONS)
    sides = [{count.label: count for count in counted.counts} for counted in (base, other)]
    found = []
    for verdict in compare_all(base, other):
        # A pair has A's key; what one side lacks has that of the other.
        count = base.find(verdict.key) or other.find(verdict.key)
        assert count is not None
        pair = sides[0].get(count.label), sides[1].get(count.label)
        row = _row(title, count, pair, verdict, limit)
        found.append(Counted(count.cell.target, verdict.outcome is not Outcome.UNSTABLE, row))
    return tuple(found)


def counted_identity(side: Side, name: SideName, counted: Instructions) -> Identity:
    """A side that was counted, with all that decided its counts."""
    tree = next((count.inputs["tree"] for count in counted.counts if "tree" in count.inputs), None)
    return Identity(
        name=name,
        label=side.label,
        kind=side.kind,
        commit=side.commit,
        images={} if tree is None else {side.name: tree},
        targets=_inputs(counted),
    )


def stored_counts_identity(label: str, counted: Instructions) -> Identity:
    """A stored file of counts in the place of A."""
    return Identity(name="A", label=label, kind="baseline", targets=_inputs(counted))


def _inputs(counted: Instructions) -> dict[str, dict[str, str]]:
    return {count.cell.box: count.inputs for count in counted.counts}


def _row(
    title: str, count: Count, pair: tuple[Count | None, Count | None], verdict: CountVerdict, threshold: float
) -> Row:
    base, other = pair
    threshold = verdict.limit(threshold)
    judged, improved = _judge(verdict, threshold)
    return Row(
        scenario=title,
        box=count.label,
        base_cell=(base or count).cell.key,
        other_cell=(other or count).cell.key,
        accel=ACCEL,
        metric=INSTRUCTIONS,
        threshold=threshold,
        candidate=False,
        fresh=Look(
            n_base=_runs(base), n_other=_runs(other), base=verdict.base, other=verdict.other, ratio=verdict.ratio
        ),
        verdict=judged,
        improved=improved,
        reason=_reason(verdict, judged, improved=improved),
    )


def _runs(count: Count | None) -> int:
    return 0 if count is None else len(count.clocks)


def _judge(verdict: CountVerdict, threshold: float) -> tuple[Verdict, bool]:
    """The verdict, and whether B is better by more than the threshold."""
    if verdict.outcome not in _COMPARABLE or verdict.ratio is None:
        return Verdict.CANNOT_TELL, False
    if verdict.regressed(band=threshold):
        return Verdict.REGRESSED, False
    return Verdict.NOT_REGRESSED, verdict.ratio < 1 - threshold


def _reason(verdict: CountVerdict, judged: Verdict, *, improved: bool) -> str:
    if verdict.outcome is Outcome.UNSTABLE:
        return f"the clock does not repeat here: {verdict.reason}"
    if verdict.outcome is not Outcome.CHANGED or verdict.difference is None:
        return verdict.reason
    inside = "" if verdict.inside is None else f", {_signed(verdict.inside)} of it in the workload"
    within = "" if judged is Verdict.REGRESSED or improved else " (within the threshold)"
    return f"{_signed(verdict.difference)} instructions{inside}{within}: {verdict.reason}"


def _signed(count: int) -> str:
    return ("+" if count > 0 else "−" if count < 0 else "") + grouped(abs(count))
