"""The answer to a scenario's question: one sentence and up to three ratios, written from the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.analysis.compare import inverted
from bench.analysis.ledger import memory_metric, residents_of
from bench.analysis.metrics import CPU, Metric
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.analysis.verdicts import RatioVerdict
from bench.anatomy.model import TRACE
from bench.plan.trials import Cell
from bench.render.text import (
    cell_label,
    clean,
    describe_endpoint,
    is_emulated,
    is_speed,
    ratio_text,
    short_median,
    upward_parts,
    upward_text,
)
from bench.scenario.factors import MULTI_BOX_FACTORS
from bench.scenario.first_start import is_first_start
from bench.scenario.target_table import TARGETS, has_agent, target_name

ACCEL_WARNING: Final = {
    "tcg": "tcg: emulated CPU. This is not what KVM would cost.",
    "icount": "icount: virtual time, one instruction is one nanosecond. This is not this host's speed.",
}
HELD: Final = "memory held by"
"""Begins the name of a cost in memory of many boxes."""
_HOST_KERNEL: Final = ("process", "namespaces", "container", "gvisor")
"""Kinds of boxes that share the host's kernel."""


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
        costs: the headline's ratio first, then memory and CPU; empty when nothing could be compared. No box here has an
            emulated CPU.
        shape: what boxes with an emulated CPU did, in one sentence; empty when there are none, or when a VM ran on a
            real CPU.
        warning: what readers have to know beside the numbers; empty when every CPU was real.
        pair: the box that the answer is about, and the one that it is compared with; None without a comparison.
        emulated: the box of ``shape``.
    """

    text: str
    costs: tuple[Cost, ...] = ()
    shape: str = ""
    warning: str = ""
    pair: tuple[Cell, Cell] | None = None
    emulated: Cell | None = None

    @property
    def label(self) -> str:
        """The name of the box that the answer is about; empty without a comparison."""
        return cell_label(self.pair[0]) if self.pair else ""

    @property
    def baseline(self) -> str:
        """The name of the box that it is compared with; empty without a comparison."""
        return cell_label(self.pair[1]) if self.pair else ""


def answer_of(analysis: Analysis, name: str, metric: Metric) -> Answer:
    """The answer for one scenario's headline metric.

    It is about a box with a kernel of its own where one ran on a real CPU (kvm before others), else about the container
    against the bare process, else about any other box. An emulated CPU gives no size, so its ratio is never the answer:
    it is told in ``shape``. A box without an agent has not run the workload, so it answers only when there is no other.
    A target as it comes answers before the same with options, which the scenario compares it with. Where images came to
    the host after the request, the answer is about such starts. In an anatomy's campaign it is about starts without
    tracing.
    """
    found = [c for c in analysis.comparisons if c.other.scenario == name and c.metric == metric and c.ratio]
    found = [c for c in found if is_first_start(c.other.factors) and is_first_start(c.baseline.factors)] or found
    found = [c for c in found if c.other.factors.get(TRACE) != "on"] or found
    real = [c for c in found if not (is_emulated(c.other) or is_emulated(c.baseline))]
    chosen = _chosen([c for c in real if has_agent(target_name(c.other.target))] or real)
    shape = _shape(analysis, [c for c in found if is_emulated(c.other) and has_agent(target_name(c.other.target))])
    if chosen is not None and chosen.other.accel == "kvm":
        return _answer_with_ratio(analysis, name, chosen)
    if chosen is None:
        return replace(shape, text=_text_without_ratio(analysis, name, metric, emulated_only=bool(shape.shape)))
    answer = _answer_with_ratio(analysis, name, chosen)
    return replace(answer, shape=shape.shape, warning=shape.warning, emulated=shape.emulated)


def _chosen(real: Sequence[Comparison]) -> Comparison | None:
    """Of comparisons between real CPUs the one that answers the question; None when there is none."""
    own = [c for c in real if _has_own_kernel(c.other)]
    if own:
        return max(enumerate(own), key=lambda item: (item[1].other.accel == "kvm", _is_plain(item[1]), item[0]))[1]
    boxed = [c for c in real if c.other.target != "process"]
    process = [c for c in real if c.other.target == "process"]
    # Where the container is the baseline, the question is its cost against the bare process, and not the reverse.
    turned = [turn for c in process if (turn := inverted(c)).ratio is not None]
    containers = [c for c in boxed if target_name(c.other.target) == "docker"] if _is_process(boxed) else []
    return _last(turned or containers or boxed or process)


def _last(found: Sequence[Comparison]) -> Comparison | None:
    """The last one whose box has no options, else the last one; None of none."""
    return max(enumerate(found), key=lambda item: (_is_plain(item[1]), item[0]))[1] if found else None


def _is_plain(comparison: Comparison) -> bool:
    """Whether its box is a target as it comes, without options in brackets."""
    return comparison.other.target == target_name(comparison.other.target)


def _is_process(comparisons: Sequence[Comparison]) -> bool:
    return bool(comparisons) and comparisons[-1].baseline.target == "process"


def _has_own_kernel(cell: Cell) -> bool:
    info = TARGETS.get(target_name(cell.target))
    return cell.accel != "native" or (info is not None and info.kind not in _HOST_KERNEL)


def _answer_with_ratio(analysis: Analysis, name: str, chosen: Comparison) -> Answer:
    other, base = (analysis.summary(cell, chosen.metric) for cell in (chosen.other, chosen.baseline))
    text = (
        f"{name}: {_reached(chosen.metric)} {_after(other)} in {cell_label(chosen.other)} against "
        f"{_median(base)} in {cell_label(chosen.baseline)}: {upward_text(chosen)}{uncertainty(chosen)}, "
        f"{_boots(other, base)}.{_caveat(chosen.other)}"
    )
    memory, boxes = memory_metric(chosen.other), residents_of(chosen.other)
    names = {
        chosen.metric: f"time until {describe_endpoint(chosen.metric)}",
        memory: "memory, PSS" if boxes is None else f"{HELD} {boxes} boxes",
        CPU: "CPU per start",
    }
    costs = tuple(
        cost_of(found, what)
        for metric, what in names.items()
        if (found := between(analysis, chosen.other, chosen.baseline, metric)) and found.ratio
    )
    return Answer(text=text, costs=costs, pair=(chosen.other, chosen.baseline))


def cost_of(found: Comparison, what: str) -> Cost:
    """A ratio in large letters, read upwards; the word says which way where the number alone would mislead."""
    number, word, interval = upward_parts(found)
    turned = word and found.ratio is not None and found.ratio.value is not None and found.ratio.value < 1
    return Cost(number, interval, f"{what}: {word}" if turned else what)


def _caveat(cell: Cell) -> str:
    info = TARGETS.get(target_name(cell.target))
    return f" {info.caveat}" if info is not None and info.caveat else ""


def between(analysis: Analysis, other: Cell, base: Cell, metric: Metric) -> Comparison | None:
    """The comparison of two cells of which one is the baseline; None when there is none."""
    direct = analysis.comparison(other, metric)
    if direct is not None and direct.baseline == base:
        return direct
    turned = analysis.comparison(base, metric)
    return inverted(turned) if turned is not None and turned.baseline == other else None


def _shape(analysis: Analysis, found: Sequence[Comparison]) -> Answer:
    """An answer without text that tells one of these comparisons as a shape: of libvirt's default VM, else the last.

    Empty when there is none.
    """
    if not found:
        return Answer(text="")
    last = next((one for one in reversed(found) if one.other.target == "libvirt"), found[-1])
    other, compared = (analysis.summary(cell, last.metric) for cell in (last.other, last.baseline))
    label, base = cell_label(last.other), cell_label(last.baseline)
    reached = f"{_reached(last.metric)} {_after(other)}"
    text = f"{label}, emulated: {reached}, {ratio_text(last)} of {base}, {_boots(other, compared)}."
    return Answer(text="", shape=text, warning=accel_warning((last.other, last.baseline)), emulated=last.other)


def boxes_of(cell: Cell) -> str | None:
    """How many boxes one trial of the cell times or adds up; None when it has one. Beside a storm others only live."""
    return next((cell.factors[name] for name in reversed(MULTI_BOX_FACTORS) if name in cell.factors), None)


def _text_without_ratio(analysis: Analysis, name: str, metric: Metric, *, emulated_only: bool) -> str:
    cells = analysis.cells(name)
    seen = [(cell, summary) for cell in cells if (summary := analysis.summary(cell, metric))]
    parts = [f"{_after(summary)} in {cell_label(cell)} (n = {summary.n})" for cell, summary in seen]
    if not parts:
        return f"{name}: no boot has ended yet."
    if emulated_only:
        return f"{name}: {_reached(metric)} {', '.join(parts)}. No comparison between real CPUs."
    why = next((c.notes[0] for c in analysis.comparisons if c.other.scenario == name and c.metric == metric), "")
    reason = f": {clean(why.removeprefix('no ratio: '))}" if why else ""
    return f"{name}: {_reached(metric)} {', '.join(parts)}. No comparison{reason}."


def uncertainty(chosen: Comparison) -> str:
    """What the ratio alone does not say: that it counts as 1, or could be 1."""
    more = "slower" if is_speed(chosen.metric) else "more"
    notes = {
        RatioVerdict.SAME: ", which counts as the same",
        RatioVerdict.CANNOT_TELL: f", too uncertain to say which is {more}",
    }
    return notes.get(chosen.verdict, "")


def accel_warning(cells: Iterable[Cell]) -> str:
    """The warning about the accelerators of these cells; empty when every CPU was real."""
    return " ".join(ACCEL_WARNING[accel] for accel in sorted({cell.accel for cell in cells}) if accel in ACCEL_WARNING)


def _median(summary: CellSummary | None) -> str:
    return short_median(summary)


def _reached(metric: Metric) -> str:
    return describe_endpoint(metric).removeprefix("the ")


def _after(summary: CellSummary | None) -> str:
    finite = summary is not None and summary.median.value != math.inf
    return f"after {_median(summary)}" if finite else _median(summary)


def _boots(*summaries: CellSummary | None) -> str:
    """``7 boots each``; of trials with many boxes ``5 trials of 8 boxes each``."""
    counts = [summary.n for summary in summaries if summary]
    failures = sum(summary.failures for summary in summaries if summary)
    many = {boxes_of(summary.cell) for summary in summaries if summary} - {None}
    what = f"trials of {many.pop()} boxes" if len(many) == 1 else "boots"
    each = f"{counts[0]} {what} each" if len(set(counts)) == 1 else " and ".join(f"{n}" for n in counts) + f" {what}"
    return f"{each}, {failures} of them failed" if failures else each
