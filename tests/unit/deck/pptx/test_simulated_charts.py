"""Native charts of simulated answers, checks, sweeps and histories: bands as error bars, and the figure's axes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation

from bench.deck.pptx.presentation import presentation_of
from bench.deck.reading import deck_of
from bench.deck.slides import Deck
from bench.history.store import DirectoryStore, add_line
from tests.histories import make_history

PUBLISHED = Path(__file__).parents[4] / "reports" / "published" / "2026-11-27-web-service"


@pytest.fixture(scope="module")
def storm() -> Deck:
    return deck_of([PUBLISHED / "storm"], png=False)


def _slide(deck: Deck, name: str) -> Any:
    """The slide of a figure in a presentation of it alone. Without a PNG its chart is on the slide itself."""
    (chosen,) = [slide for slide in deck.slides if slide.figure is not None and slide.figure.name == name]
    one = Deck(title=deck.title, subtitle="", slides=(chosen,), date=deck.date, source="")
    return list(Presentation(io.BytesIO(presentation_of(one, None))).slides)[1]


def _chart(slide: Any) -> Any:
    (frame,) = [shape for shape in slide.shapes if shape.has_chart]
    return frame.chart


def _log_bases(chart: Any) -> list[str]:
    return [one.get("val") for one in chart._chartSpace.iter() if one.tag.endswith("logBase")]


def test_a_capacity_curve_has_its_bands_and_both_logarithmic_axes(storm: Deck) -> None:
    slide = _slide(storm, "simulated-capacity")
    chart = _chart(slide)
    names = [series.name for series in chart.plots[0].series]
    assert names[:3] == ["docker", "uml", "libvirt/tcg"]
    assert "docker (measured)" in names
    assert _log_bases(chart) == ["2", "10"]
    assert chart.category_axis.axis_title.text_frame.text.startswith("boxes requested in the simulated storm")
    bars = [one for one in chart._chartSpace.iter() if one.tag.endswith("errBars")]
    # Measured medians have no interval.
    assert len(bars) == 3
    lengths = [float(one.text) for bar in bars for one in bar.iter() if one.tag.endswith("}v")]
    assert len(lengths) == 2 * 3 * 7
    assert max(lengths) > 0
    (last, *_) = list(chart.plots[0].series)
    assert list(last.values)[-1] == pytest.approx(7.25, rel=0.01)


def test_a_chart_has_notes_and_a_text_for_those_who_cannot_see_it(storm: Deck) -> None:
    slide = _slide(storm, "simulated-capacity")
    (frame,) = [shape for shape in slide.shapes if shape.has_chart]
    alt = frame._element.xpath("./*[1]/p:cNvPr")[0].get("descr")
    assert alt.startswith("Simulated time until the last box of a storm is up: docker")
    assert "boxbench simulate storm" in slide.notes_slide.notes_text_frame.text


def test_bands_of_targets_are_a_chart_of_dots(storm: Deck) -> None:
    chart = _chart(_slide(storm, "simulated-bands"))
    assert [series.name for series in chart.plots[0].series] == ["docker", "uml", "libvirt/tcg"]
    assert _log_bases(chart) == ["10"]
    assert sum(one.tag.endswith("errBars") for one in chart._chartSpace.iter()) == 3


def test_a_check_has_simulated_and_measured_lines() -> None:
    deck = deck_of([PUBLISHED / "check-1-2"], png=False)
    chart = _chart(_slide(deck, "check-uml"))
    assert [series.name for series in chart.plots[0].series] == [
        f"uml {kind}: {what}"
        for kind in ("simulated", "measured")
        for what in ("half of the boxes are up", "the last box is up")
    ]


def test_a_history_has_a_point_for_each_commit(tmp_path: Path) -> None:
    for line in make_history([100.0] * 12 + [130.0] * 12):
        add_line(DirectoryStore(tmp_path), line)
    chart = _chart(_slide(deck_of([tmp_path], png=False), "history-0"))
    (series,) = chart.plots[0].series
    assert len(list(series.values)) == 24
    assert _log_bases(chart) == []
    assert any(one.tag.endswith("errBars") for one in chart._chartSpace.iter())
