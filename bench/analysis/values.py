"""The values of one record: every metric that it holds or that follows from several of its numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple, Protocol

from bench.analysis.ledger import ledger_values
from bench.analysis.metrics import Metric, endpoint_metric
from bench.analysis.storms import is_storm, storm_values
from bench.records.record import Endpoint, Record
from bench.util.doubts import Doubt

ORDER: Final = {endpoint: position for position, endpoint in enumerate(Endpoint)}
START: Final = tuple(endpoint for endpoint in Endpoint if ORDER[endpoint] <= ORDER[Endpoint.REPLIED])
STOP: Final = tuple(endpoint for endpoint in Endpoint if endpoint not in START)

UNKNOWN: Final = Doubt.UNKNOWN.of("")
"""Begins a doubt about a counter that could not be read."""

Chain = tuple[tuple[Endpoint, Endpoint], ...]
"""Consecutive endpoints of a cell, from and to."""

_MINUTE_NS: Final = 60 * 10**9
_WINDOW: Final = ".window"
"""Ends the key of a window's length, ns. A length, not CPU time."""
_IDLE: Final = "idle."
_IDLE_WINDOW: Final = f"idle{_WINDOW}"
_MOST_NAMES: Final = 4096
_ENOUGH_BYTES: Final = 2**20
"""Below this, other processes' writes dominate the ratio, so it is not reported."""


class Doubted(Protocol):
    """What carries doubts: a record, or a traced start of an anatomy."""

    @property
    def doubts(self) -> tuple[str, ...]: ...


class _CpuKeys(NamedTuple):
    """The keys of CPU time of one window: see ``cpu_used``."""

    host_busy: str
    total: str
    harness: str
    helpers: str
    host_other: str
    vmm: str
    guest: str
    vmm_overhead: str


class _CpuPlan(NamedTuple):
    """Which keys of a record's CPU time count as they are, and which by the length of the idle window."""

    plain: tuple[str, ...]
    idle: tuple[str, ...]
    windows: tuple[_CpuKeys, ...]
    """The windows with the host's or the VMM's CPU time. Of the others nothing more can be computed."""


_CPU_KEYS: Final = tuple(
    _CpuKeys(*(f"{when}.{component}" for component in _CpuKeys._fields))
    for when in ("start", "stop", "idle", "lifetime")
)
"""The fields of ``_CpuKeys`` are names of components."""


class _Names(dict[str, Metric]):
    """The metrics of a kind by the key in a record, made once: large campaigns ask ten million times."""

    def __init__(self, kind: str, unit: str) -> None:
        super().__init__()
        self._kind, self._unit = kind, unit

    def __missing__(self, key: str) -> Metric:
        name = Metric.of(self._kind, key, unit=self._unit)
        # Keys are the box's tools' own words: not without end.
        if len(self) < _MOST_NAMES:
            self[key] = name
        return name


_ENDPOINT: Final = {endpoint: endpoint_metric(endpoint) for endpoint in Endpoint}
_UNTIL: Final = {endpoint: f"until.{endpoint}" for endpoint in Endpoint}
_MEMORY: Final = _Names("memory", "bytes")
_CPU: Final = _Names("cpu", "ns")
_DISK: Final = _Names("disk", "bytes")
_WAIT: Final = _Names("wait", "ns")


def values_of(record: Record, chains: Sequence[Chain]) -> dict[str, float]:
    """Every metric of one record, by its name; what was not measured is absent.

    Args:
        chains: the phases to report, as `start_chain` and `stop_chain` give them for the record's cell.
    """
    if is_storm(record):
        return storm_values(record)
    at = record.endpoints_ns
    values: dict[str, float] = {_ENDPOINT[name]: at[name] for name in at if name is not Endpoint.REQUESTED}
    values |= {Metric.of("exercise", key): value for key, value in record.exercise.items()}
    for chain in chains:
        for start, end in chain:
            if start in at and end in at:
                values[Metric.of("phase", start, end, unit="ns")] = at[end] - at[start]
    values |= arrival_of(at)
    groups: tuple[tuple[_Names, Mapping[str, int]], ...] = (
        (_MEMORY, record.memory_bytes),
        (_CPU, cpu_used(record.cpu_ns)),
        (_CPU, {_UNTIL[endpoint]: used for endpoint, used in record.cpu_at_ns.items()}),
        (_DISK, record.disk_bytes),
        (_WAIT, waits_of(record.waits_ns)),
    )
    for names, group in groups:
        for key, value in group.items():
            values[names[key]] = value
    for further in (disk_used(record), samples_of(record), ledger_values(record)):
        values |= further
    return values


def arrival_of(endpoints_ns: Mapping[Endpoint, int]) -> dict[str, float]:
    """The three parts of a first start on a fresh host, ns; empty for every other boot, and for one that failed.

    ``fetch`` ends when the last byte has come. Unpacking goes on meanwhile, so ``unpack`` is what is left of it then.
    ``start`` is from there to the last endpoint of the start.
    """
    goal = next((name for name in (Endpoint.REPLIED, Endpoint.READY) if name in endpoints_ns), None)
    fetched, unpacked = (endpoints_ns.get(name) for name in (Endpoint.FETCHED, Endpoint.UNPACKED))
    if goal is None or fetched is None or unpacked is None:
        return {}
    parts = {"fetch": fetched, "unpack": unpacked - fetched, "start": endpoints_ns[goal] - unpacked}
    return {Metric.of("arrival", name, unit="ns"): value for name, value in parts.items()}


def cpu_used(used_ns: Mapping[str, int]) -> dict[str, int]:
    """CPU time by ``<when>.<component>``, ns, with what follows from it.

    Idle time becomes time per minute. ``vmm_overhead`` is a VMM's time beyond its guest's. ``host_other`` is what the
    host was busy with beside the box and Boxbench itself.
    """
    plan = _cpu_plan(tuple(used_ns))
    found = {key: used_ns[key] for key in plan.plain}
    window = used_ns.get(_IDLE_WINDOW)
    if window:
        found |= {key: round(used_ns[key] * _MINUTE_NS / window) for key in plan.idle}
    for keys in plan.windows:
        busy, box, harness = found.get(keys.host_busy), found.get(keys.total), found.get(keys.harness)
        if busy is not None and box is not None and harness is not None:
            # Older records have no helpers: those are in the rest of the host.
            found[keys.host_other] = busy - box - harness - found.get(keys.helpers, 0)
        vmm, guest = found.get(keys.vmm), found.get(keys.guest)
        if vmm is not None and guest is not None:
            found[keys.vmm_overhead] = vmm - guest
    return found


@lru_cache(maxsize=256)
def _cpu_plan(keys: tuple[str, ...]) -> _CpuPlan:
    """How the CPU time of records with these keys is counted. It is kept, since most records have the same keys."""
    used = [key for key in keys if not key.endswith(_WINDOW)]
    return _CpuPlan(
        plain=tuple(key for key in used if not key.startswith(_IDLE)),
        idle=tuple(key for key in used if key.startswith(_IDLE)),
        windows=tuple(one for one in _CPU_KEYS if one.host_busy in used or one.vmm in used),
    )


def waits_of(waits_ns: Mapping[str, int]) -> dict[str, int]:
    """The waits that are the box's own. Those of the host depend on how long the trial took, so they stay records."""
    return {key: value for key, value in waits_ns.items() if key.startswith("start.")}


def disk_used(record: Record) -> dict[str, float]:
    """Bytes written to the host's disks per byte that the box wrote, and how long one sync took, ns, where known."""
    found: dict[str, float] = {}
    sizes = record.disk_bytes
    wrote = sizes.get("guest.written", sizes.get("box.written"))
    if wrote is not None and wrote >= _ENOUGH_BYTES and "host.written" in sizes:
        found[Metric.of("disk", "write_amplification")] = sizes["host.written"] / wrote
    if record.flush is not None and record.flush.asked:
        found[Metric.of("disk", "flush", "sync", unit="ns")] = record.flush.took_ns / record.flush.asked
    return found


def samples_of(record: Record) -> dict[str, float]:
    """Peak and mean of the memory of a ready box, bytes; empty when it was not sampled."""
    if record.samples is None:
        return {}
    sizes = record.samples.memory_bytes
    found = {"peak": max(sizes), "mean": sum(sizes) / len(sizes)}
    return {Metric.of("memory", "samples", name, unit="bytes"): value for name, value in found.items()}


def disturbances(boot: Doubted) -> tuple[str, ...]:
    """The boot's doubts except those about counters that could not be read, which count nowhere as disturbances.

    Reports sum them up once per campaign, and leave out a counter that the host does not have at all.
    """
    return tuple(mark for mark in boot.doubts if not mark.startswith(UNKNOWN))


def start_chain(records: Sequence[Record]) -> Chain:
    """The start-up endpoints that at least half of ``records`` have, chained in the order of their median instants.

    The order is measured, not assumed: a start call may return before or after the box's first mark.
    """
    return _chain(records, START)


def stop_chain(records: Sequence[Record]) -> Chain:
    """The same from stopping to gone."""
    return _chain(records, STOP)


def _chain(records: Sequence[Record], among: Sequence[Endpoint]) -> Chain:
    instants: defaultdict[Endpoint, list[int]] = defaultdict(list)
    for record in records:
        for name, instant in record.endpoints_ns.items():
            instants[name].append(instant)
    common = [name for name in among if name in instants and 2 * len(instants[name]) >= len(records)]
    ordered = sorted(common, key=lambda name: (median(instants[name]), ORDER[name]))
    return tuple(pairwise(ordered))
