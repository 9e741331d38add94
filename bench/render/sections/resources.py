"""What boxes and images use up, as tables of clean text: CPU time by phase, the disk, flushes, layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.campaign import Manifest
from bench.render.sections.facts import Table
from bench.render.text import MISSING, clean, median_text, quantity

Labels = Sequence[tuple[Cell, str]]

_CPU: Final = (
    ("to ready", "cpu.start.total_ns"),
    ("of it the guest's", "cpu.start.guest_ns"),
    ("VMM beyond the guest", "cpu.start.surplus_ns"),
    ("from stopping to gone", "cpu.stop.total_ns"),
    ("idle, per minute", "cpu.idle.total_ns"),
    ("rest of the host, to ready", "cpu.start.host_other_ns"),
)
_DISK: Final = (
    ("own, ready", "disk.box.allocated_bytes"),
    ("own, before its stop", "disk.box.at_stop_bytes"),
    ("written by the guest", "disk.guest.written_bytes"),
    ("written by the box", "disk.box.written_bytes"),
    ("written by the whole host", "disk.host.written_bytes"),
    ("per byte the guest wrote", "disk.write_amplification"),
)


def cpu_table(analysis: Analysis, scenario: str, cells: Labels) -> Table | None:
    """CPU time that each box takes from the host, by phase; None when none was measured."""
    return _medians(analysis, scenario, cells, "CPU time", _CPU)


def disk_table(analysis: Analysis, scenario: str, cells: Labels) -> Table | None:
    """What each box has and wrote, and whether a sync in it reaches the disk; None when none was measured."""
    table = _medians(analysis, scenario, cells, "disk", _DISK)
    if table is None:
        return None
    head = (*table.head, "a sync takes", "flush honoured")
    rows = tuple((*row, *_flush(analysis, cell)) for row, (cell, _) in zip(table.rows, cells, strict=True))
    return Table(scenario, head, rows)


def image_table(manifest: Manifest) -> Table | None:
    """Every image, and what it shares with others of the campaign; None when there is none."""
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
    return Table("images", head, tuple(rows))


def _medians(
    analysis: Analysis, scenario: str, cells: Labels, what: str, columns: Sequence[tuple[str, str]]
) -> Table | None:
    """Columns that some box has; rows for all boxes."""
    found = [(words, [analysis.summary(cell, metric) for cell, _ in cells]) for words, metric in columns]
    kept = [(words, summaries) for words, summaries in found if any(summaries)]
    if not kept:
        return None
    rows = tuple(
        (label, *(median_text(summaries[number]) for _, summaries in kept)) for number, (_, label) in enumerate(cells)
    )
    return Table(scenario, (what, *(words for words, _ in kept)), rows)


def _flush(analysis: Analysis, cell: Cell) -> tuple[str, str]:
    """How long one sync takes, on the box's clock, and what most boots say about it."""
    took = analysis.summary(cell, "disk.flush.sync_ns")
    said = Counter(
        record.flush.honoured
        for record in analysis.records
        if record.trial.cell.key == cell.key and record.flush is not None
    )
    definite = {word: count for word, count in said.items() if word != "cannot tell"}
    if not said:
        return median_text(took), MISSING
    if not definite:
        return median_text(took), "cannot tell"
    words = [
        word if len(definite) == 1 else f"{word} ({count} of {sum(said.values())})" for word, count in definite.items()
    ]
    return median_text(took), ", ".join(sorted(words))
