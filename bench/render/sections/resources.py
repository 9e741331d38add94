"""CPU time, disk and image sizes in a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.manifest import ImageOrigin, Manifest
from bench.render.sections.table import ReportTable
from bench.render.text import MISSING, clean, median_text, quantity

Labels = Sequence[tuple[Cell, str]]

_CPU: Final = (
    ("to ready", "cpu.start.total_ns"),
    ("of it in the guest", "cpu.start.guest_ns"),
    ("VMM beyond the guest", "cpu.start.vmm_overhead_ns"),
    ("waited for a CPU, to ready", "wait.start.queue.total_ns"),
    ("from stopping to gone", "cpu.stop.total_ns"),
    ("idle, per minute", "cpu.idle.total_ns"),
    ("other host load, to ready", "cpu.start.host_other_ns"),
)
_DISK: Final = (
    ("own, ready", "disk.box.allocated_bytes"),
    ("own, before the stop", "disk.box.at_stop_bytes"),
    ("read until ready", "disk.box.read_until_ready_bytes"),
    ("written by the guest", "disk.guest.written_bytes"),
    ("written by the box", "disk.box.written_bytes"),
    ("written by the whole host", "disk.host.written_bytes"),
    ("host bytes per byte written", "disk.write_amplification"),
)


def cpu_table(analysis: Analysis, scenario: str, cells: Labels) -> ReportTable | None:
    """Median CPU time that each box takes from the host; None when none was measured."""
    return _medians(analysis, scenario, cells, "CPU time", _CPU)


def disk_table(analysis: Analysis, scenario: str, cells: Labels) -> ReportTable | None:
    """Disk space and bytes written of each box, and whether a sync in it reaches the disk; None when not measured."""
    table = _medians(analysis, scenario, cells, "disk", _DISK)
    if table is None:
        return None
    head = (*table.head, "a sync takes", "flush honoured")
    rows = tuple((*row, *_flush(analysis, cell)) for row, (cell, _) in zip(table.rows, cells, strict=True))
    return ReportTable(scenario, head, rows)


def image_table(manifest: Manifest) -> ReportTable | None:
    """The sizes of every image, and what it shares with others of the campaign; None without images."""
    if not manifest.images:
        return None
    holders = Counter(address for image in manifest.images.values() for address in image.layers)
    rows = []
    for name, image in sorted(manifest.images.items()):
        sizes = image.sizes_bytes
        shared = sum(layer.unpacked for address, layer in image.layers.items() if holders[address] > 1)
        rows.append(
            (
                clean(name),
                *(quantity(sizes.get(key), "bytes") for key in ("unpacked", "layers")),
                str(len(image.layers)) if image.layers else MISSING,
                quantity(sizes.get("compressed"), "bytes"),
                quantity(shared, "bytes") if image.layers and len(manifest.images) > 1 else MISSING,
                *(quantity(sizes.get(key), "bytes") for key in ("disk_logical", "disk_allocated")),
            )
        )
    head = ("image", "files", "in the engine", "layers", "compressed", "shared with others", "VM disk", "allocated")
    return ReportTable("images", head, tuple(rows))


def origin_table(manifest: Manifest) -> ReportTable | None:
    """Where every image comes from and what built it; None if no image has that on record."""
    found = [(name, image.origin) for name, image in sorted(manifest.images.items()) if image.origin is not None]
    if not found:
        return None
    rows = tuple((clean(name), *map(clean, _origin(origin))) for name, origin in found)
    return ReportTable("images", ("image", "made from", "by", "digest"), rows)


def _origin(origin: ImageOrigin) -> tuple[str, str, str]:
    builder = f"{origin.builder} ({origin.builder_version})" if origin.builder else ""
    language = f"language: {origin.frontend}" if origin.frontend else ""
    by = ", ".join(filter(None, (builder, language)))
    return f"{origin.kind} {origin.name}", by or MISSING, origin.digest or MISSING


def _medians(
    analysis: Analysis, scenario: str, cells: Labels, what: str, columns: Sequence[tuple[str, str]]
) -> ReportTable | None:
    """A row for each box and the columns of which at least one box has a value; None when there is no such column."""
    found = [(head, [analysis.summary(cell, metric) for cell, _ in cells]) for head, metric in columns]
    kept = [(head, summaries) for head, summaries in found if any(summaries)]
    if not kept:
        return None
    rows = tuple(
        (label, *(median_text(summaries[number]) for _, summaries in kept)) for number, (_, label) in enumerate(cells)
    )
    return ReportTable(scenario, (what, *(head for head, _ in kept)), rows)


def _flush(analysis: Analysis, cell: Cell) -> tuple[str, str]:
    """The median time of one sync on the box's clock, and whether syncs reached the disk, by count of boots."""
    took = analysis.summary(cell, "disk.flush.sync_ns")
    answers = analysis.flushes.get(cell.key, {})
    definite = {answer: count for answer, count in answers.items() if answer != "cannot tell"}
    if not answers:
        return median_text(took), MISSING
    if not definite:
        return median_text(took), "cannot tell"
    parts = [
        answer if len(definite) == 1 else f"{answer} ({count} of {sum(answers.values())})"
        for answer, count in definite.items()
    ]
    return median_text(took), ", ".join(sorted(parts))
