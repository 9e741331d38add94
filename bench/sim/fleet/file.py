"""The fleet file: hosts, placement, keep-alive, failures and scaling, as people write them.

hosts: {count: 100, cpus: 16, memory: 64GiB, reserve: 4GiB}   # reserve: a tenth of the memory when left out
policy: first-fit          # best-fit, spread, pack
keep_alive: 10min          # or never
queue: unlimited           # or how many invocations may wait for a host; 0 rejects them
failures: {mtbf: 30d, mttr: 10min}
autoscaler: {least: 2, target: 0.7, delay: 2min, cooldown: 5min}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bench.scenario.fields import USER_INPUT, Bytes, Strict
from bench.scenario.validation import describe_faults
from bench.sim.fleet.failures import read_failures
from bench.sim.fleet.spec import MOST_HOSTS, Autoscaler, Failures, FleetSpec, Policy, default_reserve
from bench.sim.limits import MOST_CPUS
from bench.util.document import FileKind, read_document
from bench.util.errors import ScenarioError
from bench.util.units import format_bytes, format_ns, parse_bytes, parse_duration_ns

_MOST_COUNT: Final = 10**9
"""Of boxes of a host, and of invocations that may wait."""
_HINT: Final = "docs/how-to/fleet.md has an example of a fleet file"
_KIND: Final = FileKind(path_hint="name a fleet file", content_hint="start it with `hosts:`")
_MOST_NS: Final = 2**59
"""Some 18 years."""
_LEAST_TARGET: Final = 0.01
"""An autoscaler that keeps more than a hundred times the memory in use on has no use for it."""
_LEAST_EVERY_NS: Final = 10**9
"""An autoscaler that looks more often spends the simulation on looking."""


def parse_span_ns(text: str) -> int:
    """The nanoseconds in a text such as ``10min``, ``2h`` or ``30d``, at most 18 years. Raises ValueError."""
    value = parse_duration_ns(text)
    if value > _MOST_NS:
        raise ValueError(f"{text[:40]!r} is more than 18 years")
    return value


def _span(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("the unit is missing, write for example 10min")
    return parse_span_ns(value) if isinstance(value, str) else value


def _span_or_never(value: object) -> object:
    return None if value == "never" else _span(value)


def _limit(value: object) -> object:
    return None if value == "unlimited" else value


def _size(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value:
        raise ValueError("the unit is missing, write for example 4GiB")
    return parse_bytes(value) if isinstance(value, str) else value


Size = Annotated[int, BeforeValidator(_size), Field(ge=0, le=2**50)]
Span = Annotated[int, BeforeValidator(_span), Field(ge=0)]
PositiveSpan = Annotated[int, BeforeValidator(_span), Field(gt=0)]


class Hosts(Strict):
    """Equal hosts."""

    count: Annotated[int, Field(ge=1, le=MOST_HOSTS)]
    cpus: Annotated[int, Field(ge=1, le=MOST_CPUS)]
    memory: Bytes
    reserve: Size | None = None
    """What boxes and their daemons must leave; None: a tenth of the memory."""
    boxes: Annotated[int, Field(ge=1, le=_MOST_COUNT)] | None = None
    """The most boxes of a host."""

    @model_validator(mode="after")
    def _room(self) -> Hosts:
        if self.reserve is not None and self.reserve >= self.memory:
            raise ValueError(
                f"reserve: {format_bytes(self.reserve)} leaves nothing of {format_bytes(self.memory)}; write less"
            )
        return self


class FailuresEntry(Strict):
    """Failures of hosts."""

    mtbf: PositiveSpan | None = None
    mttr: PositiveSpan | None = None
    file: str | None = None
    """A CSV file beside the fleet file: ``at_s,host,event``."""
    lost: Literal["again", "rest"] = "again"

    @model_validator(mode="after")
    def _one_way(self) -> FailuresEntry:
        if (self.mtbf is None) != (self.mttr is None):
            raise ValueError(f"{'mtbf' if self.mtbf is None else 'mttr'}: is missing; mtbf and mttr belong together")
        if (self.mtbf is None) == (self.file is None):
            raise ValueError("file: give either mtbf and mttr, or a file")
        return self


class AutoscalerEntry(Strict):
    """When hosts are switched on and off."""

    least: Annotated[int, Field(ge=0)] = 1
    target: Annotated[float, Field(ge=_LEAST_TARGET, le=1)] = 0.7
    every: PositiveSpan = 60 * 10**9
    delay: Span = 120 * 10**9
    cooldown: Span = 300 * 10**9


class FleetFile(Strict):
    """The content of a fleet file."""

    hosts: Hosts
    policy: Policy = "first-fit"
    keep_alive: Annotated[Annotated[int, Field(ge=0)] | None, BeforeValidator(_span_or_never)] = 600 * 10**9
    prewarmed: Annotated[int, Field(ge=0, le=10**6)] = 0
    queue: Annotated[Annotated[int, Field(ge=0, le=_MOST_COUNT)] | None, BeforeValidator(_limit)] = None
    failures: FailuresEntry | None = None
    autoscaler: AutoscalerEntry | None = None

    @model_validator(mode="after")
    def _enough(self) -> FleetFile:
        if self.autoscaler is not None and self.autoscaler.least > self.hosts.count:
            raise ValueError(
                f"autoscaler.least: {self.autoscaler.least} hosts are more than the fleet's {self.hosts.count}"
            )
        if self.autoscaler is not None and self.autoscaler.every < _LEAST_EVERY_NS:
            raise ValueError(f"autoscaler.every: {format_ns(self.autoscaler.every)} is less than 1 s")
        if self.autoscaler is not None and self.autoscaler.least == 0 and self.queue == 0:
            raise ValueError("autoscaler.least: with queue 0 and no host on, everything is rejected; write at least 1")
        return self


def read_fleet(file: Path) -> FleetSpec:
    """The fleet of a file. Raises ScenarioError, which names the line, the key and what was expected."""
    document = read_document(file, _KIND)
    try:
        found = FleetFile.model_validate(document.data, context=USER_INPUT)
    except ValidationError as error:
        raise ScenarioError(describe_faults(file, document, error), hint=_HINT) from None
    return FleetSpec(
        hosts=found.hosts.count,
        cpus=found.hosts.cpus,
        memory_bytes=found.hosts.memory,
        reserve_bytes=default_reserve(found.hosts.memory) if found.hosts.reserve is None else found.hosts.reserve,
        box_limit=found.hosts.boxes,
        policy=found.policy,
        keep_alive_ns=found.keep_alive,
        prewarmed=found.prewarmed,
        queue_limit=found.queue,
        failures=_failures(file, found),
        autoscaler=_autoscaler(found.autoscaler),
    )


def _failures(file: Path, found: FleetFile) -> Failures | None:
    entry = found.failures
    if entry is None:
        return None
    stated = () if entry.file is None else read_failures(file.parent / entry.file, hosts=found.hosts.count)
    return Failures(mtbf_ns=entry.mtbf or 0, mttr_ns=entry.mttr or 0, stated=stated, lost=entry.lost)


def _autoscaler(entry: AutoscalerEntry | None) -> Autoscaler | None:
    if entry is None:
        return None
    return Autoscaler(
        least=entry.least,
        target=entry.target,
        every_ns=entry.every,
        delay_ns=entry.delay,
        cooldown_ns=entry.cooldown,
    )
