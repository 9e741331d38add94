"""The arrays of a fleet at its beginning, and longer ones when a run needs them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.sim.engine.heap import STRIDE
from bench.sim.engine.rng import uniforms
from bench.sim.fleet.failures import host_changes
from bench.sim.fleet.histogram import bounds
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers, State
from bench.sim.fleet.kernel.hosts import open_hosts
from bench.sim.fleet.spec import POLICY_CODES, FleetSpec
from bench.sim.fleet.work import shift_for, speeds, stage_rows
from bench.sim.values import TargetValues

LUCKS: Final = 2**16
"""Equally probable factors of a box: the log-normal distribution at the middles of so many equal parts."""
_PURPOSE_HOST: Final = 0x4604
_FIRST_ROWS: Final = 64
_UNLIMITED: Final = 2**40


def new_state(
    spec: FleetSpec,
    values: TargetValues,
    pages: NDArray[np.int64],
    *,
    length_ns: int,
    seed: int,
    noise: bool,
    label: str,
) -> State:
    """The state of a fleet before the first invocation. All hosts are on, or the autoscaler's least number of them.

    Args:
        pages: (functions,) of a box of each function.
        noise: whether boxes differ; False: all have the factor 1.
        label: of the target, for errors.

    Raises:
        UsageError: more boxes on one host than 64-bit integers can account for.
    """
    luck = _lucks(values) if noise else np.ones(LUCKS)
    host_factor = _host_factors(spec, values, seed) if noise else np.ones(spec.hosts)
    shift = shift_for(
        values,
        factor=float(luck.max() * host_factor.max()),
        boxes=spec.most_boxes(values, int(pages.min())),
        label=label,
    )
    state = State(
        setting=_settings(spec, values, length_ns, seed, shift),
        scalar=_scalars(spec, values, len(pages)),
        total=np.zeros((c.TOTALS, 2), dtype=np.int64),
        **_rows(),
        **_hosts(spec, values),
        function=_functions(pages),
        host_factor=host_factor,
        change=host_changes(spec.failures, hosts=spec.hosts, length_ns=length_ns, seed=seed),
        stage=stage_rows(values),
        speed=speeds(values, cpus=spec.cpus, shift=shift),
        growth=np.array([values.growth_ns]),
        luck=luck,
        histogram=np.zeros((c.HISTOGRAMS, len(bounds())), dtype=np.int64),
        bound=bounds(),
    )
    open_hosts(state, spec.hosts if spec.autoscaler is None else min(spec.hosts, spec.autoscaler.least))
    return state


def _rows() -> dict[str, Any]:
    """Arrays that grow with the boxes that live."""
    return {
        "box": np.zeros((_FIRST_ROWS, c.BOX_COLUMNS), dtype=np.int64),
        "factor": np.ones(_FIRST_ROWS),
        "piece": np.zeros((_FIRST_ROWS, c.PIECE_COLUMNS), dtype=np.int64),
        "timer": np.zeros(_FIRST_ROWS * STRIDE, dtype=np.int64),
        "queue": np.zeros((_FIRST_ROWS, c.QUEUE_COLUMNS), dtype=np.int64),
    }


def _hosts(spec: FleetSpec, values: TargetValues) -> dict[str, Any]:
    """Arrays of hosts, all of them off, and of the order among them."""
    leaves = 1 << max(0, spec.hosts - 1).bit_length()
    host = np.zeros((spec.hosts, c.HOST_COLUMNS), dtype=np.int64)
    host[:, c.FREE_PAGES] = spec.capacity_pages(values)
    host[:, [c.ROOT, c.HOLDER, c.LOCK_FIRST, c.LOCK_LAST, c.BOX_FIRST]] = c.NONE
    return {
        "host": host,
        "room": np.full(2 * leaves, -1, dtype=np.int64),
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


def _settings(spec: FleetSpec, values: TargetValues, length_ns: int, seed: int, shift: int) -> Integers:
    setting = np.zeros(c.SETTINGS, dtype=np.int64)
    setting[c.CPUS] = spec.cpus
    setting[c.CAPACITY] = spec.capacity_pages(values)
    setting[c.BOX_LIMIT] = _UNLIMITED if spec.box_limit is None else spec.box_limit
    setting[c.QUEUE_LIMIT] = _UNLIMITED if spec.queue_limit is None else spec.queue_limit
    setting[c.KEEP_ALIVE] = c.NEVER // 2 if spec.keep_alive_ns is None else spec.keep_alive_ns
    setting[c.PREWARMED] = spec.prewarmed
    setting[c.POLICY] = POLICY_CODES[spec.policy]
    setting[c.SEED] = seed
    setting[c.HORIZON] = length_ns
    setting[c.SHIFT] = shift
    setting[c.REST_ONLY] = int(spec.failures is not None and spec.failures.lost == "rest")
    if spec.autoscaler is not None:
        setting[c.SCALE_EVERY] = spec.autoscaler.every_ns
        setting[c.SCALE_DELAY] = spec.autoscaler.delay_ns
        setting[c.SCALE_COOLDOWN] = spec.autoscaler.cooldown_ns
        setting[c.SCALE_LEAST] = spec.autoscaler.least
        setting[c.SCALE_TARGET] = round(spec.autoscaler.target * 10_000)
    return setting


def _scalars(spec: FleetSpec, values: TargetValues, functions: int) -> Integers:
    scalar = np.zeros(c.SCALARS, dtype=np.int64)
    scalar[[c.BOX_FREE, c.PIECE_FREE, c.IDLE_OLDEST, c.IDLE_NEWEST]] = c.NONE
    scalar[c.REFILL_AT] = 0 if spec.prewarmed else functions
    scalar[c.SCALE_AT] = c.NEVER if spec.autoscaler is None else spec.autoscaler.every_ns
    scalar[c.LEAST_FREE] = spec.capacity_pages(values)
    return scalar


def _lucks(values: TargetValues) -> NDArray[np.float64]:
    middles = (np.arange(LUCKS) + 0.5) / LUCKS
    return np.asarray(np.exp(values.box_sd * special.ndtri(middles)))


def _host_factors(spec: FleetSpec, values: TargetValues, seed: int) -> NDArray[np.float64]:
    """What blocks are in a campaign, hosts are in a fleet: each has one factor for all its boxes."""
    drawn = special.ndtri(uniforms(seed, _PURPOSE_HOST, np.arange(spec.hosts), 0))
    return np.asarray(np.exp(values.block_sd * drawn))


def with_more_room(state: State) -> State:
    """The same state in longer arrays, so that the step loop can go on."""
    box, queue = state.box, state.queue
    boxes = len(box) * 2 if state.scalar[c.BOXES_LIVE] > len(box) // 2 else len(box)
    pieces = _doubled(len(state.piece), int(state.scalar[c.PIECE_USED]), len(state.stage))
    timers = _doubled(len(state.timer) // STRIDE, int(state.scalar[c.TIMERS]), len(state.stage))
    needed = int(state.scalar[c.QUEUED_NOW]) + boxes
    return state._replace(
        box=_longer(box, boxes),
        factor=_longer(state.factor, boxes),
        piece=_longer(state.piece, pieces),
        timer=_longer(state.timer, timers * STRIDE),
        queue=_longer_ring(state, max(len(queue), 2 * needed)),
    )


def _doubled(have: int, used: int, stages: int) -> int:
    return have * 2 if used + 16 * (stages + 1) > have else have


def _longer(array: NDArray[np.generic], rows: int) -> NDArray[np.generic]:
    grown = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown


def _longer_ring(state: State, rows: int) -> Integers:
    """The queue from its first entry on, in a longer ring."""
    if rows == len(state.queue):
        return state.queue
    first = int(state.scalar[c.QUEUE_FIRST])
    grown = np.zeros((rows, c.QUEUE_COLUMNS), dtype=np.int64)
    grown[: len(state.queue)] = np.roll(state.queue, -first, axis=0)
    state.scalar[c.QUEUE_FIRST] = 0
    return grown
