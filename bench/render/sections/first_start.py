"""The first start on a fresh host in a report: what travels, what is written, and how long each part takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bench.analysis.metrics import headline
from bench.analysis.results import Analysis, CellSummary
from bench.plan.trials import Cell
from bench.render.sections.table import ReportTable
from bench.render.text import cell_label, median_text, quantity, short_median
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
_BYTES: Final = (
    ("travels", "disk.arrival.travelled_bytes"),
    ("written", "disk.arrival.written_bytes"),
    ("stays", "disk.arrival.kept_bytes"),
)
_TIMES: Final = (
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
    """The parts of the time, and what travels, is written and stays; empty when no cell is a first start."""
    first = first_start_cells(analysis, cells)
    if not first:
        return ()
    wanted = analysis.scenario(scenario).first_start
    goal = headline(analysis.scenario(scenario))
    times = (*_TIMES, (f"{goal.rest}, all in all", str(goal)))

    def values(cell: Cell, columns: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        return tuple(_value(analysis.summary(cell, metric)) for _, metric in columns)

    return (
        ReportTable(
            f"{_PRESENT[wanted.present]}, link of {wanted.describe()}",
            ("box", *(head for head, _ in times)),
            tuple((without_level(cell), *values(cell, times)) for cell in first),
        ),
        ReportTable(
            "What travels, is written and stays",
            ("box", "what travels", *(head for head, _ in _BYTES)),
            tuple((without_level(cell), _form(cell, wanted), *values(cell, _BYTES)) for cell in first),
        ),
    )


def _value(summary: CellSummary | None) -> str:
    """A median, with its interval unless both ends read like the median itself, as those of most bytes do."""
    if summary is None or (shown := summary.median.shown) is None:
        return median_text(summary)
    read = {quantity(value, summary.metric.unit) for value in (shown.low, summary.median.value, shown.high)}
    return short_median(summary) if len(read) == 1 else median_text(summary)


def _form(cell: Cell, wanted: FirstStart) -> str:
    info = TARGETS.get(target_name(cell.target))
    return FORMS.get((info.arrives_as or "", wanted.present), "") if info is not None else ""
