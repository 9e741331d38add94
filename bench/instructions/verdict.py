"""Compares two counts of one cell: identical, changed by a number of instructions, or not comparable, with the reason.

One run per side is enough. The same inputs give the same count, so a difference comes from an input, and the record
names the inputs that changed. One run does not show how much of the difference the change itself costs: an address, a
hash or a timer that falls elsewhere changes counts too (see ``slack`` and METHOD.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from bench.instructions.model import DAEMON_TARGETS, Count, CountModel, Instructions

CLOCK: Final = ("qemu", "machine")
"""Inputs that define the clock, with every ``firmware ...``. Where they differ, the counts have different units."""
INSTRUMENT: Final = ("agent", "counter", "launcher")
"""Boxbench's programs in the guest, compiled on the host. Another compiler makes them longer or shorter."""


SLACK: Final = 0.05
"""Relative slack of the second start of targets with daemons. Four changes of nothing but a word in the environment
moved docker's second start by up to 2.05 %, its first start by 0.0001 %, and a VM or runc not at all (METHOD.md)."""


class CountOutcome(StrEnum):
    """How two counts relate."""

    IDENTICAL = "identical"
    CHANGED = "changed"
    NOT_COMPARABLE = "not comparable"
    UNSTABLE = "does not repeat"
    """Equal inputs, or the runs of one side, gave different counts. Then only the statistics of many boots help."""


class CountVerdict(CountModel):
    """The comparison of one cell, B with A."""

    key: str
    outcome: CountOutcome
    instructions_a: int | None
    """Executed instructions; None when this side has no count of the cell."""
    instructions_b: int | None
    inside: int | None = None
    """The part of the difference that is after the workload's exec; None when it is unknown. The part of an engine also
    moves without a cause."""
    changed_inputs: tuple[str, ...]
    """Names of the inputs that differ."""
    reason: str
    """One sentence."""
    slack: float = 0.0
    """The relative change that the count can show after an irrelevant change."""

    @property
    def difference(self) -> int | None:
        """Instructions of B minus those of A; None when the counts are not comparable."""
        comparable = self.outcome in (CountOutcome.IDENTICAL, CountOutcome.CHANGED)
        if self.instructions_a is None or self.instructions_b is None or not comparable:
            return None
        return self.instructions_b - self.instructions_a

    @property
    def ratio(self) -> float | None:
        """Instructions of B divided by those of A; None when the counts are not comparable."""
        if self.difference is None or not self.instructions_a:
            return None
        return (self.instructions_b or 0) / self.instructions_a

    def limit(self, band: float) -> float:
        """The largest relative change that is not a regression: ``band`` (0.001 is 0.1 %) or ``slack``, if larger."""
        return max(band, self.slack)

    def regressed(self, *, band: float = 0.0) -> bool:
        """Whether B exceeds A by more than ``limit(band)``."""
        return self.ratio is not None and self.ratio > 1 + self.limit(band)

    def as_json(self, *, band: float = 0.0) -> dict[str, object]:
        """All fields, with difference, ratio and regressed."""
        derived = {"difference": self.difference, "ratio": self.ratio, "regressed": self.regressed(band=band)}
        return self.model_dump(mode="json") | derived


def compare_counts(a: Count, b: Count) -> CountVerdict:
    """Compare B with A. Their cells may differ in the scenario, but not in target, accelerator or factors."""
    changed = tuple(sorted(_changed(a, b)))
    outcome, reason = _judge(a, b, changed)
    return CountVerdict(
        key=a.cell.key,
        outcome=outcome,
        instructions_a=a.instructions,
        instructions_b=b.instructions,
        inside=None if a.inside is None or b.inside is None else b.inside - a.inside,
        changed_inputs=changed,
        reason=reason,
        slack=_slack(a),
    )


def _slack(count: Count) -> float:
    second = count.cell.factors.get("start") == "second"
    return SLACK if second and count.cell.target in DAEMON_TARGETS else 0.0


def compare_all(a: Instructions, b: Instructions) -> tuple[CountVerdict, ...]:
    """Compare every cell of B, and the cells of A whose target B has. A cell that one side lacks is not comparable."""
    targets = {count.cell.target for count in b.counts}
    pairs = {_place(count): count for count in a.counts if count.cell.target in targets}
    verdicts = []
    for count in b.counts:
        mate = pairs.pop(_place(count), None)
        verdicts.append(compare_counts(mate, count) if mate is not None else _alone(count, "A"))
    return (*verdicts, *(_alone(count, "B") for count in pairs.values()))


def _place(count: Count) -> tuple[str, str]:
    return count.cell.box, count.cell.factors.get("start", "")


def _alone(count: Count, missing: str) -> CountVerdict:
    return CountVerdict(
        key=count.cell.key,
        outcome=CountOutcome.NOT_COMPARABLE,
        instructions_a=None if missing == "A" else count.instructions,
        instructions_b=None if missing == "B" else count.instructions,
        changed_inputs=(),
        reason=f"{missing} has no count of it",
    )


def _changed(a: Count, b: Count) -> Iterator[str]:
    for name in a.inputs.keys() | b.inputs.keys():
        if a.inputs.get(name) != b.inputs.get(name):
            yield name


def _judge(a: Count, b: Count, changed: tuple[str, ...]) -> tuple[CountOutcome, str]:
    refused = _why_not(a, b, changed)
    if refused is not None:
        return CountOutcome.NOT_COMPARABLE, refused
    for side, count in (("A", a), ("B", b)):
        if not count.repeats:
            spread = max(count.clocks) - min(count.clocks)
            return (
                CountOutcome.UNSTABLE,
                f"{side}'s {len(count.clocks)} runs differ by up to {spread} ticks of the clock",
            )
    if a.instructions == b.instructions:
        return CountOutcome.IDENTICAL, "the same to the instruction" + (
            f", although {_list(changed)}" if changed else ""
        )
    if not changed:
        gap = abs(b.instructions - a.instructions)
        return CountOutcome.UNSTABLE, f"no recorded input differs, but the counts differ by {gap} instructions"
    return CountOutcome.CHANGED, _list(changed)


def _why_not(a: Count, b: Count, changed: tuple[str, ...]) -> str | None:
    """Why two counts are not comparable; None when they are."""
    if _place(a) != _place(b):
        return f"{a.cell.key} and {b.cell.key} are different cells"
    clock = [name for name in changed if name in CLOCK or name.startswith("firmware ")]
    if clock:
        differ = "; ".join(f"{name}: {a.inputs.get(name)} and {b.inputs.get(name)}" for name in clock)
        return f"the clocks differ ({differ})"
    ours = [name for name in changed if name in INSTRUMENT]
    if ours and a.instructions != b.instructions:
        return f"Boxbench's own {', '.join(ours)} changed (another version or compiler); count the baseline again"
    return None


def _list(changed: tuple[str, ...]) -> str:
    # Inputs that are derived from others add nothing when one of those is named.
    made = ("initramfs", "script", "command")
    named = [name for name in changed if name not in made] or list(changed)
    return f"{', '.join(named)} changed"
