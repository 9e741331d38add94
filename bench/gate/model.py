"""The result of a gate as frozen values. ``gate.json`` stores it; every report and export is made from it.

Numbers are in the unit that a metric's name ends in (``_ns``, ``_bytes``). Infinity (a median beyond the time limit,
or the ratio to it) is the string ``"Infinity"`` in JSON. A value that does not exist is null, never zero.

Schema history of ``gate.json``:
    1: first form.
    2: stages are called ``screening`` and ``confirmation``, sides ``a`` and ``b``, ``visible`` is ``detectable``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from bench.analysis.estimates import Interval
from bench.instructions.model import ACCEL
from bench.records import results
from bench.scenario.fields import Label
from bench.util.errors import ExitCode

SCHEMA: Final = 2
RESULT: Final = results.GATE
"""The file in a gate's directory that holds its GateResult."""
SCREENING: Final = "screening"
CONFIRMATION: Final = "confirmation"
STAGES: Final = (SCREENING, CONFIRMATION)
"""Subdirectories of a gate's directory, one campaign each. The second exists only where a row needed new blocks."""

FAILURES: Final = "failures"
"""The metric of a row about failed boots. Such a row exists only where failures affect the verdict. Its ``median_a``
and ``median_b`` are the numbers of failed boots, over all boots of both stages."""

LEVEL: Final = 0.05
"""The largest chance that a run is red although nothing has changed."""


APART_LEVEL: Final = 0.01
"""The chance that sides which do not drift apart seem to, and are judged by a wider interval."""
POWER: Final = 0.95
"""The share of runs in which a change of the smallest detectable size is found."""


def level_of(again: int) -> float:
    """The level of a run after so many earlier ones. All of them together stay below ``2 * LEVEL``."""
    return LEVEL / 2.0**again


class GateModel(BaseModel):
    """An immutable model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Verdict(StrEnum):
    """The verdict on one metric of one cell. An improvement is ``not regressed`` with ``GateRow.improved``."""

    REGRESSED = "regressed"
    NOT_REGRESSED = "not regressed"
    CANNOT_TELL = "cannot tell"


class Identity(GateModel):
    """What was measured on one side.

    Attributes:
        label: as the user named it: a scenario, ``hello:docker``, a revision, or the directory of a baseline.
        commit: the full hash; None unless the side is a revision.
        campaigns: ids of the campaigns with its boots: screening, then confirmation; or the baseline's.
        images: digest of the file tree by scenario.
        targets: the targets' own descriptions by box (``docker``, ``libvirt/tcg``).
    """

    name: Literal["A", "B"]
    """The side."""
    label: str
    kind: Literal["scenario", "commit", "baseline", "bounds"]
    """What the label names."""
    commit: str | None = None
    campaigns: tuple[str, ...] = ()
    images: dict[str, str] = {}
    targets: dict[Label, dict[str, str]] = {}


class StageResult(GateModel):
    """What the boots of one stage show about one row.

    Attributes:
        n_a, n_b: boots that count. Failed boots are among them where the metric is censored.
        failures_a, failures_b: boots that failed or timed out, whether or not this metric needs them.
        median_a, median_b: medians in the metric's unit; None without a boot.
        ratio: median_b / median_a. None with too few boots or a zero; then ``GateRow.reason`` says why.
        interval: of the ratio; None without a ratio, and for counts of instructions that are exact.
        p_worse, p_better: exact one-sided p values that B's values are larger, and that they are smaller (METHOD.md).
        autocorrelation, p_apart: of neighbouring blocks' ratios, and the p value that they are in random order; None
            without blocks in common. A small p value: A and B drift apart on their own.
        interval_apart: then, the interval of the ratio that allows for it.
        all_zero: every value of both sides is 0, with at least MIN_BOOTS boots each: equal, without a ratio.
    """

    n_a: int
    n_b: int
    failures_a: int = 0
    failures_b: int = 0
    median_a: float | None = None
    median_b: float | None = None
    ratio: float | None = None
    interval: Interval | None = None
    p_worse: float | None = None
    p_better: float | None = None
    autocorrelation: float | None = None
    p_apart: float | None = None
    interval_apart: Interval | None = None
    all_zero: bool = False


class GateRow(GateModel):
    """One metric of one pair of cells, with its verdict.

    Attributes:
        scenario: its name as in the file, without the suffix by which the gate tells the sides apart.
        box: ``docker``, ``libvirt/tcg``; ``docker → docker[runtime=crun]`` where the sides differ.
        cell_a, cell_b: cell keys in the campaigns.
        accel: ``native``, ``kvm``, ``tcg`` or ``icount``: the same on both sides.
        threshold: the smallest relative change that matters; 0.05 is 5 %.
        candidate: screening did not rule a change out, so that confirmation decides.
        screening, confirmation: the two stages. ``confirmation`` is None when screening settled the row. Counts of
            instructions have only ``confirmation``, with the runs of each side.
        p_adjusted: Holm-adjusted p value of "B is no worse" over all candidates; None when not tested.
        p_better_adjusted: the same for "B is no better".
        detectable: the smallest relative change that confirmation finds in 95 of 100 runs, computed before it ran.
            None when the spread was unknown; infinite when so few boots can show no change. Of counts that are not
            exact: the smallest increase that these runs would call a regression.
        improved: the whole interval is beyond the threshold on the good side, and significant.
        reason: one sentence: why this verdict.
    """

    scenario: str
    box: Label
    cell_a: Label
    cell_b: Label
    accel: str
    metric: str
    """The metric's name."""
    better: Literal["lower", "higher"] = "lower"
    """Which way is better."""
    threshold: float
    candidate: bool = True
    screening: StageResult | None = None
    confirmation: StageResult | None = None
    p_adjusted: float | None = None
    p_better_adjusted: float | None = None
    detectable: float | None = None
    verdict: Verdict
    """The verdict on this row."""
    improved: bool = False
    reason: str = ""

    @property
    def decisive(self) -> StageResult | None:
        """The stage that the verdict rests on; None when neither ran."""
        return self.confirmation or self.screening

    @property
    def counted(self) -> bool:
        """Whether the row counts instructions instead of measuring time."""
        return self.accel == ACCEL

    @property
    def exact(self) -> bool:
        """Whether the row counts instructions, and no run of either side moved by itself."""
        found = self.decisive
        return self.counted and found is not None and found.ratio is not None and found.interval is None

    @property
    def name(self) -> str:
        """``hello/docker endpoint.ready_ns``: the same in every run."""
        return f"{self.scenario}/{self.box} {self.metric}"


class Bound(GateModel):
    """A fixed limit of one metric with the measured value, in the metric's unit."""

    cell: Label
    """The cell's key."""
    metric: str
    """The metric's name."""
    minimum: float | None = None
    """The limit; null: none."""
    maximum: float | None = None
    """The limit; null: none."""
    n: int
    """How many boots count."""
    median: float | None = None
    """Of these boots; null without one."""
    interval: Interval | None = None
    """Of the median; null with too few boots."""
    verdict: Verdict
    """The verdict on this limit."""
    reason: str = ""
    """One sentence: why this verdict."""

    @property
    def name(self) -> str:
        """``hello/docker endpoint.ready_ns``: the same in every run."""
        return f"{self.cell} {self.metric}"


class GateResult(GateModel):
    """The whole result of a gate: compared sides in ``rows``, or fixed limits in ``bounds``.

    Attributes:
        created_at: ISO 8601, UTC.
        boxbench: version that made it.
        level: the largest chance of a red run without a change; 0 where every row is an exact count of instructions;
            None where none is promised, against too few stored campaigns.
        again: how many runs of this comparison came before, as the user says. Each halves the level.
        a: what B is compared with; None for fixed limits.
        fingerprint: of the host on which both sides ran. Counts of a baseline may be of another host.
        host: the host's facts.
    """

    # ``verdict`` and ``exit_code`` are in the JSON for its readers; they are computed again when it is read.
    model_config = ConfigDict(extra="ignore")

    schema_number: Literal[2] = SCHEMA
    """Of the form of this file."""
    created_at: str
    boxbench: str
    command: tuple[str, ...] = ()
    """The command line."""
    seed: int | None = None
    """The order of trials is drawn from it; null where nothing ran."""
    level: float | None = LEVEL
    again: int = 0
    a: Identity | None = None
    b: Identity
    """What is judged."""
    fingerprint: str
    host: dict[str, Any] = {}
    rows: tuple[GateRow, ...] = ()
    """One for each metric of each pair of cells."""
    bounds: tuple[Bound, ...] = ()
    """One for each fixed limit."""
    blocks_screening: int = 0
    """How many blocks screening had."""
    blocks_confirmation: int = 0
    """How many blocks confirmation had; 0 where no row needed it."""
    notes: tuple[str, ...] = ()
    """Sentences for every report."""

    @property
    def counts(self) -> bool:
        """Whether some rows count instructions."""
        return any(row.counted for row in self.rows)

    @property
    def times(self) -> bool:
        """Whether some rows are measured, and so judged by statistics."""
        return any(not row.counted for row in self.rows)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Verdicts of all rows and bounds."""
        return (*(row.verdict for row in self.rows), *(bound.verdict for bound in self.bounds))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Verdict:
        """The worst verdict: one regression makes the run red; the run is green only when every row is."""
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
