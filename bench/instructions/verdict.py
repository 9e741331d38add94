"""Two counts of one cell side by side: identical, changed by so many instructions, or not comparable, and why.

One run per side is enough: the same inputs give the same count, so a difference is a difference of inputs. Which of
them changed is on record. What one run cannot say is how much of a difference the change itself costs, and how much it
only moved: an address, a hash or a timer that falls elsewhere changes counts too (``slack``, and METHOD.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from bench.instructions.model import DAEMON_TARGETS, Count, CountModel, Instructions

CLOCK: Final = ("qemu", "machine")
"""Inputs that make the clock, with every ``firmware ...``: where they differ, counts are of different units."""
INSTRUMENT: Final = ("agent", "counter", "launcher")
"""Our own programs in the guest, compiled on the host: another compiler's are as good, but longer or shorter."""


SLACK: Final = 0.05
"""Of an engine's second start: four changes of nothing but a word in the environment moved docker's by up to 2.05 %,
its first start by 0.0001 %, and a VM or runc by no instruction at all (METHOD.md)."""


class Outcome(StrEnum):
    """What may be said."""

    IDENTICAL = "identical"
    CHANGED = "changed"
    NOT_COMPARABLE = "not comparable"
    UNSTABLE = "does not repeat"
    """The same inputs, or runs of one side, gave different counts: use the statistics of many boots."""


class CountVerdict(CountModel):
    """Of one cell, B against A."""

    key: str
    outcome: Outcome
    base: int | None
    other: int | None
    inside: int | None = None
    """How much of the difference is after the workload was entered. Engines' own shares move by themselves."""
    changed_inputs: tuple[str, ...]
    """Names of the inputs that differ."""
    reason: str
    """One sentence."""
    slack: float = 0.0
    """By how much, relative, the count moves when something changes that does not matter."""

    @property
    def difference(self) -> int | None:
        """Instructions that B needs more; None when they cannot be subtracted."""
        comparable = self.outcome in (Outcome.IDENTICAL, Outcome.CHANGED)
        return None if self.base is None or self.other is None or not comparable else self.other - self.base

    @property
    def ratio(self) -> float | None:
        """B by A; None likewise."""
        return None if self.difference is None or not self.base else (self.other or 0) / self.base

    def limit(self, band: float) -> float:
        """The relative change that says something: ``band`` (0.001: 0.1 %), or the slack where that is more."""
        return max(band, self.slack)

    def regressed(self, *, band: float = 0.0) -> bool:
        """Whether B needs more than ``limit(band)`` above A."""
        return self.ratio is not None and self.ratio > 1 + self.limit(band)

    def as_json(self, *, band: float = 0.0) -> dict[str, object]:
        """All of it, with what follows from it."""
        derived = {"difference": self.difference, "ratio": self.ratio, "regressed": self.regressed(band=band)}
        return self.model_dump(mode="json") | derived


def compare_counts(base: Count, other: Count) -> CountVerdict:
    """B against A; the cells may differ in name (two images) but not in target, accelerator or factors."""
    changed = tuple(sorted(_changed(base, other)))
    outcome, reason = _judge(base, other, changed)
    return CountVerdict(
        key=base.cell.key,
        outcome=outcome,
        base=base.instructions,
        other=other.instructions,
        inside=None if base.inside is None or other.inside is None else other.inside - base.inside,
        changed_inputs=changed,
        reason=reason,
        slack=_slack(base),
    )


def _slack(count: Count) -> float:
    second = count.cell.factors.get("start") == "second"
    return SLACK if second and count.cell.target in DAEMON_TARGETS else 0.0


def compare_all(base: Instructions, other: Instructions) -> tuple[CountVerdict, ...]:
    """Every cell of B, and of A's those whose target B has; a cell that one side lacks is not comparable."""
    targets = {count.cell.target for count in other.counts}
    pairs = {_place(count): count for count in base.counts if count.cell.target in targets}
    verdicts = []
    for count in other.counts:
        mate = pairs.pop(_place(count), None)
        verdicts.append(compare_counts(mate, count) if mate is not None else _alone(count, "A"))
    return (*verdicts, *(_alone(count, "B") for count in pairs.values()))


def _place(count: Count) -> tuple[str, str]:
    return count.cell.box, count.cell.factors.get("start", "")


def _alone(count: Count, missing: str) -> CountVerdict:
    there = (
        {"base": None, "other": count.instructions} if missing == "A" else {"base": count.instructions, "other": None}
    )
    return CountVerdict(
        key=count.cell.key,
        outcome=Outcome.NOT_COMPARABLE,
        changed_inputs=(),
        reason=f"{missing} has no count of it",
        **there,
    )


def _changed(base: Count, other: Count) -> Iterator[str]:
    for name in base.inputs.keys() | other.inputs.keys():
        if base.inputs.get(name) != other.inputs.get(name):
            yield name


def _judge(base: Count, other: Count, changed: tuple[str, ...]) -> tuple[Outcome, str]:
    refused = _why_not(base, other, changed)
    if refused is not None:
        return Outcome.NOT_COMPARABLE, refused
    for side, count in (("A", base), ("B", other)):
        if not count.repeats:
            spread = max(count.clocks) - min(count.clocks)
            return Outcome.UNSTABLE, f"{side}'s {len(count.clocks)} runs differ by up to {spread} ticks of the clock"
    if base.instructions == other.instructions:
        return Outcome.IDENTICAL, "the same to the instruction" + (f", although {_list(changed)}" if changed else "")
    if not changed:
        gap = abs(other.instructions - base.instructions)
        return Outcome.UNSTABLE, f"nothing on record differs, and still the counts do, by {gap} instructions"
    return Outcome.CHANGED, _list(changed)


def _why_not(base: Count, other: Count, changed: tuple[str, ...]) -> str | None:
    """Why two counts must not be compared; None when they may."""
    if _place(base) != _place(other):
        return f"{base.cell.key} and {other.cell.key} are different cells"
    clock = [name for name in changed if name in CLOCK or name.startswith("firmware ")]
    if clock:
        differ = "; ".join(f"{name}: {base.inputs.get(name)} and {other.inputs.get(name)}" for name in clock)
        return f"the clocks differ ({differ})"
    ours = [name for name in changed if name in INSTRUMENT]
    if ours and base.instructions != other.instructions:
        said = f"Boxbench's own {', '.join(ours)} changed (another version or compiler)"
        return f"{said}: make the baseline anew"
    return None


def _list(changed: tuple[str, ...]) -> str:
    # What is made of other inputs says nothing when one of them is named.
    made = ("initramfs", "script", "command")
    named = [name for name in changed if name not in made] or list(changed)
    return f"{', '.join(named)} changed"
