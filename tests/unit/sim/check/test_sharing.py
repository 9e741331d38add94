"""Starts that share nothing but CPUs, against simulation and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.check.scores import Sample, equal_weights
from bench.sim.check.sharing import ordered_starts, shared_cpus
from bench.sim.starts import simulate_starts
from tests.synthetic_storms import values

MS = 10**6


@pytest.mark.parametrize(("boxes", "rank"), [(1, 0), (2, 0), (8, 0), (8, 3), (8, 7), (400, 399)])
def test_the_law_of_ordered_starts_is_that_of_drawn_ones(boxes: int, rank: int) -> None:
    rng = np.random.default_rng(4)
    times = rng.lognormal(18, 0.2, 20)
    weights = rng.random(20)
    alone = Sample(times, weights / weights.sum())
    found = ordered_starts(alone, boxes, (rank,))
    assert found.weights.sum() == pytest.approx(1)
    drawn = np.sort(rng.choice(times, (20_000, boxes), p=alone.weights), axis=1)[:, rank]
    for value in np.sort(times)[[2, 9, 16]]:
        share = float(found.weights[found.values <= value].sum())
        assert share == pytest.approx(float((drawn <= value).mean()), abs=0.015)


def test_alike_boxes_that_share_cpus_end_together_when_their_work_is_done() -> None:
    alone = equal_weights(np.array([50.0 * MS]))
    for boxes, expected in ((1, 50), (2, 50), (4, 60), (8, 120)):
        for rank in (0, boxes - 1):
            found = shared_cpus(alone, 30.0 * MS, cpus=2, boxes=boxes, ranks=(rank,))
            assert found.median == pytest.approx(expected * MS)


def test_unlike_boxes_end_as_the_engine_says() -> None:
    # One stage of work alone: processor sharing, and the luck of single starts that are the box's own.
    truth = values(delay_ms=0, work_ms=100, background_ms=0, block_sd=0.0, box_sd=0.0)
    rng = np.random.default_rng(2)
    times = rng.lognormal(np.log(100 * MS), 0.2, 200)
    boxes, cpus = 8, 2
    for rank in (0, 3, 7):
        found = shared_cpus(equal_weights(times), 100.0 * MS, cpus=cpus, boxes=boxes, ranks=(rank,))
        luck = np.exp(np.sqrt(0.5) * 0.2 * (rng.standard_normal((300, 1)) + rng.standard_normal((300, boxes))))
        scheduled = np.zeros(boxes, dtype=np.int64)
        ends = [
            np.sort(simulate_starts(
                truth, cpus=cpus, scheduled_ns=scheduled, residents=0, noise=one
            ).times_ns[Endpoint.READY])[rank]
            for one in luck
        ]  # fmt: skip
        assert found.median == pytest.approx(float(np.median(ends)), rel=0.04)


def test_the_same_law_every_time() -> None:
    alone = equal_weights(np.array([40.0, 50.0, 70.0]) * MS)
    first, again = (shared_cpus(alone, 30.0 * MS, cpus=2, boxes=5, ranks=(2,)) for _ in range(2))
    assert (first.values == again.values).all()


def test_the_published_median_is_the_mean_of_the_two_boxes_in_the_middle() -> None:
    times = np.random.default_rng(4).lognormal(18, 0.2, 20)
    drawn = np.random.default_rng(5).choice(times, (40_000, 4))
    found = ordered_starts(equal_weights(times), 4, (1, 2))
    assert found.weights.sum() == pytest.approx(1)
    assert found.median == pytest.approx(float(np.median(np.median(drawn, axis=1))), rel=0.02)
    both = shared_cpus(equal_weights(times), 1e8, cpus=2, boxes=4, ranks=(1, 2))
    one, other = (shared_cpus(equal_weights(times), 1e8, cpus=2, boxes=4, ranks=(rank,)) for rank in (1, 2))
    assert both.values == pytest.approx((one.values + other.values) / 2)
