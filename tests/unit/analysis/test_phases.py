"""Phases of a start: they join, and end at the headline."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.analysis.analyse import analyse
from bench.analysis.phases import phases_of
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.record import Endpoint
from tests.factories import make_manifest, make_records

DOCKER_CELL = Cell(scenario="hello", target="docker", accel="native")
VM_CELL = Cell(scenario="hello", target="libvirt", accel="tcg")


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    manifest = make_manifest(("hello",))
    return analyse(manifest, make_records(manifest))


def test_phases_join_and_end_at_the_headline(analysis: Analysis) -> None:
    found = phases_of(analysis, VM_CELL, Endpoint.READY)
    assert found[0].begins_ns == 0
    assert all(one.ends_ns == next_one.begins_ns for one, next_one in pairwise(found))
    assert found[-1].end is Endpoint.READY
    assert [phase.kind for phase in found] == [
        "created",
        "vmm",
        "start_returned",
        "kernel",
        "init",
        "root",
        "exec",
        "ready",
    ]


def test_without_a_kernel_to_boot_init_is_called_otherwise(analysis: Analysis) -> None:
    kinds = [phase.kind for phase in phases_of(analysis, DOCKER_CELL, Endpoint.READY)]
    assert "setup" in kinds
    assert "init" not in kinds
