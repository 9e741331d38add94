"""Figures: labels that fit, alt texts with the numbers, colours that can be exchanged."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.textpath import TextPath

from bench.analysis.analyse import analyse
from bench.analysis.metrics import headline
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.figures import blocks, campaign_figures, forest, samples, svg
from bench.render.figures.axes import tick
from bench.render.figures.base import finish, recoloured, with_variables
from bench.render.figures.fitted_text import text_width_in
from bench.render.figures.labels import legend_columns, row_label, variant
from bench.render.figures.settings import styled
from bench.render.figures.style import PAPER_NARROW, SQUARE, TALK, using
from bench.render.palette import PALETTE
from tests.factories import DOCKER, LIBVIRT, PROCESS, SIX, THREE, make_manifest, make_records
from tests.residents import make_residents

DOCKER_CELL = Cell(scenario="hello", target="docker", accel="native")
VM_CELL = Cell(scenario="hello", target="libvirt", accel="tcg")


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    manifest = make_manifest(("hello",))
    return analyse(manifest, make_records(manifest))


def test_every_title_or_subtitle_says_how_virtual_cpus_were_made(analysis: Analysis) -> None:
    for figure in campaign_figures(analysis):
        assert figure.topic.startswith("hello: ")
        assert figure.title != figure.topic
        assert figure.alt.endswith(".")
        assert len({len(row) for row in figure.table}) == 1, figure.name


def test_alt_texts_carry_the_numbers(analysis: Analysis) -> None:
    with styled():
        drawing = forest.draw(analysis, "hello")
    assert drawing is not None
    assert "libvirt/tcg 19.1× [16.6, ∞)" in drawing.alt


def test_nothing_to_compare_draws_no_forest() -> None:
    manifest = make_manifest(("hello",), blocks=3)
    with styled():
        assert forest.draw(analyse(manifest, make_records(manifest)), "hello") is None


def test_a_forest_says_of_how_many_metrics_it_has_room_for_which(analysis: Analysis) -> None:
    groups = [(f"metric {number}", metric) for number, metric in enumerate([headline(analysis.scenario("hello"))] * 12)]
    found = forest.compared(analysis, "hello", groups)
    with styled():
        drawing = forest.plot("hello", found, "hello-exercise", "exercise, times", "How.", title="T", most=8)
    assert "8 of 12 metrics" in drawing.canvas.texts[1].get_text()
    rest = "No room for metric 8, metric 9, metric 10, metric 11."
    assert (drawing.how, drawing.notes) == (f"How. {rest}", rest)
    for style, part in ((TALK, "2 of 12"), (SQUARE, "4 of 12"), (PAPER_NARROW, "5 of 12")):
        with styled(), using(style):
            talk = forest.plot("hello", found, "hello-exercise", "exercise, times", "How.", title="T", most=8)
        assert f"{part} metrics" in " ".join(talk.canvas.texts[1].get_text().split())


def test_of_many_metrics_without_room_a_forest_names_the_first(analysis: Analysis) -> None:
    groups = [(f"metric {number}", metric) for number, metric in enumerate([headline(analysis.scenario("hello"))] * 38)]
    found = forest.compared(analysis, "hello", groups)
    with styled():
        drawing = forest.plot("hello", found, "hello-exercise", "exercise, times", "How.", title="T", most=8)
    assert drawing.notes == "No room for metric 8, metric 9, metric 10, metric 11 and 26 more."


def test_only_warm_ups_are_shaded() -> None:
    """Each sitting begins with some; what was measured between two of them is a result."""
    manifest = make_manifest(("hello",), THREE)
    records = make_records(manifest, THREE)
    warm = {0, 4}
    again = [
        record.model_copy(
            update={"trial": record.trial.model_copy(update={"warmup": record.trial.block in warm})},
        )
        for record in records
    ]
    with styled():
        drawing = blocks.draw(analyse(manifest, again), "hello")
    assert drawing is not None
    (axes,) = drawing.canvas.axes
    spans = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [(span.get_x(), span.get_width()) for span in spans] == [(-0.5, 1), (3.5, 1)]


def test_warm_ups_of_a_resumed_campaign_stand_where_they_ran() -> None:
    """Their blocks have the highest numbers of the plan, and the rest of the interrupted block runs after them."""
    manifest = make_manifest(("hello",), THREE, blocks=5)
    made = make_records(manifest, THREE)
    run = {0: (0, 0), 1: (0, 1), 2: (0, 2), 5: (1, 3), 3: (1, 4), 4: (1, 5)}
    again = [
        record.model_copy(
            update={"sitting": run[record.trial.block][0], "trial": record.trial.model_copy(update={"warmup": warm})}
        )
        for record in sorted(made, key=lambda one: run[one.trial.block][1])
        for warm in [record.trial.block in (0, 5)]
    ]
    with styled():
        drawing = blocks.draw(analyse(manifest, again), "hello")
    assert drawing is not None
    (axes,) = drawing.canvas.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "3", "6", "4", "5"]
    assert [patch.get_x() for patch in axes.patches if isinstance(patch, Rectangle)] == [-0.5, 2.5]
    assert [row[0] for row in drawing.table[1:]] == ["1 (warm-up)", "2", "3", "6 (warm-up)", "4", "5"]
    line = np.asarray(axes.lines[1].get_xdata(), dtype=float)
    assert (np.diff(line) > 0).all(), "a line leads from boot to boot as they ran"
    assert "another sitting" in drawing.how
    assert drawing.data is not None
    numbers = set(zip(*map(drawing.data.column, ("place", "block", "sitting")), strict=True))
    places = [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 6, 2), (5, 4, 2), (6, 5, 2)]
    assert sorted(numbers) == places, "all count from 1, as in the picture and in the chart of a deck"


def test_lines_of_two_boxes_of_one_colour_differ() -> None:
    other = replace(DOCKER, target="docker[seccomp=false]")
    for boxes in ((DOCKER,), (DOCKER, other)):
        manifest = make_manifest(("web",), boxes)
        with styled():
            drawing = samples.draw(analyse(manifest, make_records(manifest, boxes, troubles=False)), "web")
            assert drawing is not None
            dashed = re.search(r"stroke-dasharray: \d", finish(drawing).light_svg)
            assert (dashed is not None) == (other in boxes)


def test_long_names_keep_their_accelerator() -> None:
    cell = Cell(scenario="x", target="libvirt[cache=unsafe,console=serial,disk=raw]", accel="tcg")
    first, second = row_label(cell).split("\n")
    assert first == "libvirt/tcg"
    assert second.startswith("cache=unsafe")
    assert len(second) <= 22
    assert row_label(VM_CELL) == "libvirt/tcg"


def test_two_builds_of_a_program_are_told_apart_in_a_margin() -> None:
    builds = [Cell(scenario="x", target=f"runc[program=/opt/builds/{n}/runc]", accel="native") for n in ("one", "two")]
    names = [row_label(build).split("\n")[1] for build in builds]
    assert [name[-8:] for name in names] == ["one/runc", "two/runc"]
    assert max(map(len, names)) <= 22


def test_boxes_of_one_colour_are_numbered() -> None:
    kvm = VM_CELL.model_copy(update={"accel": "kvm"})
    cells = [DOCKER_CELL, VM_CELL, kvm]
    assert [variant(cells, cell) for cell in cells] == [0, 0, 1]


def test_legends_fit() -> None:
    assert [legend_columns(["x" * n]) for n in (10, 20, 40)] == [3, 2, 1]


def test_ticks_are_round() -> None:
    assert [tick(value, "ns") for value in (0, 10e6, 1.5e9)] == ["0", "10 ms", "1.5 s"]
    assert tick(64 * 2**20, "bytes") == "64 MiB"
    assert tick(100.0, "") == "100"


def test_colours_are_recoloured_in_styles_only() -> None:
    light, dark = PALETTE["t-docker"]
    svg = f'<desc>{light}</desc><path style="fill: {light}; stroke: {light}"/>'
    assert recoloured(svg, lambda name: PALETTE[name].dark) == svg.replace(f": {light}", f": {dark}")
    assert with_variables(svg) == svg.replace(f": {light}", ": var(--c-t-docker)")


def test_figures_have_colours_of_the_palette_only() -> None:
    manifest = make_manifest(("hello", "web"), SIX)
    figures = campaign_figures(analyse(manifest, make_records(manifest, SIX)))
    figures += campaign_figures(analyse(*make_residents([(DOCKER, 2.0, 7.0), (LIBVIRT, 0.0, 20.0)])))
    kinds = {figure.name.partition("-")[2] for figure in figures}
    assert kinds == {
        *("ladder", "ratios", "ecdf", "phases", "memory", "cpu", "disk", "samples", "blocks", "ledger", "slope")
    }
    for figure in figures:
        light, dark = (set(re.findall(r"#[0-9a-f]{6}", svg)) for svg in (figure.light_svg, figure.dark_svg))
        assert light <= {colour.light for colour in PALETTE.values()}, figure.name
        assert dark <= {colour.dark for colour in PALETTE.values()}, figure.name


def test_a_letter_without_an_outline_ends_a_text() -> None:
    with styled():
        text = Text(text="f")
        plain = text_width_in("f", text, 9)
        for letter in "\u2800\u00ad\u200b\u2060":
            assert text_width_in(letter, text, 9) >= 0
            assert text_width_in(f"f{letter}", text, 9) >= plain - 0.02, repr(letter)
            assert text_width_in(f"{letter}f", text, 9) >= plain - 0.02, repr(letter)


@pytest.mark.parametrize("words", ["time to ready: docker 1.52× [1.48, 1.57]", "(Öl) – “8 µs”, f…", "i", "WAVE_/|"])
@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_the_width_of_words_is_that_of_their_outlines(words: str, weight: str) -> None:
    with styled():
        text = Text(text=words, weight=weight)
        outline = TextPath((0, 0), words, size=11, prop=text.get_fontproperties())
        assert text_width_in(words, text, 11) == pytest.approx(outline.get_extents().width / 72)


@pytest.mark.parametrize(
    ("written", "short"),
    [("12.345678", "12.34"), ("7.10", "7.1"), ("7.104", "7.1"), ("3.001", "3"), ("0.05", "0.05"), ("100", "100")],
)
def test_numbers_of_a_figure_have_two_digits_after_the_point(written: str, short: str) -> None:
    drawn = svg.small(f'<svg width="9">\n<path d="M {written} 200 L 1.5 {written}"/>{written}</svg>', "x", "", "")
    assert f'd="M {short} 200 L 1.5 {short}"/>{written}</svg>' in drawn


def test_characters_that_the_font_lacks_do_not_stop_a_report() -> None:
    boxes = (PROCESS, DOCKER, replace(LIBVIRT, target="libvirt[x=箱]"))
    manifest = make_manifest(("hello",), boxes)
    assert len(campaign_figures(analyse(manifest, make_records(manifest, boxes)))) == 7


def test_boxes_that_took_nothing_are_drawn_and_lost_ones_are_not() -> None:
    manifest = make_manifest(("hello",))
    records = make_records(manifest, THREE)
    only_failures = [r for r in records if r.outcome != "ok"]
    assert campaign_figures(analyse(manifest, only_failures)) == ()
