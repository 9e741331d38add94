"""Residents: N boxes started one after another and kept, so that the host shows what the next box costs.

The host is read at rest before the first box and with all boxes. The last box is the trial's own: its endpoints and CPU
time are those of a start beside N - 1 others. The other boxes may start several at a time, as many as there are CPUs
for: the memory they hold when the host is at rest does not depend on when they were requested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from bench.agent.timeline import Timeline
from bench.plan.trials import Trial
from bench.probes.ledger import HostMemory, ledger, ledger_doubts, read_host_memory
from bench.probes.memory import memory_of
from bench.records.record import Record
from bench.run.box import BoxRun, Setting, examine_failed, mark_gone, observed, stop_observed
from bench.run.frame import TrialFrame, trial_frame
from bench.run.interpreter import fast_thread_switch, no_collection
from bench.run.residents.box import Resident, check_all_there, memory_of_all, resident, stop_all, waves
from bench.run.trial import record_of
from bench.targets.base import Output

FACTOR: Final = "residents"
_OF_THE_LAST: Final = ("start.", "guest.", "daemon.")
"""Begin the names of memory that is the last box's or the daemons', and not the mean over all boxes."""


@dataclass
class _Residents:
    """The boxes of one trial, and what was read of the host."""

    frame: TrialFrame
    setting: Setting
    boxes: list[Resident] = field(default_factory=list)
    last: BoxRun | None = None
    """The box whose endpoints and values are the trial's; None until it is provisioned."""
    ledger_bytes: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return int(self.frame.trial.cell.factors[FACTOR])


@fast_thread_switch()
def run_residents(trial: Trial, setting: Setting) -> tuple[Record, Output | None]:
    """Fill the host with as many boxes as the cell's ``residents`` says, read it, and empty it again.

    A box that does not become ready fails the trial: with a box missing, the ledger no longer matches the cell.

    Returns:
        The record, and what is kept beside it: output of a failed box and tracebacks; None when nothing.

    Raises:
        KeyboardInterrupt: all boxes have been removed.
    """
    with trial_frame(trial, setting.campaign, setting.clock) as frame:
        run = _Residents(frame, setting)
        rest_ns = setting.scenario.design.settle
        empty = read_host_memory(setting.clock, rest_ns=rest_ns)
        run.ledger_bytes.update(_fixed(setting.daemons))
        with ExitStack() as boxes:
            _fill(run, boxes, empty)
        after = read_host_memory(setting.clock, rest_ns=rest_ns)
        if frame.outcome.failure is None and "used" in after.host and "used" in empty.host:
            run.ledger_bytes["not_released"] = after.host["used"] - empty.host["used"]
            frame.outcome.doubts += ledger_doubts(after)
    return frame.result(partial(_record_of, run))


def _fixed(daemons: Mapping[str, int]) -> dict[str, int]:
    """What daemons hold before there is any box, bytes; a daemon that cannot be read is absent."""
    found = {name: memory_of({name: (pid,)}, None).get("pss.total") for name, pid in daemons.items()}
    return {f"fixed.{name}": size for name, size in found.items() if size is not None}


def _fill(run: _Residents, boxes: ExitStack, empty: HostMemory) -> None:
    for wave in waves(run.setting, run.count - 1):
        if not _start_wave(run, boxes, wave):
            return
    _run_last(run, empty)
    stop_all(run.frame, run.boxes[:-1])


@no_collection()
def _start_wave(run: _Residents, boxes: ExitStack, wave: Sequence[tuple[int, Setting]]) -> bool:
    """Request some boxes one after another, then wait for all of them; False when one did not become ready."""
    begun = []
    for number, setting in wave:
        box = boxes.enter_context(resident(run.frame, setting, number))
        run.boxes.append(box)
        begun.append(box)
        if not _succeeds(run, box, box.request):
            return False
    return all(_succeeds(run, box, box.wait) for box in begun)


def _run_last(run: _Residents, empty: HostMemory) -> None:
    """Run the trial's own box; it is removed before the others, whose end must not be in its own."""
    with ExitStack() as until_gone:
        with resident(run.frame, run.setting, run.count - 1) as last:
            run.boxes.append(last)
            run.last = last.run
            _measure(run, last, until_gone, empty)
        mark_gone(last.run)


def _succeeds(run: _Residents, box: Resident, step: Callable[[], None]) -> bool:
    """Whether a step of a box raised no error; an error of one box is the trial's, too."""
    outcome = box.run.outcome
    try:
        step()
    except Exception as error:
        outcome.note(error)
        examine_failed(box.box, box.run)
    if outcome.failure is None:
        return True
    run.frame.output = box.run.output
    run.frame.outcome.timed_out |= outcome.timed_out
    run.frame.outcome.add(outcome.failure, where=f"box {box.number + 1} of {run.count}: ")
    return False


def _measure(run: _Residents, last: Resident, until_gone: ExitStack, empty: HostMemory) -> None:
    """Start and read the last box as in a trial of one, then read the host with all boxes, then stop the last box."""
    setting, seen = run.setting, last.run.seen
    with no_collection():
        observer = until_gone.enter_context(observed(last.box, last.channel, last.run, setting))
        if not (_succeeds(run, last, last.request) and _succeeds(run, last, last.wait)):
            return
    observer.look(seen, setting.scenario.design)
    full = read_host_memory(setting.clock, rest_ns=setting.scenario.design.settle)
    check_all_there(run.boxes)
    processes, memory = memory_of_all(run.boxes)
    kept = {name: value for name, value in seen.memory_bytes.items() if name.startswith(_OF_THE_LAST)}
    seen.memory_bytes = memory | kept
    for box in run.boxes:
        box.read()
    run.ledger_bytes.update(ledger(empty, full, processes, setting.daemons))
    run.frame.outcome.doubts += ledger_doubts(empty, full)
    run.frame.outcome.measured = True
    stop_observed(last.box, last.run, observer)


def _record_of(run: _Residents) -> Record:
    last = run.last or BoxRun(Timeline(run.setting.clock), run.frame.box_outcome())
    record = record_of(run.frame, run.setting, last)
    begin_ns = run.boxes[0].requested_ns if run.boxes else 0
    members = tuple(box.record(begin_ns) for box in run.boxes)
    return record.model_copy(
        update={
            "ledger_bytes": run.ledger_bytes,
            "members": members,
            "doubts": (*last.outcome.doubts, *record.doubts),
        }
    )
