"""The parameters of a target's starts, as plain numbers: one draw of a model, ready to be simulated."""

from __future__ import annotations

from dataclasses import dataclass

from bench.records.record import Endpoint


@dataclass(frozen=True, kw_only=True, slots=True)
class StageValues:
    """One stage of a start, from the endpoint before it to its own. All times are ns of a box without noise.

    A box passes the delay, then holds the lock (if the stage has a hold), then works. Its background work begins with
    the stage on a CPU of its own and is not waited for.
    """

    endpoint: Endpoint
    """Reached when the stage ends."""
    delay_ns: int = 0
    """Time in which the box uses no resource."""
    work_ns: int = 0
    """CPU time that the endpoint waits for, on at most one CPU; shared with all other work of the host."""
    background_ns: int = 0
    """CPU time of daemons, runtimes and shims that the endpoint does not wait for."""
    hold_work_ns: int = 0
    """CPU time for which the box holds the target's lock on a host without residents; work that is shared, too."""
    hold_delay_ns: int = 0
    """Time without a resource for which the box holds the lock, after ``hold_work_ns``."""

    @property
    def solo_ns(self) -> int:
        """How long the stage takes when the box is alone on an idle host."""
        return self.delay_ns + self.work_ns + self.hold_work_ns + self.hold_delay_ns

    @property
    def cpu_ns(self) -> int:
        """CPU time of one box in this stage, of everything that works for it."""
        return self.work_ns + self.background_ns + self.hold_work_ns


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetValues:
    """How boxes of one target start on one host."""

    stages: tuple[StageValues, ...]
    """In order of time; the last one's endpoint is the goal: ``ready``, or ``replied`` of HTTP workloads."""
    inflation: float = 0.0
    """How much more CPU time a piece of work needs for each further CPU that works at the same time: work in a host
    with ``n`` running pieces on ``c`` CPUs is ``1 + inflation * (min(n, c) - 1)`` times as long."""
    crowding: float = 0.0
    """How CPU work grows with the boxes that start at once: with ``s`` boxes that were requested and have not reached
    their goal, on a host of ``c`` CPUs, all CPU work takes ``max(1, s / c) ** crowding`` times as long."""
    growth_ns: float = 0.0
    """By how much the hold of the lock grows with each box that lives on the host, ns of CPU time."""
    block_sd: float = 0.0
    """Standard deviation of the logarithm of the factor that all boxes of a trial share."""
    block_correlation: float = 0.0
    """Correlation of that logarithm between neighbouring blocks, in [0, 1)."""
    box_sd: float = 0.0
    """Standard deviation of the logarithm of each box's own factor."""
    memory_fixed_bytes: int | None = None
    """Host memory that daemons and the first box's shared parts take once. None: memory was not measured."""
    memory_slope_bytes: int | None = None
    """Host memory that each box takes."""

    @property
    def solo_ns(self) -> int:
        """How long a start takes when the box is alone on an idle host."""
        return sum(stage.solo_ns for stage in self.stages)

    @property
    def cpu_ns(self) -> int:
        """CPU time of one start, without inflation."""
        return sum(stage.cpu_ns for stage in self.stages)

    @property
    def hold_ns(self) -> int:
        """How long one start holds the lock on a host without residents."""
        return sum(stage.hold_work_ns + stage.hold_delay_ns for stage in self.stages)
