"""The first start on a fresh host in a report: what travels, what is written, and how long each part takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bench.analysis.metrics import headline
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.sections.table import ReportTable
from bench.render.text import cell_label, median_text
from bench.scenario.first_start import ABSENT
from bench.scenario.target_table import TARGETS, target_name

FIRST_START_NOTE: Final = (
    "First start: nothing of the image is on the host at the request. “travels” counts all bytes that came over the "
    "link, headers included. “written” is all that was written to files meanwhile, also what was removed again, and "
    "“stays” is what the image takes of the disk afterwards. Unpacking begins while the image arrives, so “unpack” is "
    "what is left of it when the last byte has come. Programs are installed and daemons run beforehand, and what has "
    "just arrived is in the page cache."
)
FORMS: Final = {
    "layers": "layers, pulled from a registry",
    "tree": "packed tree (tar, zstd)",
    "disk": "kernel, initramfs, packed disk (zstd)",
}
"""What travels, by the form in which it arrives."""
_COLUMNS: Final = (
    ("travels", "disk.arrival.travelled_bytes"),
    ("written", "disk.arrival.written_bytes"),
    ("stays", "disk.arrival.kept_bytes"),
    ("fetch", "arrival.fetch_ns"),
    ("unpack", "arrival.unpack_ns"),
    ("start", "arrival.start_ns"),
)


def first_start_cells(analysis: Analysis, cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Those of the cells whose image came to the host after the request, and of which a boot was measured."""
    return tuple(
        cell
        for cell in cells
        if cell.factors.get("cache") == ABSENT and analysis.summary(cell, "arrival.fetch_ns") is not None
    )


def without_level(cell: Cell) -> str:
    """The cell's label without the level that all first starts have."""
    return cell_label(cell.model_copy(update={"factors": {k: v for k, v in cell.factors.items() if k != "cache"}}))


def first_start_tables(analysis: Analysis, scenario: str, cells: Iterable[Cell]) -> tuple[ReportTable, ...]:
    """What travels, is written and stays, and the parts of the time; empty when no cell is a first start."""
    first = first_start_cells(analysis, cells)
    if not first:
        return ()
    goal = headline(analysis.scenario(scenario))
    columns = (*_COLUMNS, (f"{goal.rest}, all in all", str(goal)))
    rows = tuple(
        (without_level(cell), _form(cell), *(median_text(analysis.summary(cell, metric)) for _, metric in columns))
        for cell in first
    )
    title = f"First start on a fresh host, link of {analysis.scenario(scenario).first_start.describe()}"
    return (ReportTable(title, ("box", "what travels", *(head for head, _ in columns)), rows),)


def _form(cell: Cell) -> str:
    info = TARGETS.get(target_name(cell.target))
    return FORMS.get(info.arrives_as or "", "") if info is not None else ""
