"""A campaign as frames and figures: ``bench.open_campaign``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.analysis.analyse import analyse, to_samples
from bench.analysis.estimates import Interval
from bench.analysis.frame import factors_text, sample_frame
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.plan.trials import Cell
from bench.records.campaign import read_campaign
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.render.sections.preparation import bills
from bench.util.errors import UsageError
from bench.util.text import meant_or_listed

if TYPE_CHECKING:
    import pandas as pd

    from bench.render.figures import Figure

RESULT_DTYPES: Final[Mapping[str, str]] = {
    "cell": "string",
    "scenario": "string",
    "target": "string",
    "box": "string",
    "accel": "string",
    "factors": "string",
    "metric": "string",
    "unit": "string",
    "median": "float64",
    "low": "float64",
    "high": "float64",
    "bracket": "string",
    "p95": "float64",
    "n": "int64",
    "censored": "int64",
    "failures": "int64",
    "timeouts": "int64",
    "missing": "int64",
    "doubts": "int64",
    "source": "string",
}
"""The columns of ``OpenedCampaign.results`` in order, with their dtypes."""
COMPARISON_DTYPES: Final[Mapping[str, str]] = {
    "scenario": "string",
    "metric": "string",
    "unit": "string",
    "cell": "string",
    "box": "string",
    "baseline": "string",
    "baseline_box": "string",
    "ratio": "float64",
    "low": "float64",
    "high": "float64",
    "n": "int64",
    "p_value": "float64",
    "verdict": "string",
    "notes": "string",
}
"""The columns of ``OpenedCampaign.comparisons`` likewise."""
PREPARATION_DTYPES: Final[Mapping[str, str]] = {
    "scenario": "string",
    "target": "string",
    "step": "string",
    "shared": "bool",
    "took_ns": "float64",
    "cached": "int64",
    "bytes": "float64",
}
"""The columns of ``OpenedCampaign.preparation`` likewise."""


@dataclass(frozen=True)
class OpenedCampaign:
    """A campaign directory that was read. ``bench.open_campaign`` makes it; nothing of it is ever written.

    Attributes:
        path: the directory.
        manifest: what was planned and where: scenarios, images, targets, the plan, the host, the seed.
        records: one record per trial that has run, failed ones included, in the order in which they were written.
    """

    path: Path
    manifest: Manifest
    records: tuple[Record, ...]

    def __repr__(self) -> str:
        """In a line, as a notebook shows it: its records would fill pages."""
        names = ", ".join(self.scenarios)
        return f"<campaign {str(self.path)!r}: {len(self.records)} of {len(self.manifest.plan)} trials of {names}>"

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The names of its scenarios."""
        return tuple(self.manifest.scenarios)

    @cached_property
    def analysis(self) -> Analysis:
        """Medians with intervals, ratios with verdicts, and drift: what the report is made from.

        Raises:
            NotComparableError: records of another campaign, or a cell that mixes sources.
        """
        return analyse(self.manifest, self.records)

    def frame(self) -> pd.DataFrame:
        """A tidy frame: one row per boot and metric, no index but the row number.

        =========== ======= ==========================================================================================
        column      dtype   content
        =========== ======= ==========================================================================================
        campaign    string  id of the campaign
        cell        string  ``SCENARIO/BOX`` with factors: the unit that is compared
        scenario    string  name of the scenario
        target      string  target with its options, such as ``libvirt[console=serial]``
        box         string  target and accelerator, such as ``libvirt/tcg``; the target alone for ``native``
        accel       string  ``native``, ``kvm`` or ``tcg``
        factors     string  ``NAME=LEVEL`` of each factor, sorted, joined by commas; empty without factors
        block       int64   number of the block, from 0; reports count from 1. Boots of one ran close in time
        warmup      bool    the boot is a warm-up; results leave it out
        trial       string  id of the trial; rows of one boot share it
        outcome     string  ``ok``, ``timeout`` or ``failed``
        metric      string  name of the metric, such as ``endpoint.ready_ns``; docs/explanation describes them all
        unit        string  ``ns``, ``bytes``, ``per_s``, ``bytes_per_s``; empty for a plain number
        value       float64 the value in that unit; when ``censored`` inf, of a rate 0
        censored    bool    the boot failed or timed out before the metric had a value
        doubts      int64   number of disturbances on the boot's record
        source      string  ``measured``, ``replayed`` or ``simulated``
        =========== ======= ==========================================================================================

        A metric that was not measured in a boot has no row: no value is ever missing or zero instead. A censored value
        is inf, of a rate 0, so that medians and quantiles over boots count failures as worse than every boot that
        succeeded. Leave it out where a mean is wanted: ``frame[~frame["censored"]]``. A campaign without records gives
        a frame without rows and with all columns.

        Raises:
            NotComparableError: as ``analysis``.
        """
        analysis = self.analysis
        return sample_frame(to_samples(analysis.manifest, analysis.records), analysis.records)

    def results(self) -> pd.DataFrame:
        """One row per cell and metric, warm-ups left out: the numbers of the report's tables.

        ``median`` stands between ``low`` and ``high``, in ``unit``; ``bracket`` says what these are: ``interval``, of
        95 %, or ``range``. They are NaN with too few boots, as ``p95`` is. inf is a boot that never got there.
        ``n`` counts boots with a value, ``censored`` those of them that failed; ``failures`` and ``timeouts`` count
        trials of the cell, ``missing`` boots that ended well without a value, ``doubts`` disturbed ones.

        Raises:
            NotComparableError: as ``analysis``.
        """
        return _frame((_result(one) for one in self.analysis.summaries), RESULT_DTYPES)

    def comparisons(self) -> pd.DataFrame:
        """One row per cell and metric that is compared with the scenario's baseline.

        ``ratio`` is the median of ``cell`` over that of ``baseline``, with its 95 % interval ``low`` to ``high`` over
        ``n`` blocks; it is NaN where there is none, and ``notes`` say why. ``p_value`` is that of the one comparison;
        ``verdict`` (``faster``, ``slower``, ``same``, ``cannot tell``) allows for all of the campaign.

        Raises:
            NotComparableError: as ``analysis``.
        """
        return _frame((_comparison(one) for one in self.analysis.comparisons), COMPARISON_DTYPES)

    def preparation(self) -> pd.DataFrame:
        """What each target took before its first start, one row per target and step; without rows in older campaigns.

        ``took_ns`` is NaN where all was in the cache: it was not measured. ``cached`` says how many things were.
        ``shared`` steps are those that other targets need too, and were done once.
        """
        rows = (
            (bill.scenario, bill.target, part.name, not part.target, part.took_ns, part.cached, part.bytes)
            for scenario in self.scenarios
            for bill in bills(self.manifest, scenario)
            for part in bill.parts
        )
        return _frame(rows, PREPARATION_DTYPES)

    def figures(
        self, style: str = "page", *, only: Sequence[str] = (), targets: Sequence[str] = (), png: bool = False
    ) -> tuple[Figure, ...]:
        """The figures of the report, in the order of a talk. Each has ``name``, ``title``, ``light_svg`` and ``data``.

        Args:
            style: ``page``, ``talk`` (16:9), ``slide`` (as ``talk`` without a title), ``talk-square``, ``paper``
                (85 mm) or ``paper-wide`` (170 mm).
            only: names of figures, such as ``["hello-ecdf"]``; all when empty.
            targets: whose boxes are shown, such as ``["docker", "libvirt"]``; as many as the style has room for when
                empty.
            png: also draw ``light_png``.

        Raises:
            UsageError: there is no style of that name, or the campaign has no such figure or target.
            NotComparableError: as ``analysis``.
        """
        from bench.render.figures import STYLES, campaign_figures  # noqa: PLC0415 - matplotlib takes a second
        from bench.render.figures.shown import against_shown, check_choice, choosing  # noqa: PLC0415 - likewise

        if style not in STYLES:
            raise UsageError(
                f"there is no style {style!r} of figures",
                hint=meant_or_listed(style, STYLES, f"choose from {', '.join(STYLES)}"),
            )
        # A single name is a sequence, too: of its letters.
        names, labels = ([one] if isinstance(one, str) else list(one) for one in (only, targets))
        check_choice(self.analysis, labels)
        with choosing(labels):
            manifest = against_shown(self.manifest)
            analysis = self.analysis if manifest is self.manifest else analyse(manifest, self.records)
            found = campaign_figures(analysis, style=STYLES[style], only=names, png=png)
        self._refuse_missing(names, found)
        return found

    def _refuse_missing(self, names: Sequence[str], found: Sequence[Figure]) -> None:
        drawn = {figure.name for figure in found}
        for name in (name for name in names if name not in drawn):
            known = [figure.name for figure in self.figures()]
            if name in known:
                raise UsageError(
                    f"the campaign has a figure {name!r}, but not with these targets or in this style",
                    hint="name more targets, or choose the style page",
                )
            listed = f"it has {', '.join(known) or 'none'}"
            raise UsageError(f"the campaign has no figure {name!r}", hint=meant_or_listed(name, known, listed))

    def figure(self, name: str, style: str = "page", *, png: bool = False) -> Figure:
        """The figure of that name.

        Raises:
            UsageError: the campaign has no such figure, or there is no such style.
            NotComparableError: as ``analysis``.
        """
        (found,) = self.figures(style, only=[name], png=png)
        return found


def open_campaign(path: str | Path) -> OpenedCampaign:
    """Read a campaign directory, complete or not. Nothing is written and nothing is locked.

    Args:
        path: the directory that ``boxbench run`` printed.

    Raises:
        CampaignError: not a campaign directory, or its manifest is damaged.
        RecordError: a line of the records is damaged. A last line that a crash cut off is left out instead.
    """
    directory = Path(path)
    return OpenedCampaign(directory, *read_campaign(directory))


def _result(one: CellSummary) -> tuple[Any, ...]:
    shown = one.median.shown
    low, high = (math.nan, math.nan) if shown is None else (shown.low, shown.high)
    bracket = "" if shown is None else "interval" if isinstance(shown, Interval) else "range"
    p95 = math.nan if one.p95 is None else one.p95.value
    counts = (one.n, one.median.censored, one.failures, one.timeouts, one.missing, one.doubts)
    return (
        *_named(one.cell),
        str(one.metric),
        one.metric.unit,
        one.median.value,
        low,
        high,
        bracket,
        p95,
        *counts,
        one.source,
    )


def _named(cell: Cell) -> tuple[str, ...]:
    return (cell.key, cell.scenario, cell.target, cell.box, cell.accel, factors_text(cell))


def _comparison(one: Comparison) -> tuple[Any, ...]:
    ratio = one.ratio
    numbers: tuple[float | int, ...] = (math.nan, math.nan, math.nan, 0)
    if ratio is not None:
        value = math.nan if ratio.value is None else ratio.value
        numbers = (value, ratio.interval.low, ratio.interval.high, ratio.n)
    p_value = math.nan if one.p_value is None else one.p_value
    boxes = (one.other.key, one.other.box, one.baseline.key, one.baseline.box)
    said = (str(one.verdict), "; ".join(one.notes))
    return (one.other.scenario, str(one.metric), one.metric.unit, *boxes, *numbers, p_value, *said)


def _frame(rows: Iterator[tuple[Any, ...]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - takes half a second

    return pd.DataFrame(list(rows), columns=list(dtypes)).astype(dict(dtypes))
