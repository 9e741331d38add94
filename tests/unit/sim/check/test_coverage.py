"""The word on the bands of a model."""

from __future__ import annotations

import pytest

from bench.sim.check.coverage import Coverage, Limits, judge_bands


def _held(*shares: tuple[float, float, float]) -> list[Coverage]:
    """Of the 50, 80 and 95 % bands: the share and its interval."""
    return [
        Coverage(level=level, hits=round(100 * share), n=100, interval=Limits(low=low, high=high))
        for level, (share, low, high) in zip((0.5, 0.8, 0.95), shares, strict=True)
    ]


@pytest.mark.parametrize(
    ("shares", "word", "far"),
    [
        (((0.5, 0.4, 0.6), (0.8, 0.7, 0.9), (0.95, 0.9, 1.0)), "hold", False),
        (((0.6, 0.52, 0.7), (0.85, 0.75, 0.95), (0.97, 0.96, 1.0)), "too wide", False),
        (((0.9, 0.8, 0.95), (0.97, 0.92, 1.0), (1.0, 0.9, 1.0)), "too wide", True),
        (((0.6, 0.45, 0.7), (0.95, 0.91, 1.0), (1.0, 0.9, 1.0)), "too wide", True),
        (((0.3, 0.2, 0.4), (0.7, 0.6, 0.78), (0.9, 0.85, 0.94)), "too narrow", False),
        (((0.2, 0.1, 0.24), (0.7, 0.6, 0.85), (0.94, 0.9, 1.0)), "too narrow", True),
        (((0.4, 0.3, 0.6), (0.7, 0.6, 0.85), (0.8, 0.7, 0.89)), "too narrow", True),
        # Bands that are wrong in both ways are dangerous first.
        (((0.8, 0.76, 0.9), (0.8, 0.7, 0.9), (0.8, 0.7, 0.89)), "too narrow", True),
    ],
)
def test_the_word_and_whether_it_is_far(shares: tuple[tuple[float, float, float], ...], word: str, far: bool) -> None:
    found = judge_bands(_held(*shares))
    assert found is not None
    assert (found.word, found.far) == (word, far)
    assert bool(found.why) == (word != "hold")


def test_too_few_storms_have_no_word() -> None:
    bands = [one.model_copy(update={"interval": None}) for one in _held((1, 1, 1), (1, 1, 1), (1, 1, 1))]
    assert judge_bands(bands) is None
    assert judge_bands([]) is None
