"""Go's benchmark text, for ``benchstat``: one result line per boot.

The grammar is that of the Go project's design document 14313. A name is one word that begins with ``Benchmark`` and an
upper case letter; its parts follow as ``/key=value``, so that ``benchstat -col /box`` puts boxes side by side.
"""

from __future__ import annotations

import re
from typing import Final

from bench.analysis.metrics import EXERCISE_OWN, bigger_is_better
from bench.export.base import Export, Table
from bench.plan.trials import Cell
from bench.util.cache import content_key

_SPACES: Final = re.compile(r"\s+")
_LINE_BREAKS: Final = re.compile(r"[\r\n]+")


def export(table: Table) -> Export:
    """``go-benchmark.txt``. A line holds all metrics of a boot: ``BenchmarkHello/box=docker 1 188000000 ready-ns``."""
    lines = [*_configuration(table), "", *_units(table), ""]
    for cell, block in _boots(table):
        parts = [
            f"{_number(column.values[block])} {unit_of(column.metric)}"
            for column in table.columns
            if column.cell.key == cell.key and block in column.values
        ]
        lines.append("\t".join((name_of(cell), "1", *parts)))
    return Export({"go-benchmark.txt": ("\n".join(lines) + "\n").encode()}, table.notes)


def unit_of(metric: str) -> str:
    """The metric's name as one word, which a unit must be: ``endpoint.ready-ns``."""
    return _SPACES.sub("-", metric.replace("_", "-"))


def name_of(cell: Cell) -> str:
    """``BenchmarkHello/box=docker``, with factors as further parts."""
    scenario, box = _word(cell.scenario), _word(cell.box)
    # Without slashes, two paths in options may be equal. The hash keeps the boots of two boxes apart.
    box += f"-{content_key(cell.box)[:8]}" if "=/" in cell.box else ""
    parts = [
        f"box={box}",
        *(f"{_word(name)}={_word(level)}" for name, level in sorted(cell.factors.items())),
    ]
    return "/".join((f"Benchmark{scenario[:1].upper()}{scenario[1:]}", *parts))


def _word(text: str) -> str:
    # A slash would begin another part of the name.
    return _SPACES.sub("_", text.replace("/", "-"))


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else repr(value)


def _configuration(table: Table) -> list[str]:
    host = table.manifest.host
    pairs = {
        "goos": "linux",
        "goarch": {"x86_64": "amd64", "aarch64": "arm64"}.get(
            str(host.get("architecture")), str(host.get("architecture"))
        ),
        "pkg": "boxbench",
        "cpu": str(host.get("cpu_model", "unknown")),
        "host-fingerprint": table.fingerprint,
        "campaign": table.manifest.id,
    }
    return [f"{key}: {_LINE_BREAKS.sub(' ', value)}" for key, value in pairs.items()]


def _units(table: Table) -> list[str]:
    metrics = dict.fromkeys(column.metric for column in table.columns)
    # What Boxbench measures of every exercise is neither good nor bad. A unit without a direction needs no line.
    judged = [metric for metric in metrics if metric not in EXERCISE_OWN]
    return [f"Unit {unit_of(metric)} better={'higher' if bigger_is_better(metric) else 'lower'}" for metric in judged]


def _boots(table: Table) -> list[tuple[Cell, int]]:
    found = {(column.cell.key, block): column.cell for column in table.columns for block in column.values}
    return [(cell, block) for (_, block), cell in sorted(found.items(), key=lambda item: item[0])]
