"""The figures that answers of several questions have in common."""

from __future__ import annotations

from collections.abc import Iterator

from bench.render.figures import answer_bands, tornado
from bench.render.figures.base import Drawing
from bench.sim.answer.answer import Answer


def drawings(answer: Answer) -> Iterator[Drawing]:
    """The bands of the first quantity, and what decides them."""
    bands = answer_bands.draw(answer)
    if bands is not None:
        yield bands
    yield from tornado.draw_all(answer)
