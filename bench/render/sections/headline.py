"""The one sentence that answers a scenario's question, written from its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bench.analysis.metrics import CPU, MEMORY, Metric
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.analysis.stats import Verdict
from bench.plan.trials import Cell
from bench.records.record import Endpoint
from bench.render.text import bracket, cell_label, clean, quantity, ratio_text, times, until_words

ACCEL_WARNING: Final = {
    "tcg": "tcg: emulated CPU. This is not what KVM would cost.",
    "icount": "icount: virtual time, one instruction is one nanosecond. This is not this host's speed.",
}


EXEC: Final = f"endpoint.{Endpoint.EXEC.value}_ns"
"""The agent's word that it is about to run the workload."""


@dataclass(frozen=True)
class Cost:
    """One ratio for large type: ``18.5×``, its interval, and of what it is."""

    value: str
    interval: str
    of: str


@dataclass(frozen=True)
class Lead:
    """The one sentence that answers a scenario's question."""

    scenario: str
    text: str
    costs: tuple[Cost, ...]
    """The headline's ratio first, then memory and CPU; empty when nothing could be compared."""
    warning: str
    """What must stand beside it; empty when nothing must."""
    label: str = ""
    """The box it is about."""
    base: str = ""
    """What that is compared with."""


def lead_of(analysis: Analysis, name: str, metric: Metric) -> Lead:
    """The sentence is about a VM where there is one: kvm before tcg, the last listed of several.

    Never about a box without an agent: it has not run the workload.
    """
    found = [c for c in analysis.comparisons if c.other.scenario == name and c.metric == metric and c.ratio]
    virtual = [c for c in found if c.other.accel != "native" and analysis.summary(c.other, EXEC) is not None]
    # A virtual machine is what the question is about; the bare process is the control, not an answer.
    boxed = virtual or [c for c in found if c.other.target != "process"] or found
    if not boxed:
        return _lead_without_ratio(analysis, name, metric)
    chosen = max(enumerate(boxed), key=lambda item: (item[1].other.accel == "kvm", item[0]))[1]
    return _sentence(analysis, name, chosen)


def _sentence(analysis: Analysis, name: str, chosen: Comparison) -> Lead:
    other, base = (analysis.summary(cell, chosen.metric) for cell in (chosen.other, chosen.base))
    labels = cell_label(chosen.other), cell_label(chosen.base)
    text = (
        f"{name}: {_reached(chosen.metric)} {_after(other)} in {labels[0]} against "
        f"{_at(base)} in {labels[1]}: {ratio_text(chosen)}{_judged(chosen)}, "
        f"{_boots(other, base)}."
    )
    names = {chosen.metric: f"time until {until_words(chosen.metric)}", MEMORY: "memory", CPU: "CPU per start"}
    costs = tuple(
        Cost(times(found.ratio.value), bracket(found.ratio.interval), words)
        for metric, words in names.items()
        if (found := analysis.comparison(chosen.other, metric)) and found.ratio
    )
    return Lead(name, text, costs, accel_warning((chosen.other, chosen.base)), *labels)


def _lead_without_ratio(analysis: Analysis, name: str, metric: Metric) -> Lead:
    cells = analysis.cells(name)
    seen = [(cell, summary) for cell in cells if (summary := analysis.summary(cell, metric))]
    parts = [f"{_after(summary)} in {cell_label(cell)} (n = {summary.n})" for cell, summary in seen]
    if not parts:
        return Lead(name, f"{name}: no boot has ended yet.", (), accel_warning(cells))
    why = next((c.notes[0] for c in analysis.comparisons if c.other.scenario == name and c.metric == metric), "")
    reason = f": {clean(why.removeprefix('no ratio: '))}" if why else ""
    text = f"{name}: {_reached(metric)} {', '.join(parts)}. No comparison{reason}."
    return Lead(name, text, (), accel_warning(cells))


def _judged(chosen: Comparison) -> str:
    """What the ratio alone might hide: that it is as good as 1, or could be."""
    words = {Verdict.SAME: ", which counts as the same", Verdict.CANNOT_TELL: ", too uncertain to say which is slower"}
    return words.get(chosen.verdict, "")


def accel_warning(cells: Iterable[Cell]) -> str:
    """The warning that numbers of these cells carry; empty when every CPU was real."""
    return " ".join(ACCEL_WARNING[accel] for accel in sorted({cell.accel for cell in cells}) if accel in ACCEL_WARNING)


def _at(summary: CellSummary | None) -> str:
    return quantity(summary.median.value if summary else None, "ns")


def _reached(metric: Metric) -> str:
    return until_words(metric).removeprefix("the ")


def _after(summary: CellSummary | None) -> str:
    return f"after {_at(summary)}" if summary and summary.median.value != math.inf else _at(summary)


def _boots(*summaries: CellSummary | None) -> str:
    counts = [summary.n for summary in summaries if summary]
    failures = sum(summary.failures for summary in summaries if summary)
    each = f"{counts[0]} boots each" if len(set(counts)) == 1 else " and ".join(f"{n}" for n in counts) + " boots"
    return f"{each}, {failures} of them failed" if failures else each
