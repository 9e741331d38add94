"""The headline: never the ratio of an emulated CPU, and the right way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.analysis.analyse import analyse
from bench.analysis.compare import inverted
from bench.analysis.metrics import headline
from bench.plan.trials import Cell, build_plan
from bench.render.html import render
from bench.render.sections.headline import Answer, answer_of, boxes_of
from bench.render.view import build_view
from bench.scenario.target_table import TARGETS
from tests.factories import DOCKER, GVISOR, LIBVIRT, MICROVM, PROCESS, RUNC, Box, make_manifest, make_records

KVM = replace(LIBVIRT, accel="kvm", spread=0.01)
UML = replace(GVISOR, target="uml")
OPEN = replace(DOCKER, target="docker[seccomp=false]")
SLOW_DISK = replace(KVM, target="libvirt[disk_cache=none]")


def answer(boxes: Sequence[Box]) -> Answer:
    manifest = make_manifest(("hello",), boxes)
    analysis = analyse(manifest, make_records(manifest, boxes, troubles=False))
    return answer_of(analysis, "hello", headline(analysis.scenario("hello")))


@pytest.mark.parametrize(
    ("boxes", "pair", "emulated"),
    [
        ((PROCESS, DOCKER, LIBVIRT), ("docker", "process"), "libvirt"),
        ((PROCESS, RUNC, DOCKER, GVISOR, MICROVM, LIBVIRT), ("docker", "process"), "libvirt"),
        ((PROCESS, DOCKER, KVM), ("libvirt", "docker"), None),
        ((PROCESS, DOCKER, MICROVM, KVM), ("libvirt", "docker"), None),
        ((PROCESS, DOCKER, LIBVIRT, UML), ("uml", "docker"), "libvirt"),
        ((DOCKER, RUNC, LIBVIRT), ("runc", "docker"), "libvirt"),
        ((PROCESS, DOCKER, OPEN), ("docker", "process"), None),
        ((PROCESS, OPEN, RUNC), ("docker[seccomp=false]", "process"), None),
        ((PROCESS, DOCKER, KVM, SLOW_DISK), ("libvirt", "docker"), None),
        ((PROCESS, RUNC, GVISOR), ("gvisor", "process"), None),
        ((DOCKER, LIBVIRT), None, "libvirt"),
        ((LIBVIRT, MICROVM), None, "microvm"),
    ],
)
def test_the_headline_is_of_real_cpus_and_the_emulated_one_is_a_shape(
    boxes: Sequence[Box], pair: tuple[str, str] | None, emulated: str | None
) -> None:
    found = answer(boxes)
    assert (found.pair and tuple(cell.target for cell in found.pair)) == pair
    assert (found.emulated and found.emulated.target) == emulated
    assert bool(found.costs) == (pair is not None)
    assert bool(found.shape) == bool(found.warning) == (emulated is not None)
    assert "tcg" not in found.text or pair is None


def test_user_mode_linux_is_no_estimate_of_kvm() -> None:
    text = answer((PROCESS, DOCKER, LIBVIRT, UML)).text
    assert " in uml against " in text
    assert text.endswith(f"boots each. {TARGETS['uml'].caveat}")
    assert "no estimate of KVM" in text
    assert TARGETS["uml"].caveat not in answer((PROCESS, DOCKER, LIBVIRT)).text


def test_a_container_is_compared_with_the_process_and_not_the_reverse() -> None:
    found = answer((PROCESS, DOCKER, LIBVIRT))
    assert found.text.startswith("hello: ready after 232 ms in docker against 8.23 ms in process: 28.1×")
    assert [cost.of for cost in found.costs] == ["time until ready", "memory, PSS", "CPU per start"]
    assert all(float(cost.value.rstrip("×")) > 1 for cost in found.costs)


def test_an_exchanged_comparison_is_the_reciprocal() -> None:
    boxes = (PROCESS, DOCKER)
    manifest = make_manifest(("hello",), boxes)
    analysis = analyse(manifest, make_records(manifest, boxes, troubles=False))
    one = next(c for c in analysis.comparisons if c.metric == "endpoint.ready_ns")
    other = inverted(one)
    assert one.ratio is not None
    assert other.ratio is not None
    assert one.ratio.value
    assert other.ratio.value == 1 / one.ratio.value
    assert other.ratio.interval.low == 1 / one.ratio.interval.high
    assert (one.verdict, other.verdict) == ("faster", "slower")
    back = inverted(other).ratio
    assert back is not None
    assert back.value == pytest.approx(one.ratio.value)


def test_the_page_has_no_emulated_ratio_in_large_type() -> None:
    boxes = (PROCESS, DOCKER, LIBVIRT)
    manifest = make_manifest(("hello",), boxes)
    page = render(build_view(analyse(manifest, make_records(manifest, boxes, troubles=False))), (), {}, "")
    hero = page[page.index('class="hero"') : page.index('<section id="hello"')]
    large = hero[: hero.index('class="sentence"')]
    assert "docker against process" in large
    assert "libvirt" not in large
    assert "libvirt/tcg, emulated: " in hero
    assert "not what KVM would cost" in hero


def test_boxes_that_only_live_beside_a_storm_are_not_its_boxes() -> None:
    levels: tuple[dict[str, str], ...] = (
        {"concurrency": "4", "residents": "8"},
        {"concurrency": "4"},
        {"residents": "8"},
        {},
    )
    cells = [Cell(scenario="x", target="docker", accel="native", factors=found) for found in levels]
    assert [boxes_of(cell) for cell in cells] == ["4", "4", "8", None]


def test_an_anatomy_answers_by_starts_without_tracing() -> None:
    boxes = (DOCKER, RUNC)
    manifest = make_manifest(("hello",), boxes)
    cells = [
        Cell(scenario="hello", target=box.target, accel=box.accel, factors={"trace": level})
        for box in boxes
        for level in ("off", "on")
    ]
    plan = build_plan(cells, blocks={"hello": 7}, warmups={"hello": 1}, seed=1)
    manifest = manifest.model_copy(update={"plan": plan})
    analysis = analyse(manifest, make_records(manifest, boxes, troubles=False))
    found = answer_of(analysis, "hello", headline(analysis.scenario("hello")))
    assert found.pair is not None
    assert {cell.factors["trace"] for cell in found.pair} == {"off"}


def test_a_table_says_that_a_baseline_is_emulated() -> None:
    boxes = (PROCESS, LIBVIRT)
    manifest = make_manifest(("hello",), boxes)
    entry = manifest.scenarios["hello"]
    scenario = entry.scenario.model_copy(update={"baseline": "libvirt"})
    scenarios = {"hello": entry.model_copy(update={"scenario": scenario})}
    manifest = manifest.model_copy(update={"scenarios": scenarios})
    (section,) = build_view(analyse(manifest, make_records(manifest, boxes, troubles=False))).sections
    assert section.baseline == "libvirt/tcg"
    assert "/tcg in its name is emulated" in section.columns
    real = make_manifest(("hello",), (PROCESS, DOCKER))
    (plain,) = build_view(analyse(real, make_records(real, (PROCESS, DOCKER), troubles=False))).sections
    assert "emulated" not in plain.columns


def test_a_baseline_with_an_emulated_cpu_makes_no_other_box_an_emulated_one() -> None:
    manifest = make_manifest(("hello",), (PROCESS, LIBVIRT), blocks=1)
    entry = manifest.scenarios["hello"]
    against = entry.model_copy(update={"scenario": entry.scenario.model_copy(update={"baseline": "libvirt"})})
    manifest = manifest.model_copy(update={"scenarios": {"hello": against}})
    notes = build_view(analyse(manifest, make_records(manifest, (PROCESS, LIBVIRT)))).sections[0].notes
    assert "libvirt/tcg: tcg: emulated CPU, not what KVM would cost" in notes
    assert not [note for note in notes if note.startswith("process: tcg")]
