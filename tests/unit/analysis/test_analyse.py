"""Records to results: what counts as censored, what as missing, and what is never pooled."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from bench.analysis.analyse import analyse, to_samples
from bench.analysis.metrics import CPU, DISK, MEMORY, Metric, in_order
from bench.analysis.results import Analysis, NotComparableError
from bench.analysis.values import STOP, start_chain
from bench.analysis.verdicts import RatioVerdict
from bench.plan.trials import Cell
from bench.records.component import component_position
from bench.records.manifest import Manifest
from bench.records.record import Endpoint, Record
from bench.scenario.exercise import Exercise, Profile
from tests import factories
from tests.factories import DOCKER, LIBVIRT, PROCESS, Box, make_manifest, make_records

READY = "endpoint.ready_ns"
HELLO_DOCKER = Cell(scenario="hello", target="docker", accel="native")
HELLO_VM = Cell(scenario="hello", target="libvirt", accel="tcg")


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    manifest = make_manifest()
    return analyse(manifest, make_records(manifest))


def edit(record: Record, **changes: object) -> Record:
    return Record.model_validate(record.model_dump() | changes)


def small(
    boxes: Sequence[Box] = (PROCESS, DOCKER), *, blocks: int = 5, warmups: int = 0
) -> tuple[Manifest, list[Record]]:
    manifest = make_manifest(("hello",), boxes, blocks=blocks, warmups=warmups)
    return manifest, list(make_records(manifest, boxes, troubles=False))


def test_warmups_count_nowhere(analysis: Analysis) -> None:
    summary = analysis.summary(HELLO_DOCKER, READY)
    assert summary is not None
    assert summary.n == 7
    assert [sample.block for sample in analysis.of(HELLO_DOCKER, READY)] == list(range(1, 8))
    assert len(analysis.of(HELLO_DOCKER, READY, warmups=True)) == 8


def test_a_time_out_is_a_censored_start_and_censored_memory(analysis: Analysis) -> None:
    start, memory = analysis.summary(HELLO_VM, READY), analysis.summary(HELLO_VM, MEMORY)
    assert start is not None
    assert memory is not None
    assert (start.n, start.failures, start.median.censored, start.missing) == (7, 1, 1, 0)
    assert math.isfinite(start.median.value)
    assert (memory.n, memory.failures, memory.median.censored, memory.missing) == (7, 1, 1, 0)


def test_endpoints_before_a_failure_keep_their_value(analysis: Analysis) -> None:
    lost = next(r for r in analysis.records if r.outcome == "timeout")
    of_it = {str(s.metric): s for s in analysis.samples if s.trial == lost.trial.id}
    assert of_it["endpoint.created_ns"].value == lost.endpoints_ns[Endpoint.CREATED]
    assert of_it["endpoint.kernel_ns"].censored
    costs = {metric for metric in of_it if not metric.startswith("endpoint")}
    assert costs == {MEMORY, CPU, DISK}, "a whole, and no part of it"
    assert all(of_it[metric].censored for metric in costs)
    assert "endpoint.gone_ns" not in of_it


def lost_after_ready(record: Record) -> Record:
    """Ready, and then neither a reply nor what the exercise was to give."""
    kept = {k: v for k, v in record.endpoints_ns.items() if k is not Endpoint.REPLIED and k not in STOP}
    failure = {"code": "ExerciseError", "message": "no", "hint": "look"}
    empty: dict[str, object] = {key: {} for key in ("memory_bytes", "cpu_ns", "disk_bytes", "exercise")}
    return edit(record, outcome="failed", failure=failure, endpoints_ns=kept, samples=None, **empty)


@pytest.mark.parametrize("headline", ["p99_ns", "get_per_s"])
def test_what_a_scenario_asks_of_every_boot_is_censored(headline: str) -> None:
    """The end of the start and the exercise's answer, also where not one boot of a cell has them; a rate is 0."""
    manifest = make_manifest(("web",), (PROCESS, DOCKER), blocks=5, warmups=0)
    exercise = Exercise(parser="key-value", headline=headline, quick=Profile(command=("x",)))
    scenario = manifest.scenarios["web"].scenario.model_copy(update={"headline": "ready", "exercise": exercise})
    entry = manifest.scenarios["web"].model_copy(update={"scenario": scenario})
    manifest = manifest.model_copy(update={"scenarios": {"web": entry}})
    records = [
        lost_after_ready(r) if r.trial.cell.target == "docker" else edit(r, exercise={headline: 5.0})
        for r in make_records(manifest, (PROCESS, DOCKER), troubles=False)
    ]
    lost = {str(s.metric): s for s in to_samples(manifest, records) if s.cell.target == "docker" and s.block == 0}
    assert not lost[READY].censored
    assert lost["endpoint.replied_ns"].censored
    assert lost[f"exercise.{headline}"].value == (math.inf if headline == "p99_ns" else 0)
    assert all(sample.censored for metric, sample in lost.items() if metric.startswith("exercise"))


def test_a_boot_that_failed_did_no_infinite_number_of_operations() -> None:
    manifest = make_manifest(("web",), (PROCESS, DOCKER), blocks=5, warmups=0)
    records = [
        lost_after_ready(r) if r.trial.cell.target == "docker" and r.trial.block < 3 else edit(r, exercise=values)
        for r in make_records(manifest, (PROCESS, DOCKER), troubles=False)
        for values in [{"operations": 1000.0, "get_per_s": 5.0}]
    ]
    analysis = analyse(manifest, records)
    (cell,) = (cell for cell in analysis.cells("web") if cell.target == "docker")
    done, rate = (analysis.summary(cell, f"exercise.{name}") for name in ("operations", "get_per_s"))
    assert done is not None
    assert rate is not None
    assert (done.n, done.median.value, done.median.censored) == (2, 1000, 0)
    assert (rate.n, rate.median.value, rate.failures) == (5, 0, 3)


def test_a_box_without_an_agent_owes_no_reply() -> None:
    manifest = make_manifest(("web",), (PROCESS, DOCKER), blocks=5, warmups=0)
    records = [
        edit(r, endpoints_ns={k: v for k, v in r.endpoints_ns.items() if k is not Endpoint.REPLIED})
        for r in make_records(manifest, (PROCESS, DOCKER), troubles=False)
    ]
    records[0] = lost_after_ready(records[0])
    assert "endpoint.replied_ns" not in {s.metric for s in to_samples(manifest, records)}


def test_what_a_good_boot_lacks_is_missing_not_censored() -> None:
    manifest, records = small()
    at = next(i for i, r in enumerate(records) if r.trial.cell.target == "docker")
    records[at] = edit(records[at], memory_bytes={})
    found = analyse(manifest, records).summary(HELLO_DOCKER, MEMORY)
    assert found is not None
    assert (found.n, found.missing, found.median.censored, found.median.interval) == (4, 1, 0, None)


def test_a_cell_that_always_fails_is_beyond_the_limit() -> None:
    manifest, records = small()
    records = [
        factories.make_record(r.trial, DOCKER, random.Random(1), trouble="timeout")
        if r.trial.cell.target == "docker"
        else r
        for r in records
    ]
    found = analyse(manifest, records)
    summary = found.summary(HELLO_DOCKER, READY)
    assert summary is not None
    assert (summary.n, summary.median.value, summary.median.censored) == (5, math.inf, 5)
    comparison = found.comparison(Cell(scenario="hello", target="process", accel="native"), READY)
    assert comparison is not None
    assert (comparison.ratio, comparison.verdict) == (None, RatioVerdict.CANNOT_TELL), "0 times nothing is no number"
    assert (
        comparison.notes[0] == "no ratio: half of the baseline's boots or more have no value (docker is the baseline)"
    )


def test_comparison_is_paired_with_a_note_on_tcg(analysis: Analysis) -> None:
    found = analysis.comparison(HELLO_VM, READY)
    assert found is not None
    assert found.ratio is not None
    assert (found.baseline.key, found.ratio.n, found.verdict) == ("hello/docker", 7, RatioVerdict.SLOWER)
    assert "tcg: emulated CPU, not what KVM would cost" in found.notes
    native = analysis.comparison(Cell(scenario="hello", target="process", accel="native"), READY)
    assert native is not None
    assert native.notes == ()


def test_the_base_is_not_compared_with_itself(analysis: Analysis) -> None:
    assert analysis.comparison(HELLO_DOCKER, READY) is None


def test_four_blocks_give_no_verdict() -> None:
    manifest, records = small(blocks=4)
    found = analyse(manifest, records).comparison(Cell(scenario="hello", target="process", accel="native"), READY)
    assert found is not None
    assert (found.ratio, found.verdict) == (None, RatioVerdict.CANNOT_TELL)
    assert "at least 5" in found.notes[0]


def test_zero_has_no_ratio(analysis: Analysis) -> None:
    found = analysis.comparison(Cell(scenario="hello", target="process", accel="native"), DISK)
    assert found is not None
    assert found.ratio is None
    assert "zero" in found.notes[0]


def test_unequal_boxes_are_named() -> None:
    manifest, records = small()
    records = [edit(r, inside=r.inside | {"cpus": "2"}) if r.trial.cell.target == "process" else r for r in records]
    found = analyse(manifest, records).comparison(Cell(scenario="hello", target="process", accel="native"), READY)
    assert found is not None
    assert "not equal inside: cpus is 2, in the baseline 1" in found.notes


def test_records_of_another_campaign_are_refused() -> None:
    manifest, records = small()
    with pytest.raises(NotComparableError, match="of campaign deadbeef, not c0ffee42"):
        analyse(manifest, [*records[:-1], edit(records[-1], campaign="deadbeef")])


def test_a_record_of_a_scenario_that_the_manifest_lacks_is_refused() -> None:
    manifest, records = small()
    other = records[0].trial.cell.model_copy(update={"scenario": "other"})
    stray = edit(records[0], trial=records[0].trial.model_copy(update={"cell": other}))
    with pytest.raises(NotComparableError, match="t0000 is of scenario 'other', which the manifest lacks"):
        analyse(manifest, [stray, *records[1:]])


def test_one_cell_never_mixes_sources() -> None:
    manifest, records = small()
    with pytest.raises(NotComparableError, match="mixes measured and simulated"):
        analyse(manifest, [*records[:-1], edit(records[-1], source="simulated")])


def test_measured_and_replayed_cells_are_not_compared() -> None:
    manifest, records = small()
    records = [edit(r, source="replayed") if r.trial.cell.target == "process" else r for r in records]
    found = analyse(manifest, records).comparison(Cell(scenario="hello", target="process", accel="native"), READY)
    assert found is not None
    assert (found.ratio, found.notes[0]) == (None, "not compared: replayed against measured")


def test_drift_of_the_native_control_is_noticed() -> None:
    manifest, records = small(blocks=8)
    slower = [
        edit(r, endpoints_ns={k: round(v * 1.1**r.trial.block) for k, v in r.endpoints_ns.items()}) for r in records
    ]
    assert analyse(manifest, records).drifts[0].note == ""
    note = analyse(manifest, slower).drifts[0].note
    assert "slower from the first block to the last" in note


def test_no_native_control_is_said() -> None:
    manifest, records = small((DOCKER, LIBVIRT))
    assert "no native control" in analyse(manifest, records).drifts[0].note


def test_a_root_control_that_was_left_out_is_said() -> None:
    manifest, records = small((DOCKER, LIBVIRT))
    (name, entry), *_ = manifest.scenarios.items()
    design = entry.scenario.design.model_copy(update={"root_control": False})
    changed = entry.model_copy(update={"scenario": entry.scenario.model_copy(update={"design": design})})
    note = analyse(manifest.model_copy(update={"scenarios": {name: changed}}), records).drifts[0].note
    assert "the root control `process` was left out" in note
    assert "drift of the host is unknown" in note


def test_phases_follow_the_measured_order(analysis: Analysis) -> None:
    ends = [end for _, end in analysis.chains[HELLO_DOCKER.key]]
    assert ends == [Endpoint.CREATED, Endpoint.INIT, Endpoint.EXEC, Endpoint.START_RETURNED, Endpoint.READY]


def test_a_mark_that_few_boots_have_is_no_phase() -> None:
    _, records = small()
    boots = [r for r in records if r.trial.cell.target == "docker"]
    rare = [edit(boots[0], endpoints_ns=boots[0].endpoints_ns | {Endpoint.LISTENING: 10**6}), *boots[1:]]
    assert start_chain(rare) == start_chain(boots)


def test_empty_campaign_gives_empty_results() -> None:
    found = analyse(make_manifest(), ())
    assert (found.samples, found.summaries, found.comparisons) == ((), (), ())


def test_factors_are_compared_level_by_level() -> None:
    manifest, records = small()
    both: list[Record] = []
    for level in ("warm", "cold"):
        for r in records:
            cell = r.trial.cell.model_copy(update={"factors": {"cache": level}})
            both.append(r.model_copy(update={"trial": r.trial.model_copy(update={"cell": cell})}))
    manifest = manifest.model_copy(update={"plan": tuple(r.trial for r in both)})
    found = [c for c in analyse(manifest, both).comparisons if c.metric == READY]
    assert [(c.baseline.factors, c.other.factors) for c in found] == [
        ({"cache": "cold"}, {"cache": "cold"}),
        ({"cache": "warm"}, {"cache": "warm"}),
    ]


def test_samples_of_a_plain_boot() -> None:
    manifest, records = small(blocks=1)
    values = {str(s.metric): s.value for s in to_samples(manifest, records) if s.cell.target == "docker"}
    boot = next(r for r in records if r.trial.cell.target == "docker")
    assert values[READY] == boot.endpoints_ns[Endpoint.READY]
    assert values["phase.requested-created_ns"] == boot.endpoints_ns[Endpoint.CREATED]
    assert values[CPU] == boot.cpu_ns["start.total"]
    assert "endpoint.requested_ns" not in values


def test_metric_names_in_words_and_order() -> None:
    assert Metric("memory.pss.total_bytes").label == "memory, PSS"
    assert Metric("cpu.start.daemon.dockerd_ns").label == "CPU time to ready, daemon, dockerd"
    assert Metric(READY).label == "time to ready"
    assert Metric("cpu.start.daemon.dockerd_ns").component == "daemon.dockerd"
    names = ["disk.box.allocated_bytes", MEMORY, "memory.pss.vmm_bytes", READY, "phase.kernel-init_ns"]
    assert in_order(names) == [
        READY,
        "phase.kernel-init_ns",
        "memory.pss.vmm_bytes",
        MEMORY,
        "disk.box.allocated_bytes",
    ]
    assert component_position("box") < component_position("something") < component_position("daemon.x")
    assert component_position("daemon.x") < component_position("total")
