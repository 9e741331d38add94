"""What stands side by side in an answer: a target, the same from a snapshot, or containers inside VMs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from bench.sim.answer.form import host_values
from bench.sim.answer.terms import refuse_emulated_machine
from bench.sim.answer.words import count_text, number_text
from bench.sim.fleet.spec import FleetSpec, UnanswerableError
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import UsageError
from bench.util.units import format_bytes, format_ns


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A start that the user states: boxes are restored instead of booted, without a lock."""

    start_ns: int
    """From the request until the box is up, alone on an idle host."""
    cpu_ns: int
    """CPU time that is part of it."""

    def __post_init__(self) -> None:
        if not 0 <= self.cpu_ns <= self.start_ns or self.start_ns == 0:
            raise UsageError(
                f"a start from a snapshot of {format_ns(self.start_ns)} with {format_ns(self.cpu_ns)} of CPU time",
                hint="write the start first and no more CPU time than that: --snapshot 150ms,60ms",
            )


@dataclass(frozen=True, kw_only=True)
class InVm:
    """VMs that are always on, each of which is a host for boxes."""

    target: str
    """Of the VMs."""
    cpus: int
    memory_bytes: int

    def __post_init__(self) -> None:
        """Raise UsageError: the model does not know how slow boxes in an emulated VM are."""
        refuse_emulated_machine("--in-vm", self.target)


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How the hosts that boxes see lie on real ones.

    VMs are always on, and take their memory whether boxes do or not.
    """

    per_host: int = 1
    """VMs on a real host; 1 also where boxes are on the host itself."""
    vm_bytes: int = 0
    """What each takes of the real host's memory; 0: boxes are on the host itself."""
    room_bytes: int = 0
    """The real host's memory for VMs."""
    host_cpus: int = 0
    """CPUs of the real host; 0: boxes are on the host itself."""


ON_HOST: Final = Packing()


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Boxes of one target, started in one way, on one kind of host."""

    target: str
    snapshot: Snapshot | None = None
    inside: InVm | None = None

    @property
    def label(self) -> str:
        """Of the answer: ``docker``, ``libvirt from a snapshot``, ``docker in libvirt``."""
        if self.inside is not None:
            return f"{self.target} in {self.inside.target}"
        return self.target if self.snapshot is None else f"{self.target} from a snapshot"

    def values(self, model: Model, draw: int | None, *, cpus: int | None = None, seed: int = 0) -> TargetValues:
        """The boxes' values in one draw of the model; None: at its centre.

        Args:
            cpus: of the host that they start on, which may be more than were measured; None: those of the model.
            seed: of how inflation goes on beyond the measured CPUs.
        """
        values = (
            target_values(model, self.target, draw)
            if cpus is None
            else host_values(model, self.target, draw, cpus=cpus, boxes=cpus, seed=seed)
        )
        if self.snapshot is None:
            return values
        stage = StageValues(
            endpoint=values.stages[-1].endpoint,
            delay_ns=self.snapshot.start_ns - self.snapshot.cpu_ns,
            work_ns=self.snapshot.cpu_ns,
        )
        return replace(values, stages=(stage,), growth_ns=0.0)

    def packing(self, spec: FleetSpec, model: Model, draw: int | None) -> Packing:
        """How VMs fill hosts, by memory.

        Raises UnanswerableError: a host is too small for one VM, or the model has no memory of VMs.
        """
        if self.inside is None:
            return ON_HOST
        outer = target_values(model, self.inside.target, draw)
        if outer.memory_slope_bytes is None:
            raise UnanswerableError(
                f"{self.label}: the model does not know what a VM ({self.inside.target}) takes of the host's memory",
                hint="add `residents: [1, 8, 16]` to the scenario of the calibration, and fit again",
            )
        each = self.inside.memory_bytes + max(0, outer.memory_slope_bytes)
        room = spec.memory_bytes - spec.reserve_bytes - (outer.memory_fixed_bytes or 0)
        count = room // each
        if count < 1:
            raise UnanswerableError(
                f"{self.label}: a host of {format_bytes(spec.memory_bytes)} is too small for a VM of "
                f"{format_bytes(each)}",
                hint="give smaller VMs (--in-vm), or hosts with more memory",
            )
        return Packing(per_host=int(count), vm_bytes=each, room_bytes=room, host_cpus=spec.cpus)

    def spec(self, spec: FleetSpec, packing: Packing) -> FleetSpec:
        """The fleet as these boxes see it: VMs are hosts with their own CPUs and memory, and always on.

        An autoscaler switches real hosts on and off; VMs that are always on have none. A limit of boxes holds for each
        VM, which is the host that its boxes know.
        """
        if self.inside is None:
            return spec
        return replace(
            spec,
            hosts=spec.hosts * packing.per_host,
            cpus=self.inside.cpus,
            memory_bytes=self.inside.memory_bytes,
            reserve_bytes=0,
            autoscaler=None,
            together=packing.per_host,
        )

    def too_many_cpus(self, packing: Packing) -> str | None:
        """A warning where the VMs of a host have more CPUs than it has; None: they do not."""
        if self.inside is None or packing.per_host * self.inside.cpus <= packing.host_cpus:
            return None
        times = packing.per_host * self.inside.cpus / packing.host_cpus
        return (
            f"{self.label}: {count_text(packing.per_host, 'VM')} of {count_text(self.inside.cpus, 'CPU')} on a host of "
            f"{packing.host_cpus} have {number_text(times)} times its CPUs. VMs do not slow each other in this model: "
            "where many start boxes at once, starts take up to that many times as long."
        )

    def assumed(self) -> tuple[str, ...]:
        """Sentences on what the user stated for this variant."""
        found = []
        if self.snapshot is not None:
            found.append(
                f"{self.label}: a start takes {format_ns(self.snapshot.start_ns)}, "
                f"{format_ns(self.snapshot.cpu_ns)} of it CPU time, and no lock; assumed by you"
            )
        if self.inside is not None:
            found.append(
                f"{self.label}: VMs of {self.inside.cpus} CPUs and {format_bytes(self.inside.memory_bytes)} are always "
                "on, also where the fleet file has an autoscaler, take all of this memory, and do not slow each other; "
                "boxes in them start as on a host of this size"
            )
        return tuple(found)
