"""Figures of large campaigns draw some of the marks, evenly chosen, and say so."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bench.analysis.analyse import analyse
from bench.render.figures import blocks, ecdf, slope
from bench.render.figures.base import Drawing
from bench.render.figures.settings import styled
from bench.render.figures.thin import MOST_MARKS, list_note, spaced, thin_note, thinned
from tests.factories import DOCKER, PROCESS, make_manifest, make_records
from tests.residents import make_residents


@pytest.mark.parametrize("count", [0, 1, MOST_MARKS])
def test_few_marks_are_all_drawn_and_nothing_is_said(count: int) -> None:
    assert list(thinned(range(count))) == list(range(count))
    assert list(spaced(range(count))) == list(range(count))
    assert (thin_note([count], "boots"), list_note([count], "boots")) == ("", "")


@pytest.mark.parametrize("count", [MOST_MARKS + 1, 10 * MOST_MARKS, 100_003])
def test_many_marks_are_thinned_evenly_and_it_is_said(count: int) -> None:
    kept = thinned(range(count))
    assert MOST_MARKS / 2 <= len(kept) <= MOST_MARKS
    assert len({after - before for before, after in pairwise(kept)}) == 1
    assert f"up to {count:,} boots" in thin_note([3, count], "boots")


@pytest.mark.parametrize("count", [MOST_MARKS + 1, 10 * MOST_MARKS, 100_003])
def test_a_list_of_many_begins_with_the_first_and_ends_with_the_last(count: int) -> None:
    kept = list(spaced(range(count)))
    assert (len(kept), kept[0], kept[-1]) == (MOST_MARKS, 0, count - 1)
    distances = {after - before for before, after in pairwise(kept)}
    assert max(distances) - min(distances) <= 1
    assert f"{MOST_MARKS} of up to {count:,} boots" in list_note([3, count], "boots")


def test_the_tables_of_figures_do_not_grow_with_the_blocks() -> None:
    """A page of 100,000 records had 20 MB: a row for each block, and a mark for each block and number of boxes."""
    sizes = []
    for count in (150, 600):
        manifest, records = make_residents([(PROCESS, 1.0, 0.2)], levels=(1, 2), blocks=count)
        analysis = analyse(manifest, records)
        with styled():
            drawn = [draw(analysis, "hello") for draw in (blocks.draw, ecdf.draw, slope.draw)]
        for drawing in drawn:
            assert drawing is not None
            assert f"The numbers list {MOST_MARKS} of " in drawing.how
        sizes.append([_size(drawing) for drawing in drawn if drawing is not None])
    few, many = sizes
    assert [rows for rows, _, _ in few] == [rows for rows, _, _ in many]
    assert [words for _, words, _ in few] == [words for _, words, _ in many]
    marks = [(few[place][2], many[place][2]) for place in (0, 2)]
    assert all(more <= 1.5 * less for less, more in marks)


def test_the_table_of_all_boots_counts_its_rows() -> None:
    """Boxes with different boots share the rows: 99 of each can be in 103 blocks, of which 100 are listed."""
    boxes = (PROCESS, DOCKER)
    manifest = make_manifest(("hello",), boxes, blocks=103, warmups=0)
    records = [
        record
        for record in make_records(manifest, boxes, troubles=False)
        if record.trial.block not in (range(4) if record.trial.cell.target == "docker" else range(99, 103))
    ]
    with styled():
        drawing = blocks.draw(analyse(manifest, records), "hello")
    assert drawing is not None
    assert len(drawing.table) == 1 + MOST_MARKS
    assert "are drawn" not in drawing.how, "all 99 of a box are"
    assert f"The numbers list {MOST_MARKS} of 103 blocks, evenly chosen" in drawing.how
    assert (drawing.table[1][0], drawing.table[-1][0]) == ("1", "103"), "blocks count from 1"


def _size(drawing: Drawing) -> tuple[int, int, int]:
    """Rows of the table, words in its last row, and points of all lines."""
    points = sum(len(np.asarray(line.get_xdata())) for axes in drawing.canvas.axes for line in axes.lines)
    return len(drawing.table), sum(len(cell.split(",")) for cell in drawing.table[-1]), points
