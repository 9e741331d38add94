"""The answer to a scenario's question: one sentence and up to three ratios, written from the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bench.analysis.metrics import CPU, MEMORY, Metric
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.analysis.stats import RatioVerdict
from bench.plan.trials import Cell
from bench.records.record import Endpoint
from bench.render.text import (
    bracket,
    cell_label,
    clean,
    describe_endpoint,
    format_ratio,
    quantity,
    ratio_text,
)

ACCEL_WARNING: Final = {
    "tcg": "tcg: emulated CPU. This is not what KVM would cost.",
    "icount": "icount: virtual time, one instruction is one nanosecond. This is not this host's speed.",
}
EXEC: Final = f"endpoint.{Endpoint.EXEC.value}_ns"
"""Present only in boxes with an agent, which have really run the workload."""


@dataclass(frozen=True)
class Cost:
    """One ratio in large type: ``18.5×``, its interval, and what it is a ratio of."""

    value: str
    interval: str
    of: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a scenario's question.

    Attributes:
        text: one sentence or more, clean text.
        costs: the headline's ratio first, then memory and CPU; empty when nothing could be compared.
        warning: what readers have to know beside the numbers; empty when every CPU was real.
        label: the box that the answer is about; empty without a comparison.
        baseline: the box that it is compared with; empty without a comparison.
    """

    text: str
    costs: tuple[Cost, ...] = ()
    warning: str = ""
    label: str = ""
    baseline: str = ""


def answer_of(analysis: Analysis, name: str, metric: Metric) -> Answer:
    """The answer for one scenario's headline metric.

    It is about a virtual machine where there is one: kvm before tcg, and the last listed of several. It is never about
    a box without an agent, which has not run the workload.
    """
    found = [c for c in analysis.comparisons if c.other.scenario == name and c.metric == metric and c.ratio]
    virtual = [c for c in found if c.other.accel != "native" and analysis.summary(c.other, EXEC) is not None]
    # The bare process is the control: it answers the question only when there is no other box.
    boxed = virtual or [c for c in found if c.other.target != "process"] or found
    if not boxed:
        return _answer_without_ratio(analysis, name, metric)
    chosen = max(enumerate(boxed), key=lambda item: (item[1].other.accel == "kvm", item[0]))[1]
    return _answer_with_ratio(analysis, name, chosen)


def _answer_with_ratio(analysis: Analysis, name: str, chosen: Comparison) -> Answer:
    other, base = (analysis.summary(cell, chosen.metric) for cell in (chosen.other, chosen.baseline))
    label, baseline_label = cell_label(chosen.other), cell_label(chosen.baseline)
    text = (
        f"{name}: {_reached(chosen.metric)} {_after(other)} in {label} against "
        f"{_median(base)} in {baseline_label}: {ratio_text(chosen)}{_uncertainty(chosen)}, "
        f"{_boots(other, base)}."
    )
    names = {chosen.metric: f"time until {describe_endpoint(chosen.metric)}", MEMORY: "memory", CPU: "CPU per start"}
    costs = tuple(
        Cost(format_ratio(found.ratio.value), bracket(found.ratio.interval), what)
        for metric, what in names.items()
        if (found := analysis.comparison(chosen.other, metric)) and found.ratio
    )
    warning = accel_warning((chosen.other, chosen.baseline))
    return Answer(text=text, costs=costs, warning=warning, label=label, baseline=baseline_label)


def _answer_without_ratio(analysis: Analysis, name: str, metric: Metric) -> Answer:
    cells = analysis.cells(name)
    seen = [(cell, summary) for cell in cells if (summary := analysis.summary(cell, metric))]
    parts = [f"{_after(summary)} in {cell_label(cell)} (n = {summary.n})" for cell, summary in seen]
    if not parts:
        return Answer(text=f"{name}: no boot has ended yet.", warning=accel_warning(cells))
    why = next((c.notes[0] for c in analysis.comparisons if c.other.scenario == name and c.metric == metric), "")
    reason = f": {clean(why.removeprefix('no ratio: '))}" if why else ""
    text = f"{name}: {_reached(metric)} {', '.join(parts)}. No comparison{reason}."
    return Answer(text=text, warning=accel_warning(cells))


def _uncertainty(chosen: Comparison) -> str:
    """What the ratio alone does not say: that it counts as 1, or could be 1."""
    notes = {
        RatioVerdict.SAME: ", which counts as the same",
        RatioVerdict.CANNOT_TELL: ", too uncertain to say which is slower",
    }
    return notes.get(chosen.verdict, "")


def accel_warning(cells: Iterable[Cell]) -> str:
    """The warning about the accelerators of these cells; empty when every CPU was real."""
    return " ".join(ACCEL_WARNING[accel] for accel in sorted({cell.accel for cell in cells}) if accel in ACCEL_WARNING)


def _median(summary: CellSummary | None) -> str:
    return quantity(summary.median.value if summary else None, "ns")


def _reached(metric: Metric) -> str:
    return describe_endpoint(metric).removeprefix("the ")


def _after(summary: CellSummary | None) -> str:
    finite = summary is not None and summary.median.value != math.inf
    return f"after {_median(summary)}" if finite else _median(summary)


def _boots(*summaries: CellSummary | None) -> str:
    counts = [summary.n for summary in summaries if summary]
    failures = sum(summary.failures for summary in summaries if summary)
    each = f"{counts[0]} boots each" if len(set(counts)) == 1 else " and ".join(f"{n}" for n in counts) + " boots"
    return f"{each}, {failures} of them failed" if failures else each
