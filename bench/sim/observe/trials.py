"""Observations: what a fit is made from and a check is scored on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Endpoint

NOT_STATED: Final = "not stated"
"""The workload of a table that does not name one."""


def same_workload(one: str, other: str) -> bool:
    """Whether two observations may be of one workload. One that is not stated may be any."""
    return one == other or NOT_STATED in (one, other)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where observations come from."""

    name: str
    """The campaign's id, or the table's file name."""
    digest: str
    """``sha256:...`` over the content that was used."""
    host: str | None
    """The host's fingerprint; None: a table without one."""
    cpus: int
    """CPUs of the host that starts could use."""
    memory_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class StartTrial:
    """Boxes of one target that were requested in one trial: a storm, or a single box."""

    digest: str
    """``sha256:...`` of the record's line: what a check must not score when the fit has used it."""
    cell: str
    """The cell's key."""
    block: int
    sitting: int
    boxes: int
    residents: int
    """Boxes that lived on the host already."""
    scheduled_ns: NDArray[np.int64]
    """(boxes,) When each box was requested, since the first."""
    times_ns: Mapping[Endpoint, NDArray[np.float64]]
    """(boxes,) of each endpoint that the target has, since the box's own request; inf: the box never got there."""
    cpu_ns: Mapping[str, int]
    """CPU time of all boxes together by component (``total``, ``box``, ``daemon.dockerd``, as ``start.*`` of the
    record), until all had settled; or empty."""
    source: int = 0
    """The number of its campaign in ``Observations.sources``."""


@dataclass(frozen=True, kw_only=True)
class MemoryTrial:
    """Boxes of one target that stayed, and what they added to the host's memory."""

    digest: str
    cell: str
    block: int
    sitting: int
    boxes: int
    used_bytes: int
    """What all boxes added to the host's memory in use."""
    daemons_bytes: int
    """What the target's daemons held before the first box."""
    source: int = 0
    """As of ``StartTrial``."""


@dataclass(frozen=True, kw_only=True)
class SummaryRow:
    """One line of a published table: storms of so many boxes, summarised by others."""

    boxes: int
    first_ns: float | None
    median_ns: float | None
    last_ns: float | None
    cpu_per_start_ns: float | None


@dataclass(frozen=True, kw_only=True)
class TargetObservations:
    """Everything that was seen of one target."""

    label: str
    """The box of the cell: ``docker``, ``libvirt/tcg``; the runtime's name in a table."""
    goal: Endpoint
    endpoints: tuple[Endpoint, ...]
    """Endpoints that all boxes of all trials have, in order of time, the goal last; without ``requested``."""
    starts: tuple[StartTrial, ...] = ()
    memory: tuple[MemoryTrial, ...] = ()
    rows: tuple[SummaryRow, ...] = ()
    """Of a table; then there are no trials."""
    notes: tuple[str, ...] = ()
    """Sentences about data that look odd and were used all the same."""


@dataclass(frozen=True, kw_only=True)
class Observations:
    """Everything that was seen on one host of one workload."""

    sources: tuple[Source, ...]
    workload: str
    """Digest of the image and its command: what the boxes run. What a table states, else NOT_STATED."""
    targets: Mapping[str, TargetObservations]
    """By label."""
    left_out: tuple[str, ...] = ()
    """Sentences about trials that were not used, and why."""
    notes: tuple[str, ...] = ()
    """Sentences about sources that are not whole, or of another host than the first."""
