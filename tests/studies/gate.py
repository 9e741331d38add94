"""How often does the gate raise false alarms, and does it find what it promises? Replays of a recorded campaign.

    python -m tests.studies.gate [CAMPAIGN] [REPLAYS]

CAMPAIGN is one that ``python -m tests.studies.planted`` recorded; a committed one is the default. The output is three
Markdown tables: false alarms of the gate on equal sides; false alarms of other tests in common use on the same boots;
and how often a planted slowdown is found with the number of blocks that the gate announced. Takes about three minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from scipy import stats as scipy_stats

from bench.analysis.estimates import Floats
from bench.analysis.exact import block_ratio, holm, signed_rank
from bench.gate.cells import Boots, boots_of
from bench.gate.false_alarms import REPLAY_BLOCKS, pools_of, rate, replays
from bench.gate.judge import Series, SeriesPair, judge, stage_result
from bench.gate.model import LEVEL, Verdict
from bench.gate.sensitivity import blocks_needed, spread_of
from bench.gate.thresholds import Thresholds
from bench.records.campaign import read_records
from bench.records.manifest import read_manifest
from bench.records.record import Record
from bench.render.commands.false_alarms import cells, rate_text

CAMPAIGN: Final = Path(__file__).parents[2] / "reports" / "published" / "2026-11-27-gate"
READY: Final = "endpoint.ready_ns"
THRESHOLD: Final = 0.01
DETECT: Final = 0.05
SCREENING_BLOCKS: Final = 20
SCREENINGS: Final = 5

Rng = np.random.Generator
Test = Callable[[Sequence[tuple[float, ...]], Rng], float]
"""Gets boots in order, each with its readings. Returns the p value of one replay on equal sides."""


def false_alarms(boots: Boots, runs: int, seed: int) -> Iterator[str]:
    """False alarms of the gate itself, by metric."""
    rows, size = replays(pools_of(boots, ()), thresholds=Thresholds(), runs=runs, seed=seed)
    yield f"{runs} replays of {size} blocks per side; stated level {LEVEL:.0%}."
    yield ""
    yield "| box | metric | test significant [95 %] | red | green | threshold | proposed |"
    yield "| :-- | :-- | --: | --: | --: | --: | --: |"
    for row in rows:
        if not row.box or not row.metric.startswith("disk"):
            yield f"| {' | '.join(cells(row))} |"


def _split(boots: Sequence[tuple[float, ...]], rng: Rng) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
    """Assign neighbouring boots to A and B in random order, as the gate's replays do."""
    drawn = np.sort(rng.choice(len(boots), 2 * REPLAY_BLOCKS, replace=False)).reshape(-1, 2)
    turned = np.where(rng.random(len(drawn))[:, None] < 0.5, drawn[:, ::-1], drawn)
    return [boots[i] for i in turned[:, 0]], [boots[i] for i in turned[:, 1]]


def _logs(boots: Sequence[tuple[float, ...]]) -> Floats:
    logs: Floats = np.log(np.concatenate([np.asarray(readings) for readings in boots]))
    return logs


def gate_test(boots: Sequence[tuple[float, ...]], rng: Rng) -> float:
    """The gate's test: the median of each boot, then exact signed ranks over blocks, one-sided."""
    base, other = (dict(enumerate(median(readings) for readings in side)) for side in _split(boots, rng))
    return signed_rank(base, other)[0]


def boot_t(boots: Sequence[tuple[float, ...]], rng: Rng) -> float:
    """One-sided t-test, one value per boot."""
    base, other = ([(median(readings),) for readings in side] for side in _split(boots, rng))
    return float(scipy_stats.ttest_ind(_logs(other), _logs(base), alternative="greater").pvalue)


def pooled_t(boots: Sequence[tuple[float, ...]], rng: Rng) -> float:
    """One-sided t-test over all readings, as if each reading were a boot."""
    base, other = _split(boots, rng)
    return float(scipy_stats.ttest_ind(_logs(other), _logs(base), alternative="greater").pvalue)


def pooled_t_in_turn(boots: Sequence[tuple[float, ...]], rng: Rng) -> float:
    """The same test with all of A before all of B, from adjacent parts of the campaign."""
    start = int(rng.integers(0, len(boots) - 2 * REPLAY_BLOCKS + 1))
    base, other = boots[start : start + REPLAY_BLOCKS], boots[start + REPLAY_BLOCKS : start + 2 * REPLAY_BLOCKS]
    if rng.random() < 0.5:
        base, other = other, base
    return float(scipy_stats.ttest_ind(_logs(other), _logs(base), alternative="greater").pvalue)


TESTS: Final[dict[str, Test]] = {
    "gate's test": gate_test,
    "t-test, a value per boot": boot_t,
    "t-test, readings pooled": pooled_t,
    "pooled, first all A, then all B": pooled_t_in_turn,
}


def readings(records: Sequence[Record], target: str) -> dict[str, list[tuple[float, ...]]]:
    """The repeated readings of each boot of ``hello`` in ``target``, by name, boots in order."""
    good = [r for r in records if r.trial.cell.key == f"hello/{target}" and r.outcome == "ok" and not r.trial.warmup]
    good.sort(key=lambda record: record.trial.block)
    echoes = [tuple(float(value) for value in record.channel_rtt_ns) for record in good]
    # Instants of one start, each relative to the mean of its kind: five readings of the same boot.
    names = [name for name in good[0].endpoints_ns if all(record.endpoints_ns.get(name) for record in good)]
    names = [name for name in names if name in ("created", "init", "exec", "ready", "start_returned")]
    instants = np.array([[float(record.endpoints_ns[name]) for name in names] for record in good])
    centred = instants / np.exp(np.log(instants).mean(axis=0))
    return {"channel echo": echoes, "instants of the start": [tuple(row) for row in centred.tolist()]}


def comparisons(records: Sequence[Record], runs: int, seed: int) -> Iterator[str]:
    """How often tests in common use are significant at the stated level on equal sides."""
    yield "| box | readings per boot | correlation | " + " | ".join(TESTS) + " |"
    yield "| :-- | :-- | --: | " + " | ".join("--:" for _ in TESTS) + " |"
    for target in ("process", "docker", "runc"):
        for name, boots in readings(records, target).items():
            shares = [
                rate_text(rate([test(boots, rng) <= LEVEL for _ in range(runs)]))
                for test, rng in ((test, np.random.default_rng(seed)) for test in TESTS.values())
            ]
            line = (f"hello/{target}", f"{name} ({len(boots[0])})", f"{within(boots):.2f}", *shares)
            yield f"| {' | '.join(line)} |"


def within(boots: Sequence[tuple[float, ...]]) -> float:
    """The intraclass correlation (one-way) of readings within a boot. Pooling them would be harmless if it were 0."""
    logs = np.log(np.array(boots))
    n, k = logs.shape
    between = k * logs.mean(axis=1).var(ddof=1)
    inside = float(logs.var(axis=1, ddof=1).mean())
    return float((between - inside) / (between + (k - 1) * inside)) if n > 1 else 0.0


def power(boots: Boots, runs: int, seed: int) -> Iterator[str]:
    """How often the planted slowdown is found with the number of new blocks that the gate announced after a pilot."""
    base, slow = (boots.values[key, READY] for key in ("hello/docker", "hello-slow/docker"))
    measured = block_ratio(base, slow)
    scale = (1 + DETECT) / (measured.value or 1.0)
    yield (
        f"Measured slowdown: {measured.value or 0:.3f} [{measured.interval.low:.3f}, {measured.interval.high:.3f}]; "
        f"threshold {THRESHOLD:.0%}, {SCREENINGS} screenings of {SCREENING_BLOCKS} blocks, {runs} replays each."
    )
    yield ""
    yield "| planted | blocks printed: median [least, most] | found at them: median [least, most] |"
    yield "| :-- | --: | --: |"
    rng = np.random.default_rng(seed)
    screenings = [_screening(base, slow, rng, seed + turn) for turn in range(SCREENINGS)]
    for name, other in (
        ("as recorded", slow),
        (f"scaled to exactly {DETECT:.0%}", {block: value * scale for block, value in slow.items()}),
    ):
        shares = [
            sum(_red(base, other, rng.choice(rest, needed)) for _ in range(runs)) / runs for needed, rest in screenings
        ]
        blocks = [needed for needed, _ in screenings]
        yield (
            f"| {name} | {median(blocks):.0f} [{min(blocks)}, {max(blocks)}] | "
            f"{median(shares):.1%} [{min(shares):.1%}, {max(shares):.1%}] |"
        )


Blocks = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def _screening(base: Series, other: Series, rng: Rng, seed: int) -> tuple[int, Blocks]:
    """The number of blocks that the gate demands after a pilot, and the blocks of the campaign outside of the pilot."""
    blocks = np.array(sorted(base.keys() & other.keys()))
    drawn = rng.choice(blocks, SCREENING_BLOCKS, replace=False)
    spread = spread_of(SeriesPair({b: base[b] for b in drawn.tolist()}, {b: other[b] for b in drawn.tolist()}))
    assert spread is not None
    needed = blocks_needed(spread, detect=DETECT, threshold=THRESHOLD, family=1, seed=seed, most=1000)
    assert needed is not None
    return needed, np.setdiff1d(blocks, drawn)


def _red(base: Series, other: Series, drawn: Blocks) -> bool:
    left, right = (dict(enumerate(side[block] for block in drawn.tolist())) for side in (base, other))
    stage, problem = stage_result(SeriesPair(left, right))
    adjusted = holm({READY: 1.0 if stage.p_worse is None else stage.p_worse})[READY]
    found = judge(stage, threshold=THRESHOLD, p_adjusted=adjusted, p_better_adjusted=None, problem=problem)
    return found.verdict is Verdict.REGRESSED


def main(arguments: Sequence[str]) -> None:
    """Write the tables to stdout."""
    path = Path(arguments[0]) if arguments else CAMPAIGN
    runs = int(arguments[1]) if len(arguments) > 1 else 1000
    records = read_records(path)
    boots = boots_of(read_manifest(path), records)
    for table in (false_alarms(boots, runs, 1), comparisons(records, runs, 1), power(boots, runs // 5, 1)):
        for line in (*table, ""):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
