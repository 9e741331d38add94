"""What a gate found, as frozen values: what every rendering and export is made from, and ``gate.json`` holds.

Numbers are in the unit that a metric's name ends in (``_ns``, ``_bytes``). Infinity (a median beyond the time
limit, the ratio to it) is the string ``"Infinity"`` in JSON; a value that does not exist is null, never zero.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from bench.instructions.model import ACCEL
from bench.util.errors import ExitCode

SCHEMA: Final = 1
RESULT: Final = "gate.json"
"""The file of a gate's directory that holds a GateResult."""
FIRST: Final = "first"
FRESH: Final = "fresh"
STAGES: Final = (FIRST, FRESH)
"""Directories in a gate's own: a campaign each, the second one where something was in question."""

FAILURES: Final = "failures"
"""The metric of the row about boots that ended badly, there only where they bear on the verdict. ``Look.base`` and
``Look.other`` are how many did, of all boots of both stages."""

LEVEL: Final = 0.05
"""The chance that a run goes red at all although nothing has changed, at most."""
POWER: Final = 0.95
"""The share of runs in which a change as large as the smallest visible one is found."""


class Frozen(BaseModel):
    """Immutable, and strict about what it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Verdict(StrEnum):
    """What may be said about one metric of one cell. An improvement is ``not regressed`` with ``Row.improved``."""

    REGRESSED = "regressed"
    NOT_REGRESSED = "not regressed"
    CANNOT_TELL = "cannot tell"


class Identity(Frozen):
    """What one side was."""

    name: Literal["A", "B"]
    label: str
    """As the user named it: a scenario, ``hello:docker``, a revision, the directory of a baseline."""
    kind: Literal["scenario", "commit", "baseline", "bounds"]
    commit: str | None = None
    """The full hash, for commits."""
    campaigns: tuple[str, ...] = ()
    """Ids of the campaigns that hold its boots: first look, fresh blocks; or the baseline's."""
    images: dict[str, str] = {}
    """Tree digests by scenario."""
    targets: dict[str, dict[str, str]] = {}
    """The targets' own descriptions by box (``docker``, ``libvirt/tcg``)."""


class Limits(Frozen):
    """``low`` <= ``high``; ``level``: coverage, in (0, 1), which is below 0.95 for 5 boots."""

    low: float
    high: float
    level: float


class Look(Frozen):
    """What one stage says about one row: its own boots only.

    Attributes:
        n_base, n_other: boots that count; those that failed or timed out are among them where the metric is censored.
        failures_base, failures_other: boots that failed or timed out, whether or not they bear on this metric.
        base, other: medians, in the metric's unit; None without a boot.
        ratio: other / base of the medians; None where there is none (too few boots, a zero), ``Row.reason`` says why.
        interval: of the ratio.
        p_worse, p_better: exact one-sided p values that B's values are larger, and that they are smaller (METHOD.md).
        all_zero: every value of both sides is 0, at least MIN_BOOTS of each: equal, though there is no ratio.
    """

    n_base: int
    n_other: int
    failures_base: int = 0
    failures_other: int = 0
    base: float | None = None
    other: float | None = None
    ratio: float | None = None
    interval: Limits | None = None
    p_worse: float | None = None
    p_better: float | None = None
    all_zero: bool = False


class Row(Frozen):
    """One metric of one pair of cells, with its verdict.

    Attributes:
        scenario: its name as in the file, without what the gate added to tell the sides apart.
        box: ``docker``, ``libvirt/tcg``; both sides' (``docker → docker[runtime=crun]``) where they differ.
        base_cell, other_cell: cell keys in the campaigns.
        accel: ``native``, ``kvm``, ``tcg`` or ``icount``: always the same on both sides.
        threshold: relative change that matters, 0.05 is 5 %.
        candidate: the first look did not rule a change out, so that fresh blocks had to decide.
        first, fresh: the two stages; ``fresh`` is None when the first look settled the row. Counts of instructions
            have one, ``fresh``, with the runs of each side, and neither interval nor p values: they are exact.
        p_adjusted: Holm-adjusted p value of "B is no worse" over all candidates; None when not tested.
        p_better_adjusted: the same for "B is no better".
        visible: the smallest relative change that the fresh blocks could see in 95 of 100 runs, said before they ran;
            None when the spread was unknown, infinite when so few boots can show nothing.
        improved: whole interval beyond the threshold on the good side, and significant.
        reason: one sentence for people: why this verdict.
    """

    scenario: str
    box: str
    base_cell: str
    other_cell: str
    accel: str
    metric: str
    better: Literal["lower", "higher"] = "lower"
    threshold: float
    candidate: bool = True
    first: Look | None = None
    fresh: Look | None = None
    p_adjusted: float | None = None
    p_better_adjusted: float | None = None
    visible: float | None = None
    verdict: Verdict
    improved: bool = False
    reason: str = ""

    @property
    def decisive(self) -> Look | None:
        """The stage that the verdict rests on."""
        return self.fresh or self.first

    @property
    def counted(self) -> bool:
        """Whether it is of the instruction clock: exact, and no time."""
        return self.accel == ACCEL

    @property
    def exact(self) -> bool:
        """Counted, and comparable."""
        return self.counted and self.decisive is not None and self.decisive.ratio is not None

    @property
    def name(self) -> str:
        """``hello/docker endpoint.ready_ns``: stable from run to run."""
        return f"{self.scenario}/{self.box} {self.metric}"


class Bound(Frozen):
    """A fixed limit of one metric, with what was measured; in the metric's unit."""

    cell: str
    metric: str
    minimum: float | None = None
    maximum: float | None = None
    n: int
    median: float | None = None
    interval: Limits | None = None
    verdict: Verdict
    reason: str = ""

    @property
    def name(self) -> str:
        """``hello/docker endpoint.ready_ns``: stable from run to run."""
        return f"{self.cell} {self.metric}"


class GateResult(Frozen):
    """A whole gate: compared sides in ``rows``, or fixed limits in ``bounds``."""

    # ``verdict`` and ``exit_code`` are in the JSON for its readers, and computed again when it is read back.
    model_config = ConfigDict(extra="ignore")

    schema_number: Literal[1] = SCHEMA
    created_at: str
    """ISO 8601, UTC."""
    boxbench: str
    """Version."""
    command: tuple[str, ...] = ()
    seed: int | None = None
    level: float = LEVEL
    """The chance of a red run without a change, at most; 0 where every row is counted."""
    a: Identity | None = None
    """What B is compared with; None for fixed limits."""
    b: Identity
    fingerprint: str
    """Of the host that both sides ran on; counts of a baseline may be of another."""
    host: dict[str, Any] = {}
    """Its facts."""
    rows: tuple[Row, ...] = ()
    bounds: tuple[Bound, ...] = ()
    blocks_first: int = 0
    blocks_fresh: int = 0
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether some rows are of the instruction clock."""
        return any(row.counted for row in self.rows)

    @property
    def times(self) -> bool:
        """Whether some rows are measured, and so judged by statistics."""
        return any(not row.counted for row in self.rows)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of all rows and bounds."""
        return (*(row.verdict for row in self.rows), *(bound.verdict for bound in self.bounds))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Verdict:
        """The worst: one regression is a red run; green only when every row is."""
        found = self.verdicts
        if Verdict.REGRESSED in found:
            return Verdict.REGRESSED
        return Verdict.NOT_REGRESSED if found and Verdict.CANNOT_TELL not in found else Verdict.CANNOT_TELL

    @computed_field  # type: ignore[prop-decorator]
    @property
    def exit_code(self) -> ExitCode:
        """0 not regressed, 3 regressed, 4 cannot tell."""
        return {
            Verdict.REGRESSED: ExitCode.REGRESSION,
            Verdict.NOT_REGRESSED: ExitCode.OK,
            Verdict.CANNOT_TELL: ExitCode.CANNOT_TELL,
        }[self.verdict]
