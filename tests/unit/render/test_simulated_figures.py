"""Figures of answers: texts fit and do not meet, ticks are round, and 0 has its place on a logarithmic axis."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import PathPatch
from matplotlib.text import Annotation, Text
from matplotlib.transforms import BboxBase

from bench.render.answer_tables import influence_table, still_lines
from bench.render.figures import answer_bands, capacity, fan, heat_map, tornado, trade_off
from bench.render.figures.base import SLIDE_DPI, Drawing, finish
from bench.render.figures.beside import spread
from bench.render.figures.canvas import canvas
from bench.render.figures.labels import target_label
from bench.render.figures.series import edge_of_data
from bench.render.figures.settings import styled
from bench.render.figures.simulated import axis_name, subtitle
from bench.render.figures.ticks import clock_text, clock_ticks, linear_ticks, log_ticks
from bench.sim.answer.answer import Answer, Band, Distance, Influence, Quantity, Series
from bench.sim.fleet.fleet_answer import FleetAnswer
from bench.sim.fleet.pool_answer import PoolAnswer, PoolPoint
from bench.sim.host.curve import Curve, CurvePoint, MeasuredStorm

LONG = "docker in libvirt[cache=unsafe,console=serial,disk=raw,firmware=ovmf]/tcg"
"""The longest label that a fleet can have, more or less."""
TARGETS = ("docker", "runc", "gvisor", "libvirt/tcg", LONG)
MINUTE = 60 * 10**9


def band(value: float) -> Band:
    """A band around a value."""
    return Band(middle=value, low80=value * 0.9, high80=value * 1.2, low95=value * 0.7, high95=value * 1.9)


def influence(name: str, *, low: float, high: float, kind: str = "measured", share: float = 0.2) -> Influence:
    """What one parameter does to an answer of LONG, whose middle is 5 s."""
    return Influence.model_validate(
        {
            "target": LONG,
            "parameter": name,
            "kind": kind,
            "share": share,
            "narrowed": 0.4,
            "low": low,
            "high": high,
            "middle": 5e9,
        }
    )


def answer(*influences: Influence) -> Answer:
    """An answer of all targets about hosts that are needed."""
    return Answer(
        question="How many?",
        short="64 boxes at once, 2 CPUs",
        headline="Simulated.",
        model="sha256:1",
        seed=1,
        draws=4,
        quantities=tuple(
            Quantity(name="storm.last", unit="ns", target=target, band=band(1e9 * (1 + number)))
            for number, target in enumerate(TARGETS)
        ),
        distances=(),
        bottlenecks=(),
        influences=influences,
    )


def curve(sizes: tuple[int, ...] = tuple(range(1, 65, 7))) -> Curve:
    """A curve of all targets with measured storms."""
    points = tuple(
        CurvePoint(
            target=target,
            boxes=boxes,
            last=band(1e8 * boxes * (1 + number)),
            median=band(5e7 * boxes),
            bottleneck="CPU" if boxes > 8 else "lock",
            beyond=boxes > 8,
        )
        for number, target in enumerate(TARGETS)
        for boxes in sizes
    )
    storms = tuple(
        MeasuredStorm(target=target, boxes=boxes, residents=0, cpus=2, last_ns=1e8 * boxes, median_ns=None)
        for target in TARGETS
        for boxes in (1, 8)
    )
    return Curve(cpus=2, points=points, measured=storms, short="boxes requested at once, 2 CPUs")


def pool(*cold: float) -> PoolAnswer:
    """A pool of two targets with one keep-alive for each share of cold starts."""
    points = tuple(
        PoolPoint(
            target=target,
            keep_alive_ns=number * MINUTE,
            prewarmed=0,
            cold_share=band(share),
            wasted_memory=band(number * 2.0**20 * scale),
            delay_p50=band(0),
            delay_p99=band(1e9),
            rejected_share=0.0,
        )
        for target, scale in (("docker", 1), (LONG, 200))
        for number, share in enumerate(cold)
    )
    return PoolAnswer(**dict(answer()), invocations=40, points=points)


def over_time() -> FleetAnswer:
    """Two numbers over two hours; docker lies beyond the data."""
    at = tuple(number * 2 * MINUTE for number in range(60))
    series = [
        Series(
            name=name,
            unit=unit,
            target=target,
            at_ns=at,
            bands=tuple(band(scale * (1 + number % 7)) for number in range(60)),
        )
        for name, unit, scale in (("fleet.boxes", "boxes", 3.0), ("fleet.delay_p99", "ns", 2e9))
        for target in TARGETS
    ]
    far = Distance(axis="memory", asked=64, measured=16, target="docker")
    asked = dict(answer()) | {
        "short": "bursts:rate=6,duration=2s on 20 hosts of 16 CPUs and 64.0 GiB",
        "distances": (far,),
    }
    return FleetAnswer(**asked, invocations=40, delays_ns={}, series=tuple(series))


def heat() -> heat_map.HeatMap:
    """Long labels on both axes."""
    places = [(column, row) for column in range(5) for row in range(3)]
    return heat_map.HeatMap(
        name="simulated-heat",
        title=f"Simulated, {LONG} : {LONG}: 99th percentile of the start delay",
        subtitle=subtitle("bursts:size=20,every=10min,length=2h,function=uniform, 12.8 GiB of it reserved", [LONG]),
        target=LONG,
        x_label="memory of the host, simulated",
        y_label="trace",
        x=tuple(f"{number} very long label of a column" for number in range(5)),
        y=("poisson:rate=20,duration=2s,length=10min", "sample:azure-2021", "short"),
        bands={place: band(1 + place[0]) for place in places},
        texts=dict.fromkeys(places, "123.4 s"),
        details=dict.fromkeys(places, "123.4 s [100, 200]"),
        beyond=frozenset({(4, 2)}),
    )


def _all_drawings() -> list[Drawing]:
    with styled():
        bands = answer_bands.draw(answer())
        traded = trade_off.draw(pool(1.0, 0.02, 0.0))
        assert bands is not None
        assert traded is not None
        moved = answer(
            influence("ready.background", low=4e9, high=9e9, kind="limit"),
            influence("inflation", low=4.9e9, high=5.2e9),
            influence("growth", low=4.9e9, high=7e9, kind="assumed", share=0.0),
        )
        return [
            bands,
            traded,
            capacity.draw(curve()),
            capacity.draw_strip(curve(tuple(range(1, 101)))),
            *tornado.draw_all(moved),
            *fan.draw_series(over_time()),
            heat_map.draw(heat()),
        ]


@pytest.fixture(scope="module")
def drawings() -> list[Drawing]:
    """Every kind of figure, with long labels."""
    return _all_drawings()


def _renderer(drawing: Drawing) -> Any:
    """What measures texts. Only what has been drawn has its place; at few pixels an inch letters are wider."""
    drawing.canvas.set_dpi(300)
    renderer = FigureCanvasAgg(drawing.canvas).get_renderer()  # type: ignore[no-untyped-call]
    drawing.canvas.draw(renderer)
    return renderer


def _boxes(drawing: Drawing) -> tuple[BboxBase, list[tuple[str, BboxBase]]]:
    """The paper, and every text on it."""
    renderer = _renderer(drawing)
    texts = list(drawing.canvas.texts)
    for legend in drawing.canvas.legends:
        texts += legend.get_texts()
    for axes in drawing.canvas.axes:
        texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels()]
    shown = [text for text in texts if text.get_text().strip() and text.get_visible()]
    return drawing.canvas.bbox, [(text.get_text(), text.get_window_extent(renderer)) for text in shown]


def test_nothing_is_cut_at_the_edges(drawings: list[Drawing]) -> None:
    assert len(drawings) == 8
    with styled():
        for drawing in drawings:
            paper, texts = _boxes(drawing)
            for text, box in texts:
                inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= paper.x1 + 1 and box.y1 <= paper.y1 + 1
                assert inside, f"{drawing.name}: {text!r} is cut"


def test_ticks_and_titles_do_not_meet(drawings: list[Drawing]) -> None:
    with styled():
        for drawing in drawings:
            renderer = _renderer(drawing)
            title, subtitle = (text.get_window_extent(renderer) for text in drawing.canvas.texts[:2])
            assert title.y0 >= subtitle.y1 - 1, drawing.name
            for axes in drawing.canvas.axes:
                assert axes.bbox.y1 <= subtitle.y0, drawing.name
                labels = [one for one in axes.get_xticklabels() if one.get_text() and not one.get_rotation()]
                ends = sorted((box.x0, box.x1) for box in (one.get_window_extent(renderer) for one in labels))
                assert all(left[1] < right[0] for left, right in pairwise(ends)), drawing.name


def test_legends_are_below_the_axes(drawings: list[Drawing]) -> None:
    with styled():
        for drawing in drawings:
            renderer = _renderer(drawing)
            for legend in drawing.canvas.legends:
                box = legend.get_window_extent(renderer)
                axes = drawing.canvas.axes[0]
                assert box.y1 <= axes.xaxis.label.get_window_extent(renderer).y0 + 1, drawing.name


def test_a_png_fills_a_slide() -> None:
    with styled():
        made = finish(heat_map.draw(heat()), png=True, dpi=SLIDE_DPI)
    assert made.light_png is not None
    assert int.from_bytes(made.light_png[16:20], "big") == 1920


def test_short_titles_keep_their_size_and_long_ones_get_two_lines() -> None:
    with styled():
        short, middle, long = (canvas(3, title, "").texts[0] for title in ("short", "W" * 34, f"{LONG} " * 2))
    assert short.get_fontsize() == 12.5
    assert 9.5 <= float(middle.get_fontsize()) < 12.5
    assert [text.get_text().count("\n") for text in (short, middle, long)] == [0, 0, 1]


def test_a_tornado_has_the_largest_share_on_top_and_its_line_in_the_middle_of_the_same_runs() -> None:
    found = answer(
        influence("inflation", low=4.9e9, high=5.2e9, share=0.6),
        influence("growth", low=4e9, high=9e9, share=0.1),
        influence("noise", low=5e9, high=5e9, share=0.3),
    )
    with styled():
        (drawn,) = tornado.draw_all(found)
        axes = drawn.canvas.axes[0]
        places = [line.get_xdata()[0] for line in axes.lines]  # type: ignore[index]
    assert [row[0].partition(": ")[2].split(" ")[0] for row in drawn.table[1:3]] == ["CPU", "growth"]
    assert places == [5e9]
    assert len(axes.patches) == 2
    assert "share 30%" in axes.texts[-1].get_text()


def test_what_nothing_moves_has_no_tornado() -> None:
    with styled():
        assert list(tornado.draw_all(answer(influence("growth", low=5e9, high=5e9)))) == []


def test_bars_that_span_less_than_a_tenth_of_the_band_have_no_tornado_and_no_row() -> None:
    """So narrow bars are told in a sentence."""
    wide = answer().quantities[TARGETS.index(LONG)].band
    tenth = (wide.high95 - wide.low95) / 10
    with styled():
        for span, drawn in ((0.9 * tenth, 0), (1.1 * tenth, 1)):
            found = answer(
                influence("work", low=5e9, high=5e9 + span, share=0.1), influence("noise", low=5e9, high=5e9, share=0.9)
            )
            assert len(list(tornado.draw_all(found))) == drawn
            assert len(influence_table(found)) == 1 + 2 * drawn
            assert len(still_lines(found)) == 1 - drawn
    assert still_lines(answer(influence("noise", low=5e9, high=5e9, share=0.9))) == (
        f"{LONG}: no parameter of the model moves the answer by a tenth of its band. What makes the band: noise of "
        "single runs 90%.",
    )


def test_no_line_of_a_trade_off_leads_to_zero() -> None:
    with styled():
        drawing = trade_off.draw(pool(1.0, 0.02, 0.0))
        assert drawing is not None
        axes = drawing.canvas.axes[0]
        joins = [line for line in axes.lines if line.get_linewidth() == pytest.approx(1.4)]
    # Both targets have no idle memory at the first point and no cold start at the last one.
    assert joins == []
    assert next(label.get_text() for label in axes.get_yticklabels()) == "0"
    with styled():
        positive = trade_off.draw(pool(1.0, 0.5, 0.02, 0.01))
        assert positive is not None
        axes = positive.canvas.axes[0]
    assert len([line for line in axes.lines if line.get_linewidth() == pytest.approx(1.4)]) == 4


def test_every_mark_of_a_trade_off_has_its_keep_alive() -> None:
    with styled():
        drawing = trade_off.draw(pool(1.0, 0.5, 0.02))
    assert drawing is not None
    texts = [text.get_text() for text in drawing.canvas.axes[0].texts]
    assert texts[:2] == ["logarithmic axes", "each mark is a keep-alive; crossed lines hold 95 %"]
    assert texts[2:] == ["0", "1 min", "2 min"] * 2


def test_a_number_over_time_has_one_figure_with_all_targets() -> None:
    with styled():
        first, second = fan.draw_series(over_time())
    assert first.name != second.name
    assert first.table[0] == ("time of the trace, simulated", *TARGETS)
    assert first.table[2][0] == "2 min"
    assert "12.0 s" in second.table[6][1]


@pytest.mark.parametrize(
    ("low", "high", "unit", "labels"),
    [
        (274.0, 277.0, "boxes", ["274", "275", "276", "277"]),
        (0.0, 3.4e9, "ns", ["0", "1 s", "2 s", "3 s"]),
        (5.46e9, 5.59e9, "ns", ["5.50 s", "5.55 s"]),
        (0.0, 0.021, "share", ["0", "0.5 %", "1.0 %", "1.5 %", "2.0 %"]),
        (0.0, 3.0 * 2**30, "bytes", ["0", "1 GiB", "2 GiB", "3 GiB"]),
    ],
)
def test_linear_ticks(low: float, high: float, unit: str, labels: list[str]) -> None:
    assert linear_ticks(low, high, unit, most=5).labels == labels


def test_no_two_linear_ticks_are_alike() -> None:
    for unit in ("ns", "bytes", "boxes", "hosts", "mean_hosts", "share", "ratio", "per_s", "cost", "cpu_ns"):
        for low, high in ((1.0, 1.01), (999.0, 1003.0), (0.0, 7e12), (0.0001, 0.00011)):
            found = linear_ticks(low, high, unit, most=6)
            assert len(set(found.labels)) == len(found.labels) <= 6, (unit, low, high)


def test_log_ticks() -> None:
    assert log_ticks(1e6, 1e10, "ns", most=6).labels == ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]
    assert log_ticks(0.9e9, 11e9, "ns", most=6).labels == ["1 s", "2 s", "5 s", "10 s"]
    assert log_ticks(0.0008, 1.0, "share", most=4).labels == ["0.1 %", "1 %", "10 %", "100 %"]
    assert log_ticks(2.0**20, 2.0**30, "bytes", most=6).labels[:2] == ["1 MiB", "4 MiB"]


def test_clock_ticks() -> None:
    assert clock_ticks(7200e9, most=7).labels == ["0", "30 min", "60 min", "90 min", "120 min"]
    assert clock_ticks(14 * 86_400e9, most=7).labels[:2] == ["0", "5 d"]
    assert clock_ticks(3e8, most=7).labels[0] == "0"
    assert [clock_text(value) for value in (0, 3e10, 9e10, 2 * 3600e9, 3 * 86_400e9)] == [
        *("0", "30 s", "1.5 min", "2 h", "3 d")
    ]


def test_hatching_begins_between_the_last_place_with_data_and_the_first_without() -> None:
    assert edge_of_data((1, 4, 16), 16, log=True) == 8
    assert edge_of_data((0, 10, 20), 20, log=False) == 15
    assert edge_of_data((1, 2), math.inf, log=True) == math.inf
    assert edge_of_data((1, 2), 1, log=True) == -math.inf


def test_labels_of_targets_are_broken_between_their_parts() -> None:
    assert target_label("libvirt/tcg") == "libvirt/tcg"
    assert target_label("docker in libvirt[disk=raw]/tcg") == "docker in libvirt\n[disk=raw]/tcg"
    assert target_label(LONG).count("\n") == 2


def test_subtitles_say_what_was_asked_and_what_is_emulated(drawings: list[Drawing]) -> None:
    assert subtitle("64 boxes at once, 2 CPUs", ["docker", "libvirt/tcg"]) == (
        "64 boxes at once, 2 CPUs; libvirt/tcg emulated"
    )
    assert subtitle("", ["libvirt/tcg : docker"], more="bars hold 80 %") == (
        "simulated; bars hold 80 %; libvirt/tcg emulated"
    )
    assert subtitle("q", [f"microvm[x={number}]/tcg" for number in range(4)]) == "q; 4 targets emulated"
    for drawing in drawings:
        said = " ".join(drawing.canvas.texts[1].get_text().split())
        assert "emulated" in said, drawing.name
        assert "at once, 2 CPUs" in said or "bursts:" in said, drawing.name


def test_only_what_was_measured_has_a_mark() -> None:
    found = curve()
    with styled():
        axes = capacity.draw(found).canvas.axes[0]
    marked = [line for line in axes.lines if line.get_marker() not in ("", "None", None)]
    lines = [line for line in axes.lines if line not in marked]
    assert len(lines) >= len(TARGETS)
    assert all(line.get_linestyle() == "None" for line in marked)
    # One storm of each target at 1 and at 8 boxes.
    places = [float(x) for line in marked for x in np.asarray(line.get_xdata())]
    assert sorted(places) == [1.0] * 5 + [8.0] * 5
    with styled():
        alone = capacity.draw(found.model_copy(update={"measured": ()})).canvas
    assert not [text for text in alone.legends[0].get_texts() if "measured" in text.get_text()]


def test_a_legend_tells_measured_storms_from_simulated_ones(drawings: list[Drawing]) -> None:
    (found,) = (one for one in drawings if one.name == "simulated-capacity")
    names = [text.get_text() for text in found.canvas.legends[0].get_texts()]
    assert names == ["simulated, the middle", "bands of 80 and 95 %", "measured, median", "measured, single storms"]


def test_names_at_the_ends_of_lines_do_not_meet(drawings: list[Drawing]) -> None:
    with styled():
        for drawing in drawings:
            renderer = _renderer(drawing)
            for axes in drawing.canvas.axes:
                names = [text for text in axes.texts if isinstance(text, Annotation) and text.arrow_patch is not None]
                boxes = sorted((Text.get_window_extent(text, renderer) for text in names), key=lambda box: box.y0)
                assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes)), drawing.name
                assert not names or len(names) == len(TARGETS), drawing.name


def test_things_are_spread_as_near_to_where_they_are_wanted_as_they_can_be() -> None:
    assert spread([1.0, 3.0], [1.0, 1.0], 0.0, 9.0) == [1.0, 3.0]
    assert spread([3.0, 3.0, 3.0], [1.0, 1.0, 1.0], 0.0, 9.0) == [2.0, 3.0, 4.0]
    assert spread([0.0, 0.0], [1.0, 2.0], 0.0, 9.0) == [0.5, 2.0]
    assert spread([9.0, 8.9], [1.0, 1.0], 0.0, 9.0) == [8.5, 7.5]
    assert spread([1.0, 1.0, 1.0], [2.0, 2.0, 2.0], 0.0, 3.0) == [1.0, 3.0, 5.0]


def test_what_lies_beyond_the_data_over_time_is_hatched_and_says_how_far() -> None:
    with styled():
        first, _ = fan.draw_series(over_time())
    names = [text.get_text() for text in first.canvas.axes[0].texts]
    assert "docker\n4.00× the data" in names
    assert "runc" in names
    assert "hatched: beyond the data" in [text.get_text() for text in first.canvas.legends[0].get_texts()]
    hatched = [one for one in first.canvas.axes[0].collections if one.get_hatch()]
    assert len(hatched) == 1


def test_a_logarithmic_axis_is_named() -> None:
    assert axis_name("boxes", log=True) == "boxes, logarithmic axis"
    assert axis_name("boxes", log=False) == "boxes"
    with styled():
        axes = capacity.draw(curve()).canvas.axes[0]
        linear, _ = fan.draw_series(over_time())
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert "logarithmic axes" in [text.get_text() for text in axes.texts]
    assert linear.canvas.axes[0].get_xlabel() == "time of the trace, simulated"


def test_hatching_leaves_out_the_number_of_its_cell() -> None:
    with styled():
        cells, blocks = heat_map.draw(heat()), capacity.draw_strip(curve((1, 8, 64)))
        for drawing, text in ((cells, "123.4 s"), (blocks, "CPU")):
            renderer = _renderer(drawing)
            axes = drawing.canvas.axes[0]
            hatched = [one for one in axes.patches if isinstance(one, PathPatch) and one.get_hatch()]
            assert hatched, drawing.name
            places = [one.get_window_extent(renderer) for one in axes.texts if one.get_text() == text]
            for patch in hatched:
                hole = patch.get_transform().transform(np.asarray(patch.get_path().vertices)[5:])
                low, high = hole.min(axis=0), hole.max(axis=0)
                inside = [
                    low[0] <= box.x0 and box.x1 <= high[0] and low[1] <= box.y0 and box.y1 <= high[1] for box in places
                ]
                assert any(inside), drawing.name
    assert "hatched: beyond the data" in [text.get_text() for text in cells.canvas.axes[0].texts]


def test_blocks_of_the_strip_are_named_where_there_is_room() -> None:
    with styled():
        few, many = capacity.draw_strip(curve((1, 8, 64))), capacity.draw_strip(curve(tuple(range(1, 101))))
    assert {text.get_text() for text in few.canvas.axes[0].texts} == {"lock", "CPU"}
    # 1 to 8 boxes: the lock; 9 to 100: CPUs. One name for each run of narrow blocks, if the run is wide enough.
    places = [(text.get_text(), text.get_position()[0]) for text in many.canvas.axes[0].texts]
    assert places == [("CPU", 53.5)] * len(TARGETS)


def test_a_tornado_explains_the_endpoints_that_it_names() -> None:
    with styled():
        (named,) = tornado.draw_all(answer(influence("exec.hold_work", low=4e9, high=9e9, kind="assumed")))
        (none,) = tornado.draw_all(answer(influence("growth", low=4e9, high=9e9)))
    assert [text.get_text() for text in named.canvas.texts[2:]] == ["exec: the workload is about to run"]
    assert none.canvas.texts[2:] == []


def test_where_some_waited_and_none_began_a_line_is_broken_and_has_a_cross() -> None:
    whole = over_time()
    at = whole.series[5].at_ns
    stuck = whole.series[5].model_copy(
        update={"at_ns": at[:20], "bands": whole.series[5].bands[:20], "none_ns": at[20:24]}
    )
    broken = whole.model_copy(update={"series": (*whole.series[:5], stuck, *whole.series[6:])})
    with styled():
        plain, found = (list(fan.draw_series(one))[1] for one in (whole, broken))
    axes = found.canvas.axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [list(np.asarray(line.get_xdata())) for line in crosses] == [list(map(float, at[20:24]))]
    (line,) = (one for one in axes.lines if len(np.asarray(one.get_xdata())) == 24)
    assert np.isnan(np.asarray(line.get_ydata())[20:]).all()
    assert "some waited, none began" in [text.get_text() for text in found.canvas.legends[0].get_texts()]
    assert "none began" not in " ".join(text.get_text() for text in plain.canvas.legends[0].get_texts())
    assert found.table[21][1] == "none began"


def test_over_time_a_law_is_said_to_be_one_trace_of_many() -> None:
    sample = over_time().model_copy(update={"short": "sample:azure-2021 on 20 hosts of 16 CPUs and 64.0 GiB"})
    with styled():
        law, trace = (next(fan.draw_series(one)).canvas.texts[1].get_text() for one in (over_time(), sample))
    assert "one trace of this law" in " ".join(law.split())
    assert "one trace" not in trace
