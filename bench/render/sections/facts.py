"""Facts about the host and the boxes: host facts, what agents report, endpoints and the memory of daemons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from bench.analysis.ledger import residents_of
from bench.analysis.metrics import MEMORY
from bench.analysis.results import Analysis
from bench.certificate.facts import RAW_KEYS
from bench.plan.trials import Cell
from bench.records.host_facts import host_facts
from bench.records.record import Endpoint
from bench.render.sections.glossary import ENDPOINTS
from bench.render.sections.lateness import late_rows
from bench.render.sections.table import ReportTable
from bench.render.text import MISSING, clean, median_text, quantity
from bench.util.units import decode_number

Pairs = tuple[tuple[str, str], ...]

_FIRST: Final = ("cpus", "mem_total_bytes", "memory_limit_bytes", "kernel", "machine", "uid", "gid", "cwd", "digest")
# These differ from boot to boot by nature, so they say nothing about equality. The records hold them.
_VOLATILE: Final = (
    "uptime_ns",
    "pid",
    "mem_available_bytes",
    "mem_listed_bytes",
    "argv",
    "cpu_stat",
    "flushes",
    "flush_ns",
)
_MOST_VALUES: Final = 3


def pairs(items: Iterable[tuple[str, object]]) -> Pairs:
    """Names and values, cleaned and on one line each."""
    return tuple((clean(str(name)), clean(str(value))) for name, value in items)


def host_pairs(facts: Mapping[str, object]) -> Pairs:
    """Host facts as clean text, one line each."""
    return pairs(host_facts(facts))


def inside_table(analysis: Analysis, scenario: str, cells: Sequence[tuple[Cell, str]]) -> ReportTable | None:
    """What agents report of their boxes beyond the certificate's facts: one row per fact, one column per box.

    None when no box reported any. Without a certificate all facts are here.
    """
    certified = RAW_KEYS if scenario in analysis.manifest.certificates else frozenset[str]()
    seen = [(label, analysis.inside.get(cell.key, {})) for cell, label in cells]
    names = {name for _, facts in seen for name in facts if name not in _VOLATILE and not name.startswith("env.")}
    names -= certified
    if not names:
        return None
    ordered = sorted(names, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
    rows = tuple((_title(name), *(_seen(name, facts.get(name, ())) for _, facts in seen)) for name in ordered)
    return ReportTable(scenario, ("seen inside", *(label for label, _ in seen)), rows)


def endpoint_table(analysis: Analysis, scenario: str, cells: Sequence[tuple[Cell, str]]) -> ReportTable | None:
    """The median of each endpoint by box, how late it may be, and the round trips of the event channel.

    None without endpoints.
    """
    rows = []
    for endpoint in Endpoint:
        found = [analysis.summary(cell, f"endpoint.{endpoint}_ns") for cell, _ in cells]
        if any(found):
            rows.append((f"{endpoint}: {ENDPOINTS[endpoint]}", *map(median_text, found)))
    rows += late_rows(analysis, cells)
    for words, pings in (("first round trip", slice(1)), ("later round trips", slice(1, None))):
        echoes = [_echo(analysis, cell, pings) for cell, _ in cells]
        if any(echo is not None for echo in echoes):
            rows.append((f"event channel, {words}", *(quantity(echo, "ns") for echo in echoes)))
    return ReportTable(scenario, ("since the request", *(label for _, label in cells)), tuple(rows)) if rows else None


def daemon_table(analysis: Analysis, scenario: str, cells: Sequence[tuple[Cell, str]]) -> ReportTable | None:
    """The memory of daemons, which a host has once, beside that of one box; None when no daemon was seen.

    Where boxes stay, the table of their costs has the daemons, and the PSS of one box would answer the question again.
    """
    cells = [(cell, label) for cell, label in cells if residents_of(cell) is None]
    entries = {cell.key: _memory(analysis, cell) for cell, _ in cells}
    if not any(daemons for _, daemons in entries.values()):
        return None
    rows = []
    for cell, label in cells:
        box, daemons = entries[cell.key]
        names = ", ".join(f"{name} {quantity(size, 'bytes')}" for name, size in daemons.items()) or "none"
        rows.append((label, quantity(box, "bytes"), names))
    return ReportTable(scenario, ("box", "one box, PSS", "daemons, once per host"), tuple(rows))


Memory = tuple[float | None, dict[str, float]]
"""PSS of one box (None when it was not measured) and of each daemon that serves it; medians, bytes."""


def _memory(analysis: Analysis, cell: Cell) -> Memory:
    one = analysis.summary(cell, MEMORY)
    daemons = {
        clean(name): summary.median.value
        for summary in analysis.summaries_of(cell)
        if (name := summary.metric.below("memory", "daemon")) is not None
    }
    return (one.median.value if one else None), daemons


def _echo(analysis: Analysis, cell: Cell, pings: slice) -> float | None:
    """The median over boots of each boot's median over some of its round trips, ns.

    The first one finds the channel as cold as the marks did. Later ones are up to a hundred times as fast.
    """
    boots = [median(found) for record in analysis.records_of(cell) if (found := record.channel_rtt_ns[pings])]
    return median(boots) if boots else None


def _seen(name: str, values: Sequence[str]) -> str:
    if not values:
        return MISSING
    if len(values) > _MOST_VALUES:
        return f"{len(values)} different values"
    # Sizes that differ by a few pages are the same text.
    return " or ".join(dict.fromkeys(_readable(name, value) for value in values))


def _title(name: str) -> str:
    """An agent's key as words: ``memory limit`` for ``memory_limit_bytes``."""
    return clean(name.removesuffix("_bytes").removesuffix("_ns").replace("_", " ").replace(".", ", "))


def _readable(name: str, value: str) -> str:
    size = decode_number(value) if name.endswith("_bytes") else None
    return clean(value, limit=120) if size is None else quantity(size, "bytes")
