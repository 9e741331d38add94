"""A fleet in numbers: hosts, placement, keep-alive, failures, scaling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bench.sim.fleet.kernel import columns as c
from bench.sim.values import TargetValues
from bench.util.errors import UsageError
from bench.util.units import format_bytes, format_ns

MOST_HOSTS: Final = 2**20
"""Larger fleets are not simulated."""
_MOST_LOOKS: Final = 50_000_000
"""Of an autoscaler in one run."""

Policy = Literal["first-fit", "best-fit", "spread", "pack"]
"""``first-fit``: the first host with room. ``best-fit``: the one with the least free memory that is enough. ``spread``:
the one with the fewest boxes. ``pack``: the one with the most boxes."""
POLICIES: Final = get_args(Policy)
POLICY_CODES: Final[dict[str, int]] = {
    "first-fit": c.FIRST_FIT,
    "best-fit": c.BEST_FIT,
    "spread": c.SPREAD,
    "pack": c.PACK,
}


class UnanswerableError(UsageError):
    """One target cannot be simulated on these hosts; others may be."""


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Hosts that fail and come back, for exponential times or at stated ones."""

    mtbf_ns: int = 0
    """Mean time from the return of a host to its next failure; 0: hosts fail at stated times only."""
    mttr_ns: int = 0
    """Mean time until it is back."""
    stated: tuple[tuple[int, int, bool], ...] = ()
    """(ns, host, whether it is up from then on), in order of time."""
    lost: Literal["again", "rest"] = "again"
    """Whether an invocation that was lost runs again from its beginning, or only for its rest."""

    @cached_property
    def stated_rows(self) -> NDArray[np.int64]:
        """(changes, 3) ``stated`` as integers."""
        return np.array(self.stated, dtype=np.int64).reshape(-1, 3)


@dataclass(frozen=True, kw_only=True)
class Autoscaler:
    """Switches hosts on and off, so that boxes use the wanted share of the memory of those that are on."""

    least: int = 1
    """Hosts that stay on."""
    target: float = 0.7
    """Wanted use of memory, in (0, 1]."""
    every_ns: int = 60 * 10**9
    """Time between two looks."""
    delay_ns: int = 120 * 10**9
    """How long a host takes until it accepts boxes."""
    cooldown_ns: int = 300 * 10**9
    """After hosts were switched on or off, none is switched off for so long."""


_TENTH: Final = 10


def default_reserve(memory_bytes: int) -> int:
    """Of a host's memory, what boxes and their daemons leave when nobody says otherwise: a tenth."""
    return memory_bytes // _TENTH


@dataclass(frozen=True, kw_only=True)
class FleetSpec:
    """Equal hosts and the rules for boxes on them."""

    hosts: int
    cpus: int
    """CPUs of a host that starts share. Boxes that are up leave them alone: see ``LEFT_OUT``."""
    memory_bytes: int
    reserve_bytes: int = 0
    """Of a host's memory, what boxes and their daemons must leave."""
    box_limit: int | None = None
    """The most boxes of a host."""
    policy: Policy = "first-fit"
    keep_alive_ns: int | None = 600 * 10**9
    """How long an idle box waits for work; None: for ever."""
    prewarmed: int = 0
    """Boxes of each function that are idle or starting at any time."""
    queue_limit: int | None = None
    """Invocations that may wait for a host with room; further ones are rejected. None: any number."""
    failures: Failures | None = None
    autoscaler: Autoscaler | None = None
    together: int = 1
    """So many hosts are VMs on one real host: they fail together, and have its factor in common."""

    def capacity_pages(self, values: TargetValues) -> int:
        """Pages of a host that boxes of a target may take."""
        return (self.memory_bytes - self.reserve_bytes - (values.memory_fixed_bytes or 0)) // c.PAGE_BYTES

    def most_boxes(self, values: TargetValues, pages: int) -> int:
        """The most boxes of so many pages that one host can have."""
        fit = max(1, self.capacity_pages(values) // max(1, pages))
        return fit if self.box_limit is None else min(fit, self.box_limit)


def box_pages(
    values: TargetValues, label: str, memory_bytes: NDArray[np.int64] | None, functions: int
) -> NDArray[np.int64]:
    """(functions,) Pages of a box of each function: what the target takes for a box, and the function's own memory.

    Raises UnanswerableError: the model has no memory of the target.
    """
    if values.memory_slope_bytes is None:
        raise UnanswerableError(
            f"{label}: the model does not know what a further box takes of the host's memory",
            hint="add `residents: [1, 8, 16]` to the scenario of the calibration, and fit again",
        )
    own = np.zeros(functions, dtype=np.int64) if memory_bytes is None else memory_bytes
    return np.asarray(np.maximum(1, -(-(own + max(0, values.memory_slope_bytes)) // c.PAGE_BYTES)), dtype=np.int64)


def check_fit(
    spec: FleetSpec, values: TargetValues, label: str, pages: NDArray[np.int64], names: tuple[str, ...]
) -> None:
    """Raise UnanswerableError when a host is too small for a box that it must be able to hold."""
    capacity = spec.capacity_pages(values)
    largest = int(np.argmax(pages))
    if capacity < int(pages[largest]):
        fixed = values.memory_fixed_bytes or 0
        takes = format_bytes(int(pages[largest]) * c.PAGE_BYTES)
        raise UnanswerableError(
            f"{label}: a box of {names[largest]} takes {takes}, and a host of "
            f"{format_bytes(spec.memory_bytes)} has {format_bytes(max(0, capacity) * c.PAGE_BYTES)} for boxes "
            f"(reserve {format_bytes(spec.reserve_bytes)}, {label} itself {format_bytes(fixed)})",
            hint="give hosts with more memory, or a smaller reserve",
        )


def check_looks(spec: FleetSpec, length_ns: int) -> None:
    """Raise UsageError when the autoscaler would look at the fleet too often to be simulated."""
    if spec.autoscaler is None:
        return
    looks = length_ns // spec.autoscaler.every_ns
    if looks > _MOST_LOOKS:
        raise UsageError(
            f"autoscaler.every: {format_ns(spec.autoscaler.every_ns)} are {looks} looks in a trace of "
            f"{format_ns(length_ns)}, and at most {_MOST_LOOKS} are simulated",
            hint="write a longer `every`, or ask about a shorter trace",
        )


def check_prewarmed(spec: FleetSpec, values: TargetValues, label: str, pages: NDArray[np.int64]) -> None:
    """Raise UnanswerableError when the fleet has no room for the pre-warmed boxes of all functions."""
    boxes, takes = spec.prewarmed * len(pages), spec.prewarmed * int(pages.sum())
    room = spec.hosts * max(0, spec.capacity_pages(values))
    limit = boxes if spec.box_limit is None else spec.hosts * spec.box_limit
    if takes > room or boxes > limit:
        raise UnanswerableError(
            f"{label}: {spec.prewarmed} pre-warmed boxes of each of {len(pages)} functions take "
            f"{format_bytes(takes * c.PAGE_BYTES)}, and the hosts have {format_bytes(room * c.PAGE_BYTES)} for boxes"
            + (f" and room for {limit} of them" if boxes > limit else ""),
            hint="ask for fewer pre-warmed boxes, or give more or larger hosts",
        )
