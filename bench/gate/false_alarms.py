"""The A/A test: how often is the gate red on this host without a change, and which thresholds are safe? Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy.special import betaincinv

from bench.analysis.estimates import MIN_BOOTS, Interval
from bench.analysis.exact import holm
from bench.gate.cells import Boots, CellPair, cells_by_side, place, rows_of
from bench.gate.judge import SeriesPair, judge, oriented, stage_result
from bench.gate.model import APART_LEVEL, LEVEL, GateModel, StageResult, Verdict
from bench.gate.rows import p_of
from bench.gate.thresholds import Thresholds, better, choose_metrics
from bench.util.errors import TooFewBootsError

REPLAYS: Final = 1000
REPLAY_BLOCKS: Final = 20
_STEP: Final = 0.005
"""Proposed thresholds are whole steps of half a per cent."""

Rng = np.random.Generator
Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class Rate(GateModel):
    """How often something happened, with its exact 95 % interval (Clopper & Pearson 1934)."""

    hits: int
    runs: int
    interval: Interval

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.hits / self.runs


class AaRow(GateModel):
    """One metric of one cell against itself.

    Attributes:
        box: empty in the last row, which is about whole runs over all rows.
        boots: how many the campaign has of this cell.
        significant: runs in which the exact test alone was significant at ``LEVEL`` (after Holm for whole runs). Its
            share should be that level.
        red: runs with the verdict ``regressed``: false alarms.
        green: runs with ``not regressed``; the rest is ``cannot tell``.
        threshold: the one that was used; None for whole runs.
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


class AaDifference(GateModel):
    """One metric of B against A, as they ran: nothing is exchanged between the sides.

    Attributes:
        ratio: of B to A within blocks; None when there is none, and then ``problem`` says why.
        p: two-sided; None without a ratio.
        p_adjusted: the same with Holm's adjustment over all rows.
        apart: whether A and B drift apart on their own.
    """

    scenario: str
    box: str
    accel: str
    metric: str
    blocks: int
    ratio: float | None = None
    interval: Interval | None = None
    p: float | None = None
    p_adjusted: float | None = None
    apart: bool = False
    problem: str = ""

    @property
    def differs(self) -> bool:
        """Whether B is not A, beyond what chance does in one of 20 A/A campaigns."""
        return self.p_adjusted is not None and self.p_adjusted <= LEVEL


class AaResult(GateModel):
    """All rows, and the campaigns and settings behind them."""

    campaigns: tuple[str, ...]
    fingerprint: str
    replays: int
    blocks: int
    """Per side and replay."""
    level: float = LEVEL
    differences: tuple[AaDifference, ...] = ()
    """B against A as they ran; empty where one cell was split, which has no second side."""
    rows: tuple[AaRow, ...]
    left_out: tuple[str, ...] = ()
    """Cells in which none of the metrics asked for was measured."""

    @property
    def differs(self) -> bool:
        """Whether a side that should equal the other does not."""
        return any(one.differs for one in self.differences)


@dataclass(frozen=True)
class Pool:
    """Boots from which A/A pairs are drawn: of one cell in block order, or of two equal cells.

    Attributes:
        values: by metric, shape (blocks,) for one cell or (blocks, 2) for two; NaN where a boot has no value.
    """

    pair: CellPair
    values: Mapping[str, Values]
    twin: bool
    blocks: int

    @property
    def name(self) -> str:
        """``hello/docker``."""
        return f"{self.pair.scenario}/{place(self.pair.a)}"

    @property
    def room(self) -> int:
        """How many pairs of boots can be drawn."""
        return self.blocks if self.twin else self.blocks // 2


class _Tally(NamedTuple):
    key: tuple[int, str]
    stage: StageResult
    p_worse: float
    verdict: Verdict
    high: float


def pools_of(boots: Boots, patterns: Sequence[str]) -> tuple[Pool, ...]:
    """A pool for every cell of a stored campaign."""
    found = []
    for name, entry in boots.manifest.scenarios.items():
        for cell in cells_by_side(boots.manifest, name):
            metrics = choose_metrics(patterns, entry.scenario, boots.metrics(cell))
            blocks = sorted({block for metric in metrics for block in boots.series(cell, metric)})
            values = {
                metric: np.array([boots.series(cell, metric).get(block, math.nan) for block in blocks])
                for metric in metrics
            }
            found.append(Pool(CellPair(name, cell, cell), values, False, len(blocks)))
    return tuple(found)


def twin_pools(boots: Boots, pairs: Sequence[CellPair], patterns: Sequence[str]) -> tuple[Pool, ...]:
    """A pool for every pair of an A/A campaign: two cells that run the same."""
    found = []
    for pair in pairs:
        scenario = boots.manifest.scenarios[pair.a.scenario].scenario
        metrics = choose_metrics(patterns, scenario, set(boots.metrics(pair.a)) & set(boots.metrics(pair.b)))
        sides = [[boots.series(cell, metric) for cell in (pair.a, pair.b)] for metric in metrics]
        blocks = sorted({block for both in sides for series in both for block in series})
        values = {
            metric: np.array([[series.get(block, math.nan) for series in both] for block in blocks])
            for metric, both in zip(metrics, sides, strict=True)
        }
        found.append(Pool(pair, values, True, len(blocks)))
    return tuple(found)


def unflipped(boots: Boots, pairs: Sequence[CellPair], patterns: Sequence[str]) -> tuple[AaDifference, ...]:
    """B against A of an A/A campaign. Its cells should be equal: a bias between the sides shows here and only here."""
    found = []
    for pair in pairs:
        scenario = boots.manifest.scenarios[pair.a.scenario].scenario
        for metric, series in rows_of(pair, boots, boots, patterns, scenario).items():
            stage, problem = stage_result(series, better(metric))
            found.append(_difference(pair, metric, stage, problem))
    adjusted = holm({str(at): one.p for at, one in enumerate(found) if one.p is not None})
    return tuple(one.model_copy(update={"p_adjusted": adjusted.get(str(at))}) for at, one in enumerate(found))


def _difference(pair: CellPair, metric: str, stage: StageResult, problem: str) -> AaDifference:
    sides = [p for p in (stage.p_worse, stage.p_better) if p is not None]
    return AaDifference(
        scenario=pair.scenario,
        box=pair.box,
        accel=pair.a.accel,
        metric=metric,
        blocks=min(stage.n_a, stage.n_b),
        ratio=1.0 if stage.all_zero else stage.ratio,
        interval=stage.interval,
        p=min(1.0, 2 * min(sides)) if sides else None,
        apart=stage.p_apart is not None and stage.p_apart <= APART_LEVEL,
        problem="" if stage.all_zero else problem,
    )


def replays(
    pools: Sequence[Pool], *, thresholds: Thresholds, runs: int = REPLAYS, blocks: int | None = None, seed: int
) -> tuple[tuple[AaRow, ...], int]:
    """Resample gates on equal sides. Returns the rates of each verdict, and the number of blocks per side.

    A replay draws blocks without replacement and keeps them in order. Neighbouring boots of one cell become pairs, so
    that drift affects both sides as in a gate. Which value of a pair is A's is drawn.

    Args:
        pools: with values, see ``split_empty``.

    Raises:
        TooFewBootsError: a cell has fewer than 10 boots (5 blocks where two cells ran the same).
    """
    if not pools:
        raise TooFewBootsError(
            "there is nothing to resample: no cell has values of these metrics",
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
    """Pairs per replay: the number wanted, or fewer when a cell has fewer."""
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
            hint=f"run {each} blocks or more; useful rates need about 40",
        )
    return min(wanted, least.room)


def _keys(run: Sequence[_Tally]) -> Iterator[tuple[int, tuple[int, str]]]:
    return ((number, tally.key) for number, tally in enumerate(run))


def _replay(pools: Sequence[Pool], size: int, rng: Rng, thresholds: Thresholds) -> Iterator[_Tally]:
    found: list[tuple[tuple[int, str], StageResult, str]] = []
    for number, pool in enumerate(pools):
        drawn = np.sort(rng.choice(pool.blocks, size if pool.twin else 2 * size, replace=False))
        flips = rng.random(size) < 0.5
        for metric, values in pool.values.items():
            pairs = values[drawn] if pool.twin else values[drawn].reshape(size, 2)
            found.append(((number, metric), *stage_result(_series_pair(pairs, flips), better(metric))))
    worse = holm({repr(key): p_of(stage, key[1]) for key, stage, _ in found})
    for key, stage, problem in found:
        limit, way = thresholds.of(key[1]), better(key[1])
        verdict = judge(
            stage, threshold=limit, better=way, p_adjusted=worse[repr(key)], p_better_adjusted=None, problem=problem
        ).verdict
        high = math.inf if stage.interval is None else oriented(stage.interval, way).high
        yield _Tally(key, stage, worse[repr(key)], verdict, high)


def _series_pair(pairs: Values, flips: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> SeriesPair:
    turned = np.where(flips[:, None], pairs[:, ::-1], pairs)
    a, b = (
        {block: float(value) for block, value in enumerate(turned[:, side]) if not math.isnan(value)} for side in (0, 1)
    )
    return SeriesPair(a, b)


def _row(pool: Pool, metric: str, tallies: Sequence[_Tally], thresholds: Thresholds) -> AaRow:
    highs = sorted(tally.high for tally in tallies)
    reach = highs[math.ceil((1 - LEVEL) * len(highs)) - 1] - 1
    return AaRow(
        scenario=pool.pair.scenario,
        box=place(pool.pair.a),
        accel=pool.pair.a.accel,
        metric=metric,
        boots=pool.blocks * (2 if pool.twin else 1),
        significant=rate([p_of(tally.stage, metric) <= LEVEL for tally in tallies]),
        red=rate([tally.verdict is Verdict.REGRESSED for tally in tallies]),
        green=rate([tally.verdict is Verdict.NOT_REGRESSED for tally in tallies]),
        threshold=thresholds.of(metric),
        proposed=max(1, math.ceil(reach / _STEP - 1e-9)) * _STEP if math.isfinite(reach) else None,
    )


def _whole(tallies: Sequence[Sequence[_Tally]]) -> AaRow:
    """All rows of a replay together: one run of the gate."""
    return AaRow(
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
    count, runs, tail = sum(hits), len(hits), (1 - level) / 2
    low = float(betaincinv(count, runs - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, runs - count, 1 - tail)) if count < runs else 1.0
    return Rate(hits=count, runs=runs, interval=Interval(low, high, level))
