"""The figures of simulated answers, by the question that was answered."""

from __future__ import annotations

from collections.abc import Iterator

from bench.render.figures import answer_bands, capacity, fan, tornado, trade_off
from bench.render.figures.base import Drawing
from bench.sim.answer.answer import Answer
from bench.sim.fleet.fleet_answer import FleetAnswer
from bench.sim.fleet.pool_answer import PoolAnswer
from bench.sim.host.storm import StormAnswer


def answer_drawings(answer: Answer) -> Iterator[Drawing]:
    """The figures of an answer, in their order."""
    if isinstance(answer, PoolAnswer):
        yield from _of_pool(answer)
        return
    if isinstance(answer, StormAnswer) and answer.curve is not None:
        yield capacity.draw(answer.curve)
        yield capacity.draw_strip(answer.curve)
    if isinstance(answer, FleetAnswer):
        yield from fan.draw_series(answer)
    bands = answer_bands.draw(answer)
    if bands is not None:
        yield bands
    yield from tornado.draw_all(answer)


def _of_pool(answer: PoolAnswer) -> Iterator[Drawing]:
    drawing = trade_off.draw(answer)
    if drawing is not None:
        yield drawing
    # The trade-off is about all points, and everything else about the last one.
    last = answer.model_copy(update={"short": f"{answer.short}, {trade_off.point_text(answer.points[-1])}"})
    yield from fan.draw_series(last)
    yield from tornado.draw_all(last)
