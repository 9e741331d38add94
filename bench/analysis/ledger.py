"""The memory ledger of a trial whose boxes stay, as metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.analysis.metrics import MEMORY, Metric
from bench.plan.trials import Cell
from bench.records.record import Record
from bench.scenario.factors import MULTI_BOX_FACTORS

FACTOR: Final = MULTI_BOX_FACTORS[0]
_STORM: Final = MULTI_BOX_FACTORS[1]

USED: Final = Metric.of("ledger", "added", unit="bytes")
UNRECLAIMABLE: Final = Metric.of("ledger", "unreclaimable", unit="bytes")
UNEXPLAINED: Final = Metric.of("ledger", "unexplained", unit="bytes")

# What the kernel takes back when it needs memory: it costs nothing until then.
_RECLAIMABLE: Final = ("part.cache", "part.slab_reclaimable")
_KERNEL: Final = ("part.slab_unreclaimable", "part.page_tables", "part.kernel_stacks", "part.percpu", "part.vmalloc")
_SHOWN: Final = frozenset(("part.harness", "part.shmem", "part.others", "unexplained", "not_released", "unreclaimable"))
_SHOWN_KINDS: Final = ("part.anon.", "part.daemon.", "fixed.")


def ledger_values(record: Record) -> dict[str, float]:
    """By metric, bytes, of all boxes of the trial together; what was not measured is absent.

    ``ledger.added``: what the host used more, without what other programs took or gave back meanwhile.
    ``ledger.unreclaimable``: the part of it that the kernel cannot take back, the host's delta of the ledger. It is the
    sum of ``anon.<component>``, ``daemon.<name>``, ``harness``, ``kernel``, ``shmem`` and ``unexplained``.
    A simulated trial has only this total. ``ledger.reclaimable``: the other part, page cache and reclaimable slab.
    ``ledger.available``: what the kernel believes new programs lost. ``ledger.not_released``: what was still used after
    the boxes were gone.
    """
    ledger = record.ledger_bytes
    others, used = ledger.get("part.others", 0), ledger.get("host.used")
    if not ledger:
        return {}
    found: dict[str, float] = {
        name.removeprefix("part."): size
        for name, size in ledger.items()
        if name in _SHOWN or name.startswith(_SHOWN_KINDS)
    }
    kernel = [ledger[name] for name in _KERNEL if name in ledger]
    if kernel:
        found["kernel"] = sum(kernel)
    if used is not None:
        found["added"] = used - others
        if all(name in ledger for name in _RECLAIMABLE):
            found["reclaimable"] = sum(ledger[name] for name in _RECLAIMABLE)
            found["unreclaimable"] = found["added"] - found["reclaimable"]
    if "host.available" in ledger:
        found["available"] = ledger["host.available"] - others
    return {Metric.of("ledger", name, unit="bytes"): value for name, value in found.items()}


def memory_metric(cell: Cell) -> Metric:
    """The metric that tells what boxes of a cell need: what they hold where many were counted, else the PSS of one."""
    return MEMORY if residents_of(cell) is None else UNRECLAIMABLE


def residents_of(cell: Cell) -> int | None:
    """The number of boxes whose memory a trial of this cell adds up; None for cells without residents.

    A storm beside residents measures the storm, and has no ledger.
    """
    return int(cell.factors[FACTOR]) if FACTOR in cell.factors and _STORM not in cell.factors else None


def without_residents(cell: Cell) -> Cell:
    """The cell without the factor ``residents``."""
    levels: Mapping[str, str] = {name: level for name, level in cell.factors.items() if name != FACTOR}
    return cell.model_copy(update={"factors": dict(levels)})
