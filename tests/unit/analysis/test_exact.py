"""The signed-rank test and its interval, against the enumeration of all sign patterns: ties, time-outs, duality."""

from __future__ import annotations

import itertools
import math
import random
from typing import Final

import numpy as np
import pytest

from bench.analysis.exact import (
    EXACT_MOST,
    _means_above_zero,
    _normal_tail,
    _tail_without_ties,
    block_ratio,
    signed_rank,
)
from bench.gate.judge import SeriesPair, judge, stage_result
from bench.gate.model import Verdict
from bench.util.errors import TooFewBootsError

Sides = tuple[dict[int, float], dict[int, float]]

WORLDS: Final[dict[str, list[float]]] = {
    # Ratios of powers of 2, so that ties of logs are exact.
    "no ties": [2.0, 0.7, 1.3, 5.0, 0.2, 1.1, 3.1],
    "ties of both signs": [2.0, 0.5, 2.0, 4.0, 0.25, 2.0, 0.5],
    "equal values": [1.0, 1.0, 2.0, 1.0, 0.5, 4.0, 1.0],
    "B timed out": [2.0, math.inf, 1.3, math.inf, 0.2, 1.1, 3.1],
    "A timed out": [2.0, 0.0, 1.3, 0.0, 0.2, 1.1, 3.1],
    "each timed out": [2.0, 0.0, 1.3, math.inf, 0.5, 2.0, 3.1],
}


def sides_of(ratios: list[float]) -> Sides:
    """Blocks with these ratios; ``inf``: B was cut off; 0: A was."""
    base = {block: math.inf if ratio == 0 else 1.0 for block, ratio in enumerate(ratios)}
    return base, {block: 1.0 if ratio == 0 else ratio for block, ratio in enumerate(ratios)}


def enumerated(ratios: list[float]) -> float:
    """The p value that B is larger, from the definition: over all 2^n sums of the ranks 1 to n."""
    n = len(ratios)
    count = sum(
        math.sqrt(ratios[i] * ratios[j]) > 1
        for i in range(n)
        for j in range(i, n)
        if {ratios[i], ratios[j]} != {0.0, math.inf}
    )
    sums = [sum(rank for rank in range(1, n + 1) if signs[rank - 1]) for signs in itertools.product((0, 1), repeat=n)]
    return sum(total >= count for total in sums) / len(sums)


@pytest.mark.parametrize("ratios", WORLDS.values(), ids=WORLDS)
def test_p_values_are_those_of_the_enumeration(ratios: list[float]) -> None:
    turned = [math.inf if ratio == 0 else 0.0 if ratio == math.inf else 1 / ratio for ratio in ratios]
    larger, smaller = signed_rank(*sides_of(ratios))
    assert larger == pytest.approx(enumerated(ratios), abs=1e-15)
    assert smaller == pytest.approx(enumerated(turned), abs=1e-15)


@pytest.mark.parametrize("ratios", WORLDS.values(), ids=WORLDS)
def test_a_level_is_kept_whatever_is_tied(ratios: list[float]) -> None:
    """Exchange the sides of every block in all 2^n ways: a p value of at most x comes in at most the share x."""
    base, other = sides_of(ratios)
    found = []
    for exchanged in itertools.product((False, True), repeat=len(ratios)):
        pairs = [(other[k], base[k]) if turn else (base[k], other[k]) for k, turn in enumerate(exchanged)]
        found.append(signed_rank(*(dict(enumerate(side)) for side in zip(*pairs, strict=True)))[0])
    for x in sorted(set(found)):
        assert sum(p <= x for p in found) / len(found) <= x + 1e-12


def test_the_interval_holds_what_the_test_does_not_reject() -> None:
    """Both limits, with ties and time-outs: B is larger than r times A beyond doubt exactly where r is below the
    interval."""
    rng = np.random.default_rng(5)
    for turn in range(300):
        n = int(rng.integers(6, 16))
        logs = rng.integers(-2, 5, n) if turn % 2 else rng.normal(0.3, 1, n)
        ratios = [float(2.0**value) for value in logs]
        for block in range(int(rng.integers(0, 4))):
            ratios[block] = float(rng.choice([0.0, math.inf]))
        base, other = sides_of(ratios)
        found = block_ratio(base, other)
        tail = (1 - found.interval.level) / 2 + 1e-12
        for tried in (0.3, 0.9, 1.0, 1.1, 1.5, 3.0, 7.0):
            scaled = {block: value * tried for block, value in base.items()}
            larger, smaller = signed_rank(scaled, other)
            assert (larger <= tail) == (tried < found.interval.low)
            assert (smaller <= tail) == (tried > found.interval.high)


def test_blocks_that_both_sides_lost_are_left_out() -> None:
    base, other = sides_of([2.0, 3.0, 2.5, 1.5, 1.2, 4.0])
    lost = base | {6: math.inf}, other | {6: math.inf}
    assert signed_rank(*lost) == signed_rank(base, other)
    assert block_ratio(*lost) == block_ratio(base, other)
    never = dict.fromkeys(range(9), math.inf)
    assert signed_rank(never, never) == (1.0, 1.0)
    with pytest.raises(TooFewBootsError):
        block_ratio(never, never)
    stage, problem = stage_result(SeriesPair(never, never))
    assert stage.interval is None
    assert "0 blocks" in problem


def test_the_middle_of_time_outs() -> None:
    some = block_ratio(*sides_of([1.1, 1.2, 1.1, 1.3, math.inf, 1.2, 1.1]))
    assert some.value is not None
    assert 1.1 <= some.value <= 1.3
    assert block_ratio(*sides_of([math.inf] * 5)).value == math.inf
    assert block_ratio(*sides_of([0.0] * 5)).value == 0
    assert block_ratio(*sides_of([0.0] * 3 + [math.inf] * 3)).value is None
    with pytest.raises(ValueError, match="above 0"):
        block_ratio({k: float(k) for k in range(6)}, dict.fromkeys(range(6), 1.0))


SEVERITY: Final = {Verdict.NOT_REGRESSED: 0, Verdict.CANNOT_TELL: 1, Verdict.REGRESSED: 2}


def severity(base: dict[int, float], other: dict[int, float]) -> tuple[int, float, float]:
    stage, problem = stage_result(SeriesPair(base, other))
    found = judge(stage, threshold=0.05, p_adjusted=stage.p_worse, p_better_adjusted=stage.p_better, problem=problem)
    assert stage.interval is not None
    assert stage.p_worse is not None
    return SEVERITY[found.verdict], stage.interval.low, -stage.p_worse


def test_a_time_out_of_b_never_makes_its_verdict_milder() -> None:
    """For every block of many runs, also where A's boot of that block timed out."""
    rng = np.random.default_rng(7)
    red = 0
    for slowdown in (1.0, 1.1, 1.15, 1.3):
        for _ in range(40):
            drift, noise = rng.normal(0, 0.25, 12), rng.normal(0, 0.05, (2, 12))
            base, other = (dict(enumerate(np.exp(drift + each).tolist())) for each in noise)
            other = {block: value * slowdown for block, value in other.items()}
            if rng.random() < 0.3:
                base[int(rng.integers(12))] = math.inf
            before = severity(base, other)
            red += before[0] == 2
            for block in other:
                after = severity(base, other | {block: math.inf})
                assert all(new >= old for new, old in zip(after, before, strict=True)), (base, other, block)
    assert red > 20


@pytest.mark.parametrize("seed", range(20))
def test_means_of_pairs_above_zero_are_counted_as_in_the_table_of_all_pairs(seed: int) -> None:
    rng = random.Random(seed)
    few = [0.0, -0.0, 0.25, -0.25, 0.5, -1.0, math.inf, -math.inf]
    values = np.array([rng.choice(few) if seed % 2 else rng.gauss(0.1, 1) for _ in range(rng.randint(1, 40))])
    means = [
        values[i] + values[j]
        for i in range(len(values))
        for j in range(i, len(values))
        if not (math.isinf(values[i]) and values[i] == -values[j])
    ]
    assert _means_above_zero(values) == sum(mean > 0 for mean in means)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.15])
def test_the_normal_tail_of_many_blocks_is_the_exact_one(shift: float) -> None:
    rng = random.Random(7)
    logs = np.array([rng.gauss(shift, 1) for _ in range(EXACT_MOST)])
    above = _means_above_zero(logs)
    exact = float(_tail_without_ties(EXACT_MOST)[above])
    assert _normal_tail(EXACT_MOST, above) == pytest.approx(exact, rel=0.12)


def test_thousands_of_blocks_have_a_p_value_above_zero() -> None:
    blocks = range(5 * EXACT_MOST)
    larger, smaller = signed_rank(dict.fromkeys(blocks, 1.0), dict.fromkeys(blocks, 2.0))
    assert 0 < larger < 1e-300
    assert smaller == pytest.approx(1.0)
    assert signed_rank(dict.fromkeys(blocks, 1.0), dict.fromkeys(blocks, 1.0)) == (1.0, 1.0)
