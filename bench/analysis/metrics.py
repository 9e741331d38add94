"""Metrics: their names, units, labels and order.

A name says what was measured, part by part, and carries its unit: ``endpoint.ready_ns``, ``phase.kernel-init_ns``,
``memory.pss.total_bytes``, ``cpu.start.total_ns``, ``disk.box.allocated_bytes``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from bench.records.component import Component, component_position
from bench.records.record import Endpoint
from bench.scenario.model import Scenario

_UNITS: Final = ("bytes_per_s", "per_s", "ns", "bytes")
"""The longer ones first, since a name ends in one of them."""
_COUNT: Final = "instructions"
"""The one metric whose name is its unit."""
_KINDS: Final = (
    "headline",
    _COUNT,
    "endpoint",
    "storm",
    "exercise",
    "phase",
    "arrival",
    "memory",
    "ledger",
    "cpu",
    "wait",
    "disk",
)
"""In the order in which they are shown."""
_EXERCISE_LABELS: Final = {
    "wall": "time it took, host's clock",
    "guest_wall": "time it took, box's clock",
    "own_cpu": "its own CPU time",
    "own_user": "its own CPU time, user",
    "own_system": "its own CPU time, kernel",
    "own_max_rss": "its largest resident set",
    "cpu_per_operation": "host CPU time per operation",
}
_PART_LABELS: Final = {str(component): component.label for component in Component} | {
    "pss": "PSS",
    "uss": "USS",
    "cgroup": "memory cgroup",
    "start": "to ready",
    "exercise": "during the exercise",
    "stop": "from stopping to gone",
    "until": "from request until",
    "lifetime": "from request to gone",
    "idle": "idle, per minute",
    "threads": "VMM threads",
    "queue": "for a CPU of the host",
    "throttled": "for its own CPU limit",
    "peak": "largest",
    "read": "read",
    "read_until_ready": "read until ready",
    "allocated": "own, allocated",
    "arrival": "first start",
    "travelled": "came over the link",
    "kept": "stays on the disk",
    "at_stop": "own, allocated before its stop",
    "written": "written",
    "host": "whole host",
    "write_amplification": "bytes to the host's disks per byte written",
    "flush": "flush",
    "sync": "one sync",
    "samples": "from ready to stop, sampled",
}
_ARRIVAL_LABELS: Final = {"fetch": "fetch", "unpack": "unpack the rest", "start": "start of what has arrived"}
_ENDPOINTS: Final[dict[str, int]] = {endpoint: position for position, endpoint in enumerate(Endpoint)}


class _Parsed(NamedTuple):
    kind: str
    parts: tuple[str, ...]
    unit: str


class Metric(str):
    """The name of a metric, with what it says. It is text wherever it is stored, compared or used as a key.

    Every text is a name: an unknown kind or unit, as another version may have written it, is shown as it is.
    """

    __slots__ = ()

    @staticmethod
    def of(kind: str, *parts: str, unit: str = "") -> Metric:
        """The name from its parts: ``Metric.of("cpu", "start", "total", unit="ns")`` is ``cpu.start.total_ns``."""
        return _joined(kind, parts, unit)

    @property
    def kind(self) -> str:
        """The first part: ``endpoint``, ``phase``, ``memory``, ``cpu``, ``disk``, ``storm``, ``exercise``, ..."""
        return self._parsed.kind

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts after the kind, without the unit: ``("start", "total")``; of a phase its two endpoints."""
        return self._parsed.parts

    @property
    def unit(self) -> str:
        """``ns``, ``bytes``, ``per_s``, ``bytes_per_s``, ``instructions``, or empty for a plain number."""
        return self._parsed.unit

    @property
    def stem(self) -> str:
        """The name without its unit."""
        return self.removesuffix(f"_{self.unit}") if self.unit else str(self)

    @property
    def rest(self) -> str:
        """The stem without its kind: ``start.total``."""
        return self.stem.removeprefix(self.kind).removeprefix(".")

    @property
    def component(self) -> str:
        """The last part: ``vmm`` of ``memory.pss.vmm_bytes``; a daemon's has two, ``daemon.dockerd``."""
        return self._split_component()[1]

    @property
    def higher_is_better(self) -> bool:
        """True for rates. Everything else takes time or uses something up."""
        return self.unit.endswith("per_s")

    @property
    def worst(self) -> float:
        """What a boot that failed has: no rate at all, or a cost beyond every other."""
        return 0.0 if self.higher_is_better else math.inf

    @property
    def is_duration(self) -> bool:
        """Whether a smaller value is called faster, as of a time that passes, rather than less."""
        return self.kind in ("endpoint", "phase", "arrival") or (
            self.kind == "exercise" and self.unit == "ns" and "cpu" not in self.rest
        )

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint whose time this is. Raises ValueError for other kinds."""
        return Endpoint(self.rest)

    def below(self, kind: str, *parts: str) -> str | None:
        """What follows these first parts, without the unit; None when the metric does not begin with them.

        ``Metric("memory.daemon.dockerd_bytes").below("memory", "daemon")`` is ``dockerd``.
        """
        first = ".".join((kind, *parts)) + "."
        return self.stem.removeprefix(first) if self.stem.startswith(first) else None

    @property
    def label(self) -> str:
        """What reports call it: ``memory, PSS``, ``CPU time to ready``, ``CPU time to ready, shim``."""
        if self.kind == "endpoint":
            return f"time to {self.rest}"
        if self.kind == "phase":
            return self.detail
        whole = self.detail.removesuffix(f", {Component.TOTAL.label}")
        return f"CPU time {whole}" if self.kind == "cpu" else ", ".join(filter(None, [self.kind, whole]))

    @property
    def detail(self) -> str:
        """The label without the kind, for tables of one kind: ``PSS, total``."""
        if self.kind == "phase":
            return " → ".join(self.parts)
        if self.kind == "arrival":
            return _ARRIVAL_LABELS.get(self.rest, self.rest)
        if self.kind == "storm" and len(self.parts) > 1:
            return f"{'.'.join(self.parts[1:])} of the boxes {self.parts[0]}"
        if self.kind == "exercise":
            text = _EXERCISE_LABELS.get(self.rest) or ", ".join(self.parts)
            return f"{text} per second" if self.unit == "per_s" else text
        return ", ".join(_PART_LABELS.get(part, part) for part in self.parts if part)

    @property
    def sort_key(self) -> tuple[int, str, int, str]:
        """Known kinds and components come first, in their usual order; totals come last, unknown ones by name."""
        position = _KINDS.index(self.kind) if self.kind in _KINDS else len(_KINDS)
        if self.kind in ("endpoint", "phase"):
            last = self.parts[-1] if self.parts else ""
            return position, "", _ENDPOINTS.get(last, len(_ENDPOINTS) - 1), self.rest
        family, name = self._split_component()
        return position, family, component_position(name), name

    def _split_component(self) -> tuple[str, str]:
        own = 2 if self.parts[-2:-1] == ("daemon",) else 1
        name = ".".join(self.parts[-own:]) or self.kind
        return self.stem.removesuffix(name), name

    @property
    def _parsed(self) -> _Parsed:
        return _parse(str(self))


@lru_cache(maxsize=4096)
def _joined(kind: str, parts: tuple[str, ...], unit: str) -> Metric:
    if kind == unit == _COUNT and not parts:
        return Metric(_COUNT)
    between = "-" if kind == "phase" else "."
    return Metric(kind + "." * bool(parts) + between.join(parts) + (f"_{unit}" if unit else ""))


@lru_cache(maxsize=4096)
def _parse(text: str) -> _Parsed:
    if text == _COUNT:
        return _Parsed(_COUNT, (), _COUNT)
    unit = next((name for name in _UNITS if text.endswith(f"_{name}")), "")
    kind, dot, rest = (text.removesuffix(f"_{unit}") if unit else text).partition(".")
    return _Parsed(kind, tuple(rest.split("-" if kind == "phase" else ".")) if dot else (), unit)


MEMORY: Final = Metric.of("memory", "pss", Component.TOTAL, unit="bytes")
CPU: Final = Metric.of("cpu", "start", Component.TOTAL, unit="ns")
DISK: Final = Metric.of("disk", "box", "allocated", unit="bytes")
INSTRUCTIONS: Final = Metric.of(_COUNT, unit=_COUNT)
"""A count by the instruction clock: the length of a code path, and no time. Gates have it; campaigns do not."""

EXERCISE_OWN: Final = frozenset(
    Metric(f"exercise.{name}")
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
"""What Boxbench measures of every exercise. They describe its run and are by themselves neither good nor bad."""


_RENAMED: Final = (
    (r"^memory\.course(?![a-z])", "memory.samples"),
    (r"^account\.held(?![a-z])", "ledger.unreclaimable"),
    (r"^account\.left(?![a-z])", "ledger.not_released"),
    (r"^account(?![a-z])", "ledger"),
    (r"^cpu\.life(?![a-z])", "cpu.lifetime"),
    (r"^(cpu\..*)surplus(?![a-z])", r"\1vmm_overhead"),
    (r"^(cpu\..*)\.rest(?![a-z])", r"\1.host_other"),
    (r"^disk\.amplification", "disk.write_amplification"),
    (r"^storm\.late(?![a-z])", "storm.lateness"),
    (r"^((?:endpoint|phase|storm)\..*)accepted", r"\1start_returned"),
    (r"^((?:endpoint|phase|storm)\..*)entered", r"\1exec"),
)
"""Patterns of former names, with what takes their place."""


def present_name(pattern: str) -> str | None:
    """What a former name of a metric, or a pattern with one, is called now; None when it has no former name in it."""
    name = pattern
    for former, now in _RENAMED:
        name = re.sub(former, now, name)
    return None if name == pattern else name


def in_order(names: Iterable[str]) -> list[Metric]:
    """Metrics in the order in which they are shown, each once."""
    return sorted({Metric(name) for name in names}, key=lambda metric: metric.sort_key)


def endpoint_metric(endpoint: str) -> Metric:
    """The time from the request to an endpoint."""
    return Metric.of("endpoint", endpoint, unit="ns")


def headline(scenario: Scenario) -> Metric:
    """The one metric that answers the scenario's question."""
    return endpoint_metric(scenario.headline)


def bigger_is_better(metric: str) -> bool:
    """Whether more is better: of rates, and of free or available memory and disk. Every other metric is a cost."""
    return Metric(metric).higher_is_better or metric.endswith(("available_bytes", ".free_bytes"))
