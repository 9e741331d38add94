"""The counts of a gate with ``--accel icount``, judged: pure, whether they have just been made or were stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import __version__
from bench.analysis.results import NotComparableError
from bench.gate.cells import Pairing
from bench.gate.checkout import CHECKOUTS
from bench.gate.icount_rows import (
    CountedCell,
    count_rows,
    countable_targets,
    counted_identity,
    stored_counts_identity,
)
from bench.gate.model import STAGES, GateResult, GateRow
from bench.gate.notes import alone_notes
from bench.gate.request import GateRequest
from bench.gate.sides import Side, SidePair
from bench.gate.stages import first_data
from bench.host import fingerprint
from bench.instructions.model import FILE, Instructions, read_instructions
from bench.records.manifest import MANIFEST
from bench.scenario.model import narrowed
from bench.util.errors import UsageError

_NO_TWIN: Final = {"q35": "libvirt"}
"""Machines that can only be counted, and the nearest target that can be timed."""

_TWINS: Final = (
    "A and B are the same files, so they were counted once: this shows how far the counts move by themselves"
)

Time = Callable[[GateRequest], GateResult | str]
"""Gives the result of a gate that measures time, or the reason why there is none."""
Warn = Callable[[str], object]
"""Shows a sentence to the user."""


def counts_file(out: Path) -> Path:
    """The file in a gate's directory whose existence shows that both sides were counted."""
    return out / CHECKOUTS[1] / FILE


def read_counts(path: Path) -> Instructions:
    """Read a baseline of counts, of any machine: a file, its directory, or the directory of a counting gate (its B).

    Raises:
        UsageError: it is a campaign, which holds times.
        RecordError: it cannot be read, or is no file of counts.
    """
    if counts_file(path).is_file():
        return read_instructions(path / CHECKOUTS[1])
    manifests = (path / MANIFEST, *(first_data(path, stage) for stage in STAGES))
    if any(manifest.exists() for manifest in manifests) and not (path / FILE).exists():
        raise UsageError(
            f"the baseline {path} is a campaign: it holds times, and --accel icount counts instructions",
            hint=f"name an {FILE} or its directory (`boxbench instructions` makes one), or leave --accel icount out",
        )
    return read_instructions(path)


def judge_counts(
    request: GateRequest, host: dict[str, Any], counts: tuple[Instructions, Instructions], time: Time, warn: Warn
) -> GateResult:
    """The result of counts of A and of B. Equal counts and times give an equal result, but for its date.

    Args:
        host: facts about the host that counted B.
        time: called when counts do not repeat.
        warn: called with a sentence then.
    """
    baseline = None if request.baseline is None else counts[0]
    _, left_out = targets_of(request, baseline)
    cells = count_rows(request.sides.title, *counts, request.thresholds)
    alone = alone_notes(request.sides, Pairing(()), stored=baseline is not None)
    twins = baseline is None and request.sides.a.same_as(request.sides.b)
    notes = (*((left_out,) if left_out else ()), *alone, *((_TWINS,) if twins else ()))
    result = _result(request, host, counts, cells, notes)
    return result if all(cell.stable for cell in cells) else _go_on(request, result, cells, time, warn)


def targets_of(request: GateRequest, baseline: Instructions | None) -> tuple[tuple[str, ...], str]:
    """The targets that a gate counts, and a note on those left out. Raises as ``countable_targets``."""
    sides = request.sides
    return countable_targets(sides, asked=sides.a.named or sides.b.named, baseline=baseline)


def read_counted_baseline(path: Path, side: Side) -> Instructions:
    """Counts in A's place. Raises as ``read_counts``, and NotComparableError: they are of another scenario than B."""
    baseline = read_counts(path)
    if baseline.scenario != side.name:
        raise NotComparableError(
            f"the baseline holds counts of {baseline.scenario}, not {side.name}",
            hint="name counts of the same scenario",
        )
    return baseline


def _result(
    request: GateRequest,
    host: dict[str, Any],
    counts: tuple[Instructions, Instructions],
    cells: Sequence[CountedCell],
    notes: tuple[str, ...],
) -> GateResult:
    counts_a, counts_b = counts
    if request.baseline is None:
        identity_a = counted_identity(request.sides.a, "A", counts_a)
    else:
        identity_a = stored_counts_identity(str(request.baseline), counts_a)
    return GateResult(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=request.command,
        seed=request.guest_seed,
        level=min(1.0, sum(cell.false_alarm for cell in cells)),
        a=identity_a,
        b=counted_identity(request.sides.b, "B", counts_b),
        fingerprint=fingerprint(host),
        host=host,
        rows=tuple(cell.row for cell in cells),
        notes=notes,
    )


def _go_on(
    request: GateRequest, counted: GateResult, cells: Sequence[CountedCell], time: Time, warn: Warn
) -> GateResult:
    """The result with time in place of counts that do not repeat. Without time, those rows cannot tell."""
    targets, notes = targets_to_time(cells, stored=request.baseline is not None)
    warn(notes[0])
    if not targets:
        return _noted(counted, notes)
    timed = time(_timed_request(request, targets))
    if isinstance(timed, str):
        return _noted(counted, [*notes, timed])
    kept = tuple(cell.row for cell in cells if cell.stable or cell.target not in targets)
    return _noted(_merged(counted, timed, kept), notes)


def targets_to_time(cells: Sequence[CountedCell], *, stored: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Targets to judge by time, since their counts do not repeat, and notes about it, the most important first.

    Args:
        cells: at least one is not stable.
        stored: A is a baseline of counts, which has no times.
    """
    unstable = [cell for cell in cells if not cell.stable]
    targets = tuple(dict.fromkeys(cell.target for cell in unstable if cell.target not in _NO_TWIN))
    end = "" if stored or not targets else ": going on with time and statistics"
    notes = [f"instruction counts do not repeat for {', '.join(cell.row.box for cell in unstable)}{end}"]
    if stored:
        return (), (*notes, "the baseline holds counts and no times: compare A and B in one run to judge by time")
    notes += [
        f"{name} can only be counted, not timed; the nearest target that can be timed is {near}"
        for name, near in _NO_TWIN.items()
        if any(cell.target == name for cell in unstable)
    ]
    return targets, tuple(notes)


def _timed_request(request: GateRequest, targets: Sequence[str]) -> GateRequest:
    """The ordinary gate over some targets, in the same place, without what holds for counts only."""
    a, b = (replace(side, loaded=narrowed(side.loaded, targets=targets)) for side in (request.sides.a, request.sides.b))
    return replace(request, sides=SidePair(a, b), metrics=(), accel="auto", blocks=None)


def _merged(counted: GateResult, timed: GateResult, kept: tuple[GateRow, ...]) -> GateResult:
    sides = {}
    for name, by_count, by_time in (("a", counted.a, timed.a), ("b", counted.b, timed.b)):
        if by_count is not None and by_time is not None:
            sides[name] = by_time.model_copy(update={"targets": by_count.targets | by_time.targets})
    return timed.model_copy(update={"rows": (*kept, *timed.rows), "notes": (*counted.notes, *timed.notes), **sides})


def _noted(result: GateResult, notes: Sequence[str]) -> GateResult:
    return result.model_copy(update={"notes": (*result.notes, *notes)})
