"""Native charts on a slide. python-pptx has no error bars and no logarithmic axes, so their XML is written here."""

from __future__ import annotations

from typing import Any, Final

from pptx.dml.color import RGBColor
from pptx.enum.chart import (
    XL_AXIS_CROSSES,
    XL_CHART_TYPE,
    XL_LEGEND_POSITION,
    XL_MARKER_STYLE,
    XL_TICK_LABEL_POSITION,
    XL_TICK_MARK,
)
from pptx.enum.dml import MSO_LINE
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.util import Pt

from bench.deck.pptx.chart import Axis, Bars, Chart, Points, Series
from bench.deck.pptx.page import Page
from bench.deck.pptx.workbook import BarsData, PointsData
from bench.render.palette import GRID, INK, MUTED, PAPER

_PT: Final = 14.0
_LABEL_PT: Final = 16.0
_LEAST_LABEL_PT: Final = 9.0
_ROWS_PT: Final = 110.0
"""The sizes of the names of all rows together, so that a name does not lie on the dot above it."""
_DASHES: Final = (MSO_LINE.SOLID, MSO_LINE.DASH, MSO_LINE.ROUND_DOT, MSO_LINE.DASH_DOT)
_MARKERS: Final = (XL_MARKER_STYLE.CIRCLE, XL_MARKER_STYLE.DIAMOND, XL_MARKER_STYLE.SQUARE, XL_MARKER_STYLE.TRIANGLE)


def add_chart(page: Page, chart: Chart, *, name: str, alt: str) -> None:
    """Add a chart with its workbook to a slide."""
    if isinstance(chart, Bars):
        _add_bars(page, chart, name, alt)
    else:
        _add_points(page, chart, name, alt)


def _add_points(page: Page, chart: Points, name: str, alt: str) -> None:
    data = PointsData(chart)
    native = page.chart(XL_CHART_TYPE.XY_SCATTER_LINES, data, name=name, alt=alt)
    for place, (series, drawn) in enumerate(zip(chart.series, native.plots[0].series, strict=True)):
        # Boxes of one target have one colour.
        _style_series(series, drawn, [one.colour for one in chart.series[:place]].count(series.colour))
        if chart.named:
            _name_point(drawn, max(_LEAST_LABEL_PT, min(_LABEL_PT, _ROWS_PT / len(chart.series))))
        if chart.errors and any(point.minus or point.plus for point in series.points):
            _add_errors(drawn, series, chart.errors, data.error_cells(place))
    _set_axis(native.category_axis, chart.x)
    _set_axis(native.value_axis, chart.y)
    _finish(native, legend=not chart.named and len(chart.series) > 1)


def _add_bars(page: Page, chart: Bars, name: str, alt: str) -> None:
    native = page.chart(XL_CHART_TYPE.BAR_STACKED, BarsData(chart), name=name, alt=alt)
    plot = native.plots[0]
    plot.gap_width, plot.overlap = 50, 100
    for part, drawn in zip(chart.parts, plot.series, strict=True):
        drawn.format.fill.solid()
        drawn.format.fill.fore_color.rgb = _rgb(part.colour)
    _set_axis(native.value_axis, chart.axis)
    names = native.category_axis
    names.has_major_gridlines = False
    names.major_tick_mark = XL_TICK_MARK.NONE
    names.format.line.color.rgb = _rgb(MUTED)
    names.tick_labels.font.size = Pt(_PT)
    _finish(native, legend=True)


def _finish(native: Any, *, legend: bool) -> None:
    # The slide's title is the chart's. Without this a program shows the name of the first series.
    native.has_title = False
    _set_ground(native)
    native.font.size = Pt(_PT)
    native.font.color.rgb = _rgb(INK)
    native.has_legend = legend
    if legend:
        native.legend.position = XL_LEGEND_POSITION.BOTTOM
        native.legend.include_in_layout = False


def _set_ground(native: Any) -> None:
    """Give a chart the ground of our figures: its colours could not be told apart on that of every template."""
    chart = native._chartSpace.chart
    chart.addprevious(parse_xml(f'<c:roundedCorners {nsdecls("c")} val="0"/>'))
    chart.addnext(
        parse_xml(
            f'<c:spPr {nsdecls("c", "a")}><a:solidFill><a:srgbClr val="{_hex(PAPER)}"/></a:solidFill>'
            "<a:ln><a:noFill/></a:ln></c:spPr>"
        )
    )


def _style_series(series: Series, drawn: Any, variant: int) -> None:
    """Colour, line and marker of a series, the ``variant``-th of its colour, counted from 0."""
    drawn.smooth = False
    line, colour = drawn.format.line, _rgb(series.colour)
    if series.look == "points":
        line.fill.background()
    else:
        line.color.rgb = colour
        line.width = Pt(2.25)
        line.dash_style = _DASHES[variant % len(_DASHES)]
    if series.look == "line":
        drawn.marker.style = XL_MARKER_STYLE.NONE
        return
    drawn.marker.style = _MARKERS[variant % len(_MARKERS)]
    drawn.marker.size = 6 if len(series.points) > 20 else 10
    drawn.marker.format.fill.solid()
    drawn.marker.format.fill.fore_color.rgb = colour
    drawn.marker.format.line.fill.background()


def _name_point(drawn: Any, size: float) -> None:
    """Show the name of a series above its point. It follows the cell with the name."""
    labels = parse_xml(
        f"<c:dLbls {nsdecls('c', 'a')}><c:spPr><a:noFill/><a:ln><a:noFill/></a:ln></c:spPr>"
        f'<c:txPr><a:bodyPr wrap="none"/><a:lstStyle/><a:p><a:pPr><a:defRPr sz="{int(size * 100)}"/></a:pPr>'
        '<a:endParaRPr lang="en-US"/></a:p></c:txPr><c:dLblPos val="t"/><c:showLegendKey val="0"/><c:showVal val="0"/>'
        '<c:showCatName val="0"/><c:showSerName val="1"/><c:showPercent val="0"/><c:showBubbleSize val="0"/></c:dLbls>'
    )
    _before_values(drawn, labels)


def _add_errors(drawn: Any, series: Series, direction: str, cells: tuple[str, str]) -> None:
    """Add error bars with a length of its own at each point. They follow the cells of the workbook."""
    # The order of the two is fixed, too.
    ends = (("plus", cells[1]), ("minus", cells[0]))
    lengths = "".join(_lengths(name, cell, [getattr(point, name) for point in series.points]) for name, cell in ends)
    errors = parse_xml(
        f'<c:errBars {nsdecls("c", "a")}><c:errDir val="{direction}"/><c:errBarType val="both"/>'
        f'<c:errValType val="cust"/><c:noEndCap val="0"/>{lengths}'
        f'<c:spPr><a:ln w="22225"><a:solidFill><a:srgbClr val="{_hex(series.colour)}"/></a:solidFill></a:ln></c:spPr>'
        "</c:errBars>"
    )
    _before_values(drawn, errors)


def _lengths(name: str, cells: str, values: list[float]) -> str:
    points = "".join(f'<c:pt idx="{place}"><c:v>{value!r}</c:v></c:pt>' for place, value in enumerate(values))
    return (
        f"<c:{name}><c:numRef><c:f>{cells}</c:f><c:numCache><c:formatCode>General</c:formatCode>"
        f'<c:ptCount val="{len(values)}"/>{points}</c:numCache></c:numRef></c:{name}>'
    )


def _before_values(drawn: Any, element: Any) -> None:
    """The order of a series is fixed: labels, error bars, values."""
    drawn._element.find(qn("c:xVal")).addprevious(element)


def _set_axis(axis: Any, wanted: Axis) -> None:
    if wanted.low is not None:
        axis.minimum_scale = wanted.low
    if wanted.high is not None:
        axis.maximum_scale = wanted.high
    axis.major_tick_mark = XL_TICK_MARK.NONE
    axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW if wanted.shown == "all" else XL_TICK_LABEL_POSITION.NONE
    # Without this the other axis is at zero, which need not be the lowest value.
    axis.crosses = XL_AXIS_CROSSES.MINIMUM
    if wanted.meets is not None:
        axis.crosses_at = wanted.meets
    axis.has_major_gridlines = wanted.shown == "all"
    axis.visible = wanted.shown != "nothing"
    axis.format.line.color.rgb = _rgb(MUTED)
    if wanted.shown == "all":
        axis.major_gridlines.format.line.color.rgb = _rgb(GRID)
        axis.tick_labels.font.size = Pt(_PT)
    elif wanted.shown == "line":
        axis.format.line.dash_style = MSO_LINE.DASH
    axis.has_title = bool(wanted.title)
    if wanted.title:
        axis.axis_title.text_frame.text = wanted.title
        font = axis.axis_title.text_frame.paragraphs[0].runs[0].font
        font.size, font.bold = Pt(_PT), False
    if wanted.base is not None:
        axis._element.find(qn("c:scaling")).insert(0, parse_xml(f'<c:logBase {nsdecls("c")} val="{wanted.base:g}"/>'))
        # LibreOffice takes every base for ten, and has its ticks at the right places with this.
        axis.major_unit = wanted.base


def _rgb(colour: str) -> Any:
    return RGBColor.from_string(_hex(colour))


def _hex(colour: str) -> str:
    return colour.removeprefix("#").upper()
