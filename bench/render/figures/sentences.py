"""Titles of figures: one sentence each, made from the numbers and true of them.

A ratio is told upwards: 3.8× faster, and not 0.266×. Where the interval of a ratio holds 1, or the test does not
confirm the difference, the sentence says that it cannot be told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, overload

from bench.analysis.compare import inverted
from bench.analysis.estimates import Interval
from bench.analysis.metrics import Metric, headline
from bench.analysis.results import Analysis, CellSummary, Comparison
from bench.analysis.verdicts import RatioVerdict
from bench.plan.trials import Cell
from bench.render.sections.headline import answer_of
from bench.render.text import clean, describe_endpoint, median_text, quantity, significant
from bench.scenario.target_table import TARGETS, target_name

_Item = TypeVar("_Item")

_NO_LIMIT: Final = "no upper limit"
_ONE: Final = significant(1.0)
_NAME: Final = 60
"""Characters of a box's name in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """How a comparison of one quantity is told. ``{a}`` and ``{b}`` are names, ``{r}`` is a ratio of at least 1."""

    more: str
    less: str
    same: str
    unknown: str


START: Final = Words(
    more="{a} starts {r}× slower than {b}",
    less="{a} starts {r}× faster than {b}",
    same="{a} starts as fast as {b}",
    unknown="Whether {a} starts faster than {b} cannot be told",
)


def rates(thing: str) -> Words:
    """Words for a rate, of which more is better."""
    return Words(
        more=f"{{a}} reaches {{r}}× the {thing} of {{b}}",
        less=f"{{b}} reaches {{r}}× the {thing} of {{a}}",
        same=f"{{a}} reaches as much {thing} as {{b}}",
        unknown=f"Whether {{a}} reaches more {thing} than {{b}} cannot be told",
    )


def costs(thing: str) -> Words:
    """Words for a cost such as memory."""
    return Words(
        more=f"{{a}} takes {{r}}× the {thing} of {{b}}",
        less=f"{{b}} takes {{r}}× the {thing} of {{a}}",
        same=f"{{a}} takes as much {thing} as {{b}}",
        unknown=f"Whether {{a}} takes more {thing} than {{b}} cannot be told",
    )


def said(cell: Cell) -> str:
    """A box's name in a sentence: ``libvirt (tcg)``, with its factor levels: ``docker cache=cold``."""
    levels = " ".join(f"{name}={cell.factors[name]}" for name in sorted(cell.factors))
    accel = "" if cell.accel == "native" else f" ({cell.accel})"
    return clean(f"{cell.target}{accel} {levels}".strip(), limit=_NAME)


def compared(found: Comparison, words: Words) -> str:
    """A comparison as a sentence: ``libvirt (tcg) starts 29.1× slower than docker (27.0 to 31.3)``."""
    if found.ratio is None or found.ratio.value is None:
        raise ValueError("a comparison without a ratio has no sentence")
    names = {"a": said(found.other), "b": said(found.baseline)}
    value, interval = found.ratio.value, found.ratio.interval
    # Without a value of the baseline there is no ratio. So 0 is that of a rate that the other never reached.
    if math.isinf(value) or value == 0:
        return _never(names["a"], names["b"])
    sure = found.verdict in (RatioVerdict.SLOWER, RatioVerdict.FASTER)
    if sure and significant(max(value, 1 / value)) == _ONE:
        return _about_one(words, names, interval)
    if sure and value >= 1:
        return f"{words.more.format(**names, r=significant(value))} ({_range(interval.low, interval.high)})"
    if sure:
        low, high = _upwards(interval)
        return f"{words.less.format(**names, r=significant(1 / value))} ({_range(low, high)})"
    known = words.same if found.verdict is RatioVerdict.SAME else words.unknown
    return f"{known.format(**names)} ({_range(interval.low, interval.high)} times)"


def _never(lost: str, ready: str) -> str:
    """A median is infinite when the one boot in the middle, or one of the two, never got there."""
    return f"{lost} never got there in at least half of its boots, {ready} did in most of its boots"


def _about_one(words: Words, names: Mapping[str, str], interval: Interval) -> str:
    """Of a ratio that is written as 1: “1.00× slower” would be no difference with a direction."""
    around = f"({_range(interval.low, interval.high)} times)"
    if interval.low <= 0 or math.isinf(interval.high):
        return f"{words.unknown.format(**names)} {around}"
    within = max(interval.high, 1 / interval.low) - 1
    percent = math.ceil(100 * within - 1e-9)
    return f"{words.same.format(**names)} within {max(percent, 1)} % {around}"


def _upwards(interval: Interval) -> tuple[float, float]:
    """The interval of the inverse ratio."""
    return (0.0 if math.isinf(interval.high) else 1 / interval.high), (1 / interval.low if interval.low else math.inf)


def _range(low: float, high: float) -> str:
    """``27.0 to 31.3``; without an upper limit where time-outs leave none."""
    return f"{_end(low)} to {_end(high)}"


def _end(value: float) -> str:
    return _NO_LIMIT if math.isinf(value) else significant(value)


def main_comparison(analysis: Analysis, scenario: str, metric: Metric, cells: Sequence[Cell]) -> Comparison | None:
    """The comparison that a title tells: of the boxes of the answer, or of the last box that can be compared.

    A virtual machine under an emulated CPU comes before a container against a process; its name says so.
    """
    found = [one for cell in cells if (one := analysis.comparison(cell, metric)) is not None and _has_ratio(one)]
    if not found:
        return None
    answer = answer_of(analysis, scenario, headline(analysis.scenario(scenario)))
    own = [one for one in found if answer.pair is not None and one.other == answer.pair[0] and _is_vm(one.other)]
    emulated = [one for one in found if one.other == answer.emulated]
    pair = [one for one in found if answer.pair is not None and one.other == answer.pair[0]]
    turned = [inverted(one) for one in found if answer.pair is not None and one.other == answer.pair[1]]
    kept = [one for one in turned if _has_ratio(one)]
    return next(iter((*own, *emulated, *pair, *kept, found[-1])))


def _has_ratio(found: Comparison) -> bool:
    return found.ratio is not None and found.ratio.value is not None


def _is_vm(cell: Cell) -> bool:
    info = TARGETS.get(target_name(cell.target))
    return info is not None and info.has_own_kernel


def start_sentence(analysis: Analysis, scenario: str, cells: Sequence[Cell]) -> str:
    """How the starts of the boxes compare; without a comparison their medians."""
    metric = headline(analysis.scenario(scenario))
    found = main_comparison(analysis, scenario, metric, cells)
    return compared(found, START) if found else medians(analysis, cells, metric, f"until {describe_endpoint(metric)}")


def cost_sentence(analysis: Analysis, scenario: str, cells: Sequence[Cell], metric: Metric, thing: str) -> str:
    """How the boxes compare in what they take; without a comparison the medians."""
    found = main_comparison(analysis, scenario, metric, cells)
    return compared(found, costs(thing)) if found else medians(analysis, cells, metric, f"of {thing}")


def ends_of(found: Sequence[_Item]) -> Sequence[_Item]:
    """The first and the last; one where there is one, none where there is none."""
    return [*found[:1], *found[1:][-1:]]


@overload
def alike_ends(found: Sequence[Cell]) -> Sequence[Cell]: ...
@overload
def alike_ends(found: Sequence[_Item], cell_of: Callable[[_Item], Cell]) -> Sequence[_Item]: ...
def alike_ends(found: Sequence[Any], cell_of: Callable[[Any], Cell] = lambda cell: cell) -> Sequence[Any]:
    """The first and the last of those that have the same levels of all factors: of most of them, the first at a tie.

    A sentence names two boxes together, and a reader takes them for comparable.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Any]] = {}
    for one in found:
        groups.setdefault(tuple(sorted(cell_of(one).factors.items())), []).append(one)
    return ends_of(max(groups.values(), key=len, default=[]))


def medians(analysis: Analysis, cells: Sequence[Cell], metric: Metric, of: str) -> str:
    """``docker takes 173 ms until ready (median of 20 boots), libvirt (tcg) 4.65 s (median of 20)``: two at most."""
    known = [(cell, one) for cell in cells if (one := analysis.summary(cell, metric)) is not None]
    if not known:
        return f"No box has a median {of}"
    parts = []
    for cell, one in alike_ends(known, lambda pair: pair[0]):
        value = one.median.value
        count = f"median of {one.n} boots" if one.n > 1 else "one boot"
        if math.isinf(value):
            parts.append(
                f"{said(cell)} never got there in {'at least half of its boots' if one.n > 1 else 'its one boot'}"
            )
        else:
            parts.append(f"{said(cell)} takes {quantity(value, metric.unit)} {of} ({count})")
    return ", ".join(dict.fromkeys(parts))


def ladder_sentence(rungs: Sequence[tuple[Cell, CellSummary]], others: int) -> str:
    """The two ends of a ladder of two boxes or more, the fastest first, and how many boxes have no place on it.

    Args:
        others: boxes without a finite median.
    """
    (first, low), (last, high) = [(said(cell), quantity(one.median.value, "ns")) for cell, one in ends_of(rungs)]
    rest = f"; {others} more never got there in at least half of their boots" if others else ""
    if low == high:
        return f"All {len(rungs)} boxes have a median of {low}{rest}"
    return f"Of {len(rungs)} boxes {first} is the fastest with {low}, {last} the slowest with {high} (medians){rest}"


def distribution_sentence(analysis: Analysis, cells: Sequence[Cell], metric: Metric) -> str:
    """The median and the largest of two boxes: ``docker: median 173 ms, slowest boot 207 ms (n 20)``."""
    parts = []
    for cell in alike_ends(cells):
        values = sorted(analysis.values_of(cell, metric))
        one = analysis.summary(cell, metric)
        lost = sum(map(math.isinf, values))
        if lost:
            parts.append(f"{said(cell)}: {lost} of {len(values)} boots never got there")
        elif len(values) == 1:
            parts.append(f"{said(cell)}: one boot, {quantity(values[0], metric.unit)}")
        else:
            half = quantity(one.median.value if one else None, metric.unit)
            slowest = quantity(values[-1], metric.unit)
            parts.append(f"{said(cell)}: median {half}, slowest boot {slowest} (n {len(values)})")
    return "; ".join(parts)


def notes_of(analysis: Analysis, cells: Sequence[Cell], metric: Metric) -> str:
    """What a speaker needs beside the title: medians with intervals and n, failures, and what to be careful about."""
    lines, cares = [], dict[str, None]()
    for cell in cells:
        one = analysis.summary(cell, metric)
        if one is None:
            continue
        failed = f", {one.failures} failed" if one.failures else ""
        lines.append(f"{said(cell)}: {median_text(one)}, n {one.n}{failed}.")
        found = analysis.comparison(cell, metric)
        cares |= dict.fromkeys(clean(note) for note in (found.notes if found else ()))
    return " ".join([*lines, *(f"{note[:1].upper()}{note[1:]}." for note in cares)])
