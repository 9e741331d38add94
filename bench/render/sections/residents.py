"""Boxes that stay, in a report: what each further one takes, the ledger of the fullest host, when a daemon pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from bench.analysis.ledger import residents_of, without_residents
from bench.analysis.metrics import MEMORY
from bench.analysis.residents import HOLDERS, BreakEven, Ledger, MarginalCost, break_evens, ledgers, marginal_costs
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.sections.facts import Table
from bench.render.text import FACTORS, MISSING, cell_label, format_estimate, quantity, short_median, significant

ACCOUNT_NOTE: Final = (
    "Boxes that stay: the host is read at rest without them and with them. “held” is what it used more and cannot "
    "take back: without page cache, reclaimable slab, and what other programs took meanwhile. The slope is a weighted "
    "Theil-Sen line per block; its interval is over blocks."
)

_REST: Final = "unexplained"


def account_tables(analysis: Analysis, scenario: str) -> tuple[Table, ...]:
    """Slopes, ledgers and break-evens; empty when the scenario has no boxes that stay."""
    found = marginal_costs(analysis, scenario)
    even = break_evens(found)
    tables = [
        _slopes(found),
        _shared(analysis, scenario, found),
        _ledger_table(ledgers(analysis, scenario)),
        Table("From how many boxes on daemons pay", ("box with daemons", "takes less than", "from"), _even(even)),
    ]
    return tuple(table for table in tables if table.rows)


def _slopes(found: Sequence[MarginalCost]) -> Table:
    head = ("box", "blocks", "held per box", "and reclaimable", "first box", "daemons")
    rows = [
        (
            cell_label(one.cell),
            f"{len(one.blocks)} of {len(one.blocks) + one.partial}" if one.partial else str(len(one.blocks)),
            format_estimate(one.unreclaimable, "bytes"),
            MISSING if one.added is None else format_estimate(one.added, "bytes"),
            quantity(one.intercept, "bytes"),
            quantity(one.fixed, "bytes") if one.fixed else MISSING,
        )
        for one in found
    ]
    return Table(
        "What each further box takes from the host; what the first brings, and daemons, once", head, tuple(rows)
    )


def _shared(analysis: Analysis, scenario: str, found: Sequence[MarginalCost]) -> Table:
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
    holders = [name for name in HOLDERS if name != _REST and any(ledger.holders.get(name) for ledger in found)]
    rows = []
    for ledger in found:
        sizes = ledger.holders
        held = quantity(ledger.unreclaimable, "bytes")
        factor = FACTORS[held.rpartition(" ")[2]]
        numbers = [significant(sizes[title] / factor) if title in sizes else MISSING for title in holders]
        share = MISSING if ledger.unexplained_share is None else share_words(ledger.unexplained_share)
        rows.append((_short_label(ledger.cell), held, *numbers, share))
    title = "The ledger: what all boxes together hold, by holder, in the unit of what is held"
    return Table(title, ("box", "held", *holders, _REST), tuple(rows))


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
