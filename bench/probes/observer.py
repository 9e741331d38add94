"""The observation of one ready box, in the order that disturbs it least.

CPU time is read first, before the engine is asked anything. Questions to the agent, a rest, memory and disk follow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.host.cgroup import BoxCgroup, cgroup_of, engine_account
from bench.probes.cpu import (
    CpuReading,
    box_cpu_ns,
    children_cpu_ns,
    cpu_between,
    guest_busy_ns,
    has_own_part,
    is_whole_vmm,
    monitor_group,
    read_cpu,
)
from bench.probes.disk import host_disks, own_pids, read_by, stored_by, written_by
from bench.probes.flush import probe_flush
from bench.probes.memory import MEMORY_TRIES, memory_of, resident_peak_bytes
from bench.probes.sampler import LastValues, Sampler, reader
from bench.probes.waits import queues_ns
from bench.records.component import Component, daemon_component, thread_component
from bench.records.record import Endpoint, Flush, Samples
from bench.scenario.model import Design
from bench.targets.base import Box
from bench.util.doubts import Doubt
from bench.util.units import decode_number

PINGS: Final = 5
AGENT_PATIENCE_S: Final = 10.0
_WAITING: Final = 1.1


@dataclass
class Observation:
    """What was observed. The fields have the names of the record's."""

    channel_rtt_ns: list[int] = field(default_factory=list)
    memory_bytes: dict[str, int] = field(default_factory=dict)
    cpu_ns: dict[str, int] = field(default_factory=dict)
    disk_bytes: dict[str, int] = field(default_factory=dict)
    cpu_at_ns: dict[Endpoint, int] = field(default_factory=dict)
    waits_ns: dict[str, int] = field(default_factory=dict)
    flush: Flush | None = None
    samples: Samples | None = None
    doubts: list[str] = field(default_factory=list)


class Observer:
    """Observes one box. It is made before the start, so that it knows the counters at that time."""

    def __init__(
        self, box: Box, channel: Channel, timeline: Timeline, daemons: Mapping[str, int], *, agent: bool = True
    ) -> None:
        self._box = box
        self._agent = agent
        self._channel = channel
        self._timeline = timeline
        self._daemons = daemons
        self._account = engine_account(daemons.values())
        self._processes: Mapping[str, Sequence[int]] = {}
        self._group: BoxCgroup | None = None
        self._monitors: BoxCgroup | None = None
        self._stopping: CpuReading | None = None
        self._watch: LastValues | None = None
        self._sampler: Sampler | None = None
        self.main_pid: int | None = None
        # Parts of the box that run before the request have used CPU and disk already.
        running = box.running_before()
        self._ran_before = bool(running)
        self._disk_before = self._disk_counters(running)
        self._stored_before = self._stored()
        self._before = self._read(box_cpu_ns(running, None))

    def look(self, seen: Observation, design: Design) -> None:
        """Observe the ready box and fill ``seen``. The design sets how long the box rests in between."""
        ready = self._at_ready()
        window = {"window": ready.at_ns - self._before.at_ns}
        self._note(seen, "start", {**cpu_between(self._before, ready), **window})
        if not has_own_part(ready.box):
            seen.doubts.append(Doubt.UNKNOWN.of("cpu (the box's own CPU time until ready could not be read)"))
        self._until_ready(seen)
        self._arrival(seen)
        group = self._group
        if self.main_pid is None:
            seen.doubts.append(Doubt.UNKNOWN.of("memory (the box ended before it could be read)"))
            return
        read = reader(self._processes, group)
        if design.sample is not None and read is not None:
            self._sampler = Sampler(read, self._timeline.clock, interval_ns=design.sample)
        if self._agent:
            self._ask_agent(seen)
        self._timeline.clock.sleep(design.settle / 1e9)
        self._memory(seen)
        seen.disk_bytes.update(self._box.disk_bytes())
        if design.idle is not None:
            self._idle(seen, design.idle)
        if group is None:
            seen.doubts.append(Doubt.UNKNOWN.of("cgroup (the box has no control group of its own)"))

    def _at_ready(self) -> CpuReading:
        """The counters of the box that has just become ready, and its processes.

        An engine that is asked for them works for the answers. So daemons and host are read before, and the box's
        control group as soon as it is known.
        """
        reading = self._read({})
        self.main_pid = self._box.main_pid()
        self._group = cgroup_of(self.main_pid) if self.main_pid is not None else None
        of_group = box_cpu_ns({}, self._group)
        self._processes = self._box.processes()
        self._monitors = monitor_group(self._processes)
        own = self._own_cpu()
        if Component.BOX in own:
            own |= of_group
        shim = self._shim()
        of_shim = {} if shim is None else children_cpu_ns({Component.SHIM: shim})
        return replace(reading, box=own, children={**reading.children, **of_shim})

    def _until_ready(self, seen: Observation) -> None:
        """Add what the start waited for, its largest memory, and what was read from disks."""
        group = self._group
        vmm = self._processes[Component.VMM] if is_whole_vmm(self._processes) else ()
        seen.waits_ns.update({f"start.{name}": value for name, value in queues_ns(self._processes).items()})
        throttled = None if group is None else group.throttled_ns()
        if throttled is not None:
            seen.waits_ns["start.throttled"] = throttled
        # QEMU is started in a group that holds its page cache too, or in none.
        peak = resident_peak_bytes(vmm) if vmm else None if group is None else group.peak_bytes()
        if peak is not None:
            seen.memory_bytes["start.peak"] = peak
        own = own_pids(self._processes)
        reads = {"host": host_disks().get("read"), "box": read_by(own) if own else None}
        for name, value in reads.items():
            if value is not None:
                seen.disk_bytes[f"{name}.read_until_ready"] = value - self._disk_before.get(f"{name}.read", 0)

    def _arrival(self, seen: Observation) -> None:
        """Add what came to the host for the box, and what was written to files meanwhile, by all that brought it."""
        arrived = self._box.arrived_bytes()
        if not arrived:
            return
        seen.disk_bytes.update({f"arrival.{name}": value for name, value in arrived.items()})
        stored = self._stored()
        if stored is not None and self._stored_before is not None:
            seen.disk_bytes["arrival.written"] = stored - self._stored_before

    def _stored(self) -> int | None:
        # Programs that we ran to their end are in our own counters.
        return stored_by([*self._daemons.values(), os.getpid()])

    def _shim(self) -> int | None:
        return next(iter(self._processes.get(Component.SHIM, ())), None)

    def outer_pids(self) -> set[int]:
        """The box's processes on the host, without those that its workload has started inside of it."""
        return {pid for name, pids in self._processes.items() if name != Component.WORKLOAD for pid in pids}

    def reading(self) -> CpuReading:
        """The CPU counters of the ready box now."""
        return self._read(self._own_cpu())

    def begin_stop(self, seen: Observation) -> None:
        """Read the disk counters just before the box is stopped, and sample CPU counters from now on."""
        self._end_samples(seen)
        if self.main_pid is not None:
            self._disk(seen)
            self._stopping = self._read(self._own_cpu())
            self._watch = LastValues(self._own_cpu)

    def ended(self) -> None:
        """Read once more after the last process has ended, while our control group still has all counters."""
        if self._watch is not None:
            self._watch.take()

    def gone(self, seen: Observation) -> None:
        """Add the CPU time of stopping and of the whole lifetime, after everything of the box was removed."""
        self._end_samples(seen)
        if self._watch is None or self._stopping is None:
            return
        # The programs that removed the box have ended after the last sample.
        after = self._read({**self._watch.close(), **self._box.spent_ns()})
        seen.doubts += _missing("cpu of the stop", self._watch.why_ended())
        # A shim also waits for the box's own processes. Their time is in the box's counters already.
        after = replace(after, children={**self._stopping.children, **after.children})
        ended = self._group is not None and not has_own_part(after.box)
        self._note(seen, "stop", cpu_between(self._stopping, after, ended=ended))
        self._note(seen, "lifetime", cpu_between(self._before, after))
        if self._timeline.exit is not None:
            used_us = self._timeline.exit.user_us + self._timeline.exit.system_us
            seen.cpu_ns[f"lifetime.{Component.WORKLOAD}"] = used_us * 1000

    def _end_samples(self, seen: Observation) -> None:
        if self._sampler is not None:
            sampler, self._sampler = self._sampler, None
            seen.samples = sampler.close()
            seen.doubts += _missing("samples", sampler.why_ended())

    def _own_cpu(self) -> dict[str, int]:
        return {**box_cpu_ns(self._processes, self._group, self._monitors), **self._box.spent_ns()}

    def _read(self, box: Mapping[str, int]) -> CpuReading:
        shim = self._shim() if self._watch is None else None
        return read_cpu(self._timeline.clock.now_ns(), box=box, daemons=self._daemons, account=self._account, shim=shim)

    def _note(self, seen: Observation, when: str, parts: Mapping[str, int]) -> None:
        seen.cpu_ns.update({f"{when}.{name}": value for name, value in parts.items()})

    def _disk(self, seen: Observation) -> None:
        """Add what was written since the request, by whom, and whether a sync reaches the disk."""
        processes = self._box.processes()
        own = self._box.disk_bytes()
        if "box.allocated" in own:
            seen.disk_bytes["box.at_stop"] = own["box.allocated"]
        after = self._disk_counters(processes)
        seen.disk_bytes.update({name: value - self._disk_before.get(name, 0) for name, value in after.items()})
        # An agent that did not answer a ping, or was killed since, will not answer now.
        if seen.channel_rtt_ns and self._timeline.exit is None and own_pids(processes):
            seen.flush = probe_flush(self._channel, self._timeline, self._box.guest_disk)

    def _disk_counters(self, processes: Mapping[str, Sequence[int]]) -> dict[str, int]:
        found = {f"host.{name}": value for name, value in host_disks().items() if name in ("read", "written")}
        own = own_pids(processes)
        both = {"box.read": read_by(own), "box.written": written_by(own)} if own else {}
        found |= {name: value for name, value in both.items() if value is not None}
        # A VMM that does not run yet cannot be asked.
        guest = self._box.guest_disk() if own else {}
        return found | {f"guest.{name}": value for name, value in guest.items() if name in ("read", "written")}

    def _idle(self, seen: Observation, idle_ns: int) -> None:
        before = self._read(self._own_cpu())
        self._timeline.clock.sleep(idle_ns / 1e9)
        after = self._read(self._own_cpu())
        self._note(seen, "idle", {**cpu_between(before, after), "window": after.at_ns - before.at_ns})

    def _ask_agent(self, seen: Observation) -> None:
        timeline = self._timeline
        for number in range(PINGS):
            token = f"p{number}"
            sent_ns = timeline.clock.now_ns()
            self._channel.send(f"ping {token}")
            timeline.wait_for(partial(self._answered, token), timeout_s=AGENT_PATIENCE_S)
            answered_ns = timeline.pong_ns(token)
            if answered_ns is None:
                seen.doubts.append(Doubt.UNKNOWN.of("channel_rtt (no answer to a ping)"))
                return
            seen.channel_rtt_ns.append(answered_ns - sent_ns)
        self._channel.send("facts")
        if not timeline.wait_for(timeline.facts_complete, timeout_s=AGENT_PATIENCE_S):
            seen.doubts.append(Doubt.UNKNOWN.of("inside (the agent did not send its facts)"))
        elif f"start.{Component.VMM}" in seen.cpu_ns:
            self._guest_cpu(seen)

    def _guest_cpu(self, seen: Observation) -> None:
        """Add the guest's CPU time as the guest counts it, where KVM does not report it."""
        guest = f"start.{Component.GUEST}"
        busy = guest_busy_ns(self._timeline.facts)
        ran = seen.cpu_ns.get(f"start.{thread_component(Component.VCPU)}")
        # A guest that ran before the request counts from its own boot, not from the request.
        if busy is None or ran is None or guest in seen.cpu_ns or self._ran_before:
            return
        # A guest's clock continues while its virtual CPUs wait for a CPU of the host.
        seen.cpu_ns[guest] = min(busy, ran)
        if busy > ran * _WAITING:
            seen.doubts.append(Doubt.GUEST_CPU.of(f"{busy / ran:.2f}"))

    def _answered(self, token: str) -> bool:
        # An agent whose workload has ended exits soon and may not answer any more.
        return self._timeline.has_pong(token) or self._timeline.exit is not None

    def _ledger(self) -> tuple[Mapping[str, Sequence[int]], dict[str, int]]:
        """The processes and their memory. Repeated until no process ends between listing and reading."""
        group = cgroup_of(self.main_pid) if self.main_pid is not None else None
        # A server may have forked workers since the start, and a shell script forks all the time.
        for _ in range(MEMORY_TRIES):
            processes = self._box.processes()
            found = memory_of(processes, group)
            if "pss.total" in found:
                break
        return processes, found

    def _memory(self, seen: Observation) -> None:
        processes, found = self._ledger()
        seen.memory_bytes.update(found)
        if "pss.total" not in found:
            seen.doubts.append(Doubt.UNKNOWN.of("memory (a process of the box could not be read)"))
        if Component.VMM in processes:
            seen.memory_bytes.update(_guest_memory(self._timeline.facts))
        for name, pid in self._daemons.items():
            sizes = memory_of({name: (pid,)}, None)
            if f"pss.{name}" in sizes:
                seen.memory_bytes[daemon_component(name)] = sizes[f"pss.{name}"]


def _missing(what: str, why: str | None) -> list[str]:
    """A doubt about values that are not complete; none without a reason."""
    return [] if why is None else [Doubt.UNKNOWN.of(f"{what} ({why})")]


def _guest_memory(facts: Mapping[str, str]) -> dict[str, int]:
    """The guest's own memory counters. Free pages on per-CPU lists count as available."""
    total, available, listed = (
        decode_number(facts.get(f"mem_{name}_bytes", "")) for name in ("total", "available", "listed")
    )
    found = {}
    if total is not None:
        found["guest.total"] = total
    if available is not None and listed is not None:
        found["guest.available"] = available + listed
    return found
