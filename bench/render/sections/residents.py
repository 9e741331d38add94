"""Boxes that stay, in a report: the cost of each further box, the memory ledger, and when a daemon pays off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bench.analysis.estimates import Estimate
from bench.analysis.ledger import residents_of, without_residents
from bench.analysis.metrics import MEMORY
from bench.analysis.residents import HOLDERS, BreakEven, Ledger, MarginalCost, break_evens, ledgers, marginal_costs
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.sections.headline import HELD, Answer
from bench.render.sections.table import ReportTable
from bench.render.text import FACTORS, MISSING, cell_label, format_estimate, quantity, short_median, significant

RESIDENTS_NOTE: Final = (
    "Memory of many boxes: the number to tell is “held” (not reclaimable): what the boxes added to the "
    "memory that the host uses and cannot take back, without what other programs took in the meantime. “With caches” "
    "adds page cache and reclaimable slab of the whole host, which cost nothing until memory is short; other programs "
    "change them too, so it can be below zero. PSS divides each page among the processes that map it, so it falls as "
    "boxes share; it counts file pages too, and misses the kernel's own memory. The cost of a further box is the slope "
    "of a weighted Theil-Sen line per block; its interval is over blocks."
)
PSS_NOTE: Final = (
    "Memory is PSS: what the box's processes on the host map, shim and VMM included. A page that several processes map "
    "is divided among them. This is the memory of one box. A scenario with `factors: residents` measures what many "
    "boxes need."
)
_UNEXPLAINED: Final = "unexplained"


def resident_tables(analysis: Analysis, scenario: str) -> tuple[ReportTable, ...]:
    """Costs per further box, PSS, ledgers and break-evens; empty when no boxes of the scenario stay."""
    costs = marginal_costs(analysis, scenario)
    tables = [
        _cost_table(costs),
        _pss_table(analysis, scenario, costs),
        _ledger_table(ledgers(analysis, scenario)),
        ReportTable(
            "From how many boxes on a daemon pays off",
            ("box with daemons", "takes less than", "from"),
            tuple((cell_label(even.one), cell_label(even.other), _boxes(even)) for even in break_evens(costs)),
        ),
    ]
    return tuple(table for table in tables if table.rows)


def _cost_table(costs: Sequence[MarginalCost]) -> ReportTable:
    head = ("box", "blocks", "held (tell this)", "with caches", "once, shared", "daemons")
    rows = [
        (
            cell_label(cost.cell),
            f"{len(cost.blocks)} of {len(cost.blocks) + cost.partial}" if cost.partial else str(len(cost.blocks)),
            format_estimate(cost.unreclaimable, "bytes"),
            MISSING if cost.added is None else format_estimate(cost.added, "bytes"),
            _once(cost.intercept),
            quantity(cost.fixed, "bytes") if cost.fixed else MISSING,
        )
        for cost in costs
    ]
    title = "Memory that each further box takes, and what all boxes share and daemons take once"
    return ReportTable(title, head, tuple(rows))


def _once(found: Estimate) -> str:
    """What all boxes share. A line starts a little above or below 0 by chance: then there is nothing to tell."""
    interval = found.interval
    if interval is not None and interval.low <= 0 <= interval.high:
        return f"none seen (± {quantity(max(-interval.low, interval.high), 'bytes')})"
    return quantity(found.value, "bytes") if found.value > 0 else "none seen"


def resident_answer(answer: Answer, analysis: Analysis, scenario: str) -> Answer:
    """The answer with the memory of each further box first; unchanged when no boxes of the scenario stay."""
    costs = marginal_costs(analysis, scenario)
    if not costs:
        return answer
    sizes = (f"{quantity(cost.unreclaimable.value, 'bytes')} in {cell_label(cost.cell)}" for cost in costs)
    text = f"{scenario}: each further box holds {', '.join(sizes)}."
    memory = [cost for cost in answer.costs if cost.of.startswith(HELD)]
    others = [cost for cost in answer.costs if cost not in memory]
    return replace(answer, text=f"{text} {answer.text}", costs=(*memory, *others))


def _pss_table(analysis: Analysis, scenario: str, costs: Sequence[MarginalCost]) -> ReportTable:
    """PSS by number of boxes: it falls where boxes share pages."""
    levels = sorted({level for cost in costs for level in cost.levels})
    sizes = {
        (without_residents(cell), residents_of(cell)): short_median(analysis.summary(cell, MEMORY))
        for cell in analysis.cells(scenario)
    }
    rows = [(cell_label(cost.cell), *(sizes.get((cost.cell, level), MISSING) for level in levels)) for cost in costs]
    return ReportTable("For comparison, PSS of one box, by number of boxes", ("box", *map(str, levels)), tuple(rows))


def _ledger_table(found: Sequence[Ledger]) -> ReportTable:
    """All parts of a row are in the unit of its total, since a narrow terminal has no room for more units."""
    holders = [name for name in HOLDERS if name != _UNEXPLAINED and any(ledger.holders.get(name) for ledger in found)]
    rows = []
    for ledger in found:
        total = quantity(ledger.unreclaimable, "bytes")
        factor = FACTORS[total.rpartition(" ")[2]]
        numbers = [
            significant(ledger.holders[name] / factor) if name in ledger.holders else MISSING for name in holders
        ]
        share = MISSING if ledger.unexplained_share is None else format_share(ledger.unexplained_share)
        rows.append((_short_label(ledger.cell), total, *numbers, share))
    title = "Memory ledger: what all boxes together hold (not reclaimable), by holder, in the total's unit"
    return ReportTable(title, ("box", "total", *holders, _UNEXPLAINED), tuple(rows))


def _short_label(cell: Cell) -> str:
    """``docker × 8``."""
    return f"{cell_label(without_residents(cell))} × {residents_of(cell)}"


def format_share(share: float) -> str:
    """``0.4 %``."""
    return f"{100 * share:.1f} %".replace("-", "−")


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
