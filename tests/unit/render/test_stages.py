"""The drawing of one start: parts in their order, without gaps, background work beside them."""

from __future__ import annotations

import re

from bench.records.record import Endpoint
from bench.render.figures.base import finish
from bench.render.figures.settings import styled
from bench.render.figures.stages import Piece, draw_stages, pieces
from bench.render.palette import PALETTE
from bench.render.sections.glossary import ENDPOINTS
from bench.sim.values import StageValues, TargetValues
from tests.synthetic_models import STAGES, make_model, make_values


def test_the_parts_of_a_start_follow_each_other() -> None:
    for label in STAGES:
        values = make_values(label)
        at = 0
        for piece in (one for one in pieces(values) if one.lane == 0):
            assert piece.begins_ns == at
            at += piece.length_ns
        assert at == values.solo_ns
        background = sum(one.length_ns for one in pieces(values) if one.lane)
        assert background == sum(stage.background_ns for stage in values.stages)


def test_a_stage_is_a_delay_then_the_lock_then_work() -> None:
    values = TargetValues(
        stages=(
            StageValues(endpoint=Endpoint.CREATED, delay_ns=1, background_ns=9, hold_work_ns=2, work_ns=4),
            StageValues(endpoint=Endpoint.READY, hold_delay_ns=3, background_ns=5, work_ns=1),
        )
    )
    assert pieces(values) == (
        Piece(part="background", begins_ns=0, length_ns=9, lane=1),
        Piece(part="delay", begins_ns=0, length_ns=1),
        Piece(part="hold_work", begins_ns=1, length_ns=2),
        Piece(part="work", begins_ns=3, length_ns=4),
        # The first stage's background work still runs.
        Piece(part="background", begins_ns=7, length_ns=5, lane=2),
        Piece(part="hold_delay", begins_ns=7, length_ns=3),
        Piece(part="work", begins_ns=10, length_ns=1),
    )


def test_the_figure_has_every_target_and_known_colours() -> None:
    model = make_model(draws=20)
    with styled():
        figure = finish(draw_stages(model))
    assert set(re.findall(r"#[0-9a-f]{6}", figure.light_svg)) <= {colour.light for colour in PALETTE.values()}
    assert all(label in figure.alt for label in model.targets)
    rows = figure.table[1:]
    assert len(rows) == sum(map(len, STAGES.values()))
    assert {row[0] for row in rows} == set(model.targets)


def test_the_figure_says_what_the_names_of_instants_mean() -> None:
    with styled():
        canvas = draw_stages(make_model(draws=20)).canvas
    named = {stage.endpoint for label in STAGES for stage in make_values(label).stages}
    said = [text.get_text() for text in canvas.texts[2:]]
    assert {line.partition(": ")[0] for line in said} == {str(one) for one in named}
    assert all(ENDPOINTS[one] in " ".join(said) for one in named)
    assert "emulated" in canvas.texts[1].get_text()


def test_a_target_with_a_long_name_and_no_time_is_drawn() -> None:
    """Zero lengths, and a name that is longer than the margin."""
    model = make_model(("docker",), draws=20)
    target = model.targets["docker"]
    none = {name: one.model_copy(update={"value": 0.0}) for name, one in target.parameters.items()}
    label = "docker[runtime=runsc,storage=overlay2]/kvm"
    empty = target.model_copy(update={"parameters": none})
    with styled():
        figure = finish(draw_stages(model.model_copy(update={"targets": {label: empty}})))
    assert label in figure.alt
