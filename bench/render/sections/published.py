"""Published measurements of other hosts beside a campaign's own, for reports: a table, never a ratio."""

from __future__ import annotations

from typing import Final

from bench.analysis.ledger import residents_of
from bench.analysis.metrics import endpoint_metric
from bench.analysis.results import Analysis
from bench.published.table import NOT_STATED, STATISTICS, Published, published
from bench.records.record import Endpoint
from bench.render.sections.table import ReportTable
from bench.render.text import cell_label, quantity, short_median
from bench.scenario.first_start import is_first_start

PUBLISHED_NOTE: Final = (
    "Figures of others, from other hosts and years, whose times begin and end elsewhere. Beside them is this "
    "campaign's time to exec, which does not depend on the workload. They show whether it is plausible, and no ratio "
    "is made of them. Their VMs had KVM. `boxbench published` has the sources."
)
_OWN: Final = endpoint_metric(Endpoint.EXEC)


def published_table(analysis: Analysis, name: str) -> ReportTable | None:
    """For each published start that is like a box of the scenario one row; None when there is none.

    First starts and residents are left out: no source in the table has measured those.
    """
    rows = []
    for cell in analysis.cells(name):
        own = analysis.summary(cell, _OWN)
        found = [one for one in published() if one.metric == "start" and one.is_like(cell.target)]
        if own is None or is_first_start(cell.factors) or residents_of(cell) is not None:
            continue
        rows += [
            (
                cell_label(cell),
                short_median(own),
                amount(one),
                one.subject,
                f"{one.begins} – {one.ends}",
                f"{one.source.short}; {_host(one)}; {taken(one)}",
            )
            for one in found
        ]
    if not rows:
        return None
    head = ("box", "here: exec", "published", "of what", "from – to", "who, host, how")
    return ReportTable(title="Published elsewhere, on other hosts", head=head, rows=tuple(rows))


def amount(row: Published) -> str:
    """``188 ms``, ``at most 125 ms``."""
    text = quantity(row.value, row.unit)
    return f"≤ {text}" if row.statistic == "bound" else text


def _host(row: Published) -> str:
    return "host not stated" if row.source.host == NOT_STATED else row.source.host


def taken(row: Published) -> str:
    """``median of 100, 111 ms to 278 ms``."""
    of = " given for {} runs" if row.statistic == "single" else " of {}"
    words = STATISTICS[row.statistic] + (of.format(row.n) if row.n else "")
    if row.low is not None and row.high is not None:
        return f"{words}, {quantity(row.low, row.unit)} to {quantity(row.high, row.unit)}"
    return words if row.high is None else f"{words}, the largest {quantity(row.high, row.unit)}"
