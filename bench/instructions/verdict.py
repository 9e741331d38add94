"""Compares two counts of one cell: identical, changed by a number of instructions, or not comparable, with the reason.

The same inputs give the same count, so a difference comes from an input, and the record names the inputs that changed.
But an input can change a count without mattering: other letters in a comment are another digest, which is another key
in an engine's tables, and other random numbers. How far that moves the count of this image is seen in its runs, each
of which has other letters and other random numbers (``Variation``). Where all runs of both sides are equal the
difference is exact. Otherwise it has limits. The lower one decides about red: the rank-sum test inverted
(``ratio_limits``). The upper one decides about green: the largest ratio of two runs of one number, which is below the
median ratio with a chance of 1 in 32 where there are 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from math import ceil, comb, floor, log10
from typing import Final

from bench.instructions.model import TRIED_RUNS, Count, CountModel, Instructions

CLOCK: Final = ("qemu", "machine")
"""Inputs that define the clock, with every ``firmware ...``. Where they differ, the counts have different units."""
INSTRUMENT: Final = ("agent", "counter", "launcher")
"""Boxbench's programs in the guest, compiled on the host. Another compiler makes them longer or shorter."""
LEVEL: Final = 0.005
"""The largest chance that an interval lies wholly above the true ratio, and the same below."""
LIMITS_LEVEL: Final = 1 - LEVEL - 2.0**-TRIED_RUNS
"""The least chance that the true ratio is between the limits of a verdict."""
_LONGEST_PART: Final = 60


class CountOutcome(StrEnum):
    """How two counts relate."""

    IDENTICAL = "identical"
    CHANGED = "changed"
    NOT_COMPARABLE = "not comparable"
    UNSTABLE = "does not repeat"
    """Equal inputs gave different counts. Then only the statistics of many boots help."""


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
    low: float | None = None
    high: float | None = None
    """The limits of ``ratio`` after what the runs moved by themselves; both are equal to it where they did not move.
    None when the counts are not comparable."""
    tried: bool = False
    """Whether both sides have enough runs to show that. Otherwise the limits are assumed."""
    false_alarm: float = 0.0
    """The chance that the limits lie wholly above the true ratio; 0 where they are equal or assumed."""

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

    @property
    def exact(self) -> bool:
        """Whether the difference is exact: no run of either side moved by itself."""
        return self.tried and self.low is not None and self.low == self.high

    def regressed(self, *, band: float = 0.0) -> bool:
        """Whether the whole interval is above ``band``, a relative increase: 0.001 is 0.1 %."""
        return self.low is not None and self.low > 1 + band

    def unsure(self, *, band: float = 0.0) -> bool:
        """Whether the interval has ratios on both sides of ``band``, or there is none."""
        return self.low is None or self.high is None or self.low <= 1 + band < self.high

    def sure_from(self, *, band: float = 0.0) -> float | None:
        """The relative increase from which on these runs would tell a regression; None without an interval."""
        if self.ratio is None or not self.low:
            return None
        return (1 + band) * self.ratio / self.low - 1

    def as_json(self, *, band: float = 0.0) -> dict[str, object]:
        """All fields, with difference, ratio, exact, regressed and ``sure_from``."""
        derived = {
            "difference": self.difference,
            "ratio": self.ratio,
            "exact": self.exact,
            "regressed": self.regressed(band=band),
            "sure_from": self.sure_from(band=band),
        }
        return self.model_dump(mode="json") | derived


def compare_counts(a: Count, b: Count) -> CountVerdict:
    """Compare B with A. Their cells may differ in the scenario, but not in target, accelerator or factors."""
    changed = tuple(sorted(_changed(a, b)))
    outcome, reason = _judge(a, b, changed)
    comparable = outcome in (CountOutcome.IDENTICAL, CountOutcome.CHANGED)
    low, high, chance = _limits(a, b, outcome) if comparable else (None, None, 0.0)
    return CountVerdict(
        key=a.cell.key,
        outcome=outcome,
        instructions_a=a.instructions,
        instructions_b=b.instructions,
        inside=None if a.inside is None or b.inside is None else b.inside - a.inside,
        changed_inputs=changed,
        reason=reason,
        low=low,
        high=high,
        tried=a.tried and b.tried,
        false_alarm=chance,
    )


def _limits(a: Count, b: Count, outcome: CountOutcome) -> tuple[float, float, float]:
    """Low and high limit of the ratio, and the chance that the low one is above the truth."""
    if outcome is CountOutcome.IDENTICAL:
        return 1.0, 1.0, 0.0
    if a.tried and b.tried:
        low, high, chance = ratio_limits(a.executed, b.executed)
        if len(a.executed) == len(b.executed):
            # Runs of one number have the same random numbers and letters, so much of what moves them is equal.
            high = max(mine / theirs for theirs, mine in zip(a.executed, b.executed, strict=True))
        return low, high, 0.0 if low == high else chance
    ratio, slack = b.instructions / a.instructions, max(a.slack, b.slack)
    return ratio / (1 + slack), ratio * (1 + slack), 0.0


def ratio_limits(a: Sequence[int], b: Sequence[int]) -> tuple[float, float, float]:
    """Limits of the ratio of B's values to A's, exact for any distribution that B has scaled, from the rank-sum test.

    They are order statistics of all ratios of a value of B to one of A (Hodges & Lehmann 1963). With 5 values a side
    they are the extremes: red then means that every run of B is above every run of A by more than the band.

    Returns:
        Low, high, and the chance that ``low`` is above the truth, which is the same for ``high``.
    Raises:
        ValueError: so few values that no interval has the level: ``TRIED_RUNS`` a side are enough.
    """
    cut = _cut(len(a), len(b))
    ratios = sorted(mine / theirs for mine in b for theirs in a)
    return ratios[cut], ratios[-1 - cut], _chance(len(a), len(b), cut)


@lru_cache(maxsize=64)
def _cut(n: int, m: int) -> int:
    """How many of the smallest ratios are below the lower limit."""
    if _chance(n, m, 0) > LEVEL:
        raise ValueError(f"{n} and {m} values have no interval of level {LEVEL}")
    return next(cut for cut in range(n * m) if _chance(n, m, cut + 1) > LEVEL)


def _chance(n: int, m: int, cut: int) -> float:
    """The chance that the rank-sum statistic of equal distributions is at most ``cut``."""
    return sum(_ways(n, m, value) for value in range(cut + 1)) / comb(n + m, n)


@lru_cache(maxsize=4096)
def _ways(n: int, m: int, value: int) -> int:
    """The orders of n and m values in which exactly ``value`` pairs are inverted (Mann & Whitney 1947)."""
    if value < 0 or n < 0 or m < 0:
        return 0
    if n == 0 or m == 0:
        return int(value == 0)
    return _ways(n - 1, m, value - m) + _ways(n, m - 1, value)


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


def doubt(verdict: CountVerdict, *, band: float) -> str:
    """Why the interval of a comparable count does not settle ``band``, and from which increase on it would be red."""
    sure = _upwards(verdict.sure_from(band=band) or 0.0)
    if verdict.tried:
        return (
            f"the runs of a side differ without a change, so an increase is told from {sure} on; use a wider "
            "threshold, or the target runc"
        )
    return (
        f"fewer than {TRIED_RUNS} runs of a side do not show how much the count moves by itself, so an increase is "
        f"told from {sure} on"
    )


def _upwards(change: float) -> str:
    """``3.2%``: two digits, rounded up, so that it is a limit that holds."""
    step = 10 ** (floor(log10(change)) - 1) if change > 0 else 1.0
    return f"{ceil(change / step) * step * 100:.4g}%"


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
    # Runs of one number have the same random numbers and letters on both sides.
    pairs = list(zip(a.executed, b.executed, strict=False))
    if not changed and (gap := max(abs(one - other) for one, other in pairs)):
        return CountOutcome.UNSTABLE, f"no recorded input differs, but the counts differ by {gap} instructions"
    if len(a.clocks) == len(b.clocks) and a.executed == b.executed:
        return CountOutcome.IDENTICAL, "the same to the instruction" + (
            f", although {_list(changed)}" if changed else ""
        )
    return CountOutcome.CHANGED, _list(changed) if changed else "another number of runs"


def _why_not(a: Count, b: Count, changed: tuple[str, ...]) -> str | None:
    """Why two counts are not comparable; None when they are."""
    if _place(a) != _place(b):
        return f"{a.cell.key} and {b.cell.key} are different cells"
    clock = [name for name in changed if name in CLOCK or name.startswith("firmware ")]
    if clock:
        differ = "; ".join(f"{name}: {_parts(a.inputs.get(name), b.inputs.get(name))}" for name in clock)
        return f"the clocks differ ({differ})"
    ours = [name for name in changed if name in INSTRUMENT]
    if ours and a.instructions != b.instructions:
        return f"Boxbench's own {', '.join(ours)} changed (another version or compiler); count the baseline again"
    return None


def _parts(a: str | None, b: str | None) -> str:
    """The words that differ, with the word before them: ``-m 512M in A, -m 1G in B``."""
    one, other = ((text or "nothing").split(" ") for text in (a, b))
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    first = max(0, start - 1)
    parts = (" ".join(words[first : len(words) - end])[:_LONGEST_PART] for words in (one, other))
    return "{} in A, {} in B".format(*(part or "nothing" for part in parts))


def _list(changed: tuple[str, ...]) -> str:
    # Inputs that are derived from others add nothing when one of those is named.
    made = ("initramfs", "script", "command")
    named = [name for name in changed if name not in made] or list(changed)
    return f"{', '.join(named)} changed"
