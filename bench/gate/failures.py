"""Failed boots: whether B has more of them, as a row of its own, and sentences about them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.analysis.estimates import MIN_BOOTS
from bench.gate.cells import Boots, CellPair, place
from bench.gate.judge import Judgement
from bench.gate.model import FAILURES, GateRow, StageResult, Verdict
from bench.plan.trials import Cell
from bench.records.record import Failure
from bench.util.errors import LateError

ALL_FAILED: Final = "every boot of B failed"

_MOST_MESSAGES: Final = 3
_MOST_CHARS: Final = 200
"""Of a message: some hold a path, or output of a box."""

Stage = tuple[Boots, Boots]
"""A's boots and B's in one stage: the same object where they share their blocks, else a baseline and a campaign."""


@dataclass(frozen=True)
class Ends:
    """How the boots of one cell ended, over the stages of a gate."""

    ran: int
    failures: tuple[Failure, ...]

    @property
    def failed(self) -> int:
        """Number of failed boots."""
        return len(self.failures)

    @property
    def hopeless(self) -> bool:
        """Whether every boot failed, and there were enough that another one would show nothing new."""
        return self.ran >= MIN_BOOTS and self.failed == self.ran


def ends_of(cell: Cell, stages: Sequence[Boots]) -> Ends:
    """The ends of a cell's boots. A baseline that is A in several stages counts once."""
    each = {id(boots): boots for boots in stages}.values()
    return Ends(
        sum(len(boots.ran.get(cell.key, ())) for boots in each),
        tuple(failure for boots in each for _, failure in sorted(boots.failed(cell).items())),
    )


def hopeless(pair: CellPair, boots_b: Boots) -> str:
    """Why more boots of a pair are not worth their time limits after screening; empty when they are."""
    return ALL_FAILED if ends_of(pair.b, [boots_b]).hopeless else ""


def failure_rows(pairs: Sequence[CellPair], stages: Sequence[Stage]) -> tuple[GateRow, ...]:
    """A row for each pair in which B failed where A did not, or in which every boot of B failed: not green.

    Such a row is red without a threshold and without confirmation: if both sides were equally likely to fail, all of
    B's boots and none of A's would fail in fewer than one run of 2^(2n), n >= 5.
    """
    return tuple(row for pair in pairs if (row := _row(pair, stages)) is not None)


def _row(pair: CellPair, stages: Sequence[Stage]) -> GateRow | None:
    a, b = ends_of(pair.a, [stage[0] for stage in stages]), ends_of(pair.b, [stage[1] for stage in stages])
    found = _judge(a, b, more=_more(pair, a, b, stages))
    if found is None:
        return None
    return GateRow(
        scenario=pair.scenario,
        box=pair.box,
        cell_a=pair.a.key,
        cell_b=pair.b.key,
        accel=pair.a.accel,
        metric=FAILURES,
        threshold=0.0,
        candidate=False,
        screening=StageResult(
            n_a=a.ran,
            n_b=b.ran,
            failures_a=a.failed,
            failures_b=b.failed,
            median_a=a.failed,
            median_b=b.failed,
        ),
        verdict=found.verdict,
        reason=found.reason,
    )


def _more(pair: CellPair, a: Ends, b: Ends, stages: Sequence[Stage]) -> bool:
    """Whether B failed in a block in which A did not, or more often than a stored A."""
    if all(boots_a is boots_b for boots_a, boots_b in stages):
        return any(boots_b.failed(pair.b).keys() - boots_a.failed(pair.a).keys() for boots_a, boots_b in stages)
    return b.failed * a.ran > a.failed * b.ran


def _judge(a: Ends, b: Ends, *, more: bool) -> Judgement | None:
    if not more and (not b.failed or b.failed < b.ran):
        return None
    many = "all" if b.failed == b.ran else f"{b.failed} of"
    none = f"none of A's {a.ran}" if not a.failed else f"{a.failed} of A's {a.ran}"
    reason = f"{many} {b.ran} boots of B failed, {none}: {describe_failures(b.failures)}"
    always = b.hopeless and a.ran >= MIN_BOOTS and not a.failed
    # Boxbench itself was late with such a storm: that says nothing about the boxes.
    late = any(failure.code == LateError.__name__ for failure in b.failures)
    return Judgement(Verdict.REGRESSED if always and not late else Verdict.CANNOT_TELL, False, reason)


def failure_notes(pairs: Sequence[CellPair], stages: Sequence[Stage]) -> tuple[str, ...]:
    """A sentence for each cell of either side with failed boots."""
    notes = []
    for pair in pairs:
        for name, cell, side in (("A", pair.a, 0), ("B", pair.b, 1)):
            ends = ends_of(cell, [stage[side] for stage in stages])
            if ends.failed:
                notes.append(f"{name}, {pair.scenario}/{place(cell)}: {describe_ends(ends)}")
    return tuple(notes)


def describe_ends(ends: Ends) -> str:
    """``5 of 7 boots failed: 5× the exercise ended with status 1``."""
    return f"{ends.failed} of {ends.ran} boots failed: {describe_failures(ends.failures)}"


def describe_failures(failures: Sequence[Failure]) -> str:
    """The messages of failures with their counts, the most frequent first."""
    counted = Counter(f"{failure.code}: {failure.message}" for failure in failures).most_common()
    parts = [f"{count}× {_short(message)}" for message, count in counted[:_MOST_MESSAGES]]
    rest = sum(count for _, count in counted[_MOST_MESSAGES:])
    return "; ".join([*parts, *([f"{rest}× other failures"] if rest else [])])


def _short(message: str) -> str:
    return message if len(message) <= _MOST_CHARS else f"{message[:_MOST_CHARS]}…"
