"""The first start on a fresh host in a report: what travels, what is written, and how long each part takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bench.analysis.metrics import headline
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.sections.table import ReportTable
from bench.render.text import cell_label, median_text
from bench.scenario.first_start import FirstStart, is_first_start
from bench.scenario.target_table import TARGETS, target_name

FIRST_START_NOTE: Final = (
    "First start: the image comes to the host after the request. “travels” counts all bytes that came over the "
    "link, headers included. “written” is all that was written to files meanwhile, also what was removed again, and "
    "“stays” is what the image takes of the disk afterwards. Unpacking begins while the image arrives, so “unpack” is "
    "what is left of it when the last byte has come. A tree or a disk is unpacked as it comes. docker and podman "
    "unpack a layer when all of it has come, one after another, and the client of containerd begins when all have "
    "come: so with few large layers most of their unpacking is left then. Programs are installed and daemons run "
    "beforehand, and what has just arrived is in the page cache."
)
FORMS: Final = {
    ("layers", "nothing"): "layers, pulled from a registry",
    ("layers", "base"): "layers above the lowest, pulled from a registry",
    ("tree", "nothing"): "packed tree (tar, zstd)",
    ("tree", "base"): "packed tree (tar, zstd)",
    ("disk", "nothing"): "kernel, initramfs, packed disk (zstd)",
    ("disk", "base"): "packed disk (zstd)",
    ("disks", "nothing"): "packed disks of system and image (zstd)",
    ("disks", "base"): "packed disk (zstd)",
}
"""What travels, by the form in which it arrives and by what is on the host."""
_PRESENT: Final = {
    "nothing": "First start on a fresh host",
    "base": "First start on a host with the base of its image",
}
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
        if is_first_start(cell.factors) and analysis.summary(cell, "arrival.fetch_ns") is not None
    )


def without_level(cell: Cell) -> str:
    """The cell's label without the level that all first starts have."""
    return cell_label(cell.model_copy(update={"factors": {k: v for k, v in cell.factors.items() if k != "cache"}}))


def first_start_tables(analysis: Analysis, scenario: str, cells: Iterable[Cell]) -> tuple[ReportTable, ...]:
    """What travels, is written and stays, and the parts of the time; empty when no cell is a first start."""
    first = first_start_cells(analysis, cells)
    if not first:
        return ()
    wanted = analysis.scenario(scenario).first_start
    goal = headline(analysis.scenario(scenario))
    columns = (*_COLUMNS, (f"{goal.rest}, all in all", str(goal)))
    rows = tuple(
        (
            without_level(cell),
            _form(cell, wanted),
            *(median_text(analysis.summary(cell, metric)) for _, metric in columns),
        )
        for cell in first
    )
    title = f"{_PRESENT[wanted.present]}, link of {wanted.describe()}"
    return (ReportTable(title, ("box", "what travels", *(head for head, _ in columns)), rows),)


def _form(cell: Cell, wanted: FirstStart) -> str:
    info = TARGETS.get(target_name(cell.target))
    return FORMS.get((info.arrives_as or "", wanted.present), "") if info is not None else ""
