"""Counts of instructions as lines of a history: one line per instruction clock, on any host.

Counts can be compared where QEMU, its machine and its firmware are equal (the clock), and where our own programs in
the guest are equal (the instruments; see ``instructions.verdict``). The digest of both is the line's fingerprint. So
hosts with the same clock share a history, and a host that gets another clock starts a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import __version__
from bench.analysis.metrics import INSTRUCTIONS
from bench.history.line import Commit, CountInputs, Line, Point
from bench.instructions.model import ACCEL, FILE, TRIED_RUNS, Count, Instructions
from bench.instructions.verdict import CLOCK, INSTRUMENT
from bench.records.manifest import MANIFEST
from bench.util.cache import content_key

PREFIX: Final = "icount"
"""A clock's fingerprint begins with it. A host's does not, since it is hexadecimal."""
_SIDE: Final = "b"
"""The subdirectory of a gate with the counts of B."""


def counts_file(path: Path) -> Path | None:
    """The file of counts at a path: the file itself, or the one in a directory of counts or of a gate; else None."""
    if path.is_file():
        return path
    if (path / MANIFEST).exists():
        return None
    return next((file for file in (path / FILE, path / _SIDE / FILE) if file.is_file()), None)


def counted_lines(
    counted: Instructions, commit: Commit, *, measured_at: str
) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Make a line per clock, and a sentence for each cell that was counted too few times to show what moves by itself.

    Args:
        measured_at: ISO 8601 with zone; counts have no date of their own.
    """
    notes = tuple(
        f"{count.cell.key}: {len(count.clocks)} {'run does' if len(count.clocks) == 1 else 'runs do'} not show how "
        f"much the count moves by itself; changes below {count.slack:.0%} will not be told (count with -n "
        f"{TRIED_RUNS})"
        for count in counted.counts
        if not count.tried
    )
    source = f"counts-{content_key(counted.model_dump_json())[:8]}"
    clocks = {clock: [c for c in counted.counts if clock_of(c) == clock] for clock in map(clock_of, counted.counts)}
    return tuple(_line(clock, counts, commit, source, measured_at) for clock, counts in clocks.items()), notes


def clock_of(count: Count) -> str:
    """The fingerprint of the clock and of our instruments in the guest, such as ``icount5f1d0c2ab877``."""
    fixed = [f"{name}={count.inputs[name]}" for name in sorted(count.inputs) if _is_fixed(name)]
    return PREFIX + content_key(*fixed)[:12]


def _is_fixed(name: str) -> bool:
    return name in (*CLOCK, *INSTRUMENT) or name.startswith("firmware ")


def _line(fingerprint: str, counts: Sequence[Count], commit: Commit, source: str, measured_at: str) -> Line:
    qemu = counts[0].inputs.get("qemu")
    return Line(
        fingerprint=fingerprint,
        commit=commit,
        campaigns=(source,),
        measured_at=measured_at,
        boxbench=__version__,
        host={} if qemu is None else {"qemu": qemu},
        accel={count.cell.key: ACCEL for count in counts},
        cells={count.cell.key: {INSTRUCTIONS: _point(count)} for count in counts},
        counted={count.cell.key: _count_inputs(count) for count in counts},
    )


def _point(count: Count) -> Point:
    limits = (min(count.executed), max(count.executed)) if count.tried else (None, None)
    return Point(n=len(count.clocks), failures=0, median=count.instructions, low=limits[0], high=limits[1])


def _count_inputs(count: Count) -> CountInputs:
    inputs = {name: value for name, value in sorted(count.inputs.items()) if not _is_fixed(name)}
    return CountInputs(inputs=inputs, slack=count.slack)
