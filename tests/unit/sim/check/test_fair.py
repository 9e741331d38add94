"""Bands beyond the data must not come from the storms that they are scored on."""

from __future__ import annotations

from dataclasses import replace

from bench.sim.check.design import Levels, by_levels, levels_up_to, storm_levels
from bench.sim.check.fair import without_scored
from bench.sim.fit.discrepancy import published_discrepancy
from bench.sim.observe.table import observe_table
from bench.sim.observe.trials import SummaryRow
from bench.util.package_data import find_table
from tests.synthetic_storms import known_model, values


def test_errors_of_predictions_for_scored_rows_are_left_out() -> None:
    table = observe_table(find_table("rund-2022"))
    split = by_levels(table, levels_up_to(10, storm_levels(table)), Levels())
    model = known_model({"kata-qemu": values()}).model_copy(update={"discrepancy": published_discrepancy()})
    fair = without_scored(model, split)
    assert fair.discrepancy != model.discrepancy
    assert "RunD" in model.discrepancy.source
    assert "RunD" not in fair.discrepancy.source
    assert fair.targets == model.targets


def test_other_storms_change_nothing() -> None:
    table = observe_table(find_table("rund-2022"))
    rows = tuple(
        SummaryRow(boxes=n, first_ns=None, median_ns=None, last_ns=1e9 * n, cpu_per_start_ns=1e8) for n in (1, 2, 4, 8)
    )
    other = replace(table, targets={"some": replace(table.targets["kata-qemu"], label="some", rows=rows)})
    split = by_levels(other, levels_up_to(2, storm_levels(other)), Levels())
    model = known_model({"some": values()})
    assert without_scored(model, split) is model
