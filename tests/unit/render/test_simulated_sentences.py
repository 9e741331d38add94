"""Titles of figures of simulated answers are true of their numbers."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bench.render.figures.simulated_sentences import (
    capacity_sentence,
    check_sentence,
    limits_sentence,
    over_time_sentence,
    pool_sentence,
    stages_sentence,
)
from bench.render.text import quantity
from bench.sim.answer.answer import Band
from bench.sim.host.curve import CurvePoint


def band(middle: float, never: float = 0.0) -> Band:
    return Band(
        middle=middle, low80=middle * 0.9, high80=middle * 1.1, low95=middle * 0.8, high95=middle * 1.2, never=never
    )


def point(target: str, boxes: int, last: float, bottleneck: str = "CPU", never: float = 0.0) -> CurvePoint:
    return CurvePoint.model_validate(
        {
            "target": target,
            "boxes": boxes,
            "last": band(last, never),
            "median": band(last / 2),
            "bottleneck": bottleneck,
            "beyond": False,
        }
    )


def test_a_curve_tells_the_largest_storm_that_all_targets_have() -> None:
    points = [point("docker", 4, 2e9), point("docker", 16, 8e9), point("uml", 4, 3e9)]
    assert capacity_sentence(points) == (
        "Simulated storms of 4 boxes, until the last is up: docker 2.00 s [1.60, 2.40], uml 3.00 s [2.40, 3.60]"
    )
    assert "of 1 box," in capacity_sentence([point("docker", 1, 2e9)])
    assert "docker never" in capacity_sentence([point("docker", 1, 2e9, never=1.0)])


def test_limits_that_all_targets_share_are_told_once() -> None:
    same = [point("docker", 4, 2e9), point("uml", 4, 3e9)]
    assert limits_sentence(same) == "Simulated storms of 4 boxes are limited in all targets by CPU"
    assert limits_sentence(same[:1]) == "Simulated storms of 4 boxes are limited in docker by CPU"
    other = [point("docker", 4, 2e9), point("uml", 4, 3e9, "lock")]
    assert limits_sentence(other) == "Simulated storms of 4 boxes are limited: docker by CPU, uml by the lock"


@given(st.lists(st.tuples(st.floats(1e6, 1e11) | st.none(), st.floats(1e6, 1e11)), min_size=1, max_size=8))
def test_a_check_counts_the_sizes_that_lie_in_the_band(levels: list[tuple[float | None, float]]) -> None:
    text = check_sentence("docker", [(measured, band(middle)) for measured, middle in levels], 8)
    found = re.fullmatch(
        r"docker: at (\d+) of (\d+) sizes? of storm .* in the simulated 95 % band, beside 8 others", text
    )
    assert found is not None, text
    hits = [one for one, middle in levels if one is not None and middle * 0.8 <= one <= middle * 1.2]
    assert (int(found[1]), int(found[2])) == (len(hits), len(levels))


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_a_pool_goes_from_its_least_share_to_its_largest(shares: list[float]) -> None:
    text = pool_sentence([band(share) for share in shares])
    numbers = [float(one) for one in re.findall(r"[\d.]+(?= %)", text)]
    assert abs(min(numbers) - 100 * min(shares)) <= 0.51
    assert abs(max(numbers) - 100 * max(shares)) <= 0.51
    assert ("whatever is kept" in text) == (len(numbers) == 1)


@given(st.lists(st.floats(1e6, 1e11), min_size=1, max_size=5))
def test_a_start_in_the_model_is_told_of_the_first_and_the_last_target(values: list[float]) -> None:
    text = stages_sentence([(f"t{place}", value) for place, value in enumerate(values)])
    assert f"{quantity(values[0], 'ns')} in t0" in text
    assert text.endswith(f"{quantity(values[-1], 'ns')} in t{len(values) - 1}")


def test_over_time_the_largest_middle_is_told() -> None:
    bands = [band(3.0), band(12.0), band(4.0)]
    assert over_time_sentence("fleet.boxes", "boxes", [("docker", bands), ("uml", bands[:1])]) == (
        "Simulated boxes, largest median: docker 12, uml 3"
    )
