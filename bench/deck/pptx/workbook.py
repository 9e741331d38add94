"""The workbooks inside of native charts. Names are text there, whatever they begin with, and errors have cells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pptx.chart.data import CategoryChartData, XyChartData
from pptx.chart.xlsx import CategoryWorkbookWriter, XyWorkbookWriter

from bench.deck.pptx.chart import Bars, Points, Series

_CREATED: Final = datetime(1980, 1, 1, tzinfo=UTC)
"""The same in every workbook, so that equal numbers give equal bytes."""
SHEET: Final = "Sheet1"


class PointsData(XyChartData):
    """The data of a chart of points. Columns: x, y, and the lengths of the error bars."""

    def __init__(self, chart: Points) -> None:
        super().__init__(number_format="General")
        self.chart = chart
        for series in chart.series:
            filled = self.add_series(series.name)
            for point in series.points:
                filled.add_data_point(point.x, point.y)

    @property
    def _workbook_writer(self) -> Any:
        return _PointsWriter(self)

    def error_cells(self, series: int) -> tuple[str, str]:
        """The cells of a series with the lengths of its error bars: minus, plus."""
        first = self._workbook_writer.series_table_row_offset(self[series]) + 2
        last = first + len(self[series]) - 1
        return f"{SHEET}!$C${first}:$C${last}", f"{SHEET}!$D${first}:$D${last}"


class _PointsWriter(XyWorkbookWriter):
    def _populate_worksheet(self, workbook: Any, worksheet: Any) -> None:
        workbook.set_properties({"created": _CREATED})
        worksheet.set_column(0, 3, 14)
        chart: Points = self._chart_data.chart
        for series, filled in zip(chart.series, self._chart_data, strict=True):
            _write_series(worksheet, series, self.series_table_row_offset(filled), errors=bool(chart.errors))


def _write_series(worksheet: Any, series: Series, row: int, *, errors: bool) -> None:
    worksheet.write_string(row, 0, "x")
    # write() would take a name that begins with "=" for a formula.
    worksheet.write_string(row, 1, series.name)
    if errors:
        worksheet.write_string(row, 2, "minus")
        worksheet.write_string(row, 3, "plus")
    for line, point in enumerate(series.points, row + 1):
        for column, number in enumerate(point if errors else point[:2]):
            worksheet.write_number(line, column, number)


class BarsData(CategoryChartData):
    """The data of a chart of bars: a line for each bar, a column for each part."""

    def __init__(self, chart: Bars) -> None:
        super().__init__(number_format="General")
        # The first category is the lowest bar.
        self.categories = list(reversed(chart.names))
        for part in chart.parts:
            self.add_series(part.name, list(reversed(part.values)))

    @property
    def _workbook_writer(self) -> Any:
        return _BarsWriter(self)


class _BarsWriter(CategoryWorkbookWriter):
    def _populate_worksheet(self, workbook: Any, worksheet: Any) -> None:
        workbook.set_properties({"created": _CREATED})
        worksheet.set_column(0, 0, 28)
        for row, category in enumerate(self._chart_data.categories, 1):
            worksheet.write_string(row, 0, category.label)
        for column, series in enumerate(self._chart_data, 1):
            worksheet.write_string(0, column, series.name)
            for row, number in enumerate(series.values, 1):
                worksheet.write_number(row, column, number)
