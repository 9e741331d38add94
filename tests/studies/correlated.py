"""How often do the limits of medians and of p95 hold where the boots of a cell resemble their neighbours?

    python -m tests.studies.correlated [REPLICATES]

Five Markdown tables. The first has series of one sitting with a known median: the share of nominal 95 % intervals that
hold it, by method, and the width of the chosen one relative to that of independent boots. The second takes all windows
of consecutive blocks of a published campaign and asks for the median of the whole. The third has campaigns of several
sittings, each with a state of its own, and asks for the median over all sittings that there could be. The fourth has
ratios that differ between sittings. The fifth is for p95. At 1000 replicates the Monte-Carlo error of an entry is about
0.7 points at 95 %, and 1.6 at 50 %.
"""

from __future__ import annotations

import math
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from bench.analysis.analyse import analyse
from bench.analysis.between_sittings import LEVEL, kruskal_wallis
from bench.analysis.in_order import estimate, quantile
from bench.analysis.order_statistics import median_interval
from bench.analysis.ratios import median_ratio
from bench.records.campaign import read_campaign
from bench.util.errors import TooFewBootsError

Floats = NDArray[np.float64]
Limits = tuple[float, float]
Draw = Callable[[int, np.random.Generator], tuple[Floats, Floats]]

COUNTS: Final = (5, 7, 10, 20, 40)
RESAMPLES: Final = 400
PUBLISHED: Final = Path("reports/published/2026-11-27-gate")


def neighbours(n: int, rho: float, sigma: float, rng: np.random.Generator) -> Floats:
    """n values of standard deviation ``sigma`` around 0, those k apart with correlation rho^k."""
    noise = rng.normal(0.0, sigma, n)
    found = noise.copy()
    for at in range(1, n):
        found[at] = rho * found[at - 1] + math.sqrt(1 - rho * rho) * noise[at]
    return found


def _independent(n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    return rng.normal(0.0, 0.15, n), rng.normal(0.0, 0.15, n)


def _long_tail(n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    middle = math.log1p(0.3 * math.log(2))
    return np.log1p(rng.exponential(0.3, n)) - middle, np.log1p(rng.exponential(0.3, n)) - middle


def _own(rho: float) -> Draw:
    return lambda n, rng: (neighbours(n, rho, 0.1, rng), neighbours(n, rho, 0.1, rng))


def _shared(n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    host = neighbours(n, 0.9, 0.15, rng)
    return host + rng.normal(0.0, 0.05, n), host + rng.normal(0.0, 0.05, n)


def _trend(n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    host = np.linspace(-0.5, 0.5, n) * math.log(1.3)
    return host + rng.normal(0.0, 0.05, n), host + rng.normal(0.0, 0.05, n)


WORLDS: Final[dict[str, Draw]] = {
    "independent, log-normal 15 %": _independent,
    "independent, long tail": _long_tail,
    "own drift, AR 0.3": _own(0.3),
    "own drift, AR 0.5": _own(0.5),
    "own drift, AR 0.7": _own(0.7),
    "shared drift, AR 0.9": _shared,
    "trend of 30 %": _trend,
}
"""Logarithms of two sides of a campaign with medians of 0."""


def as_independent(logs: Floats, _rng: np.random.Generator) -> Limits:
    """Order statistics, as if boots were independent."""
    found = median_interval(logs)
    return found.low, found.high


def block_bootstrap(logs: Floats, rng: np.random.Generator) -> Limits:
    """Percentile bootstrap of circular blocks of about n^(1/2) neighbours."""
    n = len(logs)
    size = max(2, round(math.sqrt(n)))
    starts = rng.integers(0, n, (RESAMPLES, -(-n // size)))
    places = (starts[:, :, None] + np.arange(size)).reshape(RESAMPLES, -1)[:, :n] % n
    low, high = np.quantile(np.median(logs[places], axis=1), [0.025, 0.975])
    return float(low), float(high)


def batch_means(logs: Floats, _rng: np.random.Generator) -> Limits:
    """Student's interval from the medians of about n^(1/2) batches."""
    medians = np.array([np.median(part) for part in np.array_split(logs, max(2, round(math.sqrt(len(logs)))))])
    half = scipy_stats.t.ppf(0.975, len(medians) - 1) * medians.std(ddof=1) / math.sqrt(len(medians))
    return float(medians.mean() - half), float(medians.mean() + half)


def effective_n(logs: Floats, rng: np.random.Generator) -> Limits:
    """Order statistics, widened by the lag-1 correlation as it is estimated."""
    away = logs - logs.mean()
    rho = min(max(float((away[1:] * away[:-1]).sum() / (away * away).sum()), 0.0), 0.95)
    low, high = as_independent(logs, rng)
    middle, factor = float(np.median(logs)), math.sqrt((1 + rho) / (1 - rho))
    return middle - factor * (middle - low), middle + factor * (high - middle)


def chosen(logs: Floats, _rng: np.random.Generator) -> Limits:
    """The interval of ``bench.analysis.in_order.estimate``."""
    found = estimate(np.exp(logs)).interval
    if found is None:
        raise ValueError("fewer than 5 boots")
    return math.log(found.low), math.log(found.high)


METHODS: Final = (as_independent, block_bootstrap, batch_means, effective_n, chosen)


def one_sitting(replicates: int) -> Iterator[str]:
    """Coverage of the median of one series, by method, and of the ratio of two."""
    heads = ("as independent", "block bootstrap", "batch means", "effective n", "chosen", "its width", "ratio")
    yield f"| world | boots | {' | '.join(heads)} |"
    yield "| :-- | --: |" + " --: |" * len(heads)
    for name, draw in WORLDS.items():
        for n in COUNTS:
            rng = np.random.default_rng((n, zlib.crc32(name.encode())))
            held, ratios = np.zeros(len(METHODS)), 0
            widths = np.empty((replicates, 2))
            for turn in range(replicates):
                base, other = draw(n, rng)
                limits = [method(base, rng) for method in METHODS]
                held += [low <= 0 <= high for low, high in limits]
                widths[turn] = [limits[place][1] - limits[place][0] for place in (0, -1)]
                ratio = median_ratio(*(dict(enumerate(np.exp(side).tolist())) for side in (base, other))).interval
                ratios += ratio.low <= 1 <= ratio.high
            wider = np.median(widths[:, 1]) / np.median(widths[:, 0])
            shares = " | ".join(f"{100 * share / replicates:.0f}" for share in held)
            yield f"| {name} | {n} | {shares} | {wider:.1f} | {100 * ratios / replicates:.0f} |"


def windows() -> Iterator[str]:
    """The share of windows of a published campaign that hold the median of all its blocks, before and now."""
    yield "| cell | metric | " + " | ".join(f"{n} blocks" for n in COUNTS[:4]) + " |"
    yield "| :-- | :-- |" + " --: |" * 4
    analysis = analyse(*read_campaign(PUBLISHED))
    rng = np.random.default_rng(0)
    for cell in (cell for scenario in analysis.manifest.scenarios for cell in analysis.cells(scenario)):
        for metric, label in (("endpoint.ready_ns", "ready"), ("cpu.start.total_ns", "CPU")):
            logs = np.log([sample.value for sample in analysis.of(cell, metric)])
            entries = []
            for n in COUNTS[:4]:
                parts = np.lib.stride_tricks.sliding_window_view(logs, n)
                shares = []
                for method in (as_independent, chosen):
                    limits = [method(part, rng) for part in parts]
                    shares.append(100 * np.mean([low <= np.median(logs) <= high for low, high in limits]))
                entries.append(f"{shares[0]:.0f} → {shares[1]:.0f}")
            yield f"| {cell.key} | {label} | {' | '.join(entries)} |"


def sittings(replicates: int) -> Iterator[str]:
    """Coverage of the median over all possible sittings, by campaigns of several."""
    yield "| sittings × boots | spread of sittings | as one, independent | chosen | half of its width | shown |"
    yield "| :-- | --: | --: | --: | --: | :-- |"
    for count, n in ((1, 20), (2, 10), (3, 10), (4, 10), (6, 10)):
        for spread in (0.0, 0.1, 0.25):
            rng = np.random.default_rng((count, n, round(100 * spread)))
            held, shown = np.zeros(2), ""
            halves = np.empty(replicates)
            for turn in range(replicates):
                state = np.repeat(rng.normal(0.0, spread, count) if spread else np.zeros(count), n)
                logs = state + rng.normal(0.0, 0.1, count * n)
                found = estimate(np.exp(logs), np.repeat(np.arange(count), n).tolist())
                limits = found.interval
                if limits is None:
                    raise ValueError("fewer than 5 boots")
                low, high = as_independent(logs, rng)
                held += [low <= 0 <= high, limits.low <= 1 <= limits.high]
                halves[turn] = math.log(limits.high / limits.low) / 2
                shown = "interval" if found.spread is None else "range"
            shares = " | ".join(f"{100 * share / replicates:.0f}" for share in held)
            yield f"| {count} × {n} | {spread:.0%} | {shares} | {np.median(halves):.0%} | {shown} |"


def ratios(replicates: int) -> Iterator[str]:
    """Coverage of a ratio, and of a median of values made within blocks, where sittings change one side alone."""
    yield "| sittings × boots | spread of sittings' ratios | ratio | within blocks | noted |"
    yield "| :-- | --: | --: | --: | --: |"
    for count, n in ((1, 20), (2, 10), (4, 5), (4, 10)):
        for spread in (0.0, 0.03, 0.1):
            rng = np.random.default_rng((count, n, round(100 * spread)))
            held, noted = np.zeros(2), 0
            for _ in range(replicates):
                own = rng.normal(0.0, spread, count) if spread else np.zeros(count)
                host = np.repeat(rng.normal(0.0, 0.1, count), n)
                base, other = (host + rng.normal(0.0, 0.05, count * n) for _ in range(2))
                other += np.repeat(own, n)
                ratio = median_ratio(*(dict(enumerate(np.exp(side).tolist())) for side in (base, other))).interval
                within = as_independent(other - base, rng)
                held += [ratio.low <= 1 <= ratio.high, within[0] <= 0 <= within[1]]
                parts = np.split(other - base, count)
                noted += count > 1 and kruskal_wallis([part.tolist() for part in parts]) <= LEVEL
            shares = " | ".join(f"{100 * share / replicates:.0f}" for share in held)
            yield f"| {count} × {n} | {spread:.0%} | {shares} | {100 * noted / replicates:.0f} |"


def p95(replicates: int) -> Iterator[str]:
    """How often a p95 is told, and how often its interval then holds it."""
    yield "| world | boots | told | interval holds |"
    yield "| :-- | --: | --: | --: |"
    truth = math.exp(0.1 * float(scipy_stats.norm.ppf(0.95)))
    for rho in (0.0, 0.3, 0.7):
        for n in (72, 100, 200, 400):
            rng = np.random.default_rng((n, round(10 * rho)))
            told = held = 0
            for _ in range(replicates):
                try:
                    found = quantile(np.exp(neighbours(n, rho, 0.1, rng)), 0.95).interval
                except TooFewBootsError:
                    continue
                told += 1
                held += found.low <= truth <= found.high
            holds = f"{100 * held / told:.0f}" if told else "–"
            yield f"| AR {rho} | {n} | {100 * told / replicates:.0f} | {holds} |"


def main(arguments: Sequence[str]) -> None:
    """Write the tables to stdout."""
    replicates = int(arguments[0]) if arguments else 1000
    for lines in (one_sitting(replicates), windows(), sittings(replicates), ratios(replicates), p95(replicates)):
        for line in lines:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        sys.stdout.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
