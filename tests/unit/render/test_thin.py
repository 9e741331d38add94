"""Figures of large campaigns draw some of the marks, evenly chosen, and say so."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.render.figures.thin import MOST_MARKS, thin_note, thinned


@pytest.mark.parametrize("count", [0, 1, MOST_MARKS])
def test_few_marks_are_all_drawn_and_nothing_is_said(count: int) -> None:
    assert list(thinned(range(count))) == list(range(count))
    assert thin_note([count], "boots") == ""


@pytest.mark.parametrize("count", [MOST_MARKS + 1, 10 * MOST_MARKS, 100_003])
def test_many_marks_are_thinned_evenly_and_it_is_said(count: int) -> None:
    kept = thinned(range(count))
    assert MOST_MARKS / 2 <= len(kept) <= MOST_MARKS
    assert len({after - before for before, after in pairwise(kept)}) == 1
    assert f"up to {count:,} boots" in thin_note([3, count], "boots")
