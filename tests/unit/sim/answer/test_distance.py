"""Distance beyond the data: how far, how much wider, and where an answer is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from bench.sim.answer.answer import Distance
from bench.sim.answer.bands import Widening, band_of
from bench.sim.answer.distance import (
    beside_sentences,
    farthest,
    for_benefits,
    how_far,
    memory_distance,
    misfit_of,
    nearest_pair,
    refuse_beyond,
    refused_labels,
    storm_distances,
    widening,
)
from bench.sim.model.file import Discrepancy, Model
from bench.util.errors import ExitCode, NotInDataError
from tests.question_models import make_model

PER_DOUBLING = Discrepancy(log_sd_per_doubling=0.06, source="test")


def _by_axis(boxes: int, cpus: int, residents: int) -> dict[str, float]:
    found = storm_distances(make_model(), "docker", boxes=boxes, cpus=cpus, residents=residents)
    return {one.axis: one.times for one in found}


def test_a_storm_within_the_data() -> None:
    beside = {"residents": 1.0, "boxes beside residents": 1.0}
    assert _by_axis(8, 2, 8) == {"boxes": 1.0, "cpus": 1.0, "boxes per CPU": 1.0} | beside


def test_each_axis_has_its_own_distance() -> None:
    beside = {"residents": 2.0, "boxes beside residents": 8.0}
    assert _by_axis(64, 4, 16) == {"boxes": 8.0, "cpus": 2.0, "boxes per CPU": 4.0} | beside


def _with_pairs(*pairs: tuple[int, int]) -> Model:
    """docker with storms of 8, and with as many residents as here, measured together as here."""
    model = make_model()
    residents = tuple(sorted({beside for _, beside in pairs}))
    measured = {"boxes": (1, 2, 4, 8), "residents": residents}
    entry = model.targets["docker"].model_copy(update={"measured": measured, "pairs": pairs})
    return model.model_copy(update={"targets": model.targets | {"docker": entry}})


@pytest.mark.parametrize(
    ("pairs", "boxes", "residents", "times"),
    [
        # Storms of 8 were measured and one box beside 15, but never 8 beside 15.
        (((8, 0), (1, 15)), 8, 15, 8.0),
        (((8, 0), (1, 15)), 1, 15, 1.0),
        (((8, 0), (1, 15)), 1, 3, 1.0),
        (((8, 0), (1, 15), (4, 8)), 8, 15, 2.0),
        (((8, 0), (1, 15), (4, 8)), 4, 15, 15 / 8),
        (((8, 0), (1, 15), (4, 8)), 3, 6, 0.75),
    ],
)
def test_what_was_measured_apart_was_not_measured_together(
    pairs: tuple[tuple[int, int], ...], boxes: int, residents: int, times: float
) -> None:
    model = _with_pairs(*pairs)
    found = storm_distances(model, "docker", boxes=boxes, cpus=2, residents=residents)
    (beside,) = [one for one in found if one.axis == "boxes beside residents"]
    assert beside.times == pytest.approx(times)
    assert beside.asked == boxes
    said = beside_sentences(model, "docker", boxes=boxes, residents=residents)
    assert bool(said) == (times > 1)
    assert all(f"{boxes} boxes at once beside {residents} that live already were not measured" in one for one in said)


def test_of_equally_far_storms_the_largest_is_named() -> None:
    model = _with_pairs((8, 0), (1, 1), (1, 15))
    assert nearest_pair(model, "docker", boxes=8, residents=15) == (1, 15)


def test_a_model_that_does_not_say_what_was_measured_together_is_said_not_to() -> None:
    model = _with_pairs((8, 0), (1, 15))
    entry = model.targets["docker"].model_copy(update={"pairs": ()})
    silent = model.model_copy(update={"targets": model.targets | {"docker": entry}})
    assert not any(
        one.axis == "boxes beside residents" for one in storm_distances(silent, "docker", boxes=8, cpus=2, residents=15)
    )
    (said,) = beside_sentences(silent, "docker", boxes=8, residents=15)
    assert "does not say which storms were measured beside boxes that live" in said
    assert beside_sentences(silent, "docker", boxes=8, residents=0) == ()


def test_memory_is_counted_in_boxes() -> None:
    assert memory_distance(make_model(), "docker", boxes=80).times == 5.0


def _wide(boxes: int) -> Widening:
    return widening(PER_DOUBLING, storm_distances(make_model(), "docker", boxes=boxes, cpus=2, residents=0))


def test_nothing_is_widened_within_the_data() -> None:
    assert _wide(8) == Widening()


def test_a_few_times_beyond_the_data_both_sides_are_widened() -> None:
    assert _wide(16) == Widening(either=0.06)
    assert _wide(32) == Widening(either=0.12)


def test_farther_beyond_the_worse_side_is_widened_more() -> None:
    far = _wide(64)
    assert (far.either, far.down) == (0.12, 0)
    # Together the root mean square that the discrepancy states: 3 doublings.
    assert math.hypot(far.either, far.up) == pytest.approx(0.06 * 3)
    values = np.full(9, 100.0)
    bands = [band_of(values, None, _wide(boxes)) for boxes in (8, 16, 32, 40, 64, 80)]
    assert all(one.high95 < other.high95 for one, other in pairwise(bands))
    assert [round(one.low95) for one in bands] == [100, 89, 79, 79, 79, 79]


def test_the_largest_distance_widens() -> None:
    distances = storm_distances(make_model(), "docker", boxes=64, cpus=4, residents=16)
    assert widening(PER_DOUBLING, distances) == _wide(64)


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


def test_large_numbers_have_all_their_digits() -> None:
    far = Distance(axis="memory", asked=133_021, measured=16, target="process")
    assert how_far(far) == (
        "process: 133\u202f021 boxes in memory are 8\u202f314 times the most that was measured (16)"
    )


def test_what_cannot_be_answered_is_left_out_unless_nothing_is_left() -> None:
    near = [Distance(axis="boxes", asked=16, measured=8, target="docker")]
    far = [Distance(axis="residents", asked=8, measured=0, target="runc"), *near]
    found = refused_labels({"docker": near, "runc": far}, allowed=False)
    assert list(found) == ["runc"]
    assert found["runc"].startswith("runc: 8 residents, and none were measured.")
    assert "--beyond" in found["runc"]
    assert refused_labels({"docker": near, "runc": far}, allowed=True) == {}
    with pytest.raises(NotInDataError, match="runc"):
        refused_labels({"runc": far}, allowed=False)


def test_what_a_model_misses_widens_both_sides_at_any_distance() -> None:
    model = make_model()
    assert misfit_of(model, ["docker"]) == 0
    missed = model.targets["docker"].model_copy(update={"misfit": 0.2})
    model = model.model_copy(update={"targets": model.targets | {"docker": missed}})
    assert misfit_of(model, ["docker", "libvirt/kvm"]) == 0.2
    found = widening(PER_DOUBLING, storm_distances(model, "docker", boxes=8, cpus=2, residents=0), 0.2)
    assert found == Widening(both=0.2)
    far = widening(PER_DOUBLING, storm_distances(model, "docker", boxes=64, cpus=2, residents=0), 0.2)
    assert far == replace(_wide(64), both=0.2)
    assert for_benefits(far) == replace(far, up=0.0, down=far.up)
