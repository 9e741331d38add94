"""An anatomy: a campaign whose cells run twice, traced and untraced, in random order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from bench.anatomy.activity import SYSCALLS, Seen, read_events
from bench.anatomy.model import TRACE, Anatomy, StartAnatomy
from bench.anatomy.ringbuffer import Layout, PageLayout, decode, parse_format, parse_page_format
from bench.anatomy.summary import goal_endpoint, summarise
from bench.anatomy.sweep import guest_phases, sweep, totals
from bench.anatomy.target import StartTrace, TracedTarget
from bench.host.run_directory import campaign_tag
from bench.host.tracefs import TraceInstance, why_no_trace
from bench.plan.trials import Cell
from bench.records.manifest import read_manifest
from bench.records.record import Endpoint, Record
from bench.run.box import Setting
from bench.run.campaign import start_campaign
from bench.run.prepare import Prepared
from bench.run.session import Progress, Request
from bench.util.errors import HostUnfitError

REQUIRED_EVENTS: Final = (
    "sched/sched_switch",
    "sched/sched_waking",
    "sched/sched_process_exec",
    "sched/sched_process_exit",
    "task/task_newtask",
    "syscalls/sys_enter_mount",
    "syscalls/sys_exit_mount",
    "syscalls/sys_enter_unshare",
    "syscalls/sys_exit_unshare",
)
OPTIONAL_EVENTS: Final = tuple(
    event
    for event in (
        "sched/sched_wakeup_new",
        "cgroup/cgroup_mkdir",
        "cgroup/cgroup_attach_task",
        "kvm/kvm_entry",
        *(f"syscalls/sys_{side}_{call}" for call in SYSCALLS for side in ("enter", "exit")),
    )
    if event not in REQUIRED_EVENTS
)


@dataclass(frozen=True)
class TracedStart:
    """One start with the content of its events. It goes into the trace file and never into the record."""

    anatomy: StartAnatomy
    seen: Seen
    requested_ns: int


@dataclass
class Findings:
    """The results that were collected during the campaign."""

    starts: dict[str, TracedStart] = field(default_factory=dict)
    """Traced starts by trial."""
    refused: dict[str, str] = field(default_factory=dict)
    """The reason why a traced start could not be used, by trial."""
    missing_events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """The anatomy, and by cell the start that figures show."""

    anatomy: Anatomy
    typical: dict[str, TracedStart]


class Tracer:
    """Traces the cells of a campaign, and analyses each traced start when its trial is over."""

    def __init__(self, targets: Sequence[str]) -> None:
        self.findings = Findings()
        self._targets = targets
        self._traces: dict[str, StartTrace] = {}
        self._layouts: dict[int, Layout] = {}
        self._page: PageLayout | None = None

    @contextmanager
    def traced_cells(self, prepared: Prepared) -> Iterator[Prepared]:
        """Double every cell: with the factor ``trace`` on and off. Raises HostUnfitError."""
        name = campaign_tag(prepared.campaign)
        with TraceInstance.create(name, required=REQUIRED_EVENTS, optional=OPTIONAL_EVENTS) as instance:
            formats = [instance.format(event) for event in (*REQUIRED_EVENTS, *OPTIONAL_EVENTS)]
            self._layouts = dict(parse_format(text) for text in formats if text is not None)
            self._page = parse_page_format(instance.page_format())
            self.findings.missing_events = instance.missing
            yield replace(prepared, settings=dict(self._pairs(prepared.settings, instance)))

    def _pairs(self, settings: dict[Cell, Setting], instance: TraceInstance) -> Iterator[tuple[Cell, Setting]]:
        for cell, setting in settings.items():
            if cell.target not in self._targets:
                continue  # the native control is left out, since drift affects traced and untraced starts alike
            trace = StartTrace(instance, setting.clock)
            on, off = (cell.model_copy(update={"factors": {**cell.factors, TRACE: level}}) for level in ("on", "off"))
            self._traces[on.key] = trace
            yield off, setting
            yield on, replace(setting, target=TracedTarget(setting.target, trace))

    def after_trial(self, record: Record) -> None:
        """Read the trace of a trial whose record is on disk."""
        trace = self._traces.get(record.trial.cell.key)
        if trace is not None:
            self._read(record, trace)

    def _read(self, record: Record, trace: StartTrace) -> None:
        trial, goal = record.trial.id, goal_endpoint(record)
        if record.outcome != "ok" or goal is None or trace.requested_ns is None or trace.begin_ns is None:
            self.findings.refused[trial] = f"the start gave no result ({record.outcome})"
            return
        assert self._page is not None  # set by traced_cells, without which there is no trace
        raw = trace.instance.read()
        events, gaps = decode(raw.pages, self._page, self._layouts)
        if raw.lost or gaps:
            self.findings.refused[trial] = f"{max(raw.lost, gaps)} events were lost: the trace's buffers were too small"
            return
        seen = read_events(events, trace.known, begin_ns=trace.begin_ns)
        anatomy = take_apart(record, seen, goal=goal, requested_ns=trace.requested_ns)
        sizes = {"events": len(events), "trace_bytes": raw.size_bytes}
        self.findings.starts[trial] = TracedStart(anatomy.model_copy(update=sizes), seen, trace.requested_ns)


def take_apart(record: Record, seen: Seen, *, goal: Endpoint, requested_ns: int) -> StartAnatomy:
    """Charge every instant from the request to ``goal`` to a step.

    Args:
        requested_ns: the time of the request on CLOCK_MONOTONIC, the clock of the events.
    """
    marks = {endpoint: requested_ns + at for endpoint, at in record.endpoints_ns.items()}
    agent_seen = any(life.had("agent") for life in seen.lives.values())
    hidden = guest_phases(marks, goal, first_kvm_entry_ns=seen.first_kvm_entry_ns, agent_seen=agent_seen)
    segments = sweep((*seen.activities, *hidden), begin_ns=requested_ns, end_ns=marks[goal])
    return StartAnatomy(
        trial=record.trial.id,
        block=record.trial.block,
        total_ns=record.endpoints_ns[goal],
        segments=tuple((segment.begin_ns, segment.end_ns, segment.step) for segment in segments),
        steps_ns=totals(segments),
        marks_ns={name: at for name, at in record.endpoints_ns.items() if at <= record.endpoints_ns[goal]},
        events=0,
        trace_bytes=0,
        doubts=record.doubts,
    )


def run_anatomy(request: Request, progress: Progress) -> Result:
    """Run a campaign of one scenario with traced and untraced starts, and analyse the traced ones.

    Raises:
        HostUnfitError: no root, no tracefs, a kernel without the events, or every trace of a target lost events.
        CampaignError, TargetUnavailableError: as ``start_campaign``.
    """
    reason = why_no_trace()
    if reason is not None:
        raise HostUnfitError(
            f"anatomy needs the kernel's event trace: {reason}",
            hint="run it as root on the host itself; `boxbench run` needs no trace and shows phases too",
        )
    (loaded,) = request.scenarios
    tracer = Tracer([spec.label for spec in loaded.scenario.targets])
    records = start_campaign(request, progress, on_prepared=tracer.traced_cells, after_trial=tracer.after_trial)
    anatomy = summarise(read_manifest(request.out), records, tracer.findings)
    typical = {cell.cell: tracer.findings.starts[cell.typical.trial] for cell in anatomy.cells}
    return Result(anatomy, typical)
