"""The foot of a figure: on which host, when, how often and by which commands its numbers were measured."""

from __future__ import annotations

from dataclasses import replace

from bench.analysis.metrics import headline
from bench.analysis.results import Analysis
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import write_foot
from bench.render.figures.shown import left_out
from bench.render.figures.style import style_in_use
from bench.render.redo import redo_lines_of
from bench.render.text import clean, quantity

_COMMAND = 2000
"""Characters of the commands in a foot."""


def with_foot(drawing: Drawing, where: str, how: str, omitted: str = "") -> Drawing:
    """The drawing with its foot, which styles with one draw too.

    Args:
        where: host, date, accelerator and n.
        how: the command, or several of them, joined by ``&&``.
        omitted: which boxes are not shown; empty when all are.
    """
    data = drawing.numbers
    digest = f"data {data.short_digest}"
    if style_in_use().foot:
        write_foot(drawing.canvas, [line for line in (omitted, where, f"{digest} · {how}" if how else digest) if line])
    foot = " · ".join(filter(None, (where, how, f"data sha256:{data.digest}")))
    notes = " ".join(filter(None, (drawing.notes, f"{omitted[:1].upper()}{omitted[1:]}." if omitted else "")))
    return replace(drawing, foot=foot, notes=notes)


def campaign_foot(analysis: Analysis, scenario: str, drawing: Drawing) -> Drawing:
    """The drawing of a campaign with its foot."""
    manifest = analysis.manifest
    kinds = sorted({cell.accel for cell in analysis.cells(scenario)} - {"native"})
    parts = (_host(analysis), manifest.created_at[:10], ", ".join(kinds) or "no VM", _boots(analysis, scenario))
    command = clean(" && ".join(redo_lines_of(analysis)), limit=_COMMAND)
    return with_foot(drawing, " · ".join(filter(None, parts)), command, left_out(analysis, scenario, drawing.numbers))


def _host(analysis: Analysis) -> str:
    """``AMD EPYC, 2 CPUs, 23.5 GiB``, from the facts of the manifest, of which any may be missing."""
    host = analysis.manifest.host
    cpus, memory = host.get("cpus_online"), host.get("memory_bytes")
    count = f"{cpus} CPU{'' if cpus == 1 else 's'}" if isinstance(cpus, int) else ""
    size = quantity(memory, "bytes") if isinstance(memory, int) else ""
    return ", ".join(filter(None, (clean(str(host.get("cpu_model") or "unknown host"), limit=60), count, size)))


def _boots(analysis: Analysis, scenario: str) -> str:
    """``20 boots a box``, or ``5 to 20 boots a box``."""
    metric = headline(analysis.scenario(scenario))
    counts = [one.n for cell in analysis.cells(scenario) if (one := analysis.summary(cell, metric)) is not None]
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    return f"n {low} a box" if low == high else f"n {low} to {high} a box"
