"""Boxes that stay, in a report: what each further one takes, the ledger of the fullest host, when a daemon pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.analysis.ledger import UNEXPLAINED, UNRECLAIMABLE, residents_of, without_residents
from bench.analysis.metrics import MEMORY, component_position
from bench.analysis.residents import BreakEven, Marginal, break_evens, marginals
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.sections.facts import Table
from bench.render.text import FACTORS, MISSING, cell_label, quantity, short_median, significant, with_interval

ACCOUNT_NOTE: Final = (
    "Boxes that stay: the host is read at rest without them and with them. “held” is what it used more and cannot "
    "take back: without page cache, reclaimable slab, and what other programs took meanwhile. The slope is a weighted "
    "Theil-Sen line per block; its interval is over blocks."
)

# Column, and the metrics that are summed in it; a name that ends in a dot stands for all that begin with it.
COLUMNS: Final = (
    ("boxes", ("anon.",)),
    ("daemons", ("daemon.",)),
    ("harness", ("harness",)),
    ("kernel", ("kernel",)),
    ("tmpfs", ("shmem",)),
    ("unexplained", ("unexplained",)),
)
_REST: Final = COLUMNS[-1][0]


@dataclass(frozen=True)
class Ledger:
    """The medians of one cell's account, bytes."""

    cell: Cell
    boxes: int
    unreclaimable: float
    """By the host's own counters."""
    reclaimable: float
    parts: tuple[tuple[str, float], ...]
    """By column; those that no trial had are absent."""
    anon: tuple[tuple[str, float], ...]
    """``boxes`` by component."""
    share: float | None
    """Unexplained part of what is held, the median over trials; None when nothing is."""


def ledgers(analysis: Analysis, scenario: str) -> tuple[Ledger, ...]:
    """One per cell whose boxes stay, in the order of targets, then of residents."""
    cells = [(cell, boxes) for cell in analysis.cells(scenario) if (boxes := residents_of(cell)) is not None]
    first: dict[str, int] = {}
    for position, (cell, _) in enumerate(cells):
        first.setdefault(without_residents(cell).key, position)
    cells.sort(key=lambda pair: (first[without_residents(pair[0]).key], pair[1]))
    found = (_ledger(analysis, cell, boxes) for cell, boxes in cells)
    return tuple(ledger for ledger in found if ledger is not None)


def _ledger(analysis: Analysis, cell: Cell, boxes: int) -> Ledger | None:
    sizes = {
        summary.metric.removeprefix("ledger.").removesuffix("_bytes"): summary.median.value
        for summary in analysis.summaries
        if summary.cell.key == cell.key and summary.metric.startswith("ledger.")
    }
    if "unreclaimable" not in sizes:
        return None
    parts = [(title, [sizes[name] for name in sizes if _in(name, names)]) for title, names in COLUMNS]
    anon = [(name.removeprefix("anon."), size) for name, size in sizes.items() if name.startswith("anon.")]
    return Ledger(
        cell,
        boxes,
        sizes["unreclaimable"],
        sizes["reclaimable"],
        tuple((title, sum(values)) for title, values in parts if values),
        tuple(sorted(anon, key=lambda part: (component_position(part[0]), part[0]))),
        _share(analysis, cell),
    )


def _in(name: str, wanted: Sequence[str]) -> bool:
    return any(name.startswith(want) if want.endswith(".") else name == want for want in wanted)


def _share(analysis: Analysis, cell: Cell) -> float | None:
    held = {s.trial: s.value for s in analysis.of(cell, UNRECLAIMABLE)}
    shares = [s.value / held[s.trial] for s in analysis.of(cell, UNEXPLAINED) if held.get(s.trial, 0) > 0]
    return median(shares) if shares else None


def account_tables(analysis: Analysis, scenario: str) -> tuple[Table, ...]:
    """Slopes, ledgers and break-evens; empty when the scenario has no boxes that stay."""
    found = marginals(analysis, scenario)
    even = break_evens(found)
    tables = [
        _slopes(found),
        _shared(analysis, scenario, found),
        _ledger_table(ledgers(analysis, scenario)),
        Table("From how many boxes on daemons pay", ("box with daemons", "takes less than", "from"), _even(even)),
    ]
    return tuple(table for table in tables if table.rows)


def _slopes(found: Sequence[Marginal]) -> Table:
    head = ("box", "blocks", "held per box", "and reclaimable", "first box", "daemons")
    rows = [
        (
            cell_label(one.cell),
            f"{len(one.blocks)} of {len(one.blocks) + one.partial}" if one.partial else str(len(one.blocks)),
            with_interval(one.held.value, one.held.interval, "bytes"),
            MISSING if one.used is None else with_interval(one.used.value, one.used.interval, "bytes"),
            quantity(one.first, "bytes"),
            quantity(one.fixed, "bytes") if one.fixed else MISSING,
        )
        for one in found
    ]
    return Table(
        "What each further box takes from the host; what the first brings, and daemons, once", head, tuple(rows)
    )


def _shared(analysis: Analysis, scenario: str, found: Sequence[Marginal]) -> Table:
    """PSS falls where boxes share pages."""
    levels = sorted({level for one in found for level in one.levels})
    sizes = {
        (without_residents(cell), residents_of(cell)): short_median(analysis.summary(cell, MEMORY))
        for cell in analysis.cells(scenario)
    }
    rows = [(cell_label(one.cell), *(sizes.get((one.cell, level), MISSING) for level in levels)) for one in found]
    return Table("PSS of one box among so many", ("box", *map(str, levels)), tuple(rows))


def _ledger_table(found: Sequence[Ledger]) -> Table:
    """All parts of a row are in the unit of what is held: a narrow terminal has no room for more."""
    parts = [dict(ledger.parts) for ledger in found]
    titles = [title for title, _ in COLUMNS if title != _REST and any(sizes.get(title) for sizes in parts)]
    rows = []
    for ledger, sizes in zip(found, parts, strict=True):
        held = quantity(ledger.unreclaimable, "bytes")
        factor = FACTORS[held.rpartition(" ")[2]]
        numbers = [significant(sizes[title] / factor) if title in sizes else MISSING for title in titles]
        share = MISSING if ledger.share is None else share_words(ledger.share)
        rows.append((_short_label(ledger.cell), held, *numbers, share))
    title = "The ledger: what all boxes together hold, by holder, in the unit of what is held"
    return Table(title, ("box", "held", *titles, _REST), tuple(rows))


def _short_label(cell: Cell) -> str:
    """``docker × 8``."""
    return f"{cell_label(without_residents(cell))} × {residents_of(cell)}"


def share_words(share: float) -> str:
    """``0.4 %``."""
    return f"{100 * share:.1f} %".replace("-", "−")


def _even(found: Sequence[BreakEven]) -> tuple[tuple[str, ...], ...]:
    return tuple((cell_label(even.one), cell_label(even.other), _boxes(even)) for even in found)


def _boxes(even: BreakEven) -> str:
    """``11 boxes [10, 12]``; ``the first box`` when it takes less from there on."""
    value, interval = even.boxes.value, even.boxes.interval
    if math.isinf(value):
        return "never"
    text = "the first box" if value <= 1 else f"{math.ceil(value)} boxes"
    if interval is None or interval.low == interval.high:
        return text
    high = "∞" if math.isinf(interval.high) else f"{math.ceil(interval.high)}"
    return f"{text} [{math.ceil(interval.low)}, {high}{')' if high == '∞' else ']'}"
