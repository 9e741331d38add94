"""A against A: how often does the gate cry wolf here, and which thresholds does this host's noise allow? Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from bench.analysis.stats import MIN_BOOTS
from bench.gate.cells import Boots, Pair, cells_by_side, place
from bench.gate.exact import holm
from bench.gate.judge import Sides, judge, look_at, oriented
from bench.gate.model import LEVEL, Frozen, Limits, Look, Verdict
from bench.gate.rows import p_of
from bench.gate.thresholds import Thresholds, better, choose_metrics
from bench.util.errors import TooFewBootsError

REPLAYS: Final = 1000
REPLAY_BLOCKS: Final = 20
_STEP: Final = 0.005
"""Proposed thresholds are whole steps of half a per cent."""

Rng = np.random.Generator
Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class Rate(Frozen):
    """How often something happened, with its exact 95 % interval (Clopper & Pearson 1934)."""

    hits: int
    runs: int
    interval: Limits

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.hits / self.runs


class NullRow(Frozen):
    """One metric of one cell against itself.

    Attributes:
        box: empty in the last row, which is about whole runs over all rows.
        boots: how many the campaign holds.
        significant: the exact test alone, at ``LEVEL`` (after Holm for whole runs): has to be that level.
        red: the gate's verdict ``regressed``: false alarms.
        green: ``not regressed``; the rest is ``cannot tell``.
        threshold: that was used; None for whole runs.
        proposed: the smallest threshold that leaves 95 of 100 unchanged runs green.
    """

    scenario: str
    box: str
    accel: str
    metric: str
    boots: int
    significant: Rate
    red: Rate
    green: Rate
    threshold: float | None = None
    proposed: float | None = None


class NullResult(Frozen):
    """All rows, and what they rest on."""

    campaigns: tuple[str, ...]
    fingerprint: str
    replays: int
    blocks: int
    """Per side and replay."""
    level: float = LEVEL
    rows: tuple[NullRow, ...]
    left_out: tuple[str, ...] = ()
    """Cells of which nothing that was asked for was measured."""


@dataclass(frozen=True)
class Pool:
    """What A/A pairs are drawn from: boots of one cell in the order of their blocks, or of two equal cells.

    Attributes:
        values: by metric, shape (blocks,) for one cell or (blocks, 2) for two; NaN where a boot has no value.
    """

    pair: Pair
    values: Mapping[str, Values]
    twin: bool
    blocks: int

    @property
    def name(self) -> str:
        """``hello/docker``."""
        return f"{self.pair.scenario}/{place(self.pair.base)}"

    @property
    def room(self) -> int:
        """How many pairs of boots there are to draw."""
        return self.blocks if self.twin else self.blocks // 2


class _Tally(NamedTuple):
    key: tuple[int, str]
    look: Look
    p_worse: float
    verdict: Verdict
    high: float


def pools_of(boots: Boots, patterns: Sequence[str]) -> tuple[Pool, ...]:
    """Every cell of a stored campaign as its own twin."""
    found = []
    for name, entry in boots.manifest.scenarios.items():
        for cell in cells_by_side(boots.manifest, name):
            metrics = choose_metrics(patterns, entry.scenario, boots.metrics(cell))
            blocks = sorted({block for metric in metrics for block in boots.series(cell, metric)})
            values = {
                metric: np.array([boots.series(cell, metric).get(block, math.nan) for block in blocks])
                for metric in metrics
            }
            found.append(Pool(Pair(name, cell, cell), values, False, len(blocks)))
    return tuple(found)


def twin_pools(boots: Boots, pairs: Sequence[Pair], patterns: Sequence[str]) -> tuple[Pool, ...]:
    """The pairs of an A/A campaign: two cells that run the same."""
    found = []
    for pair in pairs:
        scenario = boots.manifest.scenarios[pair.base.scenario].scenario
        metrics = choose_metrics(patterns, scenario, set(boots.metrics(pair.base)) & set(boots.metrics(pair.other)))
        sides = [[boots.series(cell, metric) for cell in (pair.base, pair.other)] for metric in metrics]
        blocks = sorted({block for both in sides for series in both for block in series})
        values = {
            metric: np.array([[series.get(block, math.nan) for series in both] for block in blocks])
            for metric, both in zip(metrics, sides, strict=True)
        }
        found.append(Pool(pair, values, True, len(blocks)))
    return tuple(found)


def replays(
    pools: Sequence[Pool], *, thresholds: Thresholds, runs: int = REPLAYS, blocks: int | None = None, seed: int
) -> tuple[tuple[NullRow, ...], int]:
    """False alarms over resampled gates on equal sides, and the blocks per side that each of them had.

    A replay draws blocks without replacement, keeps them in order (neighbours of one cell become pairs, so that drift
    hits both sides as it does in a gate), and draws for each pair which value is A's.

    Args:
        pools: with values, see ``split_empty``.

    Raises:
        TooFewBootsError: a cell has fewer than 10 boots (5 blocks where two cells ran the same).
    """
    if not pools:
        raise TooFewBootsError(
            "there is nothing to replay: no cell has values of these metrics",
            hint="name a campaign with boots, and metrics of it with -m",
        )
    size = _size(pools, REPLAY_BLOCKS if blocks is None else blocks)
    rng = np.random.default_rng(seed)
    tallies = [list(_replay(pools, size, rng, thresholds)) for _ in range(runs)]
    rows = [_row(pools[key[0]], key[1], [run[at] for run in tallies], thresholds) for at, key in _keys(tallies[0])]
    return (*rows, _whole(tallies)), size


def split_empty(pools: Sequence[Pool]) -> tuple[tuple[Pool, ...], tuple[str, ...]]:
    """Pools with values, and the names of those without."""
    return tuple(pool for pool in pools if pool.blocks), tuple(pool.name for pool in pools if not pool.blocks)


def _size(pools: Sequence[Pool], wanted: int) -> int:
    """Pairs per replay: those wanted, as far as every cell has them."""
    least = min(pools, key=lambda pool: pool.room)
    if wanted < MIN_BOOTS:
        raise TooFewBootsError(
            f"{wanted} blocks per resampled run: at least {MIN_BOOTS} are needed",
            hint="leave --blocks out, or ask for more",
        )
    if least.room < MIN_BOOTS:
        each = MIN_BOOTS if least.twin else 2 * MIN_BOOTS
        raise TooFewBootsError(
            f"{least.name} has values in {least.blocks} blocks, which make {least.room} pairs of boots: at least "
            f"{MIN_BOOTS} are needed",
            hint=f"run {each} blocks or more; 40 make the rates worth something",
        )
    return min(wanted, least.room)


def _keys(run: Sequence[_Tally]) -> Iterator[tuple[int, tuple[int, str]]]:
    return ((number, tally.key) for number, tally in enumerate(run))


def _replay(pools: Sequence[Pool], size: int, rng: Rng, thresholds: Thresholds) -> Iterator[_Tally]:
    found: list[tuple[tuple[int, str], Look, str]] = []
    for number, pool in enumerate(pools):
        drawn = np.sort(rng.choice(pool.blocks, size if pool.twin else 2 * size, replace=False))
        flips = rng.random(size) < 0.5
        for metric, values in pool.values.items():
            pairs = values[drawn] if pool.twin else values[drawn].reshape(size, 2)
            found.append(((number, metric), *look_at(_sides(pairs, flips), better(metric))))
    worse = holm({repr(key): p_of(look, key[1]) for key, look, _ in found})
    for key, look, trouble in found:
        limit, way = thresholds.of(key[1]), better(key[1])
        verdict = judge(
            look, threshold=limit, better=way, p_adjusted=worse[repr(key)], p_better_adjusted=None, trouble=trouble
        ).verdict
        high = math.inf if look.interval is None else oriented(look.interval, way).high
        yield _Tally(key, look, worse[repr(key)], verdict, high)


def _sides(pairs: Values, flips: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Sides:
    turned = np.where(flips[:, None], pairs[:, ::-1], pairs)
    base, other = (
        {block: float(value) for block, value in enumerate(turned[:, side]) if not math.isnan(value)} for side in (0, 1)
    )
    return Sides(base, other)


def _row(pool: Pool, metric: str, tallies: Sequence[_Tally], thresholds: Thresholds) -> NullRow:
    highs = sorted(tally.high for tally in tallies)
    reach = highs[math.ceil((1 - LEVEL) * len(highs)) - 1] - 1
    return NullRow(
        scenario=pool.pair.scenario,
        box=place(pool.pair.base),
        accel=pool.pair.base.accel,
        metric=metric,
        boots=pool.blocks * (2 if pool.twin else 1),
        significant=rate([p_of(tally.look, metric) <= LEVEL for tally in tallies]),
        red=rate([tally.verdict is Verdict.REGRESSED for tally in tallies]),
        green=rate([tally.verdict is Verdict.NOT_REGRESSED for tally in tallies]),
        threshold=thresholds.of(metric),
        proposed=max(1, math.ceil(reach / _STEP - 1e-9)) * _STEP if math.isfinite(reach) else None,
    )


def _whole(tallies: Sequence[Sequence[_Tally]]) -> NullRow:
    """All rows of a replay together: what a user sees as one run."""
    return NullRow(
        scenario="",
        box="",
        accel="",
        metric="",
        boots=0,
        significant=rate([any(tally.p_worse <= LEVEL for tally in run) for run in tallies]),
        red=rate([any(tally.verdict is Verdict.REGRESSED for tally in run) for run in tallies]),
        green=rate([all(tally.verdict is Verdict.NOT_REGRESSED for tally in run) for run in tallies]),
    )


def rate(hits: Sequence[bool], *, level: float = 0.95) -> Rate:
    """The share of hits with its exact interval."""
    from scipy.special import betaincinv  # noqa: PLC0415 - a tenth of a second that most commands need not spend

    count, runs, tail = sum(hits), len(hits), (1 - level) / 2
    low = float(betaincinv(count, runs - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, runs - count, 1 - tail)) if count < runs else 1.0
    return Rate(hits=count, runs=runs, interval=Limits(low=low, high=high, level=level))
