"""From the numbers of a figure to the parts of a native chart."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.deck.pptx.chart import Bars, Points
from bench.deck.pptx.curves import MOST_POINTS
from bench.deck.pptx.from_figure import chart_of
from bench.deck.pptx.numbers import limits_of
from bench.render.figures.base import Kind
from bench.render.figures.data import Value
from bench.render.figures.first_start import PARTS
from bench.render.palette import phase_colour, target_colour
from tests.unit.deck.pptx import made


def _points(kind: Kind, columns: tuple[tuple[str, str], ...], rows: list[tuple[Value, ...]]) -> Points:
    chart = chart_of(made.figure(kind, columns, rows))
    assert isinstance(chart, Points)
    return chart


def test_dots_are_rows_from_the_top_with_the_interval_as_error_bar() -> None:
    chart = _points("dots", made.DOTS, [("docker", 187e6, 180e6, 195e6, 9), ("libvirt", 300e6, 280e6, 350e6, 9)])
    assert [series.name for series in chart.series] == ["docker", "libvirt"]
    assert [series.colour for series in chart.series] == [target_colour("docker"), target_colour("libvirt")]
    assert [series.points[0].y for series in chart.series] == [2, 1]
    assert chart.series[0].points[0] == pytest.approx((187, 2, 7, 8)), "ms, as the largest value is below a second"
    assert chart.errors == "x"
    assert chart.named
    assert chart.x.title == "median, ms"
    assert (chart.x.base, chart.x.low) == (None, 0)
    assert not chart.missing


def test_dots_of_a_wide_range_have_a_logarithmic_axis_in_the_largest_unit() -> None:
    chart = _points("dots", made.DOTS, [("docker", 187e6, 0.0, 195e6, 9), ("libvirt", 5.2e9, 5e9, math.inf, 9)])
    assert chart.x.title == "median, s, logarithmic"
    assert chart.x.base == 10
    assert [chart.x.low, chart.x.high] == pytest.approx([0.1, 10])
    docker, libvirt = (series.points[0] for series in chart.series)
    assert docker.x - docker.minus == pytest.approx(0.1), "a bar to zero ends at the axis, which has no zero"
    assert libvirt.x + libvirt.plus == pytest.approx(10), "a bar without an end goes to the end of the axis"
    assert chart.missing == ("The interval of libvirt has no upper end.",)


def test_what_never_got_there_is_said_and_not_drawn() -> None:
    chart = chart_of(made.dots())
    assert isinstance(chart, Points)
    assert [series.name for series in chart.series] == ["docker", "libvirt"]
    assert chart.missing == ("lxc never got there, and is not in the chart.",)


def test_ratios_have_a_line_at_one_and_ticks_at_doublings() -> None:
    rows: list[tuple[Value, ...]] = [("time", "docker", "process", 1.2, 0.9, 1.4), ("time", "lxc", "process", 3, 2, 4)]
    chart = _points("ratios", made.RATIOS, rows)
    assert (chart.x.base, chart.x.low, chart.x.high, chart.x.meets) == (2, 0.5, 4, 1)
    assert chart.x.title == "times as much as process, logarithmic"
    assert (chart.y.shown, chart.errors) == ("line", "x")
    assert [series.name for series in chart.series] == ["docker", "lxc"]


def test_ratios_of_several_metrics_name_them_and_a_wide_range_has_powers_of_ten() -> None:
    rows: list[tuple[Value, ...]] = [
        ("time: lower is better", "docker", "process", 1.2, 1.1, 1.4),
        ("memory", "docker", "lxc", 100, 90, None),
        ("memory", "lxc", "lxc", 0, 0, 0),
    ]
    chart = _points("ratios", made.RATIOS, rows)
    assert [series.name for series in chart.series] == ["docker: time", "docker: memory"]
    assert (chart.x.base, chart.x.low, chart.x.high) == (10, 1, 100)
    assert chart.x.title == "times as much, logarithmic", "two baselines cannot be named"
    assert chart.missing == ("lxc: memory is 0, and not in the chart.",)


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=5))
def test_every_value_lies_within_the_limits_of_its_axis(ratios: list[float]) -> None:
    rows: list[tuple[Value, ...]] = [
        ("time", f"b{at}", "a", ratio, ratio / 3, ratio * 3) for at, ratio in enumerate(ratios)
    ]
    chart = _points("ratios", made.RATIOS, rows)
    assert chart.x.low is not None
    assert chart.x.high is not None
    for series in chart.series:
        point = series.points[0]
        assert chart.x.low * 0.999 <= point.x - point.minus
        assert point.x + point.plus <= chart.x.high * 1.001
    assert chart.x.low <= 1 <= chart.x.high


def test_a_linear_axis_has_room_for_error_bars() -> None:
    for largest, end in ((0.9, 0.9), (1.0, 1.0), (317.0, 350.0), (540.0, 550.0), (5000.0, 5000.0)):
        low, high = limits_of([0.0, largest], None)
        assert low == 0.0
        assert high == pytest.approx(end)
    assert limits_of([-2.0, -1.0], None) == (None, None)


def test_parts_of_a_first_start_have_the_colours_of_the_figure() -> None:
    rows = [("docker", name, 1.0) for _, _, name in PARTS]
    chart = chart_of(made.figure("stacked", made.STACKED, rows))
    assert isinstance(chart, Bars)
    assert {part.name: part.colour for part in chart.parts} == {name: phase_colour(phase) for _, phase, name in PARTS}


def test_stacked_bars_have_their_parts_in_the_order_that_all_share() -> None:
    rows: list[tuple[Value, ...]] = [
        ("docker", "layer or overlay made", 80e6),
        ("docker", "workload: ready", 20e6),
        ("libvirt", "layer or overlay made", 180e6),
        ("libvirt", "guest kernel boots", 2.6e9),
        ("libvirt", "workload: ready", 20e6),
        ("lxc", "layer or overlay made", None),
    ]
    chart = chart_of(made.figure("stacked", made.STACKED, rows))
    assert isinstance(chart, Bars)
    assert chart.names == ("docker", "libvirt")
    assert [part.name for part in chart.parts] == ["layer or overlay made", "guest kernel boots", "workload: ready"]
    assert list(chart.parts[1].values) == pytest.approx([0, 2.6])
    assert [part.colour for part in chart.parts] == [phase_colour(kind) for kind in ("created", "init", "ready")]
    assert chart.axis.title == "s"
    assert chart.missing == ("lxc has no value, and is not in the chart.",)


def test_parts_that_contradict_each_other_have_the_order_of_most_bars_and_the_notes_say_it() -> None:
    bars = (("a", "xyz"), ("b", "xyz"), ("c", "yxz"))
    rows: list[tuple[Value, ...]] = [(box, part, 1.0) for box, parts in bars for part in parts]
    chart = chart_of(made.figure("stacked", made.STACKED, rows))
    assert isinstance(chart, Bars)
    assert [part.name for part in chart.parts] == ["x", "y", "z"]
    assert len({part.colour for part in chart.parts}) == 3
    assert chart.missing == ("The parts have one order here. In some bars of the figure they have another one.",)


@pytest.mark.parametrize(
    "label", ["libvirt (tcg)", "libvirt/tcg residents=4", "hello/libvirt", "libvirt[console=serial] image=alpine"]
)
def test_a_box_has_the_colour_of_its_target_whatever_its_options(label: str) -> None:
    chart = _points("dots", made.DOTS, [(label, 187e6, 180e6, 195e6, 9)])
    assert [series.colour for series in chart.series] == [target_colour("libvirt")]


def test_a_slope_has_a_line_for_each_series_with_error_bars_upwards() -> None:
    rows: list[tuple[Value, ...]] = [
        (name, x, x * size * made.MIB, x * size * made.MIB * 0.9, x * size * made.MIB * 1.1)
        for name, size in (("docker", 1), ("libvirt", 100))
        for x in (4, 1, 2)
    ]
    chart = _points("slope", made.SLOPE, rows)
    assert [point.x for point in chart.series[0].points] == [1, 2, 4]
    assert chart.series[1].points[0] == pytest.approx((1, 100, 10, 10)), "MiB"
    assert (chart.errors, chart.y.base, chart.y.low, chart.y.title) == ("y", None, 0, "MiB")
    wide = _points("lines", made.SLOPE, rows)
    assert (wide.y.base, wide.y.title) == (10, "MiB, logarithmic"), "lines may bend, slopes may not"


def test_a_distribution_rises_in_steps() -> None:
    chart = _points(
        "distribution", made.CURVE, [("docker", 100e6, 0.5), ("docker", 200e6, 1.0), ("docker", math.inf, 1.0)]
    )
    assert [(point.x, point.y) for point in chart.series[0].points] == [(100, 0), (100, 0.5), (200, 0.5), (200, 1)]
    assert chart.missing == ("Not in the chart: 1 that never got there.",)


def test_of_very_many_samples_each_kth_is_shown() -> None:
    chart = _points("samples", made.SAMPLES, [("docker", block, 187e6) for block in range(2 * MOST_POINTS + 1)])
    assert len(chart.series[0].points) == 667
    assert chart.missing == ("docker: one of 3 values is shown.",)
    assert (chart.x.title, chart.y.title) == ("block", "ms")


@pytest.mark.parametrize("kind", ["dots", "ratios", "distribution", "stacked", "slope", "lines", "samples", "table"])
def test_without_numbers_or_with_other_columns_there_is_no_chart(kind: Kind) -> None:
    columns = {
        "dots": made.DOTS,
        "ratios": made.RATIOS,
        "distribution": made.CURVE,
        "stacked": made.STACKED,
        "slope": made.SLOPE,
        "lines": made.SLOPE,
        "samples": made.SAMPLES,
        "table": (("box", ""),),
    }[kind]
    nothing = ("docker", *(None if unit else "x" for _, unit in columns[1:]))
    assert chart_of(made.figure(kind, columns, [nothing])) is None
    assert chart_of(made.figure(kind, columns, [])) is None
    assert chart_of(made.figure(kind, (("name", ""), ("size", "bytes")), [("docker", 1.0)])) is None
