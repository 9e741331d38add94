"""All runs of one variant of a question about a fleet: the fleet of the file, the smallest one, and other traces.

The two fleets have hosts that are differently full, so each has its own distance beyond the data, its own widening, and
can be refused alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Distance
from bench.sim.answer.terms import Terms
from bench.sim.cost import cost_of
from bench.sim.fleet.fleet_question import FleetQuestion
from bench.sim.fleet.limits import Stop, never_reason, stop_of
from bench.sim.fleet.needed import LimitError, Smallest, never_error, smallest_fleet
from bench.sim.fleet.numbers import memory_in_hosts, numbers_of
from bench.sim.fleet.question import OTHERS, check_pools, distances_of, has_others, one_run, refuse_far
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import FleetSpec, box_pages
from bench.sim.fleet.variants import Packing, Variant
from bench.sim.model.draws import weighted_median
from bench.util.errors import BoxbenchError, NotInDataError

Floats = NDArray[np.float64]
Row = Mapping[str, float]

SMALLEST: Final = ", smallest fleet"
"""Behind the label of a variant."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The runs of one fleet, one for each draw."""

    results: tuple[FleetResult, ...]
    rows: tuple[Row, ...]
    """The numbers of each."""
    distances: tuple[Distance, ...]


@dataclass(frozen=True, kw_only=True)
class Runs:
    """All runs of one variant. At least one of the two fleets is there."""

    packings: tuple[Packing, ...]
    """In each draw."""
    mine: Part | None
    """The fleet that was asked about; None: it lies too far beyond the data."""
    smallest: Part | None
    """The smallest fleet that is enough; None: it lies too far beyond the data, or no number of hosts is enough."""
    stops: tuple[Stop, ...]
    """In each draw, what one host fewer than the smallest fleet would lack; empty without it."""
    elsewhere: Mapping[str, Floats]
    """By name of a number of the smallest fleet: (traces,) on other traces, at the centre of the model; or none."""
    refused: tuple[str, ...] = ()
    """Sentences on the fleet that is missing."""
    never: LimitError | None = None
    """Why no number of hosts is enough in any draw."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those that are there."""
        return tuple(one for one in (self.mine, self.smallest) if one is not None)

    @property
    def results(self) -> tuple[FleetResult, ...]:
        """Of the fleet that was asked about; without it, of the smallest one."""
        return self.parts[0].results

    @property
    def distances(self) -> tuple[Distance, ...]:
        """Of both fleets; of the smallest one only where they differ from those of the other."""
        mine = () if self.mine is None else self.mine.distances
        smallest = () if self.smallest is None else self.smallest.distances
        return (*mine, *(one for one in smallest if _as_of_mine(one) not in mine))

    @property
    def most_hosts(self) -> int:
        """Of the smallest fleets of all draws."""
        needed = [row["hosts_needed"] for row in self.smallest.rows] if self.smallest is not None else []
        return int(max((one for one in needed if np.isfinite(one)), default=1))


def _as_of_mine(one: Distance) -> Distance:
    """The same distance under the label of the fleet that was asked about."""
    return one.model_copy(update={"target": one.target.removesuffix(SMALLEST)})


def run_variant(terms: Terms, question: FleetQuestion, variant: Variant) -> Runs:
    """Run a variant in all draws.

    Raises:
        UnanswerableError: the fleet has no room for its pre-warmed boxes.
        NotInDataError: both fleets lie too far beyond the data.
        LimitError: the fleet of the file does, and no number of hosts is enough.
    """
    packings = tuple(variant.packing(question.spec, terms.model, draw) for draw in terms.draws)
    check_pools(terms.model, question, variant, variant.spec(question.spec, packings[0]))
    errors: list[BoxbenchError] = []
    mine = smallest = None
    found: tuple[Smallest, ...] = ()
    try:
        mine = _mine(terms, question, variant, packings)
    except NotInDataError as error:
        errors.append(error)
    try:
        found = tuple(_smallest(terms, question, variant, packings))
        smallest = _part_of(terms, question, variant, packings, found)
    except (NotInDataError, LimitError) as error:
        errors.append(error)
    if mine is None and smallest is None:
        raise errors[0]
    results = (mine.results if mine is not None else ()) or tuple(one.result for one in found)
    return Runs(
        packings=packings,
        mine=mine,
        smallest=smallest,
        stops=tuple(_stops(terms, question, variant, packings, found)) if smallest is not None else (),
        elsewhere=_elsewhere(terms, question, variant, results[0].arrivals) if smallest is not None else {},
        refused=tuple(error.message if smallest is None else f"your fleet, {error.message}" for error in errors),
        never=next((error for error in errors if isinstance(error, LimitError)), None),
    )


def _mine(terms: Terms, question: FleetQuestion, variant: Variant, packings: Sequence[Packing]) -> Part:
    """The fleet of the file. Raises NotInDataError after its first run, if that is much too far beyond the data."""
    results: list[FleetResult] = []
    for place, (draw, packing) in enumerate(zip(terms.draws, packings, strict=True)):
        terms.say(f"{variant.label}, your fleet: draw {place + 1} of {len(terms.draws)}")
        spec = variant.spec(question.spec, packing)
        results.append(one_run(terms, question, variant, spec, draw=draw, place=place, watched=True))
        refuse_far(terms, variant, spec, results, last=place == len(terms.draws) - 1)
    rows = tuple(_row(question, variant, one, packing) for one, packing in zip(results, packings, strict=True))
    return Part(results=tuple(results), rows=rows, distances=distances_of(terms, variant, spec, results))


def _row(question: FleetQuestion, variant: Variant, result: FleetResult, packing: Packing) -> Row:
    """The numbers of one run of the fleet of the file."""
    numbers = numbers_of(result, variant.spec(question.spec, packing), packing)
    return numbers | _cost(question, "cost", result.on_ns / packing.per_host)


def _smallest(
    terms: Terms, question: FleetQuestion, variant: Variant, packings: Sequence[Packing]
) -> Iterator[Smallest]:
    """The smallest fleet in each draw. Raises NotInDataError after the first, if that is much too far."""
    for place, (draw, packing) in enumerate(zip(terms.draws, packings, strict=True)):
        terms.say(f"{variant.label}, the smallest fleet: draw {place + 1} of {len(terms.draws)}")
        spec = variant.spec(question.spec, packing)
        found = _smallest_at(terms, question, variant, spec, draw=draw, place=place)
        refuse_far(terms, variant, spec, [found.result], last=False, of=SMALLEST)
        yield found


def _smallest_at(
    terms: Terms,
    question: FleetQuestion,
    variant: Variant,
    spec: FleetSpec,
    *,
    draw: int | None,
    place: int,
    noise: bool = True,
    other: int = 0,
) -> Smallest:
    return smallest_fleet(
        spec,
        question.limit,
        lambda tried: one_run(terms, question, variant, tried, draw=draw, place=place, noise=noise, other=other),
        step=spec.together,
    )


def _part_of(
    terms: Terms,
    question: FleetQuestion,
    variant: Variant,
    packings: Sequence[Packing],
    found: Sequence[Smallest],
) -> Part:
    """The smallest fleets of all draws. Raises NotInDataError: too far; LimitError: in no draw there is one."""
    if all(one.never for one in found):
        middle = _middle(found, terms.draw_weights)
        reason = never_reason(question.limit, middle, per_host=packings[0].per_host)
        raise never_error([f"{variant.label}: {reason}"], question.spec.policy)
    results = tuple(one.result for one in found)
    spec = variant.spec(question.spec, packings[-1])
    refuse_far(terms, variant, spec, results, last=True, of=SMALLEST)
    rows = tuple(_needed_row(question, one, packing) for one, packing in zip(found, packings, strict=True))
    distances = distances_of(terms, variant, spec, results, of=SMALLEST)
    return Part(results=results, rows=rows, distances=distances)


def _needed_row(question: FleetQuestion, found: Smallest, packing: Packing) -> Row:
    """The numbers of the smallest fleet in one draw; where no number of hosts is enough, of the largest one tried."""
    hosts = found.hosts // packing.per_host
    row = {
        "hosts_needed": np.inf if found.never else float(hosts),
        "memory_in_hosts": memory_in_hosts(found.result),
        "needed_delay_p99": found.result.delay_ns(0.99),
    }
    # All of its hosts are on for as long as its own run takes.
    cost = _cost(question, "cost_of_needed", hosts * found.result.ended_ns)
    return row | {name: np.inf if found.never else value for name, value in cost.items()}


def _middle(found: Sequence[Smallest], weights: Floats) -> Smallest:
    """The one with the median start delay."""
    delays = np.array([one.result.delay_ns(0.99) for one in found])
    finite = np.where(np.isinf(delays), np.finfo(np.float64).max, delays)
    return found[int(np.argmin(np.abs(finite - weighted_median(finite, weights))))]


def _cost(question: FleetQuestion, name: str, host_ns: float) -> dict[str, float]:
    """The cost of so much time of real hosts; empty without prices."""
    if question.prices is None:
        return {}
    spec, kind = question.spec, question.host_kind
    cost = cost_of(question.prices, host_ns=host_ns, cpus=spec.cpus, memory_bytes=spec.memory_bytes, kind=kind)
    return {name: cost}


def _stops(
    terms: Terms,
    question: FleetQuestion,
    variant: Variant,
    packings: Sequence[Packing],
    found: Sequence[Smallest],
) -> Iterator[Stop]:
    """What one host fewer would lack, in each draw."""
    for draw, packing, one in zip(terms.draws, packings, found, strict=True):
        values = variant.values(terms.model, draw)
        pages = box_pages(values, variant.label, question.trace.memory_bytes, len(question.trace.names))
        spec = variant.spec(question.spec, packing)
        yield stop_of(question.limit, one, spec, values, pages, per_host=packing.per_host)


def _elsewhere(terms: Terms, question: FleetQuestion, variant: Variant, invocations: int) -> dict[str, Floats]:
    """The smallest fleets of other traces of the same law, at the centre of the model, without noise."""
    if not has_others(question, terms, invocations):
        return {}
    packing = variant.packing(question.spec, terms.model, None)
    spec = replace(variant.spec(question.spec, packing), autoscaler=None, failures=None)
    found = []
    for other in range(1, OTHERS + 1):
        terms.say(f"{variant.label}, the smallest fleet: other trace {other} of {OTHERS}")
        found.append(_smallest_at(terms, question, variant, spec, draw=None, place=0, noise=False, other=other))
    return {
        "hosts_elsewhere": np.array([np.inf if one.never else float(one.hosts // packing.per_host) for one in found]),
        "memory_in_hosts": np.array([memory_in_hosts(one.result) for one in found]),
    }
