"""Which targets of two sides can be counted in instructions and compared. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.gate.sides import Both
from bench.instructions.model import TARGETS, Instructions
from bench.scenario import target_table
from bench.util.errors import UsageError


def countable(both: Both, *, asked: bool, baseline: Instructions | None = None) -> tuple[tuple[str, ...], str]:
    """Targets that both sides have and the instruction clock can run, and a note on those left out (may be empty).

    Raises:
        UsageError: none is left, one that was asked for cannot be counted or is not in the baseline, or the sides
            name two different ones.
    """
    pairs = both.targets()
    for mine, theirs in pairs.items():
        if mine != theirs:
            raise UsageError(
                f"{both.a.label} and {both.b.label} are different cells: instructions of {mine} and of {theirs} are no "
                "change of one another",
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
    return f"left out, since there are no counts of instructions of them: {', '.join(map(_named, labels))}"
