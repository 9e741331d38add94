"""Fans and heat maps: what they say, and that every colour has a partner for dark pages."""

from __future__ import annotations

import math
import re

import pytest

from bench.render.figures import fan, heat_map
from bench.render.figures.base import Figure, finish
from bench.render.figures.settings import styled
from bench.render.palette import PALETTE
from bench.sim.answer.answer import Band

LIGHT = {colour.light for colour in PALETTE.values()}


def band(value: float) -> Band:
    return Band(middle=value, low80=value * 0.9, high80=value * 1.1, low95=value * 0.8, high95=value * 1.3)


def make_fan(*, beyond: float = math.inf) -> fan.Fan:
    lines = tuple(
        fan.FanLine(
            target=target,
            x=(1.0, 4.0, 16.0),
            bands=tuple(band(scale * value * 1e6) for value in (1, 3, 12)),
            details=(f"{target} a", f"{target} b", f"{target} c"),
        )
        for target, scale in (("docker", 1.0), ("libvirt/tcg", 9.0))
    )
    return fan.Fan(
        name="simulated-fan",
        title="Simulated: last box up",
        subtitle="simulated, cpus 2",
        x_label="boxes, simulated",
        x_text=lambda value: f"{value:g}",
        y_unit="ns",
        lines=lines,
        beyond=beyond,
    )


def make_heat() -> heat_map.HeatMap:
    places = [(column, row) for column in range(3) for row in range(2)]
    return heat_map.HeatMap(
        name="simulated-heat",
        title="Simulated, docker: last box up",
        subtitle="simulated",
        target="docker",
        x_label="boxes",
        y_label="cpus",
        x=("1", "4", "16"),
        y=("2", "8"),
        bands={place: band(1e6 * (1 + place[0]) / (1 + place[1])) for place in places},
        texts={place: f"text {place[0]}{place[1]}" for place in places},
        details={place: f"detail {place[0]}{place[1]}" for place in places},
        beyond=frozenset({(2, 0)}),
    )


def drawn(what: fan.Fan | heat_map.HeatMap) -> Figure:
    with styled():
        return finish(fan.draw(what) if isinstance(what, fan.Fan) else heat_map.draw(what))


@pytest.mark.parametrize("what", [make_fan(), make_fan(beyond=16.0), make_fan(beyond=1.0), make_heat()])
def test_figures_say_that_they_are_simulated(what: fan.Fan | heat_map.HeatMap) -> None:
    figure = drawn(what)
    assert figure.title.startswith("Simulated")
    assert figure.light_svg == drawn(what).light_svg
    colours = set(re.findall(r"#[0-9a-f]{6}", figure.light_svg))
    assert colours <= LIGHT | {"#ffffff", "#000000"}, "a colour without a partner for dark pages"


def test_the_table_of_a_fan_has_all_bands() -> None:
    figure = drawn(make_fan())
    assert figure.table[0] == ("boxes, simulated", "docker", "libvirt/tcg")
    assert figure.table[2] == ("4", "docker b", "libvirt/tcg b")
    assert "docker from docker a at 1 to docker c at 16" in figure.alt


def test_the_table_of_a_heat_map_has_all_bands() -> None:
    figure = drawn(make_heat())
    assert figure.table[1] == ("2", "detail 00", "detail 10", "detail 20")
    assert "from text 01 at 1 and 8 to text 20 at 16 and 2" in figure.alt


def test_stronger_colours_are_larger_values() -> None:
    bands = make_heat().bands
    strengths = {place: heat_map._strength(one.middle, bands) for place, one in bands.items()}
    assert max(strengths, key=lambda place: strengths[place]) == (2, 0)
    assert min(strengths, key=lambda place: strengths[place]) == (0, 1)
    assert all(0 < one < 0.7 for one in strengths.values())
    assert heat_map._strength(1.0, {(0, 0): band(1.0)}) > 0
