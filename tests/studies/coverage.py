"""How often do the intervals of ``bench.analysis`` contain the truth, at the small n of benchmarks?

    python -m tests.studies.coverage [REPLICATES]

Draws campaigns with a known truth, computes a nominal 95 % interval from each by every candidate method, and counts how
often it contains the truth. The Monte-Carlo error of an entry is about 0.4 points at 3000 replicates. Widths are
medians of the length of the log-interval, relative to the chosen method. A width below 1 is an advantage only if the
coverage is sufficient.
"""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from bench.analysis.order_statistics import median_interval
from bench.analysis.ratios import median_ratio

Floats = NDArray[np.float64]
Limits = tuple[float, float]
Method = Callable[[Floats, Floats, np.random.Generator], Limits]

LEVEL: Final = 0.95
COUNTS: Final = (5, 6, 7, 10, 20, 40)
RESAMPLES: Final = 1000


@dataclass(frozen=True)
class World:
    """Two sides with known medians. ``draw(n, rng)`` returns paired logarithms, of shape (n,) each."""

    name: str
    draw: Callable[[int, np.random.Generator], tuple[Floats, Floats]]
    log_ratio: float
    log_median: float
    """The median of the baseline's side."""


def _normal(sigma: float) -> Callable[[int, np.random.Generator], Floats]:
    return lambda n, rng: rng.normal(0.0, sigma, n)


def _two_modes(share: float) -> Callable[[int, np.random.Generator], Floats]:
    """A fast mode and one that takes 1.6 times as long, each with 5 % of noise."""
    return lambda n, rng: np.where(rng.random(n) < share, math.log(1.6), 0.0) + rng.normal(0.0, 0.05, n)


def _long_tail(n: int, rng: np.random.Generator) -> Floats:
    """A lower bound plus exponential delays, which are 30 % of it on average."""
    return np.log1p(rng.exponential(0.3, n))


def _median_of(law: Callable[[int, np.random.Generator], Floats]) -> float:
    return float(np.median(law(4_000_001, np.random.default_rng(0))))


def _drifting(
    law: Callable[[int, np.random.Generator], Floats], sigma: float
) -> Callable[[int, np.random.Generator], tuple[Floats, Floats]]:
    """Both sides share the disturbance of their block."""

    def draw(n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        host = rng.normal(0.0, sigma, n)
        return law(n, rng) + host, law(n, rng) + host

    return draw


def worlds() -> Iterator[World]:
    """Distributions like those of start times: skewed noise, a second mode and, last, a host that drifts."""
    noise, rare, often = _normal(0.15), _two_modes(0.3), _two_modes(0.45)
    yield World("log-normal", lambda n, rng: (noise(n, rng), noise(n, rng)), 0.0, 0.0)
    yield World(
        "long tail", lambda n, rng: (_long_tail(n, rng), _long_tail(n, rng)), 0.0, math.log1p(0.3 * math.log(2))
    )
    yield World("bimodal 30 %", lambda n, rng: (rare(n, rng), rare(n, rng)), 0.0, _median_of(rare))
    yield World("bimodal 45 %", lambda n, rng: (often(n, rng), often(n, rng)), 0.0, _median_of(often))
    mixed = _median_of(rare)
    yield World("log-normal : bimodal", lambda n, rng: (noise(n, rng), rare(n, rng)), mixed, 0.0)
    # Correlation 0.7 between the sides of a block.
    yield World("drifting host", _drifting(_normal(0.15 * math.sqrt(0.3)), 0.15 * math.sqrt(0.7)), 0.0, 0.0)


def chosen(base: Floats, other: Floats, _rng: np.random.Generator) -> Limits:
    """The method of ``bench.analysis.ratios.median_ratio``."""
    sides = (dict(enumerate(np.exp(side).tolist())) for side in (base, other))
    found = median_ratio(*sides, level=LEVEL).interval
    return math.log(found.low), math.log(found.high)


def _resampled(base: Floats, other: Floats, rng: np.random.Generator) -> Floats:
    rows = rng.integers(0, len(base), (RESAMPLES, len(base)))
    return np.asarray(np.median(other[rows], axis=1) - np.median(base[rows], axis=1))


def percentile(base: Floats, other: Floats, rng: np.random.Generator) -> Limits:
    """Percentile bootstrap over whole blocks."""
    low, high = np.quantile(_resampled(base, other, rng), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def bca(base: Floats, other: Floats, rng: np.random.Generator) -> Limits:
    """Bias-corrected and accelerated bootstrap over whole blocks."""
    drawn, here = _resampled(base, other, rng), float(np.median(other) - np.median(base))
    below = (np.mean(drawn < here) + np.mean(drawn <= here)) / 2
    bias = scipy_stats.norm.ppf(np.clip(below, 1e-4, 1 - 1e-4))
    without = [np.median(np.delete(other, k)) - np.median(np.delete(base, k)) for k in range(len(base))]
    influence = np.mean(without) - np.asarray(without)
    size = float((influence**2).sum()) ** 1.5
    speed = float((influence**3).sum()) / (6 * size) if size else 0.0
    ends = bias + scipy_stats.norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.quantile(drawn, scipy_stats.norm.cdf(bias + ends / (1 - speed * ends)))
    return float(low), float(high)


def paired_t(base: Floats, other: Floats, _rng: np.random.Generator) -> Limits:
    """Student's t on the log ratios of the blocks."""
    logs = other - base
    half = scipy_stats.t.ppf((1 + LEVEL) / 2, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs))
    return float(logs.mean() - half), float(logs.mean() + half)


def signed_rank(base: Floats, other: Floats, _rng: np.random.Generator) -> Limits:
    """Hodges-Lehmann interval: the exact inversion of Wilcoxon's signed-rank test, on the log ratios of the blocks."""
    logs = other - base
    rows, columns = np.triu_indices(len(logs))
    means = np.sort((logs[rows] + logs[columns]) / 2)
    counts = np.ones(1)
    for rank in range(1, len(logs) + 1):
        counts = np.convolve(counts, np.eye(1, rank + 1, rank)[0] + np.eye(1, rank + 1, 0)[0])
    tail = np.cumsum(counts) / 2.0 ** len(logs)
    depth = max((k for k in range(1, len(means) // 2 + 1) if 1 - 2 * tail[k - 1] >= LEVEL), default=1)
    return float(means[depth - 1]), float(means[-depth])


def signs(base: Floats, other: Floats, _rng: np.random.Generator) -> Limits:
    """Order statistics of the log ratios of the blocks (the inversion of the sign test)."""
    found = median_interval((other - base).tolist(), level=LEVEL)
    return found.low, found.high


METHODS: Final[dict[str, Method]] = {
    "chosen": chosen,
    "percentile": percentile,
    "BCa": bca,
    "signed rank": signed_rank,
    "signs": signs,
    "paired t": paired_t,
}


def cover(world: World, n: int, replicates: int, seed: int) -> tuple[dict[str, float], dict[str, float], float]:
    """By method, the share of intervals that contain the truth and their median width; the coverage of one median."""
    rng = np.random.default_rng((seed, n, zlib.crc32(world.name.encode())))
    inside, widths = dict.fromkeys(METHODS, 0), {name: np.empty(replicates) for name in METHODS}
    single = 0
    for turn in range(replicates):
        base, other = world.draw(n, rng)
        for name, method in METHODS.items():
            low, high = method(base, other, rng)
            inside[name] += low <= world.log_ratio <= high
            widths[name][turn] = high - low
        one = median_interval(base.tolist(), level=LEVEL)
        single += one.low <= world.log_median <= one.high
    shares = {name: count / replicates for name, count in inside.items()}
    return shares, {name: float(np.median(width)) for name, width in widths.items()}, single / replicates


def table(replicates: int, *, seed: int = 1, counts: Sequence[int] = COUNTS) -> Iterator[str]:
    """The lines of a Markdown table: coverage in per cent, relative width in brackets."""
    yield "| world | n | one median | " + " | ".join(METHODS) + " |"
    yield "| :-- | --: | --: |" + " --: |" * len(METHODS)
    for world in worlds():
        for n in counts:
            shares, widths, single = cover(world, n, replicates, seed)
            cells = [f"{100 * shares[name]:.1f} ({widths[name] / widths['chosen']:.2f})" for name in METHODS]
            yield f"| {world.name} | {n} | {100 * single:.1f} | " + " | ".join(cells) + " |"


def main(arguments: Sequence[str]) -> None:
    """Write the table to stdout."""
    for line in table(int(arguments[0]) if arguments else 3000):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
