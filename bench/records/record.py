"""The record of a trial, one line of JSON: the type, its schema number, reading and writing.

Schema history:
    1: first published form; ``members`` and ``storm_ns`` came later, with empty defaults; so did ``exercise`` and
        ``flush``.
    2: other names. ``course`` became ``samples``, ``account_bytes`` became ``ledger_bytes`` (``left`` in it
        ``not_released``), ``late_ns`` of members ``lateness_ns``; the endpoints ``accepted`` and ``entered`` became
        ``start_returned`` and ``exec``; CPU time of the whole life ``lifetime``.
        ``sitting`` came later, with a default.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.plan.trials import Trial
from bench.scenario.fields import Int64
from bench.scenario.validation import first_problem
from bench.util.errors import BoxbenchError, RecordError
from bench.util.text import plain_lines

SCHEMA: Final = 2


class Endpoint(StrEnum):
    """Named instants in a box's life, in the order in which they can occur."""

    REQUESTED = "requested"
    """Just before boxbench requests the box: t0, always 0."""
    FETCHED = "fetched"
    """First start on a fresh host only: the last byte has arrived."""
    UNPACKED = "unpacked"
    """First start on a fresh host only: what arrived is unpacked."""
    CREATED = "created"
    """The writable layer exists: container created, disk overlay in place."""
    VMM = "vmm"
    """The virtual machine monitor has connected to boxbench's event channel, or user-mode Linux was executed."""
    START_RETURNED = "start_returned"
    """The call that starts the box has returned."""
    KERNEL = "kernel"
    """The guest kernel's first output."""
    INIT = "init"
    """The agent's first mark: PID 1 of a container, or of a VM's initramfs."""
    ROOT = "root"
    """VM only: the image's file system is the root."""
    EXEC = "exec"
    """The agent is about to run the workload."""
    LISTENING = "listening"
    READY = "ready"
    REPLIED = "replied"
    """The first correct reply."""
    STOPPING = "stopping"
    """Boxbench asked the box to stop."""
    STOPPED = "stopped"
    """The workload has ended."""
    ENDED = "ended"
    """The box's last host process has ended."""
    GONE = "gone"
    """Everything of the box was removed from the host."""


class Failure(BaseModel):
    """Why a trial or a box gave no result."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    code: str
    """A short stable name: the class of the error."""
    message: str
    """What happened, with the values involved."""
    hint: str
    """The next step, in one sentence."""

    @classmethod
    def of(cls, error: BoxbenchError) -> Failure:
        """From an expected error; characters that a record cannot hold are replaced."""
        return cls(code=error.code, message=plain_lines(error.message), hint=plain_lines(error.hint))


class Member(BaseModel):
    """One box of a trial that has many."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    number: Int64
    """From 0; the box's tag is the trial's with ``-m`` and this in two digits or more."""
    scheduled_ns: Int64 = 0
    """When it was to be requested, after the first box of the trial."""
    lateness_ns: Int64 | None = None
    """How much later than scheduled boxbench requested it; part of every endpoint. None: it was never requested."""
    outcome: Literal["ok", "timeout", "failed"]
    """As the record's."""
    failure: Failure | None = None
    """As the record's."""
    endpoints_ns: dict[Endpoint, Int64] = {}
    """Since ``scheduled_ns``; ``requested`` is 0."""
    exit_code: Int64 | None = None
    """As the record's."""
    doubts: tuple[str, ...] = ()
    """As the record's, of this box."""
    cpu_ns: dict[str, Int64] = {}
    """CPU time of this box's own processes by component, from its request until all boxes had settled. Daemons serve
    all boxes, so they are in the trial's."""
    cpu_at_ns: dict[Endpoint, Int64] = {}
    """As the record's."""
    memory_bytes: dict[str, Int64] = {}
    """As the record's, of this box alone, while all boxes were up."""
    disk_bytes: dict[str, Int64] = {}
    """``box.allocated``, and what its processes read from disks and wrote to files."""
    waits_ns: dict[str, Int64] = {}
    """``queue.<component>`` and ``throttled``, until all boxes had settled. See the record's."""

    @model_validator(mode="after")
    def _consistent(self) -> Member:
        if (self.outcome == "ok") != (self.failure is None):
            raise ValueError("failure is given exactly when the outcome is not ok")
        if min((self.scheduled_ns, self.lateness_ns or 0, *self.endpoints_ns.values())) < 0:
            raise ValueError("a time before t0")
        return self


class Samples(BaseModel):
    """Memory and CPU time of a ready box until it was asked to stop, sampled in order of time."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    at_ns: tuple[Int64, ...]
    """Since the first sample, just after the box was ready."""
    memory_bytes: tuple[Int64, ...]
    """Of a container: its control group, page cache included. Of a VM: the resident memory of its VMM."""
    cpu_ns: tuple[Int64, ...]
    """CPU time of the same processes since the first sample."""

    @model_validator(mode="after")
    def _consistent(self) -> Samples:
        if not len(self.at_ns) == len(self.memory_bytes) == len(self.cpu_ns) >= 1:
            raise ValueError("columns of different lengths, or none")
        return self


class Flush(BaseModel):
    """Whether syncs in a ready box reach the disk: flush requests, counted at each level. None: no counter there."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    asked: Int64
    """Syncs of a new page that succeeded for the agent; 0 when it found no disk that it may write to."""
    took_ns: Int64
    """Duration of all of them together, on the box's own clock."""
    vmm: Int64 | None = None
    """Flushes that the VMM received from its guest."""
    host: Int64 | None = None
    """Flushes that the host's disks finished in the same time."""
    background: Int64 | None = None
    """Flushes of the host's disks in as much time (10 to 250 ms) without the agent's syncs."""
    cached: bool | None = None
    """Whether a disk of the host has a cache that can be flushed."""

    @property
    def honoured(self) -> Literal["yes", "no", "cannot tell"]:
        """Whether a sync in the box reaches the host's disk."""
        if not self.asked or not self.cached or self.host is None or self.background is None:
            return "cannot tell"
        if self.host >= self.asked and self.host > self.background:
            return "yes"
        return "no" if self.host <= self.background and self.host < self.asked else "cannot tell"


class HealthChecks(BaseModel):
    """The health checks that ran in the box until one passed, as its agent counted them."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    attempts: Int64
    """How many ran, the one that passed included."""
    cpu_ns: Int64
    """CPU time of all of them, which is part of the box's."""


class Record(BaseModel):
    """What one trial measured. Times in ns since t0 on the host's CLOCK_MONOTONIC, sizes in bytes.

    A key that is absent was not measured: missing is never zero.
    """

    # JSON has no infinity and no NaN: they would be written as null, which cannot be read again.
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    schema_number: Literal[2] = SCHEMA
    """Of the form of this line."""
    campaign: str
    """The campaign's id."""
    trial: Trial
    """Which cell, in which block."""
    source: Literal["measured", "replayed", "simulated"] = "measured"
    """Whether boxes ran, or the records of others were sent again, or a model made them."""
    started_at: str
    """Wall clock, ISO 8601, UTC: a label, never subtracted."""
    sitting: Annotated[Int64, Field(ge=0)] = 0
    """In which sitting of its campaign the trial ran, from 0: see ``Manifest.sittings``."""
    outcome: Literal["ok", "timeout", "failed"]
    """``timeout``: the box was not ready in time."""
    failure: Failure | None = None
    """Why there is no result; null with the outcome ``ok``."""
    endpoints_ns: dict[Endpoint, Int64]
    """When each endpoint was reached, since t0."""
    resolution_ns: dict[Endpoint, Int64] = {}
    """For endpoints found by polling: the polling interval. With a health check: the time since the check before the
    one that passed began."""
    guest_ns: dict[Endpoint, Int64] = {}
    """The same endpoints on the box's own CLOCK_MONOTONIC, which is not comparable with the host's."""
    channel_rtt_ns: tuple[Int64, ...] = ()
    """Round trips through the event channel to the agent and back, after ready."""
    memory_bytes: dict[str, Int64] = {}
    """By kind and component, such as ``pss.workload`` and ``cgroup.usage``: see METHOD 4."""
    cpu_ns: dict[str, Int64] = {}
    """CPU time of the host by window and component, such as ``start.total``: see METHOD 7."""
    cpu_at_ns: dict[Endpoint, Int64] = {}
    """CPU time that the box's own processes (its control group, or its VMM) had used when each mark of its agent was
    received: the difference of two is a phase's. Absent for targets of which it cannot be read within some 10 us."""
    disk_bytes: dict[str, Int64] = {}
    """By whom and what, such as ``box.allocated``: see METHOD 9."""
    waits_ns: dict[str, Int64] = {}
    """Time in which something waited. ``start.queue.<component>``: the box's living threads, ready to run, without a
    CPU, until ready; ``start.throttled``: by the box's own limit. Of the host during the whole trial: ``trial.steal``
    (sum over CPUs), ``trial.pressure.<resource>`` (some task was stalled), ``trial.window`` (the trial's length)."""
    flush: Flush | None = None
    """null: the box has no disk that was asked, or no agent."""
    samples: Samples | None = None
    """null: the box was not sampled."""
    health: HealthChecks | None = None
    """None: readiness did not follow from a health check, or none passed."""
    inside: dict[str, str] = {}
    """What the agent sees in the box: cpus, memory, kernel, user, limits."""
    exit_code: Int64 | None = None
    """Of the workload; 128 + signal when a signal ended it; None when it did not end."""
    doubts: tuple[str, ...] = ()
    """Reasons to doubt the values, such as throttling, steal, or a slow or failed removal; shown beside them."""
    exercise: dict[str, float] = {}
    """Results of the exercise, by name with its unit: from the tool's output, and ``wall_ns`` (host's clock),
    ``guest_wall_ns``, ``own_*`` (its rusage), ``operations``, ``cpu_per_operation_ns`` (host's CPU time)."""
    exercise_facts: dict[str, str] = {}
    """How it was run: ``profile``, ``parser``, ``command``, ``timeout_ns``."""
    artefacts: dict[str, str] = {}
    """Kept files, relative to the campaign directory."""
    ledger_bytes: dict[str, Int64] = {}
    """Of a trial whose boxes stay: what all boxes added to the host's memory. ``host.*``: its counters' growth;
    ``part.*``: by holder; ``unexplained``: the rest of ``host.used``; ``not_released``: of it after all were removed;
    ``fixed.<daemon>``: its PSS before the first box. See ``bench.probes.ledger``. A model knows no holders: a simulated
    trial has ``unreclaimable``, what the host uses more and cannot take back, and ``fixed.once``, what daemons and the
    first box take once."""
    members: tuple[Member, ...] = ()
    """The boxes of a trial that has many, also failed ones, in the order of their numbers."""
    storm_ns: dict[str, Int64] = {}
    """How late boxbench itself was during a storm, and how busy the host: ``lateness.max``, ``wake.median``,
    ``wake.p95``, ``wake.max``, ``host.busy``, ``host.all``. See ``bench.run.storm``."""

    @model_validator(mode="after")
    def _consistent(self) -> Record:
        if self.endpoints_ns.get(Endpoint.REQUESTED, 0) != 0:
            raise ValueError("endpoints_ns: requested is t0 and must be 0")
        if any(value < 0 for value in self.endpoints_ns.values()):
            raise ValueError("endpoints_ns: before t0")
        if (self.outcome == "ok") != (self.failure is None):
            raise ValueError("failure is given exactly when the outcome is not ok")
        return self

    def line(self) -> str:
        """One JSON line, newline included."""
        return self.model_dump_json(exclude_defaults=False) + "\n"


def parse_record(line: str | bytes, *, where: str) -> Record:
    """A record from its line. Raises RecordError naming ``where`` and what is wrong."""
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        raise RecordError(
            f"{where}: not a record of schema {SCHEMA}: {first_problem(error)}",
            hint="the file was edited, or written by another version of boxbench; keep it and use a new directory",
        ) from None
