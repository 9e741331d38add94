"""Questions about a trace, as a sweep asks them: a pool on one host, and a fleet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Final, cast, get_args

import numpy as np

from bench.sim.answer.answer import Distance
from bench.sim.answer.terms import Terms
from bench.sim.fleet.file import MOST_HOSTS
from bench.sim.fleet.needed import Limit, hosts_needed
from bench.sim.fleet.numbers import UNITS, numbers_of
from bench.sim.fleet.question import LEFT_OUT, trace_seed
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.run import simulate_fleet
from bench.sim.fleet.spec import POLICIES, FleetSpec, Policy
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.sweep.parameters import Parameter, Values
from bench.sim.sweep.question import CPUS, MEMORY, RESERVE, Floats, Quantity, Question
from bench.sim.traces.spec import TraceOptions, open_trace, takes_shares, trace_digest
from bench.sim.traces.trace import TraceSource
from bench.sim.traces.within import Within

POOL: Final = ("delay_p99", "delay_p50", "cold_share", "wasted_memory", "mean_memory", "rejected_share")
FLEET: Final = (
    "hosts_needed",
    "peak_hosts",
    "mean_hosts",
    "delay_p99",
    "cold_share",
    "wasted_memory",
    "stranded_share",
)
"""Names of numbers of a run that the two questions show; the first one is what figures show."""
_REACHED: Final = ("peak_on_host", "peak_starts")
"""What the runs have reached: the distance of a point is known after it was simulated."""
_MOST_KEEP_NS: Final = 2**59
"""Some 18 years."""
_MOST_PREWARMED: Final = 10_000


def _pool(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    """Samples (draws x replications,) of ``POOL`` on one host, and of what the runs have reached."""
    rows = [{**numbers_of(result, spec), **_reached(result)} for spec, result, _ in _runs(terms, target, values, 1)]
    return _columns("pool", (*POOL, *_REACHED), rows)


def _fleet(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    """Samples (draws x replications,) of ``FLEET``, and of what the runs have reached."""
    rows = []
    for spec, result, place in _runs(terms, target, values, int(values["hosts"])):
        needed = hosts_needed(spec, Limit(), partial(_run, terms, target, values, place))
        rows.append({**numbers_of(result, spec), **_reached(result), "hosts_needed": float(needed)})
    return _columns("fleet", (*FLEET, *_REACHED), rows)


def _runs(terms: Terms, target: str, values: Values, hosts: int) -> Iterator[tuple[FleetSpec, FleetResult, int]]:
    """Each draw with each replication, and its place, which decides the luck: the same for all targets and points."""
    spec = _spec(values, hosts)
    for number in range(len(terms.draws) * terms.replications):
        place = terms.first * terms.replications + number
        yield spec, _run(terms, target, values, place, spec), place


def _run(terms: Terms, target: str, values: Values, place: int, spec: FleetSpec) -> FleetResult:
    draw = terms.draws[place // terms.replications - terms.first]
    return simulate_fleet(
        spec, target_values(terms.model, target, draw), _source(values), label=target, seed=trace_seed(terms, place)
    )


def _spec(values: Values, hosts: int) -> FleetSpec:
    return FleetSpec(
        hosts=hosts,
        cpus=int(values["cpus"]),
        memory_bytes=int(values["memory"]),
        reserve_bytes=int(values["reserve"]),
        policy=cast("Policy", values.get("policy", "first-fit")),
        keep_alive_ns=int(values["keep_alive"]),
        prewarmed=int(values["prewarmed"]),
    )


def _source(values: Values) -> TraceSource:
    """The trace of the values, as its files are now."""
    text = str(values["trace"])
    memory_bytes = int(values["memory"]) if takes_shares(text) else None
    return _trace(text, cast("Within", values["within"]), memory_bytes, trace_digest(text))


@lru_cache(maxsize=4)
def _trace(text: str, within: Within, memory_bytes: int | None, _digest: str) -> TraceSource:
    """A trace. Its digest is part of the key: a worker may outlive a file's content."""
    return open_trace(text, TraceOptions(within=within, host_memory_bytes=memory_bytes))


def _reached(result: FleetResult) -> dict[str, float]:
    return {name: float(getattr(result, name)) for name in _REACHED}


def _columns(prefix: str, names: tuple[str, ...], rows: list[dict[str, float]]) -> dict[str, Floats]:
    return {f"{prefix}.{name}": np.array([row[name] for row in rows]) for name in names}


def _planned(model: Model, target: str, values: Values) -> Iterable[Distance]:
    """What is known before a point is simulated."""
    return (Distance(axis="cpus", asked=int(values["cpus"]), measured=model.host.cpus, target=target),)


def _reached_distances(prefix: str, model: Model, target: str, samples: Mapping[str, Floats]) -> Iterable[Distance]:
    """The most boxes on a host and the most that were starting there, the medians of all runs."""
    measured = model.targets[target].measured
    lived = max((max(measured.get(axis, ()), default=0) for axis in ("residents", "memory")), default=0)
    on_host, starts = (float(np.median(samples[f"{prefix}.{name}"])) for name in _REACHED)
    return (
        Distance(axis="memory", asked=on_host, measured=lived, target=target),
        Distance(axis="boxes", asked=starts, measured=max(measured.get("boxes", ()), default=0), target=target),
    )


def _caps(prefix: str, values: Values) -> dict[str, float]:
    hosts = float(values.get("hosts", 1))
    room = hosts * (int(values["memory"]) - int(values["reserve"]))
    found = {"peak_hosts": hosts, "mean_hosts": hosts, "mean_memory": room, "wasted_memory": room}
    return {f"{prefix}.{name}": most for name, most in found.items()}


def _left_out(values: Values) -> tuple[str, ...]:
    return (*(f"{values['trace']}: {rule}" for rule in _source(values).rules), *LEFT_OUT)


def _trace_inputs(values: Values) -> dict[str, str]:
    """A digest of the trace's files, so that a sweep does not go on with other ones; nothing of a law."""
    # A wrong trace is an error before anything is simulated.
    _source(values)
    text = str(values["trace"])
    digest = trace_digest(text)
    return {text: digest} if digest else {}


_ON_TRACE: Final[Mapping[str, Parameter]] = {
    "trace": Parameter(kind="text", help="a trace, as docs/sweeps.md lists them"),
    "keep_alive": Parameter(
        kind="duration",
        help="how long an idle box waits for work, such as 10min",
        default=600 * 10**9,
        most=_MOST_KEEP_NS,
    ),
    "prewarmed": Parameter(
        kind="count",
        help=f"boxes of each function that are always ready, 0 to {_MOST_PREWARMED}",
        default=0,
        most=_MOST_PREWARMED,
    ),
    "cpus": CPUS,
    "memory": MEMORY,
    "reserve": RESERVE,
    "within": Parameter(kind="text", help="times within a minute", default="uniform", choices=get_args(Within)),
}

FLEET_QUESTIONS: Final[Mapping[str, Question]] = {
    "pool": Question(
        parameters=_ON_TRACE,
        quantities={f"pool.{name}": Quantity(unit=UNITS[name]) for name in POOL},
        samples=_pool,
        distances=_planned,
        reached=partial(_reached_distances, "pool"),
        reached_names=tuple(f"pool.{name}" for name in _REACHED),
        inputs=_trace_inputs,
        left_out=_left_out,
        caps=partial(_caps, "pool"),
        of_memory=True,
    ),
    "fleet": Question(
        parameters={
            **_ON_TRACE,
            "hosts": Parameter(kind="count", help=f"hosts of the fleet, 1 to {MOST_HOSTS}", least=1, most=MOST_HOSTS),
            "policy": Parameter(kind="text", help="where boxes are placed", default=POLICIES[0], choices=POLICIES),
        },
        quantities={f"fleet.{name}": Quantity(unit=UNITS[name]) for name in FLEET},
        samples=_fleet,
        distances=_planned,
        reached=partial(_reached_distances, "fleet"),
        reached_names=tuple(f"fleet.{name}" for name in _REACHED),
        inputs=_trace_inputs,
        left_out=_left_out,
        caps=partial(_caps, "fleet"),
        of_memory=True,
    ),
}
"""By name."""
