"""Metric names: how they are made from a record, in which order they are shown, what they are called.

A metric's name carries its unit: ``endpoint.ready_ns``, ``phase.kernel-init_ns``, ``memory.pss.total_bytes``,
``cpu.start.total_ns``, ``disk.box.allocated_bytes``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final

from bench.analysis.derived import TOTALS, cpu_used, disk_used, samples_of
from bench.analysis.ledger import ledger_values
from bench.analysis.storms import is_storm, storm_values
from bench.records.record import Endpoint, Record
from bench.scenario.model import Scenario

ORDER: Final = {endpoint: position for position, endpoint in enumerate(Endpoint)}
START: Final = tuple(endpoint for endpoint in Endpoint if ORDER[endpoint] <= ORDER[Endpoint.REPLIED])
STOP: Final = tuple(endpoint for endpoint in Endpoint if endpoint not in START)

MEMORY: Final = "memory.pss.total_bytes"
CPU: Final = "cpu.start.total_ns"
DISK: Final = "disk.box.allocated_bytes"
INSTRUCTIONS: Final = "instructions"
"""A count by the instruction clock: the length of a code path, and no time. No campaign has it; gates may."""

EXERCISE: Final = "exercise."
EXERCISE_OWN: Final = frozenset(
    f"exercise.{name}"
    for name in (
        "wall_ns",
        "guest_wall_ns",
        "own_cpu_ns",
        "own_user_ns",
        "own_system_ns",
        "own_max_rss_bytes",
        "operations",
    )
)
"""What the suite measures of every exercise: facts about its course, by themselves neither good nor bad."""

UNKNOWN: Final = "unknown:"
"""Marks a counter that could not be read."""

Chain = tuple[tuple[Endpoint, Endpoint], ...]
"""Consecutive endpoints of a cell, from and to."""

_KINDS: Final = ("headline", INSTRUCTIONS, "endpoint", "storm", "exercise", "phase", "memory", "ledger", "cpu", "disk")
_COMPONENTS: Final = (
    "box",
    "workload",
    "agent",
    "vmm",
    "guest",
    "vmm_overhead",
    "vcpu",
    "main",
    "io",
    "other",
    "vhost",
    "virtiofsd",
    "runc",
    "runtime",
    "shim",
    "conmon",
    "unmapped",
    "sentry",
    "gofer",
)

_UNITS: Final = ("bytes_per_s", "per_s", "ns", "bytes")
"""The longer ones first."""
_EXERCISE_WORDS: Final = {
    "wall": "time it took, host's clock",
    "guest_wall": "time it took, box's clock",
    "own_cpu": "its own CPU time",
    "own_user": "its own CPU time, user",
    "own_system": "its own CPU time, kernel",
    "own_max_rss": "its largest resident set",
    "cpu_per_operation": "host CPU time per operation",
}
_WORDS: Final = {
    "pss": "PSS",
    "uss": "USS",
    "vmm": "VMM",
    "cgroup": "memory cgroup",
    "guest": "seen by the guest",
    "host_busy": "whole host, busy",
    "harness": "ourselves",
    "host_other": "rest of the host: kernel, interrupts, others",
    "start": "to ready",
    "exercise": "during the exercise",
    "stop": "from stopping to gone",
    "lifetime": "from request to gone",
    "idle": "idle, per minute",
    "threads": "VMM threads",
    "vcpu": "virtual CPUs",
    "io": "I/O",
    "main": "main loop",
    "vmm_overhead": "VMM beyond the guest",
    "runtime": "programs that made the box and ended",
    "box": "box",
    "allocated": "own, allocated",
    "at_stop": "own, allocated before its stop",
    "written": "written",
    "host": "whole host",
    "write_amplification": "bytes to the host's disks per byte written",
    "flush": "flush",
    "sync": "one sync",
    "samples": "from ready to stop, sampled",
    "unmapped": "mapped by no process",
}

_PHASES: Final = {
    Endpoint.CREATED: "create layer or overlay",
    Endpoint.VMM: "start the VMM",
    Endpoint.START_RETURNED: "start call returns",
    Endpoint.KERNEL: "firmware and loader",
    Endpoint.INIT: "set up, or boot the kernel",
    Endpoint.ROOT: "mount the root",
    Endpoint.EXEC: "agent enters the box",
    Endpoint.LISTENING: "workload opens its port",
    Endpoint.READY: "workload is ready",
    Endpoint.REPLIED: "first correct reply",
    Endpoint.STOPPING: "run",
    Endpoint.STOPPED: "workload ends",
    Endpoint.ENDED: "last process ends",
    Endpoint.GONE: "clean up",
}


def headline(scenario: Scenario) -> str:
    """The one metric that answers the scenario's question."""
    return f"endpoint.{scenario.headline}_ns"


def unit(metric: str) -> str:
    """``ns``, ``bytes``, ``per_s``, ``bytes_per_s``, ``instructions``, or empty for a plain number."""
    if metric == INSTRUCTIONS:
        return INSTRUCTIONS
    return next((name for name in _UNITS if metric.endswith(f"_{name}")), "")


def higher_is_better(metric: str) -> bool:
    """True for rates alone: everything else takes time or is used up."""
    return metric.endswith("_per_s")


def is_duration(metric: str) -> bool:
    """Whether less of it is called faster; less of what is used up is called less."""
    kind, _, rest = metric.partition(".")
    return kind in ("endpoint", "phase") or (kind == "exercise" and unit(metric) == "ns" and "cpu" not in rest)


def stem(metric: str) -> str:
    """The name without its unit."""
    kind = unit(metric)
    return metric.removesuffix(f"_{kind}") if kind else metric


def component(metric: str) -> str:
    """The last part: ``vmm`` of ``memory.pss.vmm_bytes``, ``daemon.dockerd`` of ``cpu.start.daemon.dockerd_ns``."""
    parts = stem(metric).split(".")
    return ".".join(parts[-2:]) if "daemon" in parts[-2:-1] else parts[-1]


def phase_label(to: Endpoint) -> str:
    """What happens in the phase that ends at ``to``, in a few words."""
    return _PHASES.get(to, str(to))


def label(metric: str) -> str:
    """The metric in words: ``memory, PSS, total``."""
    kind, _, rest = stem(metric).partition(".")
    if kind == "endpoint":
        return f"time to {rest}"
    if kind == "phase":
        return rest.replace("-", " → ")
    if kind == "storm" and "." in rest:
        endpoint, _, share = rest.partition(".")
        return f"storm, {share} of the boxes {endpoint}"
    if kind == "exercise":
        said = _EXERCISE_WORDS.get(rest) or rest.replace(".", ", ")
        return f"exercise, {said}{' per second' * (unit(metric) == 'per_s')}"
    words = [_WORDS.get(part, part) for part in rest.split(".") if part]
    return ", ".join(["CPU" if kind == "cpu" else kind, *words])


def sort_key(metric: str) -> tuple[int, str, int, str]:
    """Known kinds and components first in their usual order, totals last, unknown ones by name."""
    kind, _, rest = stem(metric).partition(".")
    position = _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
    if kind in ("endpoint", "phase"):
        ends = [ORDER.get(_endpoint(part), len(ORDER)) for part in rest.split("-")]
        return position, "", ends[-1], rest
    name = component(metric)
    family = stem(metric).removesuffix(name)
    return position, family, component_position(name), name


def component_position(name: str) -> int:
    """Where a component stands in a stack: the box's own parts first, daemons after them, totals last."""
    if name in _COMPONENTS:
        return _COMPONENTS.index(name)
    return len(_COMPONENTS) + (2 if name in TOTALS else 1 if name.startswith("daemon.") else 0)


def start_chain(records: Sequence[Record]) -> Chain:
    """The start-up endpoints that at least half of ``records`` have, chained in the order of their median instants.

    The order is measured, not assumed: a start call may return before or after the box's first mark.
    """
    return _chain(records, START)


def stop_chain(records: Sequence[Record]) -> Chain:
    """The same from stopping to gone."""
    return _chain(records, STOP)


def values_of(record: Record, chains: Sequence[Chain]) -> dict[str, float]:
    """Every metric that one record holds; what was not measured is absent."""
    if is_storm(record):
        return storm_values(record)
    at = record.endpoints_ns
    values: dict[str, float] = {f"endpoint.{name}_ns": at[name] for name in at if name is not Endpoint.REQUESTED}
    values |= {f"{EXERCISE}{key}": value for key, value in record.exercise.items()}
    for chain in chains:
        for start, end in chain:
            if start in at and end in at:
                values[f"phase.{start}-{end}_ns"] = at[end] - at[start]
    groups: tuple[tuple[str, Mapping[str, int], str], ...] = (
        ("memory", record.memory_bytes, "bytes"),
        ("cpu", cpu_used(record.cpu_ns), "ns"),
        ("disk", record.disk_bytes, "bytes"),
    )
    for kind, group, suffix in groups:
        values |= {f"{kind}.{key}_{suffix}": value for key, value in group.items()}
    return values | disk_used(record) | samples_of(record) | ledger_values(record)


def disturbances(record: Record) -> tuple[str, ...]:
    """The record's doubts without ``unknown:NAME``: what could not be read is said once, not of every boot."""
    return tuple(mark for mark in record.doubts if not mark.startswith(UNKNOWN))


def _endpoint(name: str) -> Endpoint:
    try:
        return Endpoint(name)
    except ValueError:
        return Endpoint.GONE


def _chain(records: Sequence[Record], among: Sequence[Endpoint]) -> Chain:
    instants: dict[Endpoint, list[int]] = {}
    for record in records:
        for name in among:
            if name in record.endpoints_ns:
                instants.setdefault(name, []).append(record.endpoints_ns[name])
    common = [name for name, values in instants.items() if 2 * len(values) >= len(records)]
    ordered = sorted(common, key=lambda name: (median(instants[name]), ORDER[name]))
    return tuple(pairwise(ordered))
