"""A gate that counts instructions: a guest per cell and side, verdicts from the counts, time where none repeats."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import __version__
from bench.analysis.results import NotComparableError
from bench.gate.cells import Pairing
from bench.gate.checkout import CHECKOUTS
from bench.gate.countable import countable
from bench.gate.counts import Counted, count_rows, counted_identity, stored_counts_identity
from bench.gate.model import RESULT, STAGES, GateResult, Row
from bench.gate.notes import alone_notes
from bench.gate.run import Order, Planned, run_gate
from bench.gate.sides import Both, Side
from bench.host import fingerprint, host_facts
from bench.instructions.machine import SEED
from bench.instructions.model import FILE, Instructions, read_instructions
from bench.instructions.run import CountRequest, count_instructions
from bench.records.campaign import MANIFEST
from bench.run.campaign import Progress
from bench.scenario.model import LoadedScenario, narrowed
from bench.util.errors import BoxbenchError, UsageError

SOURCE: Final = "source"
"""In the gate's directory: revisions are unpacked here, since ``a`` and ``b`` hold counts."""

_NO_TWIN: Final = {"q35": "libvirt"}
"""Counted machines that no campaign has by this name, and what comes nearest."""

Keep = Callable[[Path, Instructions], object]
"""Writes counts into a directory: at least FILE."""


@dataclass(frozen=True)
class CountOrder:
    """What the user asked for.

    Attributes:
        order: what a gate by time would run, for cells whose counts do not repeat; its sides and place are the counts'.
        asked: targets were named, so that one that cannot be counted is an error and is not just left out.
        runs: of each guest, >= 1; more than one shows whether counts repeat.
        seed: of the guests' random numbers; part of what is counted.
        baseline: counts that take A's place; ``order.baseline`` says where from.
    """

    order: Order
    asked: bool = False
    runs: int = 1
    seed: int = SEED
    baseline: Instructions | None = None


@dataclass(frozen=True)
class Watchers:
    """Who watches.

    Attributes:
        tell: see ``run_gate``.
        warn: is told that counts do not repeat, before time is taken.
    """

    progress: Progress
    tell: Planned
    warn: Callable[[str], None]


@contextmanager
def nothing_left_without_counts(out: Path) -> Iterator[None]:
    """A gate that fails before both sides were counted takes back what it made: the same command may be tried again."""
    try:
        yield
    except BaseException:
        if not (out / CHECKOUTS[1] / FILE).exists():
            for name in (SOURCE, *CHECKOUTS):
                shutil.rmtree(out / name, ignore_errors=True)
            with suppress(OSError):
                out.rmdir()
        raise


def read_counts(path: Path) -> Instructions:
    """A baseline: a file of counts, the directory of one, or that of a gate that counted (its B), of any machine.

    Raises:
        UsageError: it is a campaign, which holds times.
        RecordError: it cannot be read, or is no file of counts.
    """
    if (path / CHECKOUTS[1] / FILE).is_file():
        return read_instructions(path / CHECKOUTS[1])
    times = [place for place in (path, *(path / stage for stage in STAGES)) if (place / MANIFEST).exists()]
    if times and not (path / FILE).exists():
        raise UsageError(
            f"the baseline {path} is a campaign: it holds times, and --accel icount counts instructions",
            hint=f"name an {FILE} or its directory (`boxbench instructions` makes one), or leave --accel icount out",
        )
    return read_instructions(path)


def run_counted(order: CountOrder, keep: Keep, watchers: Watchers) -> GateResult:
    """Count both sides, judge, keep the result beside the counts; go on with time where counts do not repeat.

    Args:
        keep: writes the counts of one side into its directory.
        watchers: who is told what, above all when a gate by time follows.

    Raises:
        UsageError: see ``countable``.
        NotComparableError: the baseline is of another scenario.
        HostUnfitError, BuildError, LaunchError, NotReadyError: see ``count_instructions``.
    """
    both, out, progress = order.order.both, order.order.out, watchers.progress
    _check_baseline(both.b, order.baseline)
    targets, left_out = countable(both, asked=order.asked, baseline=order.baseline)
    base = order.baseline
    if base is None:
        base = _count(order, both.a, targets, progress)
        keep(out / CHECKOUTS[0], base)
    other = _count(order, both.b, targets, progress)
    keep(out / CHECKOUTS[1], other)
    cells = count_rows(both.title, base, other, order.order.thresholds)
    notes = ((left_out,) if left_out else ()) + alone_notes(both, Pairing(()), stored=order.baseline is not None)
    result = _result(order, base, other, cells, notes)
    if not all(cell.stable for cell in cells):
        result = _go_on(order, result, cells, watchers)
    (out / RESULT).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return result


def _check_baseline(side: Side, baseline: Instructions | None) -> None:
    if baseline is not None and baseline.scenario != side.name:
        raise NotComparableError(
            f"the baseline holds counts of {baseline.scenario}, not {side.name}",
            hint="name counts of the same scenario",
        )


def _count(order: CountOrder, side: Side, targets: tuple[str, ...], progress: Progress) -> Instructions:
    progress.say(f"counting {side.label}")
    request = CountRequest(loaded=_own_name(side), targets=targets, runs=order.runs, seed=order.seed)
    return count_instructions(request, progress.say)


def _own_name(side: Side) -> LoadedScenario:
    """Without what tells the sides of a campaign apart: counts of one side are a baseline for others."""
    scenario = side.loaded.scenario.model_copy(update={"name": side.name})
    return side.loaded.model_copy(update={"scenario": scenario})


def _result(
    order: CountOrder, base: Instructions, other: Instructions, cells: Sequence[Counted], notes: tuple[str, ...]
) -> GateResult:
    both, facts = order.order.both, host_facts()
    stored = order.baseline is not None
    return GateResult(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        boxbench=__version__,
        command=order.order.command,
        seed=order.seed,
        # Chance has no part in it.
        level=0.0,
        a=stored_counts_identity(str(order.order.baseline), base) if stored else counted_identity(both.a, "A", base),
        b=counted_identity(both.b, "B", other),
        fingerprint=fingerprint(facts),
        host=facts,
        rows=tuple(cell.row for cell in cells),
        notes=notes,
    )


def _go_on(order: CountOrder, counted: GateResult, cells: Sequence[Counted], watchers: Watchers) -> GateResult:
    """The result with time in the place of counts that do not repeat; where there is no time, it cannot tell."""
    targets, notes = instead(cells, stored=order.baseline is not None)
    watchers.warn(notes[0])
    if not targets:
        return _noted(counted, notes)
    try:
        timed = run_gate(_over(order.order, targets), watchers.progress, watchers.tell)
    except BoxbenchError as error:
        # The counts that do repeat are a result; what is missing keeps the whole from being green.
        return _noted(counted, [*notes, f"time was not taken: {error.advice}"])
    kept = tuple(cell.row for cell in cells if cell.stable or cell.target not in targets)
    return _noted(_merged(counted, timed, kept), notes)


def instead(cells: Sequence[Counted], *, stored: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Targets to judge by time since their counts do not repeat, and what to say, the main thing first.

    Args:
        cells: one at least does not repeat.
        stored: A is a baseline of counts, which has no times.
    """
    shaky = [cell for cell in cells if not cell.stable]
    targets = tuple(dict.fromkeys(cell.target for cell in shaky if cell.target not in _NO_TWIN))
    end = "" if stored or not targets else ": going on with time and statistics"
    notes = [f"the instruction clock does not repeat for {', '.join(cell.row.box for cell in shaky)}{end}"]
    if stored:
        return (), (*notes, "the baseline holds counts and no times: compare A and B in one run to judge by time")
    notes += [
        f"{name} is a machine of the instruction clock alone, without an ordinary twin but {near}: gate that by time"
        for name, near in _NO_TWIN.items()
        if any(cell.target == name for cell in shaky)
    ]
    return targets, tuple(notes)


def _over(order: Order, targets: Sequence[str]) -> Order:
    """The ordinary gate over some targets, in the same place; what was said of counts (runs, metric) is none of it."""
    a, b = (replace(side, loaded=narrowed(side.loaded, targets=targets)) for side in (order.both.a, order.both.b))
    return replace(order, both=Both(a, b), metrics=(), accel="auto", blocks=None)


def _merged(counted: GateResult, timed: GateResult, kept: tuple[Row, ...]) -> GateResult:
    sides = {}
    for name, by_count, by_time in (("a", counted.a, timed.a), ("b", counted.b, timed.b)):
        if by_count is not None and by_time is not None:
            sides[name] = by_time.model_copy(update={"targets": by_count.targets | by_time.targets})
    return timed.model_copy(update={"rows": (*kept, *timed.rows), "notes": (*counted.notes, *timed.notes), **sides})


def _noted(result: GateResult, notes: Sequence[str]) -> GateResult:
    return result.model_copy(update={"notes": (*result.notes, *notes)})
