"""Two campaigns beside each other, as frozen values. ``bench.compare.compare`` makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from bench.analysis.metrics import Metric
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.analysis.verdicts import RatioVerdict
from bench.plan.trials import Cell
from bench.records.manifest import Manifest

ControlWord = Literal["stayed", "moved a bit", "moved"]
"""Of a control: 1 lies in its interval; it does not, but the ratio counts as the same; neither."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two campaigns.

    Attributes:
        name: ``A`` or ``B``.
        label: its directory, as the user named it.
    """

    name: str
    label: str
    analysis: Analysis

    @property
    def manifest(self) -> Manifest:
        """The manifest of its campaign."""
        return self.analysis.manifest


class Difference(NamedTuple):
    """One thing that is not the same in both campaigns. A text is empty where a campaign does not have it."""

    what: str
    a: str
    b: str


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """One metric of a box that both campaigns have.

    Attributes:
        scenario: its name in A.
        comparison: B over A; None where no ratio is given, see ``Compared.no_ratios``. "Faster", "slower" and "same"
            stand only where the control of the same factor levels agrees, and in a control's own row.
        is_control: the row is the control itself: the same program as a bare process, in both campaigns.
        control: of the control of one workload, whether it stayed; None for other rows, other workloads, and no ratio.
        doubt: why the verdict is "cannot tell" although the interval alone would give another one; else empty.
    """

    scenario: str
    metric: Metric
    a: CellSummary
    b: CellSummary
    comparison: Comparison | None
    is_control: bool
    control: ControlWord | None = None
    doubt: str = ""

    @property
    def cell(self) -> Cell:
        """The cell in A."""
        return self.a.cell

    @property
    def verdict(self) -> RatioVerdict | None:
        """None where no ratio is given."""
        return None if self.comparison is None else self.comparison.verdict


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The whole comparison.

    Attributes:
        no_ratios: one sentence: why the campaigns stand side by side without a ratio; empty where there are ratios.
        differences: what is not the same, the most important first.
        same: what is the same, in words.
        only_a, only_b: cells that one campaign has alone, by their keys.
        notes: sentences about what the comparison cannot say.
    """

    a: Side
    b: Side
    no_ratios: str
    differences: tuple[Difference, ...]
    same: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    notes: tuple[str, ...]
