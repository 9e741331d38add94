"""The arrays of a fleet at its beginning, and longer ones when a run needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.sim.engine.heap import STRIDE
from bench.sim.engine.rng import uniforms
from bench.sim.fleet.failures import host_changes
from bench.sim.fleet.histogram import bounds
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.spec import POLICY_CODES, FleetSpec
from bench.sim.fleet.state import State, join, split
from bench.sim.fleet.work import crowd, shift_for, speeds, stage_rows
from bench.sim.values import TargetValues
from bench.util.errors import UsageError

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]

_PURPOSE_HOST: Final = 0x4604
_FIRST_ROWS: Final = 64
_UNLIMITED: Final = 2**40
_DAY_NS: Final = 24 * 3600 * 10**9


def new_state(
    spec: FleetSpec,
    values: TargetValues,
    pages: NDArray[np.int64],
    *,
    length_ns: int,
    seed: int,
    noise: bool,
    label: str,
    invocations: Callable[[], int],
) -> State:
    """The state of a fleet before the first invocation. Its first hosts are switched on by the step loop.

    Args:
        pages: (functions,) of a box of each function.
        noise: whether boxes differ; False: all have the factor 1.
        label: of the target, for errors.
        invocations: counts those of the trace. It is called where as many boxes as fit into a host are too many.

    Raises:
        UsageError: more boxes on one host than 64-bit integers can account for.
    """
    luck = _lucks(values) if noise else np.ones(c.LUCKS)
    host_factor = _host_factors(spec, values, seed) if noise else np.ones(spec.hosts)
    factor = float(luck.max() * host_factor.max())
    boxes, shift = _most_at_once(spec, values, pages, factor=factor, label=label, invocations=invocations)
    scalars = np.zeros(c.SCALARS, dtype=np.int64)
    _write_settings(scalars, spec, values, length_ns=length_ns, seed=seed)
    _write_counters(scalars, spec, values, len(pages))
    scalars[c.SHIFT] = shift
    tables = {
        **_rows(),
        **_hosts(spec, values),
        "function": _functions(pages),
        "change": host_changes(spec.failures, hosts=spec.hosts, together=spec.together, length_ns=length_ns, seed=seed),
        "stage": stage_rows(values),
        "speed": speeds(values, cpus=spec.cpus, shift=shift),
        "crowd": crowd(values, cpus=spec.cpus, boxes=boxes),
        "histogram": np.zeros((c.HISTOGRAMS, len(bounds())), dtype=np.int64),
        "bound": bounds(),
    }
    reals = np.concatenate([[values.growth_ns], luck])
    return join(scalars, tables, reals, host_factor, np.ones(_FIRST_ROWS))


def _most_at_once(
    spec: FleetSpec,
    values: TargetValues,
    pages: Integers,
    *,
    factor: float,
    label: str,
    invocations: Callable[[], int],
) -> tuple[int, int]:
    """The most boxes that one host can have at once, and the unit of work that allows for them.

    Each invocation has one box, and a pre-warmed pool starts another one for the box that it takes: a trace has no more
    boxes than that, however many would fit.
    """
    boxes = spec.most_boxes(values, int(pages.min()))
    try:
        return boxes, shift_for(values, factor=factor, boxes=boxes, cpus=spec.cpus, label=label)
    except UsageError:
        fewer = (2 if spec.prewarmed else 1) * invocations() + spec.prewarmed * len(pages)
        if fewer >= boxes:
            raise
    boxes = max(1, fewer)
    return boxes, shift_for(values, factor=factor, boxes=boxes, cpus=spec.cpus, label=label)


def _rows() -> dict[str, Integers]:
    """Tables that grow with the boxes that live."""
    columns = {"box": c.BOX_COLUMNS, "piece": c.PIECE_COLUMNS, "timer": STRIDE, "queue": c.QUEUE_COLUMNS}
    return {name: np.zeros((_FIRST_ROWS, count), dtype=np.int64) for name, count in columns.items()}


def _hosts(spec: FleetSpec, values: TargetValues) -> dict[str, Integers]:
    """Tables of hosts, all of them off, and of the order among them."""
    leaves = 1 << max(0, spec.hosts - 1).bit_length()
    host = np.zeros((spec.hosts, c.HOST_COLUMNS), dtype=np.int64)
    host[:, c.FREE_PAGES] = spec.capacity_pages(values)
    host[:, [c.ROOT, c.HOLDER, c.LOCK_FIRST, c.LOCK_LAST, c.BOX_FIRST]] = c.NONE
    return {
        "host": host,
        "room": np.full(2 * leaves, -1, dtype=np.int64),
        "reach": np.full(2 * leaves, -1, dtype=np.int64),
        "finish": np.full(2 * leaves, c.NEVER, dtype=np.int64),
        "order": np.arange(spec.hosts, dtype=np.int64),
        "place": np.arange(spec.hosts, dtype=np.int64),
        "key": np.full(spec.hosts, -1 if spec.policy == "best-fit" else 0, dtype=np.int64),
    }


def _functions(pages: NDArray[np.int64]) -> Integers:
    function = np.zeros((len(pages), c.FUNCTION_COLUMNS), dtype=np.int64)
    function[:, c.FUNCTION_PAGES] = pages
    function[:, c.IDLE_FIRST] = c.NONE
    return function


def _write_settings(setting: Integers, spec: FleetSpec, values: TargetValues, *, length_ns: int, seed: int) -> None:
    setting[c.CPUS] = spec.cpus
    setting[c.TOGETHER] = spec.together
    setting[c.CAPACITY] = spec.capacity_pages(values)
    setting[c.BOX_LIMIT] = _UNLIMITED if spec.box_limit is None else spec.box_limit
    setting[c.QUEUE_LIMIT] = _UNLIMITED if spec.queue_limit is None else spec.queue_limit
    setting[c.KEEP_ALIVE] = c.NEVER // 2 if spec.keep_alive_ns is None else spec.keep_alive_ns
    setting[c.PREWARMED] = spec.prewarmed
    setting[c.POLICY] = POLICY_CODES[spec.policy]
    setting[c.SEED] = seed
    setting[c.HORIZON] = length_ns
    setting[c.WAIT_LIMIT] = wait_limit_ns(length_ns)
    setting[c.WINDOW_AT] = c.NEVER
    setting[c.REST_ONLY] = int(spec.failures is not None and spec.failures.lost == "rest")
    if spec.autoscaler is not None:
        setting[c.SCALE_EVERY] = spec.autoscaler.every_ns
        setting[c.SCALE_DELAY] = spec.autoscaler.delay_ns
        setting[c.SCALE_COOLDOWN] = spec.autoscaler.cooldown_ns
        setting[c.SCALE_LEAST] = spec.autoscaler.least
        setting[c.SCALE_TARGET] = round(spec.autoscaler.target * 10_000)


def wait_limit_ns(length_ns: int) -> int:
    """When a run ends at the latest that waits for hosts alone: a day after twice the trace's length."""
    return min(2 * length_ns + _DAY_NS, c.NEVER // 2)


def _write_counters(scalar: Integers, spec: FleetSpec, values: TargetValues, functions: int) -> None:
    scalar[[c.BOX_FREE, c.PIECE_FREE, c.IDLE_OLDEST, c.IDLE_NEWEST]] = c.NONE
    scalar[c.REFILL_AT] = 0 if spec.prewarmed else functions
    scalar[c.SCALE_AT] = c.NEVER if spec.autoscaler is None else spec.autoscaler.every_ns
    scalar[c.LEAST_FREE] = spec.capacity_pages(values)
    scalar[c.OPEN_AT_FIRST] = spec.hosts if spec.autoscaler is None else spec.autoscaler.least


def _lucks(values: TargetValues) -> NDArray[np.float64]:
    """Equally probable factors of a box: the log-normal distribution at the middles of so many equal parts."""
    middles = (np.arange(c.LUCKS) + 0.5) / c.LUCKS
    return np.asarray(np.exp(values.box_sd * special.ndtri(middles)))


def _host_factors(spec: FleetSpec, values: TargetValues, seed: int) -> NDArray[np.float64]:
    """What blocks are in a campaign, real hosts are in a fleet: each has one factor for all its boxes."""
    drawn = special.ndtri(uniforms(seed, _PURPOSE_HOST, np.arange(spec.hosts) // spec.together, 0))
    return np.asarray(np.exp(values.block_sd * drawn))


def with_more_room(state: State) -> State:
    """The same state with longer tables, so that the step loop can go on."""
    head, tables, reals, host_factor, factor = split(state)
    stages, live = int(head[c.STAGES]), int(head[c.BOXES_LIVE])
    boxes = len(factor) * 2 if live > len(factor) // 2 else len(factor)
    pieces = _doubled(int(head[c.PIECE_ROWS]), int(head[c.PIECE_USED]), stages)
    timers = _doubled(int(head[c.TIMER_ROWS]), int(head[c.TIMERS]) + int(head[c.HOSTS]), stages)
    queue = max(int(head[c.QUEUE_ROWS]), 2 * (int(head[c.QUEUED_NOW]) + boxes))
    tables["queue"] = np.roll(tables["queue"], -int(head[c.QUEUE_FIRST]), axis=0)
    head[c.QUEUE_FIRST] = 0
    rows = {"box": boxes, "piece": pieces, "timer": timers, "queue": queue}
    longer = {name: _longer(table, rows[name]) if name in rows else table for name, table in tables.items()}
    room = np.ones(boxes)
    room[: len(factor)] = factor
    return join(head, longer, reals, host_factor, room)


def _doubled(have: int, used: int, stages: int) -> int:
    return have * 2 if used + 16 * (stages + 1) > have else have


def _longer(table: Integers, rows: int) -> Integers:
    grown = np.zeros((rows, table.shape[1]), dtype=np.int64)
    grown[: len(table)] = table
    return grown
