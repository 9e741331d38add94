"""Names of metrics say what they hold, and every component that a probe reports has its place and its label."""

from __future__ import annotations

from typing import Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.metrics import INSTRUCTIONS, Metric, in_order, present_name
from bench.records.component import (
    TOTALS,
    Component,
    component_position,
    daemon_component,
    parts_of_total,
    thread_component,
)
from bench.records.record import Endpoint
from bench.scenario.model import Headline

KINDS: Final = ("endpoint", "phase", "memory", "cpu", "disk", "storm", "exercise", "ledger", "another")
UNITS: Final = ("", "ns", "bytes", "per_s", "bytes_per_s")
PART: Final = st.from_regex(r"[a-z][a-z0-9]*", fullmatch=True)


@given(st.sampled_from(KINDS), st.lists(PART, max_size=4), st.sampled_from(UNITS))
def test_a_name_has_the_parts_that_it_was_made_from(kind: str, parts: list[str], unit: str) -> None:
    metric = Metric.of(kind, *parts, unit=unit)
    assert (metric.kind, metric.parts, metric.unit) == (kind, tuple(parts), unit)


@given(st.text(alphabet="abcdnsyte_.-per", max_size=30) | st.text() | st.just(INSTRUCTIONS))
def test_any_text_is_a_name_that_is_made_again_from_its_parts(text: str) -> None:
    metric = Metric(text)
    assert Metric.of(metric.kind, *metric.parts, unit=metric.unit) == text
    assert metric.stem + (f"_{metric.unit}" if metric.unit and text != INSTRUCTIONS else "") == text
    assert isinstance(metric.label, str)
    assert in_order([text, text]) == [text]


def test_a_name_is_text_where_it_is_stored() -> None:
    stored: dict[str, int] = {Metric("endpoint.ready_ns"): 1}
    assert stored["endpoint.ready_ns"] == 1


@pytest.mark.parametrize("name", get_args(Headline))
def test_the_endpoint_of_a_headline(name: str) -> None:
    assert Metric(f"endpoint.{name}_ns").endpoint is Endpoint(name)
    with pytest.raises(ValueError, match="total"):
        _ = Metric("memory.pss.total_bytes").endpoint


def test_what_follows_the_first_parts() -> None:
    metric = Metric("cpu.start.daemon.dockerd_ns")
    assert metric.below("cpu", "start") == "daemon.dockerd"
    assert metric.below("cpu", "start", "daemon") == "dockerd"
    assert metric.below("cpu", "stop") is metric.below("memory") is metric.below("cpu", "st") is None


@pytest.mark.parametrize("component", Component)
def test_every_component_has_a_label_and_a_place(component: Component) -> None:
    assert component.label
    part = "" if component is Component.TOTAL else f", {component.label}"
    assert Metric.of("cpu", "start", component, unit="ns").label == f"CPU time to ready{part}"
    known = component_position(component)
    assert (known > component_position(daemon_component("x"))) is (component in TOTALS)
    assert known != component_position("something unknown")


def test_labels_and_places_are_not_shared() -> None:
    labels = [component.label for component in Component]
    assert len(set(labels)) == len(labels)
    parts = [component for component in Component if component not in TOTALS]
    assert [component_position(part) for part in parts] == list(range(len(parts)))


def test_order_in_a_stack() -> None:
    keys = [daemon_component("dockerd"), Component.TOTAL, thread_component(Component.IO), Component.WORKLOAD, "strange"]
    assert sorted(keys, key=component_position) == ["workload", "threads.io", "strange", "daemon.dockerd", "total"]
    assert parts_of_total(["vmm", "threads.vcpu", "guest", "total"]) == ("threads.vcpu",)


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("memory.course.peak_bytes", "memory.samples.peak_bytes"),
        ("account.held", "ledger.unreclaimable"),
        ("account.left_bytes", "ledger.not_released_bytes"),
        ("account.*", "ledger.*"),
        ("cpu.life.total_ns", "cpu.lifetime.total_ns"),
        ("cpu.life.surplus", "cpu.lifetime.vmm_overhead"),
        ("cpu.start.rest_ns", "cpu.start.host_other_ns"),
        ("disk.amplification", "disk.write_amplification"),
        ("storm.late_ns", "storm.lateness_ns"),
        ("endpoint.accepted", "endpoint.start_returned"),
        ("phase.accepted-entered_ns", "phase.start_returned-exec_ns"),
        ("endpoint.ready", None),
        ("cpu.lifetime.total", None),
        ("storm.lateness_ns", None),
        ("exercise.accepted_per_s", None),
    ],
)
def test_a_former_name_has_a_present_one(former: str, now: str | None) -> None:
    assert present_name(former) == now
