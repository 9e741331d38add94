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

from bench.analysis.stats import Floats
from bench.gate.judge import SeriesPair, judge, stage_result
from bench.gate.model import StageResult, Verdict

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


TABLES: Final = (time_outs,)


def main(arguments: Sequence[str]) -> None:
    """Write the tables to stdout."""
    runs = int(arguments[0]) if arguments else RUNS
    for table in TABLES:
        for line in ((table.__doc__ or "").strip(), "", *table(runs), ""):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
