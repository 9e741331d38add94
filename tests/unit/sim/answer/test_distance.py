"""Distance beyond the data: how far, how much wider, and where an answer is refused."""

from __future__ import annotations

import math

import pytest

from bench.sim.answer.answer import Distance
from bench.sim.answer.distance import farthest, memory_distance, refuse_beyond, storm_distances, widening
from bench.sim.model.file import Discrepancy
from bench.util.errors import ExitCode, NotInDataError
from tests.question_models import make_model

PER_DOUBLING = Discrepancy(log_sd_per_doubling=0.06, source="test")


def _by_axis(boxes: int, cpus: int, residents: int) -> dict[str, float]:
    found = storm_distances(make_model(), "docker", boxes=boxes, cpus=cpus, residents=residents)
    return {one.axis: one.times for one in found}


def test_a_storm_within_the_data() -> None:
    assert _by_axis(8, 2, 8) == {"boxes": 1.0, "cpus": 1.0, "boxes per CPU": 1.0, "residents": 1.0}


def test_each_axis_has_its_own_distance() -> None:
    assert _by_axis(64, 4, 16) == {"boxes": 8.0, "cpus": 2.0, "boxes per CPU": 4.0, "residents": 2.0}


def test_memory_is_counted_in_boxes() -> None:
    assert memory_distance(make_model(), "docker", boxes=80).times == 5.0


def test_nothing_is_widened_within_the_data() -> None:
    assert widening(PER_DOUBLING, storm_distances(make_model(), "docker", boxes=8, cpus=2, residents=0)).up == 0


def test_the_largest_distance_widens() -> None:
    distances = storm_distances(make_model(), "docker", boxes=64, cpus=4, residents=16)
    assert widening(PER_DOUBLING, distances).up == pytest.approx(0.06 * 3)


def test_an_axis_that_was_not_measured_counts_from_one() -> None:
    never = Distance(axis="residents", asked=16, measured=0, target="docker")
    assert farthest([never]) == 16
    assert math.isinf(never.times)


def test_more_than_ten_times_beyond_is_refused() -> None:
    distances = storm_distances(make_model(), "docker", boxes=81, cpus=2, residents=0)
    with pytest.raises(
        NotInDataError, match=r"docker: 81 boxes are 10.1 times the most that was measured .8."
    ) as caught:
        refuse_beyond(distances, allowed=False)
    assert caught.value.exit_code == ExitCode.CANNOT_TELL
    assert "--beyond" in caught.value.hint
    refuse_beyond(distances, allowed=True)
    refuse_beyond(storm_distances(make_model(), "docker", boxes=80, cpus=2, residents=0), allowed=False)


def test_what_was_never_measured_is_refused() -> None:
    never = Distance(axis="residents", asked=1, measured=0, target="docker")
    with pytest.raises(NotInDataError, match="none were measured"):
        refuse_beyond([never], allowed=False)
