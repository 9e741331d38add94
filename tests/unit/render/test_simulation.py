"""Answers as text, page and figures: everything says "simulated", and every colour has a partner for dark pages."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from bench.render.answer_tables import band_text, distance_text, number_table, quantity_label, ratio_table
from bench.render.figures import answer_bands, capacity, tornado
from bench.render.figures.base import Drawing, Figure, finish, with_variables
from bench.render.figures.settings import styled
from bench.render.palette import PALETTE
from bench.render.simulation.glossary import GLOSSARY, words_in
from bench.render.simulation.page import answer_page
from bench.render.simulation.text import view_answer
from bench.sim.answer.answer import (
    Band,
    Bottleneck,
    Distance,
    Influence,
    Quantity,
)
from bench.sim.host.curve import Curve, CurvePoint, MeasuredStorm
from bench.sim.host.storm import StormAnswer

S = 1e9


def _band(middle: float) -> Band:
    return Band(middle=middle, low80=0.9 * middle, high80=1.3 * middle, low95=0.8 * middle, high95=2 * middle)


def _answer() -> StormAnswer:
    points = tuple(
        CurvePoint(
            target=target,
            boxes=boxes,
            last=_band(scale * boxes * S),
            median=_band(scale * boxes * S / 2),
            bottleneck="start" if boxes == 1 else "CPU" if boxes < 16 else "lock",
            beyond=boxes > 8,
        )
        for target, scale in (("docker", 0.1), ("libvirt/tcg", 2.0))
        for boxes in (1, 2, 4, 8, 16, 32)
    )
    measured = tuple(
        MeasuredStorm(target=target, boxes=boxes, residents=0, cpus=2, last_ns=scale * boxes * S, median_ns=None)
        for target, scale in (("docker", 0.11), ("docker", 0.09), ("libvirt/tcg", 1.9))
        for boxes in (1, 2, 4, 8)
    )
    return StormAnswer(
        question="32 <boxes> of docker?",
        headline="Simulated: the last of 32 boxes is up after 3.20 s.",
        model="sha256:1",
        seed=1,
        draws=400,
        quantities=(
            Quantity(name="storm.last", unit="ns", target="docker", band=_band(3.2 * S), bound="at least 1 s"),
            Quantity(name="storm.last", unit="ns", target="libvirt/tcg", band=_band(64 * S)),
            Quantity(name="storm.last", unit="ratio", target="libvirt/tcg : docker", band=_band(20)),
        ),
        distances=(Distance(axis="boxes", asked=32, measured=8, target="docker"),),
        bottlenecks=(Bottleneck(target="docker", name="lock", bounds_ns={"start": 0.1 * S, "lock": 3 * S}),),
        influences=tuple(
            Influence(
                target="docker", parameter=name, kind=kind, share=share, narrowed=0.2, low=2 * S, high=(3 + share) * S
            )
            for name, kind, share in (
                ("created.hold_work", "limit", 0.7),
                ("ready.work", "measured", 0.3),
                ("inflation", "assumed", 0.0),
            )
        ),
        assumed=("docker: inflation is 0.1, assumed by you.",),
        identify=("docker: measure `concurrency: [2]`.",),
        left_out=("No disk.",),
        curve=Curve(cpus=2, points=points, measured=measured),
    )


def _figures() -> list[Figure]:
    answer = _answer()
    assert answer.curve is not None
    with styled():
        bands = answer_bands.draw(answer)
        assert bands is not None
        drawn: list[Drawing] = [
            capacity.draw(answer.curve),
            capacity.draw_strip(answer.curve),
            bands,
            *tornado.draw_all(answer),
        ]
        return [finish(one) for one in drawn]


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    """Every figure of an answer."""
    return _figures()


def test_every_title_says_simulated(figures: list[Figure]) -> None:
    assert len(figures) == 4
    for figure in figures:
        assert "imulated" in figure.title
        assert "imulated" in figure.alt
        assert len(figure.table) > 1


def test_every_colour_has_a_partner(figures: list[Figure]) -> None:
    known = {colour.light for colour in PALETTE.values()} | {"#000000", "#ffffff"}
    for figure in figures:
        assert set(re.findall(r"#[0-9a-f]{6}", figure.light_svg)) <= known, figure.name
        left = set(re.findall(r"#[0-9a-f]{6}", with_variables(figure.light_svg)))
        assert left <= {"#000000", "#ffffff"}, f"{figure.name} keeps colours of light pages"


def test_what_is_beyond_the_data_is_hatched(figures: list[Figure]) -> None:
    assert "beyond the data" in [cell for row in figures[0].table for cell in row]
    assert "pattern" in figures[0].light_svg


def test_figures_are_the_same_in_every_run(figures: list[Figure]) -> None:
    assert [one.light_svg for one in _figures()] == [one.light_svg for one in figures]


def test_a_curve_with_one_size_and_one_target_is_drawn() -> None:
    answer = _answer()
    assert answer.curve is not None
    curve = Curve(cpus=2, points=answer.curve.of("docker")[-1:])
    with styled():
        assert finish(capacity.draw(curve)).light_svg
        assert finish(capacity.draw_strip(curve)).light_svg


def test_measured_storms_of_another_host_are_not_on_the_curve() -> None:
    answer = _answer()
    assert answer.curve is not None
    elsewhere = answer.curve.model_copy(update={"cpus": 8})
    with styled():
        assert all(row[4] == "" for row in capacity.draw(elsewhere).table[1:])


def _page(answer: StormAnswer) -> str:
    return answer_page(answer, (), command="boxbench simulate storm m.json --boxes 32", data=b"{}")


def test_the_page_escapes_and_loads_nothing() -> None:
    answer = _answer()
    page = _page(answer)
    assert "32 &lt;boxes&gt; of docker?" in page
    assert "<boxes>" not in page
    assert "A bound, no estimate: docker, last box up: at least 1 s." in page
    assert "assumed by you" in page
    assert "boxbench simulate storm m.json --boxes 32" in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)


def test_the_headline_keeps_its_bound_and_no_bound_is_there_twice() -> None:
    said = (
        "Simulated: the last is up after 3.20 s. libvirt/tcg has an emulated CPU. No estimate, but a bound: docker: "
        "at least 1 s."
    )
    page = _page(_answer().model_copy(update={"headline": said}))
    assert "<h1>Simulated: the last is up after 3.20\u00a0s.</h1>" in page
    assert "libvirt/tcg has an emulated CPU. No estimate, but a bound: docker: at least 1\u00a0s.</p>" in page
    assert "A bound, no estimate" not in page


def test_warnings_stand_above_the_headline() -> None:
    page = _page(_answer().model_copy(update={"warnings": ("libvirt/tcg: <emulated> CPU.",)}))
    assert page.index("libvirt/tcg: &lt;emulated&gt; CPU.") < page.index("<h1>")


def test_what_is_not_answered_is_said_before_the_numbers() -> None:
    page = _page(_answer().model_copy(update={"unanswered": ("runc: no memory was measured",)}))
    assert page.index("Not answered: runc: no memory was measured") < page.index('id="numbers"')


def test_figures_come_first_and_can_be_told_from_each_other(figures: list[Figure]) -> None:
    page = answer_page(_answer(), figures, command="c")
    names = re.findall(r'<figure id="([^"]+)">', page)
    assert names == [one.name for one in figures]
    assert len(set(names)) == len(names)
    assert page.index('id="figures"') < page.index('id="numbers"')


def test_the_page_explains_the_words_that_it_has_and_no_others() -> None:
    page = _page(_answer())
    words = re.findall(r"<dt>(.*?)</dt>", page[page.index('id="words"') :])
    assert {"created", "lock hold", "CPU work", "inflation", "narrowed", "band", "tcg"} <= set(words)
    assert {"skill", "noise ceiling", "keep-alive", "root", "gone"}.isdisjoint(words)


def test_every_word_is_explained_once_and_found() -> None:
    names = [word.name for word in GLOSSARY]
    assert len(set(names)) == len(names)
    assert [name for name, _ in words_in("a skill over CPU only, and lock hold before exec")] == [
        *("exec", "lock", "lock hold", "skill", "CPU only")
    ]
    assert words_in("executed initially at the roots") == ()


def _shown(width: int) -> str:
    console = Console(width=width, record=True, force_terminal=False)
    with console.capture() as said:
        console.print(view_answer(_answer()))
    return said.get()


@pytest.mark.parametrize("width", [80, 200])
def test_text_keeps_numbers_whole(width: int) -> None:
    text = _shown(width)
    assert all(len(line) <= width for line in text.splitlines())
    for part in ("3.20 s [2.56, 6.40]", "20.0× [16.0, 40.0]", "4.00× the data", "70%", "assumed by you"):
        assert part in text


def test_numbers_have_a_column_per_target() -> None:
    head, last = number_table(_answer())
    assert head[1:] == ("docker", "libvirt/tcg")
    assert last[0] == "last box up"
    assert ratio_table(_answer())[0][1:] == ("libvirt/tcg : docker",)


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("ratio", "3.00× [2.40, 6.00]"),
        ("boxes", "3 [2, 6]"),
        ("share", "300 % [240, 600]"),
        ("per_s", "3.00 [2.40, 6.00]"),
        ("ns", "3.00 ns [2, 6]"),
        ("cost", "3.00 [2.40, 6.00]"),
    ],
)
def test_bands_as_text(unit: str, said: str) -> None:
    assert band_text(_band(3), unit) == said


def test_bands_have_units_that_can_be_read() -> None:
    wide = Band(middle=0.707e9, low80=0, high80=2e9, low95=0, high95=28.4e9)
    assert band_text(wide, "ns") == band_text(wide, "cpu_ns") == "707 ms [0, 28.4 s]"
    none = Band(middle=0, low80=0, high80=2e8, low95=0, high95=3.38e8)
    assert band_text(none, "ns") == "0 [0, 338 ms]"
    fixed = Band(middle=638 * 2**10, low80=0, high80=2**20, low95=-4799 * 2**10, high95=7550 * 2**10)
    assert band_text(fixed, "bytes") == "638 KiB [−4.69 MiB, 7.37 MiB]"
    rare = Band(middle=1e-6, low80=1e-7, high80=0.01, low95=1e-7, high95=0.02)
    assert band_text(rare, "share") == "0.0001 % [0.000010, 2]"
    half = Band(middle=2.4, low80=1.6, high80=3.4, low95=0.6, high95=5.5)
    assert band_text(half, "boxes") == "2 [1, 6]"


def test_names_without_a_label_are_words() -> None:
    assert quantity_label("fleet.hosts_needed") == "hosts needed"


def test_distances_as_text() -> None:
    def times(asked: float, measured: float) -> str:
        return distance_text(Distance(axis="boxes", asked=asked, measured=measured, target="a"))

    assert times(4, 8) == "within the data"
    assert times(16, 8) == "2.00× the data"
    assert times(16, 0) == "not measured"
