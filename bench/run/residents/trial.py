"""Residents: N boxes started one after another and kept, so that the host shows what the next one costs.

The host is read at rest before the first box and with all of them. The last box is the trial's own: its endpoints and
CPU time are those of a start beside N - 1 others. Those others may come up several at a time, as many as there are
CPUs for: what they hold once the host is at rest does not depend on when they were asked for.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from bench.agent.timeline import Timeline
from bench.host import doubts, read_counters
from bench.host.processes import wait_ended
from bench.host.run_directory import box_tag
from bench.plan.trials import Trial
from bench.probes.ledger import HostMemory, ledger, ledger_doubts, read_host_memory
from bench.probes.memory import memory_of
from bench.probes.observer import Observer
from bench.records.record import Endpoint, Record
from bench.run.ending import is_over
from bench.run.interpreter import fast_thread_switch
from bench.run.residents.box import Resident, memory_of_all, provisioned
from bench.run.storm.member import spread
from bench.run.trial import STOP_LIMIT_S, Setting, Trace, causes, note, prove_clean, record_of, stop_box
from bench.scenario.target_table import has_agent
from bench.targets.base import Output
from bench.util.errors import BoxbenchError, NotReadyError, TeardownError

FACTOR: Final = "residents"


@dataclass
class _Run:
    """What was seen so far."""

    trial: Trial
    setting: Setting
    residents: list[Resident] = field(default_factory=list)
    last: Trace | None = None
    failure: BoxbenchError | None = None
    output: Output | None = None
    account: dict[str, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return int(self.trial.cell.factors[FACTOR])

    def note(self, error: BoxbenchError) -> None:
        if self.failure is None and not isinstance(error, TeardownError):
            self.failure = error
        else:
            self.doubts.append(f"{error.code}: {error.message}")


@fast_thread_switch()
def run_residents(trial: Trial, setting: Setting) -> tuple[Record, Output | None]:
    """Fill the host with as many boxes as the cell's ``residents`` says, read it, and empty it again.

    A box that does not come up fails the trial: the ledger of fewer boxes is another one's.

    Raises:
        KeyboardInterrupt: after all boxes were removed.
    """
    run = _Run(trial, setting)
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    before, begin_ns = read_counters(), setting.clock.now_ns()
    rest_ns = setting.scenario.design.settle
    try:
        empty = read_host_memory(setting.clock, rest_ns=rest_ns)
        run.account.update(_fixed(setting.daemons))
        with ExitStack() as stack:
            _fill(run, stack, empty)
        left = read_host_memory(setting.clock, rest_ns=rest_ns)
        if run.failure is None and "used" in left.host and "used" in empty.host:
            run.account["not_released"] = left.host["used"] - empty.host["used"]
    except BoxbenchError as error:
        for cause in causes(error):
            if not isinstance(cause, BoxbenchError):
                raise cause from None
            run.note(cause)
    run.doubts += doubts(before, read_counters(), interval_ns=setting.clock.now_ns() - begin_ns)
    run.doubts += prove_clean(box_tag(setting.campaign, trial.id))
    return _record(run, started_at), run.output


def _fixed(daemons: Mapping[str, int]) -> dict[str, int]:
    """What daemons hold before there is any box, bytes; one that cannot be read is absent."""
    found = {name: memory_of({name: (pid,)}, None).get("pss.total") for name, pid in daemons.items()}
    return {f"fixed.{name}": size for name, size in found.items() if size is not None}


def _fill(run: _Run, stack: ExitStack, empty: HostMemory) -> None:
    available = tuple(sorted(os.sched_getaffinity(0)))
    overlap = max(1, len(available) // len(run.setting.cpus))
    for first in range(0, run.count - 1, overlap):
        wave = range(first, min(first + overlap, run.count - 1))
        if not _come_up(run, stack, [(number, spread(run.setting, available, number)) for number in wave]):
            return
    _last(run, empty)
    _stop_all(run, run.residents[:-1])


def _last(run: _Run, empty: HostMemory) -> None:
    """The box that is the trial's own, removed before the others: its end and removal must not hold theirs."""
    try:
        with provisioned(run.trial, run.setting, run.count - 1) as last:
            run.residents.append(last)
            run.last = last.trace
            _look(run, last, empty)
        last.trace.timeline.mark(Endpoint.GONE)
    finally:
        # Threads that watch this box must not go on beside those of later trials.
        if run.last is not None:
            run.last.finish(run.last.seen)


def _come_up(run: _Run, stack: ExitStack, wave: Sequence[tuple[int, Setting]]) -> bool:
    """Ask for some boxes one after another, then wait for all of them; False when one did not come up."""
    begun = []
    for number, setting in wave:
        resident = stack.enter_context(provisioned(run.trial, setting, number))
        run.residents.append(resident)
        begun.append(resident)
        if not _tried(run, resident, resident.ask):
            return False
    return all(_tried(run, resident, resident.wait) for resident in begun)


def _tried(run: _Run, resident: Resident, step: Callable[[], None]) -> bool:
    try:
        step()
    except BoxbenchError as error:
        note(resident.trace, error)
        run.output = resident.box.output(ended=is_over(resident.box, resident.trace.timeline))
        kind = type(error)
        run.note(kind(f"box {resident.number + 1} of {run.count}: {error.message}", hint=error.hint))
        return False
    return True


def _look(run: _Run, last: Resident, empty: HostMemory) -> None:
    """The last box as in a trial of one; then the host with all of them."""
    setting, trace = run.setting, last.trace
    gc.collect()
    observer = Observer(last.box, last.channel, trace.timeline, setting.daemons, agent=has_agent(setting.target.name))
    if not (_tried(run, last, last.ask) and _tried(run, last, last.wait)):
        return
    trace.finish = observer.gone
    observer.look(trace.seen, setting.scenario.design)
    full = read_host_memory(setting.clock, rest_ns=setting.scenario.design.settle)
    _check_all_there(run)
    processes, memory = memory_of_all(run.residents)
    kept = {name: value for name, value in trace.seen.memory_bytes.items() if name.startswith(("guest.", "daemon."))}
    trace.seen.memory_bytes = memory | kept
    run.account.update(ledger(empty, full, processes, setting.daemons))
    run.doubts += ledger_doubts(empty, full)
    stop_box(last.box, trace, observer)


def _check_all_there(run: _Run) -> None:
    gone = [resident for resident in run.residents if resident.pid is None or resident.box.main_pid() is None]
    if gone:
        raise NotReadyError(
            f"box {gone[0].number + 1} of {run.count} ended by itself before the host was read: a resident has to stay",
            hint="give it a workload that waits, as `sleep infinity` does",
        )


def _stop_all(run: _Run, residents: Sequence[Resident]) -> None:
    """Ask all, then wait for all; those that do not end are killed when they are removed."""
    for resident in residents:
        _tried_stop(run, resident)
    for resident in residents:
        if resident.pid is not None and not wait_ended(resident.pid, timeout_s=STOP_LIMIT_S):
            run.doubts.append(f"box {resident.number + 1} of {run.count} did not end within {STOP_LIMIT_S:g} s")


def _tried_stop(run: _Run, resident: Resident) -> None:
    try:
        resident.trace.timeline.mark(Endpoint.STOPPING)
        resident.box.stop()
    except BoxbenchError as error:
        run.note(error)


def _record(run: _Run, started_at: str) -> Record:
    trace = run.last or Trace(Timeline(run.setting.clock))
    trace.failure = run.failure
    trace.timed_out = any(resident.trace.timed_out for resident in run.residents)
    trace.doubts += run.doubts
    record = record_of(run.trial, run.setting, trace, started_at)
    begin_ns = run.residents[0].asked_ns if run.residents else 0
    members = tuple(resident.record(begin_ns) for resident in run.residents)
    return record.model_copy(update={"ledger_bytes": run.account, "members": members})
