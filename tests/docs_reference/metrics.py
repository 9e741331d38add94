"""The page of endpoints, components and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final, get_args

from bench.analysis.metric_families import FAMILIES, Family
from bench.analysis.metrics import Metric
from bench.analysis.values import START
from bench.records.component import Component
from bench.records.record import Endpoint
from bench.render.sections.glossary import ENDPOINTS
from bench.scenario.model import Headline
from bench.util.field_docs import field_docs
from tests.docs_figures import chapter
from tests.docs_reference.markdown import code, page, shown, table

_INTRO: Final = (
    "A name says what was measured, part by part, and ends in its unit: ns, bytes, per second, bytes per second. What "
    "was not measured is absent. Words in capitals stand for parts that differ."
)
_KINDS: Final = (
    "*Better* is what `gate` and `history` take for an improvement. The link leads to the chapter of METHOD that says "
    "how the number is made, and what its error is."
)


def text() -> str:
    """The page."""
    return page(
        "Endpoints and metrics",
        (_INTRO, ""),
        ("## Endpoints", "", "Instants in a box's life, in the order in which they can occur. No box has all.", ""),
        _endpoints(),
        ("## Components", "", "Parts of a box, and of the host around it, whose memory and CPU time are apart.", ""),
        _components(),
        ("## Metrics", "", _KINDS, ""),
        *(_kind(kind, tuple(families)) for kind, families in groupby(FAMILIES, lambda one: Metric(one.name).kind)),
    )


def _endpoints() -> Iterator[str]:
    rows = (
        (
            code(one),
            shown(ENDPOINTS[one]),
            "start" if one in START else "stop",
            "yes" if one in get_args(Headline) else "",
        )
        for one in Endpoint
    )
    return table(("endpoint", "instant", "part", "can be a `headline`"), rows)


def _components() -> Iterator[str]:
    more = field_docs(Component)
    rows = ((code(one), shown(one.label), shown(more.get(one.name, ""))) for one in Component)
    yield from table(("component", "what reports call it", "meaning"), rows)
    yield from (
        "`daemon.NAME` is a daemon of an engine. Threads of a VMM have their role behind `threads.`: `threads.vcpu`.",
        "",
    )


def _kind(kind: str, families: tuple[Family, ...]) -> Iterator[str]:
    yield from (f"### {kind}", "")
    yield from table(("metric", "unit", "meaning", "better", "METHOD"), map(_row, families))


def _row(one: Family) -> tuple[str, ...]:
    metric = Metric(one.name)
    unit = {"per_s": "per second", "bytes_per_s": "bytes per second"}.get(metric.unit, metric.unit)
    link = f"[{one.chapter}](../explanation/{chapter(one.chapter).name})"
    return code(one.name), unit, shown(one.meaning), one.better, link
