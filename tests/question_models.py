"""A small model to ask: docker and libvirt/kvm on 2 CPUs, 40 draws, with numbers that are easy to reckon with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.records.record import Endpoint
from bench.sim.model.draws import weighted_median, written
from bench.sim.model.file import Discrepancy, HostEntry, Model, Parameter, SourceEntry, TargetEntry

DRAWS = 40
MS = 1e6
MIB = 2.0**20


def parameter(value: float, unit: Any = "ns", kind: Any = "measured", prior_sd: float | None = None) -> Parameter:
    """A parameter."""
    return Parameter(value=value, unit=unit, kind=kind, note="from a cell of the test.", prior_sd=prior_sd)


def make_model(*, hold_kind: Any = "measured", hold_prior_ms: float = 20.0, hold_sd_ms: float = 1.0) -> Model:
    """The model.

    Args:
        hold_kind: of docker's hold.
        hold_prior_ms: its standard deviation before the data.
        hold_sd_ms: its standard deviation after them.
    """
    hold = spread(10 * MS, hold_sd_ms * MS)
    docker = {
        "created.delay": (spread(20 * MS, 1 * MS), parameter(0)),
        "ready.work": (spread(100 * MS, 4 * MS), parameter(0)),
        "ready.background": (spread(50 * MS, 0), parameter(0)),
        "ready.hold_work": (hold, parameter(0, kind=hold_kind, prior_sd=hold_prior_ms * MS)),
        "inflation": (spread(0.02, 0.004), parameter(0, "1", prior_sd=0.1)),
        "box_sd": (spread(0.05, 0), parameter(0, "1")),
        "block_sd": (spread(0.1, 0), parameter(0, "1")),
        "memory_fixed": (spread(100 * MIB, 0), parameter(0, "bytes")),
        "memory_slope": (spread(5 * MIB, 0.2 * MIB), parameter(0, "bytes")),
    }
    libvirt = {
        "ready.delay": (spread(100 * MS, 2 * MS), parameter(0)),
        "ready.work": (spread(400 * MS, 10 * MS), parameter(0)),
        "block_sd": (spread(0.1, 0), parameter(0, "1")),
        "memory_fixed": (spread(20 * MIB, 0), parameter(0, "bytes")),
        "memory_slope": (spread(200 * MIB, 2 * MIB), parameter(0, "bytes")),
    }
    return Model(
        boxbench="0",
        workload="sha256:0",
        sources=(SourceEntry(name="test", digest="sha256:1", blocks=20, cells=("hello/docker",)),),
        host=HostEntry(fingerprint="f", cpus=2, memory_bytes=8 * 2**30),
        targets={
            "docker": _entry(docker, (Endpoint.CREATED, Endpoint.READY)),
            "libvirt/kvm": _entry(libvirt, (Endpoint.READY,)),
        },
        discrepancy=Discrepancy(log_sd_per_doubling=0.06, source="test"),
        weights=(1 / DRAWS,) * DRAWS,
        draws={
            "docker": {name: tuple(draws) for name, (draws, _) in docker.items()},
            "libvirt/kvm": {name: tuple(draws) for name, (draws, _) in libvirt.items()},
        },
    )


def spread(centre: float, sd: float) -> list[float]:
    """Draws around a centre, in an order that differs from parameter to parameter but not from run to run."""
    rng = np.random.default_rng(round(centre * 1000) % 2**32)
    return [max(0.0, float(value)) for value in centre + sd * rng.standard_normal(DRAWS)]


def _entry(parts: Mapping[str, tuple[Sequence[float], Parameter]], endpoints: tuple[Endpoint, ...]) -> TargetEntry:
    parameters = {
        name: given.model_copy(update={"value": written(weighted_median(draws, [1.0] * DRAWS))})
        for name, (draws, given) in parts.items()
    }
    measured = {"boxes": (1, 2, 4, 8), "residents": (0, 8), "memory": (1, 2, 4, 8, 16)}
    pairs = ((1, 0), (2, 0), (4, 0), (4, 8), (8, 0), (8, 8))
    return TargetEntry(endpoints=endpoints, parameters=parameters, measured=measured, pairs=pairs)
