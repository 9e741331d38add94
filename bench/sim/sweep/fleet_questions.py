"""Questions about a trace, as a sweep asks them: a pool on one host, and a fleet.

Runs, distances, limits and bands are those of the commands, so that a sweep of one point gives their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast, get_args

import numpy as np

from bench.sim.answer.answer import Band, Distance
from bench.sim.answer.form import form_sentences
from bench.sim.answer.terms import Terms
from bench.sim.fleet.fleet_runs import SMALLEST
from bench.sim.fleet.needed import Limit, smallest_fleet
from bench.sim.fleet.numbers import UNITS, memory_in_hosts, numbers_of
from bench.sim.fleet.question import LEFT_OUT, Asked, check_pools, distances_at, one_run
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.shown import Shown, caps_of, ratio_of, widenings
from bench.sim.fleet.spec import MOST_HOSTS, POLICIES, FleetSpec, Policy
from bench.sim.fleet.variants import Variant
from bench.sim.model.file import Model
from bench.sim.sweep.parameters import Parameter, Values
from bench.sim.sweep.question import CPUS, MEMORY, RESERVE, Bands, Floats, Quantity, Question, Runs, joined
from bench.sim.traces.cold import Durations
from bench.sim.traces.spec import TraceOptions, is_random, open_trace, takes_shares, trace_digest
from bench.sim.traces.trace import TraceSource
from bench.sim.traces.within import Within

POOL: Final = ("delay_p99", "delay_p50", "cold_share", "wasted_memory", "mean_memory", "rejected_share")
FLEET: Final = (
    "hosts_needed",
    "memory_in_hosts",
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
_NEEDED: Final = ("needed_on_host", "needed_starts")
"""The same of the smallest fleet, whose hosts are fuller or emptier."""
_MOST_KEEP_NS: Final = 2**59
"""Some 18 years."""
_MOST_PREWARMED: Final = 10_000
_ONE_TRACE: Final = (
    "All runs have the same invocations: bands do not contain the luck of the trace. Another seed has others."
)


@dataclass(frozen=True, kw_only=True)
class FleetBands:
    """Numbers of runs of a trace, as the commands show them."""

    shown: Shown

    def band(self, name: str) -> Band:
        """As ``Bands``."""
        return self.shown.band(_bare(name))

    def ratio(self, base: Bands, name: str) -> Band | None:
        """As ``Bands``."""
        assert isinstance(base, FleetBands)
        return ratio_of(self.shown, base.shown, _bare(name))


def _bare(name: str) -> str:
    """``pool.delay_p99`` as the commands' own code calls it."""
    return name.partition(".")[2]


def _pool(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    """Samples (draws x replications,) of ``POOL`` on one host, and of what the runs have reached."""
    spec = _spec(values)
    rows = [numbers_of(result, spec) | _reached(result) for _, _, result in _runs(terms, _asked(target, values), spec)]
    return _columns("pool", (*POOL, *_REACHED), rows)


def _fleet(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    """Samples (draws x replications,) of ``FLEET``, and of what the runs have reached."""
    spec, asked = _spec(values), _asked(target, values)
    rows = [
        numbers_of(result, spec) | _reached(result) | _smallest(terms, asked, spec, draw, place)
        for draw, place, result in _runs(terms, asked, spec)
    ]
    return _columns("fleet", (*FLEET, *_REACHED, *_NEEDED), rows)


def _asked(target: str, values: Values) -> Asked:
    return Asked(
        trace=_source(values), trace_text=str(values["trace"]), variants=(Variant(target=target),), baseline=target
    )


def _runs(terms: Terms, asked: Asked, spec: FleetSpec) -> Iterator[tuple[int, int, FleetResult]]:
    """Each draw with each replication, its place, which decides the luck and is the same for all targets and points,
    and its run. Raises UsageError: no room for pre-warmed boxes."""
    (variant,) = asked.variants
    check_pools(terms.model, asked, variant, spec)
    for number, draw in enumerate(np.repeat(terms.draws, terms.replications).tolist()):
        place = terms.first * terms.replications + number
        yield draw, place, one_run(terms, asked, variant, spec, draw=draw, place=place)


def _smallest(terms: Terms, asked: Asked, spec: FleetSpec, draw: int, place: int) -> dict[str, float]:
    """The numbers of the smallest fleet that is enough in one draw."""
    (variant,) = asked.variants
    found = smallest_fleet(spec, Limit(), lambda tried: one_run(terms, asked, variant, tried, draw=draw, place=place))
    return {
        "hosts_needed": math.inf if found.never else float(found.hosts),
        "memory_in_hosts": memory_in_hosts(found.result),
        **dict(zip(_NEEDED, _reached(found.result).values(), strict=True)),
    }


def _spec(values: Values) -> FleetSpec:
    return FleetSpec(
        hosts=int(values.get("hosts", 1)),
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
    options = TraceOptions(
        within=cast("Within", values["within"]),
        durations=cast("Durations", values["durations"]),
        host_memory_bytes=memory_bytes,
    )
    return _trace(text, options, trace_digest(text))


@lru_cache(maxsize=4)
def _trace(text: str, options: TraceOptions, _digest: str) -> TraceSource:
    """A trace. Its digest is part of the key: a worker may outlive a file's content."""
    return open_trace(text, options)


def _reached(result: FleetResult) -> dict[str, float]:
    return {name: float(getattr(result, name)) for name in _REACHED}


def _columns(prefix: str, names: tuple[str, ...], rows: list[dict[str, float]]) -> dict[str, Floats]:
    return {f"{prefix}.{name}": np.array([row[name] for row in rows]) for name in names}


def _planned(model: Model, target: str, values: Values) -> Iterable[Distance]:
    """What is known before a point is simulated."""
    return (Distance(axis="cpus", asked=int(values["cpus"]), measured=model.host.cpus, target=target),)


def _distances(runs: Runs, prefix: str, names: tuple[str, str] = _REACHED, of: str = "") -> Sequence[Distance]:
    """Of the most boxes on a host and of the most that were starting there, the medians of all runs."""
    on_host, starts = (float(np.median(runs.samples[f"{prefix}.{name}"])) for name in names)
    return distances_at(
        runs.terms.model, Variant(target=runs.target), _spec(runs.values), on_host=on_host, starts=starts, of=of
    )


def _pool_distances(runs: Runs) -> Sequence[Distance]:
    return _distances(runs, "pool")


def _fleet_distances(runs: Runs) -> Sequence[Distance]:
    """Of the fleet that is asked about, and of the smallest one."""
    return (*_distances(runs, "fleet"), *_distances(runs, "fleet", _NEEDED, SMALLEST))


def _bands(runs: Sequence[Runs], distances: Sequence[Distance]) -> FleetBands:
    """With the widening and the limits of the commands; of several samples the largest ones."""
    samples, weights = joined(runs)
    terms, variant = runs[0].terms, Variant(target=runs[0].target)
    caps: dict[str, float] = {}
    for one in runs:
        asked = _asked(one.target, one.values)
        for name, most in caps_of(terms, asked, variant, _spec(one.values)).items():
            caps[name] = max(most, caps.get(name, 0.0))
    smallest = [one for one in distances if one.target.endswith(SMALLEST)]
    mine = [one for one in distances if one not in smallest]
    return FleetBands(
        shown=Shown(
            samples={_bare(name): values for name, values in samples.items()},
            weights=weights,
            wide=widenings(terms.model, variant, mine),
            wide_needed=widenings(terms.model, variant, smallest) if smallest else None,
            caps=caps,
        )
    )


def _forms(model: Model, target: str, values: Values) -> Iterable[str]:
    return form_sentences(model, (target,), cpus=int(values["cpus"]), boxes=int(values["cpus"]))


def _left_out(values: Values) -> tuple[str, ...]:
    text = str(values["trace"])
    luck = (f"{text}: {_ONE_TRACE}",) if is_random(text) else ()
    return (*(f"{text}: {rule}" for rule in _source(values).rules), *luck, *LEFT_OUT)


def _trace_inputs(values: Values) -> dict[str, str]:
    """A digest of the trace's files, so that a sweep does not go on with other ones; nothing of a law."""
    # A wrong trace is an error before anything is simulated.
    _source(values)
    text = str(values["trace"])
    digest = trace_digest(text)
    return {text: digest} if digest else {}


_ON_TRACE: Final[Mapping[str, Parameter]] = {
    "trace": Parameter(kind="text", help="a trace, as docs/how-to/sweeps.md lists them"),
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
    "durations": Parameter(
        kind="text",
        help="whether the trace's durations contain cold starts",
        default="check",
        choices=get_args(Durations),
    ),
}

FLEET_QUESTIONS: Final[Mapping[str, Question]] = {
    "pool": Question(
        parameters=_ON_TRACE,
        quantities={f"pool.{name}": Quantity(unit=UNITS[name]) for name in POOL},
        samples=_pool,
        planned=_planned,
        distances=_pool_distances,
        bands=_bands,
        taken=_forms,
        more=tuple(f"pool.{name}" for name in _REACHED),
        inputs=_trace_inputs,
        left_out=_left_out,
        of_memory=True,
        may_never=True,
    ),
    "fleet": Question(
        parameters={
            **_ON_TRACE,
            "hosts": Parameter(kind="count", help=f"hosts of the fleet, 1 to {MOST_HOSTS}", least=1, most=MOST_HOSTS),
            "policy": Parameter(kind="text", help="where boxes are placed", default=POLICIES[0], choices=POLICIES),
        },
        quantities={f"fleet.{name}": Quantity(unit=UNITS[name]) for name in FLEET},
        samples=_fleet,
        planned=_planned,
        distances=_fleet_distances,
        bands=_bands,
        taken=_forms,
        more=tuple(f"fleet.{name}" for name in (*_REACHED, *_NEEDED)),
        inputs=_trace_inputs,
        left_out=_left_out,
        of_memory=True,
        may_never=True,
    ),
}
"""By name."""
