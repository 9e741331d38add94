"""The sides of a storm question: a target alone on the host, or containers in virtual machines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Bottleneck, Distance
from bench.sim.answer.bottleneck import bottleneck
from bench.sim.answer.distance import beside_sentences, storm_distances
from bench.sim.answer.form import form_sentences, host_values
from bench.sim.answer.influence import Varying
from bench.sim.answer.terms import Terms, find_target, refuse_emulated_machine
from bench.sim.host.arrivals import AT_ONCE, Arrivals
from bench.sim.host.common import forms_of
from bench.sim.host.luck import trial_factors
from bench.sim.host.times import ranked
from bench.sim.model.file import Model
from bench.sim.starts import Starts, Storm, grid_of, simulate_many, simulate_starts
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import UsageError

_NOT_LOOKED_FOR: Final = "the longer of its two parts decides; where another limit takes over was not looked for"
SHARES: Final = {"first": 0.0, "p25": 0.25, "median": 0.5, "p90": 0.9, "last": 1.0}
"""Of the boxes that are up, by the name of the time since the first request."""


@dataclass(frozen=True, kw_only=True)
class TrialLuck:
    """The random numbers of one trial; None in place of it: no noise."""

    seed: int
    trial: int
    longer: float = 1.0
    """What the times of all boxes are multiplied by, besides their luck."""


class Side(Protocol):
    """One way to run so many boxes on a host."""

    @property
    def label(self) -> str:
        """What its quantities are called."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Of the model, that it needs."""

    def numbers(
        self, model: Model, draw: int | None, boxes: int, luck: TrialLuck, *, noise: bool
    ) -> Mapping[str, float]:
        """One storm, in ns: the times of ``SHARES`` as of ``times.ranked``; ``longest``, the longest start of a box
        from its own request; per box ``cpu`` until the last one is up, ``cpu_after`` after that, ``lock_wait``,
        ``cpu_wait``. ``draw``: of the model; None: its centre."""

    @property
    def arrivals(self) -> Arrivals:
        """When its boxes are requested."""

    def distances(self, model: Model, boxes: int) -> tuple[Distance, ...]:
        """How far a storm of so many boxes lies beyond the data."""

    def limit(self, terms: Terms, boxes: int, *, further: bool = True) -> Bottleneck:
        """What limits it, where requests come at their mean times. ``further``: also where another limit takes
        over."""

    def forms(self, terms: Terms, boxes: int) -> Sequence[Varying]:
        """How inflation goes on beyond the measured CPUs, where the storm depends on it."""

    def taken(self, model: Model, boxes: int) -> Sequence[str]:
        """Sentences on what is taken for granted in a storm of so many boxes."""


@dataclass(frozen=True, kw_only=True)
class Alone:
    """Boxes of one target on a host."""

    target: str
    cpus: int
    residents: int = 0
    arrivals: Arrivals = AT_ONCE

    @property
    def label(self) -> str:
        """The target."""
        return self.target

    @property
    def targets(self) -> tuple[str, ...]:
        """The target."""
        return (self.target,)

    def numbers(
        self, model: Model, draw: int | None, boxes: int, luck: TrialLuck, *, noise: bool
    ) -> Mapping[str, float]:
        """One storm."""
        values = host_values(model, self.target, draw, cpus=self.cpus, boxes=boxes, seed=luck.seed)
        scheduled = self.arrivals.schedule(boxes, seed=luck.seed, trial=luck.trial)
        factors = _factors(values, luck, boxes) if noise else None
        starts = simulate_starts(
            values, cpus=self.cpus, scheduled_ns=scheduled, residents=self.residents, noise=factors
        )
        return _numbers(_goal(starts, values), scheduled, [starts])

    def distances(self, model: Model, boxes: int) -> tuple[Distance, ...]:
        """How far it lies beyond the data."""
        return storm_distances(model, self.target, boxes=boxes, cpus=self.cpus, residents=self.residents)

    def limit(self, terms: Terms, boxes: int, *, further: bool = True) -> Bottleneck:
        """What limits it. ``further``: also where another limit takes over."""
        return bottleneck(
            self.target,
            terms.drawn(self.target),
            terms.draw_weights,
            cpus=self.cpus,
            residents=self.residents,
            scheduled_ns=self.arrivals.expected(boxes),
            further=further,
        )

    def forms(self, terms: Terms, boxes: int) -> Sequence[Varying]:
        """How inflation goes on beyond the measured CPUs, where the storm depends on it."""
        return forms_of(terms, self.targets, cpus=self.cpus, boxes=boxes)

    def taken(self, model: Model, boxes: int) -> Sequence[str]:
        """What is taken for granted about hosts with more CPUs, and about storms beside residents."""
        return (
            *form_sentences(model, self.targets, cpus=self.cpus, boxes=boxes),
            *beside_sentences(model, self.target, boxes=boxes, residents=self.residents),
        )


@dataclass(frozen=True, kw_only=True)
class Nested:
    """Boxes of ``inner`` inside virtual machines of ``outer``: each machine is a box that starts, then starts its own.

    Inside a machine the network of the inner target is the same, with the machine's CPUs. Where all machines together
    have more CPUs than the host, CPU work inside takes longer in proportion.
    """

    outer: str
    inner: str
    per_vm: int
    vm_cpus: int
    cpus: int
    residents: int = 0
    arrivals: Arrivals = AT_ONCE

    @property
    def label(self) -> str:
        """``docker in libvirt/kvm``."""
        return f"{self.inner} in {self.outer}"

    @property
    def targets(self) -> tuple[str, ...]:
        """Both."""
        return (self.outer, self.inner)

    def _machines(self, boxes: int) -> list[int]:
        """Boxes of each machine."""
        count = math.ceil(boxes / self.per_vm)
        return [min(self.per_vm, boxes - number * self.per_vm) for number in range(count)]

    def numbers(
        self, model: Model, draw: int | None, boxes: int, luck: TrialLuck, *, noise: bool
    ) -> Mapping[str, float]:
        """One storm. A box is requested with its machine. Its CPU time counts until all machines are up, and inside
        each until its boxes are."""
        machines = self._machines(boxes)
        outer = host_values(model, self.outer, draw, cpus=self.cpus, boxes=len(machines), seed=luck.seed)
        inner = host_values(model, self.inner, draw, cpus=self.vm_cpus, boxes=machines[0], seed=luck.seed)
        scheduled = self.arrivals.schedule(len(machines), seed=luck.seed, trial=luck.trial)
        outer_luck = _factors(outer, luck, len(machines)) if noise else None
        hosts = simulate_starts(
            outer, cpus=self.cpus, scheduled_ns=scheduled, residents=self.residents, noise=outer_luck
        )
        shared = scaled(inner, self._share(len(machines)))
        own = _factors(inner, luck, boxes) if noise else np.ones(boxes)
        parts = np.split(own, np.cumsum(machines)[:-1])
        storms = [Storm(scheduled_ns=np.zeros(len(part), dtype=np.int64), noise=part) for part in parts]
        many = simulate_many(grid_of([shared]), storms, cpus=self.vm_cpus)
        inside = [many.starts(0, number) for number in range(len(storms))]
        up = np.repeat(_goal(hosts, outer), machines) + np.concatenate([_goal(one, inner) for one in inside])
        return _numbers(up, np.repeat(scheduled, machines), [hosts, *inside])

    def _share(self, machines: int) -> float:
        return max(1.0, machines * self.vm_cpus / self.cpus)

    def distances(self, model: Model, boxes: int) -> tuple[Distance, ...]:
        """Of the machines on the host, and of the boxes in a machine."""
        machines = self._machines(boxes)
        return (
            *storm_distances(model, self.outer, boxes=len(machines), cpus=self.cpus, residents=self.residents),
            *storm_distances(model, self.inner, boxes=machines[0], cpus=self.vm_cpus, residents=0),
        )

    def limit(self, terms: Terms, boxes: int, *, further: bool = True) -> Bottleneck:  # noqa: ARG002
        """What limits the longer part: the machines' start, or the start of the boxes in them."""
        machines = self._machines(boxes)
        hosts = Alone(target=self.outer, cpus=self.cpus, residents=self.residents, arrivals=self.arrivals)
        first = hosts.limit(terms, len(machines), further=False)
        share = self._share(len(machines))
        second = bottleneck(
            self.inner,
            [replace(one, values=scaled(one.values, share)) for one in terms.drawn(self.inner)],
            terms.draw_weights,
            cpus=self.vm_cpus,
            residents=0,
            scheduled_ns=np.zeros(machines[0], dtype=np.int64),
            further=False,
        )
        longer = max((first, second), key=lambda one: one.bounds_ns[one.name])
        return longer.model_copy(update={"target": self.label, "switch": _NOT_LOOKED_FOR})

    def forms(self, terms: Terms, boxes: int) -> Sequence[Varying]:
        """How inflation goes on beyond the measured CPUs, on the host and in a machine."""
        machines = self._machines(boxes)
        return (
            *forms_of(terms, [self.outer], cpus=self.cpus, boxes=len(machines)),
            *forms_of(terms, [self.inner], cpus=self.vm_cpus, boxes=machines[0]),
        )

    def taken(self, model: Model, boxes: int) -> Sequence[str]:
        """What is taken for granted."""
        machines = self._machines(boxes)
        return (
            *form_sentences(model, [self.outer], cpus=self.cpus, boxes=len(machines)),
            *form_sentences(model, [self.inner], cpus=self.vm_cpus, boxes=machines[0]),
            *beside_sentences(model, self.outer, boxes=len(machines), residents=self.residents),
            f"{self.label}: {self.per_vm} boxes per machine with {self.vm_cpus} CPUs. Boxes inside are taken to need "
            "as much CPU time as on the host, and to have a lock of their own in each machine. Machines are taken to "
            "want their CPUs all at the same time. None of this was measured.",
        )


def nested(model: Model, text: str, *, per_vm: int, vm_cpus: int, side: Alone) -> Nested:
    """From ``libvirt/kvm:docker``. Raises UsageError: not of that form, an unknown target, or an emulated machine."""
    outer, colon, inner = text.rpartition(":")
    if not colon or not outer or not inner:
        raise UsageError(
            f"--nested {text!r} is not of the form OUTER:INNER", hint="write for example libvirt/kvm:docker"
        )
    found = find_target(model, outer.strip())
    refuse_emulated_machine("--nested", found)
    return Nested(
        outer=found,
        inner=find_target(model, inner.strip()),
        per_vm=per_vm,
        vm_cpus=vm_cpus,
        cpus=side.cpus,
        residents=side.residents,
        arrivals=side.arrivals,
    )


def scaled(values: TargetValues, factor: float) -> TargetValues:
    """The values with CPU work that takes ``factor`` times as long; delays stay."""

    def longer(stage: StageValues) -> StageValues:
        return replace(
            stage,
            work_ns=round(stage.work_ns * factor),
            background_ns=round(stage.background_ns * factor),
            hold_work_ns=round(stage.hold_work_ns * factor),
        )

    return replace(values, stages=tuple(map(longer, values.stages)), growth_ns=values.growth_ns * factor)


def _factors(values: TargetValues, luck: TrialLuck, boxes: int) -> NDArray[np.float64]:
    return trial_factors(values, seed=luck.seed, trial=luck.trial, boxes=boxes, longer=luck.longer)


def _goal(starts: Starts, values: TargetValues) -> NDArray[np.int64]:
    return starts.times_ns[values.stages[-1].endpoint]


def _numbers(
    times_ns: NDArray[np.int64], scheduled_ns: NDArray[np.int64], starts: Sequence[Starts]
) -> dict[str, float]:
    """The numbers of one storm.

    Args:
        times_ns: (boxes,) until each is up, since its request.
        starts: all that was simulated for it.
    """
    times = np.asarray(times_ns, dtype=np.float64)
    boxes, requested = len(times), scheduled_ns - scheduled_ns.min()
    cpu = sum(one.cpu_until_up_ns for one in starts)
    return {
        **ranked(requested + times, SHARES),
        "longest": float(times.max()),
        "cpu": cpu / boxes,
        "cpu_after": (sum(one.cpu_ns for one in starts) - cpu) / boxes,
        "lock_wait": sum(float(one.lock_wait_ns.sum()) for one in starts) / boxes,
        "cpu_wait": sum(float(one.cpu_wait_ns.sum()) for one in starts) / boxes,
    }
