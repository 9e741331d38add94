"""Durations of the trace of 2019: percentiles, and the recorded average."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from bench.sim.engine.rng import uniforms
from bench.sim.traces.durations_2019 import (
    DURATIONS_HEAD,
    PERCENTILES,
    Function,
    about_durations,
    day_of,
    powers,
    read_durations,
)
from bench.sim.traces.trace import TraceError

_NAME = ("o", "a", "f")
_LONG_TAIL = [1.0, 2, 10, 20, 40, 100, 100_000]
"""Percentiles in ms of a function that takes 100 s once in a million times."""


def file_of(tmp_path: Path, *rows: tuple[float, float, list[float]], name: Function = _NAME) -> Path:
    """A file with the average, the count and the percentiles of each line, ms."""
    lines = [[*name, average, count, shares[0], shares[-1], *shares] for average, count, shares in rows]
    file = tmp_path / "durations.csv"
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in (DURATIONS_HEAD, *lines)), encoding="utf-8")
    return file


@pytest.mark.parametrize("average", [30.0, 60.0, 300.0])
def test_the_mean_of_the_durations_is_the_recorded_average(tmp_path: Path, average: float) -> None:
    """Linear to the 100th percentile it would be half a second."""
    found, _ = read_durations(file_of(tmp_path, (average, 1000, _LONG_TAIL)))
    count = 400_000
    drawn = (np.arange(count) + 0.5) / count
    durations = day_of(found, [found], [_NAME]).at(np.zeros(count, np.int64), drawn) / 1e6
    assert durations.mean() == pytest.approx(average, rel=0.01)
    assert np.quantile(durations, [0.25, 0.5, 0.75, 0.99]) == pytest.approx([10, 20, 40, 100], rel=0.01)
    assert durations.max() > 90_000
    assert (np.diff(durations) >= 0).all()
    assert not [*about_durations([found], 0)]


def test_a_log_normal_function_has_its_own_durations(tmp_path: Path) -> None:
    """Straight lines between percentiles would make them 70 % too long on average."""
    count, sd = 1_000_000, 1.5
    drawn = (np.arange(count) + 0.5) / count
    exact = 100 * np.exp(sd * special.ndtri(drawn))
    shares = np.quantile(exact, np.array(PERCENTILES) / 100).tolist()
    found, _ = read_durations(file_of(tmp_path, (float(exact.mean()), count, shares)))
    durations = day_of(found, [found], [_NAME]).at(np.zeros(count, np.int64), drawn) / 1e6
    assert durations.mean() == pytest.approx(exact.mean(), rel=0.003)
    for share in (0.1, 0.4, 0.9, 0.97, 0.995):
        assert np.quantile(durations, share) == pytest.approx(
            np.quantile(exact, share), rel=0.35 if share > 0.99 else 0.01
        )
    assert not [*about_durations([found], 0)]


def test_a_percentile_of_0_begins_a_straight_line(tmp_path: Path) -> None:
    found, _ = read_durations(file_of(tmp_path, (5.0, 9, [0.0, 0, 0, 0, 10, 10, 10])))
    durations = day_of(found, [found], [_NAME]).at(np.zeros(3, np.int64), np.array([0.1, 0.625, 0.9])) / 1e6
    assert durations == pytest.approx([0, 5, 10])


def test_an_average_that_the_percentiles_do_not_allow_is_said(tmp_path: Path) -> None:
    found, _ = read_durations(file_of(tmp_path, (4.0, 1000, _LONG_TAIL)))
    (line,) = about_durations([found], 0)
    assert line.startswith("Drawn so, all durations together are ")
    assert line.endswith("times what the recorded averages add up to.")


def test_of_several_lines_the_one_of_most_invocations_counts(tmp_path: Path) -> None:
    few, many = [1.0] * 7, [5.0] * 7
    for rows in (((1.0, 3, few), (5.0, 9, many)), ((5.0, 9, many), (1.0, 3, few))):
        found, twice = read_durations(file_of(tmp_path, *rows))
        assert found[_NAME].mean_ns == 5e6
        assert "1 lines of durations are left out" in next(iter(about_durations([found], twice)))


def test_long_durations_are_taken_and_impossible_ones_refused(tmp_path: Path) -> None:
    """Two days in ms are more than 1e8, the limit of numbers of seconds."""
    days = 2 * 86_400_000.0
    found, _ = read_durations(file_of(tmp_path, (days, 1, [days] * 7)))
    assert found[_NAME].mean_ns == pytest.approx(days * 1e6)
    with pytest.raises(TraceError, match=r"Average is 1000000000000\.0, more than 100000000000"):
        read_durations(file_of(tmp_path, (1e12, 1, [1.0] * 7)))


def test_powers() -> None:
    base, exponent = uniforms(1, 1, 1, np.arange(500)), 30 * uniforms(1, 1, 2, np.arange(500))
    for one, other, found in zip(base.tolist(), exponent.tolist(), powers(base, exponent).tolist(), strict=True):
        assert found == pytest.approx(math.pow(one, other), rel=1e-9, abs=1e-12)
