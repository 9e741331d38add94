"""What does the gate say in worlds whose truth is known? Simulated boots, judged by the gate's own code.

    python -m tests.studies.gate_worlds [RUNS]

Prints a Markdown table for each question.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

import numpy as np

from bench.analysis.estimates import Floats
from bench.gate.judge import SeriesPair, judge, stage_result
from bench.gate.model import StageResult, Verdict, level_of

RUNS: Final = 1000
THRESHOLD: Final = 0.05

Rng = np.random.Generator


def sides(rng: Rng, n: int, *, ratio: float = 1.0, noise: float = 0.05, shared: float = 0.0) -> SeriesPair:
    """``n`` blocks: ``shared`` is what the host does to a whole block, ``noise`` that of each boot (sd of logs)."""
    drift = rng.normal(0, shared, n)
    a, b = (drift + rng.normal(0, noise, n) for _ in range(2))
    return pair(a, b + math.log(ratio))


def pair(a: Floats, b: Floats) -> SeriesPair:
    """Logs of A and of B as boots of common blocks."""
    return SeriesPair(dict(enumerate(np.exp(a).tolist())), dict(enumerate(np.exp(b).tolist())))


def judged(boots: SeriesPair, threshold: float = THRESHOLD) -> tuple[Verdict, StageResult]:
    """The verdict on one row that is judged alone."""
    stage, problem = stage_result(boots)
    found = judge(
        stage, threshold=threshold, p_adjusted=stage.p_worse, p_better_adjusted=stage.p_better, problem=problem
    )
    return found.verdict, stage


def share(verdicts: Sequence[Verdict], wanted: Verdict) -> str:
    """``12.3%``."""
    return f"{sum(verdict is wanted for verdict in verdicts) / len(verdicts):.1%}"


def time_outs(runs: int) -> Iterator[str]:
    """A slowdown of 15 %, and some of B's 30 boots time out besides."""
    yield "| B's boots that timed out | regressed | cannot tell | limits of the change: median |"
    yield "| --: | --: | --: | --: |"
    for lost in (0, 1, 2, 3):
        rng = np.random.default_rng(1)
        found = []
        for _ in range(runs):
            boots = sides(rng, 30, ratio=1.15, shared=0.25)
            late = dict.fromkeys(rng.choice(30, lost, replace=False).tolist(), math.inf)
            found.append(judged(boots._replace(b=dict(boots.b) | late)))
        verdicts = [verdict for verdict, _ in found]
        limits = [stage.interval for _, stage in found if stage.interval is not None]
        low, high = (median(values) for values in zip(*((one.low, one.high) for one in limits), strict=True))
        yield (
            f"| {lost} of 30 | {share(verdicts, Verdict.REGRESSED)} | {share(verdicts, Verdict.CANNOT_TELL)} | "
            f"[{low:.3f}, {high:.3f}] |"
        )


def correlated(rng: Rng, n: int, rho: float, spread: float) -> Floats:
    """Logs with autocorrelation ``rho``."""
    found = rng.normal(0, 1, n)
    for block in range(1, n):
        found[block] = rho * found[block - 1] + math.sqrt(1 - rho**2) * found[block]
    return spread * found


def drifting(runs: int, *, slower: float = 0.0) -> Iterator[tuple[float, int, list[SeriesPair]]]:
    """Correlation, blocks, and ``runs`` pairs of sides that drift on their own (sd 10 %); B is ``slower``, in logs."""
    for rho in (0.0, 0.5, 0.7, 0.9):
        for n in (10, 20, 40, 60):
            rng = np.random.default_rng(1)
            yield (
                rho,
                n,
                [pair(correlated(rng, n, rho, 0.1), slower + correlated(rng, n, rho, 0.1)) for _ in range(runs)],
            )


def own_drift(runs: int) -> Iterator[str]:
    """Red without a change when A and B each drift on their own (sd 10 %): without and with the test for it."""
    yield "| autocorrelation | blocks | seen as drift | red before the test | red | red before, threshold 0.1% | red |"
    yield "| --: | --: | --: | --: | --: | --: | --: |"
    for rho, n, worlds in drifting(runs):
        columns = []
        for threshold in (THRESHOLD, 0.001):
            found = [judged(world, threshold) for world in worlds]
            before = sum(_is_beyond(stage, threshold) for _, stage in found) / runs
            columns += [f"{before:.1%}", share([verdict for verdict, _ in found], Verdict.REGRESSED)]
        seen = sum(stage.interval_apart is not None for _, stage in found) / runs
        yield f"| {rho} | {n} | {seen:.1%} | {' | '.join(columns)} |"


def hidden_by_drift(runs: int) -> Iterator[str]:
    """Green although B is 10 % slower, when each side drifts on its own (sd 10 %): without and with the test for it."""
    yield "| autocorrelation | blocks | green before the test | green |"
    yield "| --: | --: | --: | --: |"
    for rho, n, worlds in drifting(runs, slower=math.log(1.1)):
        found = [judged(world) for world in worlds]
        before = sum(_is_within(stage) for _, stage in found) / runs
        yield f"| {rho} | {n} | {before:.1%} | {share([verdict for verdict, _ in found], Verdict.NOT_REGRESSED)} |"


def _is_within(stage: StageResult) -> bool:
    return stage.interval is not None and stage.interval.high <= 1 + THRESHOLD


def _is_beyond(stage: StageResult, threshold: float) -> bool:
    return stage.interval is not None and stage.interval.low > 1 + threshold


def power(runs: int) -> Iterator[str]:
    """Found, by the noise of a boot, with 60 blocks and a threshold of 5 %."""
    noises = (0.05, 0.1, 0.2)
    yield f"| B is slower by | {' | '.join(f'noise {noise:.0%}' for noise in noises)} |"
    yield "| --: | --: | --: | --: |"
    for slower in (0.05, 0.08, 0.1, 0.15):
        shares = []
        for noise in noises:
            rng = np.random.default_rng(1)
            verdicts = [judged(sides(rng, 60, ratio=1 + slower, noise=noise))[0] for _ in range(runs)]
            shares.append(share(verdicts, Verdict.REGRESSED))
        yield f"| {slower:.0%} | {' | '.join(shares)} |"


def stored_campaigns(runs: int) -> Iterator[str]:
    """Against stored campaigns of a host whose days differ by 10 %: without a change, and with a slowdown."""
    yield "| stored campaigns | red without a change | green without | found: 30 % | found: 50 % |"
    yield "| --: | --: | --: | --: | --: |"
    for count in (3, 5, 10):
        columns = []
        for slower in (0.0, 0.3, 0.5):
            rng = np.random.default_rng(1)
            verdicts = [_of_days(rng, count, 1 + slower) for _ in range(runs)]
            columns.append(share(verdicts, Verdict.REGRESSED))
            if not slower:
                columns.append(share(verdicts, Verdict.NOT_REGRESSED))
        yield f"| {count} | {' | '.join(columns)} |"


def _of_days(rng: Rng, count: int, ratio: float) -> Verdict:
    days = [np.exp(rng.normal(0, 0.1) + rng.normal(0, 0.05, 20)) for _ in range(count + 1)]
    stored = tuple(dict(enumerate(day.tolist())) for day in days[1:])
    together = {1000 * number + block: value for number, day in enumerate(stored) for block, value in day.items()}
    now = dict(enumerate((ratio * days[0]).tolist()))
    return judged(SeriesPair(together, now, paired=False, campaigns=stored))[0]


def runs_again(runs: int) -> Iterator[str]:
    """Red without a change in a series of runs that ends at the first red one; a threshold of nearly 0, 20 blocks."""
    yield "| runs at most | each at 5 % | with --again |"
    yield "| --: | --: | --: |"
    rng = np.random.default_rng(1)
    found = [[stage_result(sides(rng, 20))[0].p_worse or 1.0 for _ in range(10)] for _ in range(runs)]
    for most in (1, 2, 5, 10):
        plain = sum(min(series[:most]) <= level_of(0) for series in found) / runs
        spent = sum(any(p <= level_of(k) for k, p in enumerate(series[:most])) for series in found) / runs
        yield f"| {most} | {plain:.1%} | {spent:.1%} |"


TABLES: Final = (time_outs, own_drift, hidden_by_drift, power, stored_campaigns, runs_again)


def main(arguments: Sequence[str]) -> None:
    """Write the tables to stdout."""
    runs = int(arguments[0]) if arguments else RUNS
    for table in TABLES:
        for line in ((table.__doc__ or "").strip(), "", *table(runs), ""):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
