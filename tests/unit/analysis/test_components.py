"""Components of what a box uses: in order, without totals, and the rest is named."""

from __future__ import annotations

import pytest

from bench.analysis.analyse import analyse
from bench.analysis.components import CPU_USED, MEMORY_USED, components_of
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from tests.factories import make_manifest, make_records

DOCKER_CELL = Cell(scenario="hello", target="docker", accel="native")


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    manifest = make_manifest(("hello",))
    return analyse(manifest, make_records(manifest))


def test_components_are_ordered_and_totals_left_out(analysis: Analysis) -> None:
    parts = components_of(analysis, DOCKER_CELL, CPU_USED)
    assert list(parts) == ["box", "shim", "daemon.containerd", "daemon.dockerd"]
    assert list(components_of(analysis, DOCKER_CELL, MEMORY_USED)) == ["workload", "agent", "shim"]


def test_values_are_those_of_samples_in_the_order_of_blocks(analysis: Analysis) -> None:
    for metric in (MEMORY_USED.total, CPU_USED.total):
        samples = analysis.of(DOCKER_CELL, metric)
        assert samples
        assert analysis.values_of(DOCKER_CELL, metric) == [sample.value for sample in samples]
    assert analysis.values_of(DOCKER_CELL, "no metric") == []


def test_what_the_total_has_beyond_its_parts_is_named() -> None:
    manifest = make_manifest(("hello",))
    records = [
        r.model_copy(update={"cpu_ns": r.cpu_ns | {"start.total": 2 * r.cpu_ns["start.total"]}}) if r.cpu_ns else r
        for r in make_records(manifest)
    ]
    parts = components_of(analyse(manifest, records), DOCKER_CELL, CPU_USED)
    assert parts["other"] == pytest.approx(sum(parts.values()) / 2, rel=0.05)
