"""What a report shows, the same for every format. All text is cleaned and not escaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.plan.trials import Cell
from bench.render.sections.certificate import CertificateView
from bench.render.sections.facts import Pairs
from bench.render.sections.glossary import describe_columns
from bench.render.sections.headline import Answer
from bench.render.sections.problems import ProblemGroup, TrialProblem
from bench.render.sections.table import ReportTable
from bench.render.text import is_emulated

PSS_HEAD: Final = "memory, PSS"
HELD_HEAD: Final = "memory held, per box"


@dataclass(frozen=True, kw_only=True)
class BoxRow:
    """One box of a scenario's results, each column as text.

    Attributes:
        has_p95: False when there are too few boots for a p95.
    """

    cell: Cell
    label: str
    boots: str
    headline: str
    p95: str
    has_p95: bool
    ratio: str
    verdict: str
    memory: str
    cpu: str
    disk: str
    doubts: int
    failures: int
    is_baseline: bool


Column = tuple[str, Callable[[BoxRow], str]]
"""The head of a column, and what it has of each box."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One scenario.

    Attributes:
        headline: the endpoint that answers the question, such as ``ready``.
        polled: which endpoints were found by asking again and again; empty when none.
        memory: the head of the column with memory: which memory it is.
        preparation: what each target takes before its first start; None: the campaign has not noted it.
        published: what others have published of boxes like these; None: nothing.
        baseline: the target that the others are compared with.
        text: the scenario file.
    """

    name: str
    question: str
    headline: str
    baseline: str
    memory: str
    answer: Answer
    rows: tuple[BoxRow, ...]
    notes: tuple[str, ...]
    endpoints: ReportTable | None
    polled: str
    daemons: ReportTable | None
    cpu: ReportTable | None
    disk: ReportTable | None
    storms: tuple[ReportTable, ...]
    residents: tuple[ReportTable, ...]
    exercises: tuple[ReportTable, ...]
    first_starts: tuple[ReportTable, ...]
    preparation: ReportTable | None
    published: ReportTable | None
    text: str

    @property
    def has_p95(self) -> bool:
        """Whether any box has enough boots for a p95. Without one the column is left out."""
        return any(row.has_p95 for row in self.rows)

    @property
    def columns(self) -> str:
        """What the columns of the table of results are."""
        mixed = len({is_emulated(row.cell) for row in self.rows}) == 2
        return describe_columns(held=self.memory == HELD_HEAD, mixed=mixed)

    @property
    def times(self) -> list[Column]:
        """The columns of the table of results that say how long each box took, after its name."""
        return [
            ("boots", lambda row: row.boots),
            (self.headline, lambda row: row.headline),
            *([("p95", _p95)] if self.has_p95 else []),
            (f"against {self.baseline} [95 %]", lambda row: row.ratio),
            ("verdict", lambda row: row.verdict),
        ]

    @property
    def costs(self) -> list[Column]:
        """The columns that say what else each box took."""
        return [
            (self.memory, lambda row: row.memory),
            ("CPU per start", lambda row: row.cpu),
            ("own disk", lambda row: row.disk),
            ("doubts", lambda row: str(row.doubts or "")),
        ]


def _p95(row: BoxRow) -> str:
    return row.p95


@dataclass(frozen=True, kw_only=True)
class View:
    """A whole report.

    Attributes:
        extent: how many blocks in how many sittings.
        left_out: targets that did not run, and notes on the host.
        failures: trials and boxes without a result; equal ones are one group.
        disturbed: how many trials were disturbed.
        doubts: these trials, the first ones of many.
        doubt_kinds: doubts summed up by kind, and counters that could not be read.
        certificates: by scenario, whether its boxes ran the same.
        origins: where the images come from.
        targets: by box, versions and configuration: which container and which VM this is about.
        inside: by scenario, what each box reported about itself.
        redo: the command lines, of the first sitting and of each other.
        version: of Boxbench.
        made: ``simulated`` or ``replayed``, for titles; empty when boxes ran.
        origin: where the numbers come from then, as sentences; empty likewise.
    """

    title: str
    campaign: str
    created_at: str
    extent: str
    sections: tuple[Section, ...]
    footnotes: tuple[str, ...]
    left_out: tuple[str, ...]
    failures: tuple[ProblemGroup, ...]
    disturbed: int
    doubts: tuple[TrialProblem, ...]
    doubt_kinds: tuple[str, ...]
    certificates: tuple[CertificateView, ...]
    images: ReportTable | None
    origins: ReportTable | None
    targets: tuple[tuple[str, Pairs], ...]
    inside: tuple[ReportTable, ...]
    host: Pairs
    redo: tuple[str, ...]
    version: str
    made: str = ""
    origin: str = ""

    @property
    def redo_note(self) -> str:
        """The sentence before the commands of ``redo``."""
        each = " (each line is one sitting)" if len(self.redo) > 1 else ""
        return f"In the directory of this report, with {self.version}{each}:"
