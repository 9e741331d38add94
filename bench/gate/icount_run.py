"""``--accel icount``: a gate that counts instructions. Where counts do not repeat, it goes on with time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

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
from bench.gate.run import Announce, GateRequest, first_data, run_gate, write_result
from bench.gate.sides import Side, SidePair
from bench.host import fingerprint, host_facts
from bench.instructions.model import FILE, Instructions, read_instructions
from bench.instructions.run import CountRequest, count_instructions
from bench.records.manifest import MANIFEST
from bench.run.campaign import Progress
from bench.scenario.model import LoadedScenario, narrowed
from bench.util.errors import BoxbenchError, UsageError

SOURCE: Final = "source"
"""In the gate's directory: revisions are unpacked here, since ``a`` and ``b`` hold counts."""

_NO_TWIN: Final = {"q35": "libvirt"}
"""Machines that can only be counted, and the nearest target that can be timed."""

Keep = Callable[[Path, Instructions], object]
"""Writes counts into a directory: at least FILE."""


@dataclass(frozen=True)
class Watchers:
    """Callbacks of a counting gate.

    Attributes:
        announce: see ``run_gate``.
        warn: called with a sentence when counts do not repeat, before time is measured.
    """

    progress: Progress
    announce: Announce
    warn: Callable[[str], None]


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


def run_counted(request: GateRequest, keep: Keep, watchers: Watchers) -> GateResult:
    """Count both sides, judge, and store the result beside the counts; measure time where counts do not repeat.

    Args:
        keep: writes the counts of one side into its directory.

    Raises:
        UsageError: see ``countable_targets`` and ``read_counts``.
        NotComparableError: the baseline is of another scenario.
        RecordError: see ``read_counts``.
        HostUnfitError, BuildError, LaunchError, NotReadyError: see ``count_instructions``.
    """
    sides, out = request.sides, request.out
    baseline = None if request.baseline is None else _read_baseline(request.baseline, sides.b)
    targets, left_out = countable_targets(sides, asked=sides.a.named or sides.b.named, baseline=baseline)
    if baseline is None:
        counts_a = _count(request, sides.a, targets, watchers.progress)
        keep(out / CHECKOUTS[0], counts_a)
    else:
        counts_a = baseline
    counts_b = _count(request, sides.b, targets, watchers.progress)
    keep(out / CHECKOUTS[1], counts_b)
    cells = count_rows(sides.title, counts_a, counts_b, request.thresholds)
    notes = ((left_out,) if left_out else ()) + alone_notes(sides, Pairing(()), stored=baseline is not None)
    result = _result(request, counts_a, counts_b, cells, notes)
    if not all(cell.stable for cell in cells):
        result = _go_on(request, result, cells, watchers)
    write_result(result, out)
    return result


def _read_baseline(path: Path, side: Side) -> Instructions:
    baseline = read_counts(path)
    if baseline.scenario != side.name:
        raise NotComparableError(
            f"the baseline holds counts of {baseline.scenario}, not {side.name}",
            hint="name counts of the same scenario",
        )
    return baseline


def _count(request: GateRequest, side: Side, targets: tuple[str, ...], progress: Progress) -> Instructions:
    progress.say(f"counting {side.label}")
    order = CountRequest(loaded=_own_name(side), targets=targets, runs=request.blocks or 1, seed=request.guest_seed)
    return count_instructions(order, progress.say)


def _own_name(side: Side) -> LoadedScenario:
    """Under the scenario's own name, so that the counts of one side can be a baseline for others."""
    scenario = side.loaded.scenario.model_copy(update={"name": side.name})
    return side.loaded.model_copy(update={"scenario": scenario})


def _result(
    request: GateRequest,
    counts_a: Instructions,
    counts_b: Instructions,
    cells: Sequence[CountedCell],
    notes: tuple[str, ...],
) -> GateResult:
    sides, facts = request.sides, host_facts()
    if request.baseline is None:
        identity_a = counted_identity(sides.a, "A", counts_a)
    else:
        identity_a = stored_counts_identity(str(request.baseline), counts_a)
    return GateResult(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=request.command,
        seed=request.guest_seed,
        # Counts are exact: no false alarm is possible.
        level=0.0,
        a=identity_a,
        b=counted_identity(sides.b, "B", counts_b),
        fingerprint=fingerprint(facts),
        host=facts,
        rows=tuple(cell.row for cell in cells),
        notes=notes,
    )


def _go_on(request: GateRequest, counted: GateResult, cells: Sequence[CountedCell], watchers: Watchers) -> GateResult:
    """The result with time in place of counts that do not repeat. Without time, those rows cannot tell."""
    targets, notes = targets_to_time(cells, stored=request.baseline is not None)
    watchers.warn(notes[0])
    if not targets:
        return _noted(counted, notes)
    try:
        timed = run_gate(_timed_request(request, targets), watchers.progress, watchers.announce)
    except BoxbenchError as error:
        # The counts that do repeat are a result. The missing rows keep the whole from being green.
        return _noted(counted, [*notes, f"time was not measured: {error.advice}"])
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
