"""Boots that ended badly: whether B has more of them, as a row of its own, and words for them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.analysis.stats import MIN_BOOTS
from bench.gate.cells import Boots, Pair, place
from bench.gate.judge import Judgement
from bench.gate.model import FAILURES, Look, Row, Verdict
from bench.plan.trials import Cell
from bench.records.record import Failure
from bench.util.errors import LateError

NEVER_CAME: Final = "every boot of B failed"

_MOST_MESSAGES: Final = 3
_MOST_CHARS: Final = 200
"""Of a message: some hold a path, or what a box said."""

Stage = tuple[Boots, Boots]
"""A's boots and B's in one stage: one object where they share their blocks, else a stored baseline and a campaign."""


@dataclass(frozen=True)
class Ends:
    """How the boots of one cell ended, over the stages of a gate."""

    ran: int
    failures: tuple[Failure, ...]

    @property
    def failed(self) -> int:
        """How many ended badly."""
        return len(self.failures)

    @property
    def never_came(self) -> bool:
        """Whether so many failed that another boot would tell nothing new, and none ended well."""
        return self.ran >= MIN_BOOTS and self.failed == self.ran


def ends_of(cell: Cell, stages: Sequence[Boots]) -> Ends:
    """The ends of a cell's boots; a baseline that stands beside several stages counts once."""
    each = {id(boots): boots for boots in stages}.values()
    return Ends(
        sum(len(boots.ran.get(cell.key, ())) for boots in each),
        tuple(failure for boots in each for _, failure in sorted(boots.failed(cell).items())),
    )


def hopeless(pair: Pair, other: Boots) -> str:
    """Why fresh boots of a pair are not worth their time limits after a first look; empty when they are."""
    return NEVER_CAME if ends_of(pair.other, [other]).never_came else ""


def failure_rows(pairs: Sequence[Pair], stages: Sequence[Stage]) -> tuple[Row, ...]:
    """A row for each pair in which B failed where A did not, or never came at all: such a gate is not green.

    Red needs neither a threshold nor fresh boots: were both sides equally likely to fail, all of B's boots and none of
    A's would do so in fewer than one run of 2^(2n), n >= 5.
    """
    return tuple(row for pair in pairs if (row := _row(pair, stages)) is not None)


def _row(pair: Pair, stages: Sequence[Stage]) -> Row | None:
    base, other = ends_of(pair.base, [a for a, _ in stages]), ends_of(pair.other, [b for _, b in stages])
    found = _judge(base, other, more=_more(pair, base, other, stages))
    if found is None:
        return None
    return Row(
        scenario=pair.scenario,
        box=pair.box,
        base_cell=pair.base.key,
        other_cell=pair.other.key,
        accel=pair.base.accel,
        metric=FAILURES,
        threshold=0.0,
        candidate=False,
        first=Look(
            n_base=base.ran,
            n_other=other.ran,
            failures_base=base.failed,
            failures_other=other.failed,
            base=base.failed,
            other=other.failed,
        ),
        verdict=found.verdict,
        reason=found.reason,
    )


def _more(pair: Pair, base: Ends, other: Ends, stages: Sequence[Stage]) -> bool:
    """Whether B failed where A did not: in a block of theirs, or more often than a stored A."""
    if all(a is b for a, b in stages):
        return any(b.failed(pair.other).keys() - a.failed(pair.base).keys() for a, b in stages)
    return other.failed * base.ran > base.failed * other.ran


def _judge(base: Ends, other: Ends, *, more: bool) -> Judgement | None:
    if not more and (not other.failed or other.failed < other.ran):
        return None
    many = "all" if other.failed == other.ran else f"{other.failed} of"
    none = f"none of A's {base.ran}" if not base.failed else f"{base.failed} of A's {base.ran}"
    reason = f"{many} {other.ran} boots of B failed, {none}: {words_of(other.failures)}"
    always = other.never_came and base.ran >= MIN_BOOTS and not base.failed
    # A storm that was refused since we were late with it says nothing about the boxes.
    ours = any(failure.code == LateError.__name__ for failure in other.failures)
    return Judgement(Verdict.REGRESSED if always and not ours else Verdict.CANNOT_TELL, False, reason)


def failure_notes(pairs: Sequence[Pair], stages: Sequence[Stage]) -> tuple[str, ...]:
    """A sentence for each cell of either side some of whose boots failed."""
    notes = []
    for pair in pairs:
        for name, cell, side in (("A", pair.base, 0), ("B", pair.other, 1)):
            ends = ends_of(cell, [stage[side] for stage in stages])
            if ends.failed:
                notes.append(f"{name}, {pair.scenario}/{place(cell)}: {said(ends)}")
    return tuple(notes)


def said(ends: Ends) -> str:
    """``5 of 7 boots failed: 5× the exercise ended with status 1``."""
    return f"{ends.failed} of {ends.ran} boots failed: {words_of(ends.failures)}"


def words_of(failures: Sequence[Failure]) -> str:
    """What failures say, the most frequent first, with counts."""
    counted = Counter(f"{failure.code}: {failure.message}" for failure in failures).most_common()
    words = [f"{count}× {_short(message)}" for message, count in counted[:_MOST_MESSAGES]]
    rest = sum(count for _, count in counted[_MOST_MESSAGES:])
    return "; ".join([*words, *([f"{rest}× something else"] if rest else [])])


def _short(message: str) -> str:
    return message if len(message) <= _MOST_CHARS else f"{message[:_MOST_CHARS]}…"
