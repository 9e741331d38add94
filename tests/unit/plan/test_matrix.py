"""Factors: axes of the matrix, their cells, and every combination that cannot be honoured by its name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bench.gate.sides import SidePair, read_side
from bench.host import pagecache
from bench.plan import matrix
from bench.plan.matrix import check_matrix, combinations_of
from bench.plan.preview import preview
from bench.scenario.factors import Factors, format_level, resources_at
from bench.scenario.model import LoadedScenario, Scenario, TargetSpec, load_scenario, narrowed, without_root_control
from bench.scenario.target_table import DIRECT_BOOT_MEMORY_BYTES
from bench.targets.vms.guest import check_memory
from bench.util.errors import HostUnfitError, UsageError
from bench.util.package_data import scenarios_dir

MIB = 2**20

Make = Callable[..., LoadedScenario]


def _factors(**axes: Any) -> Factors:
    return Factors.model_validate_json(json.dumps(axes))


@pytest.fixture
def make() -> Make:
    hello = load_scenario(scenarios_dir() / "hello")

    def make(*targets: str, **axes: Any) -> LoadedScenario:
        chosen = narrowed(hello, targets=targets or ("process", "docker"))
        return chosen.model_copy(update={"scenario": chosen.scenario.model_copy(update={"factors": _factors(**axes)})})

    return make


def test_without_axes_there_is_one_empty_combination() -> None:
    assert Factors().levels() == {}
    assert Factors().combinations() == ({},)


def test_every_combination_of_levels_is_one() -> None:
    found = _factors(cache=["warm", "cold"], memory=["128MiB", "1.5GiB"]).combinations()
    assert found == (
        {"cache": "warm", "memory": "128MiB"},
        {"cache": "warm", "memory": "1536MiB"},
        {"cache": "cold", "memory": "128MiB"},
        {"cache": "cold", "memory": "1536MiB"},
    )


def test_a_single_level_needs_no_list() -> None:
    assert _factors(concurrency=8, cache="cold", memory="1GiB").levels() == {
        "concurrency": ("8",),
        "cache": ("cold",),
        "memory": ("1GiB",),
    }


@pytest.mark.parametrize(
    "axes",
    [
        {"residents": [1, 1]},
        {"memory": ["1GiB", "1024MiB"]},
        {"residents": [0]},
        {"residents": [True]},
        {"concurrency": 5000},
        {"cache": ["lukewarm"]},
        {"cpus": ["1"]},
        {"sockets": [1]},
    ],
)
def test_what_is_no_axis_is_refused(axes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _factors(**axes)


@pytest.mark.parametrize(("size", "text"), [(2**30, "1GiB"), (96 * MIB, "96MiB"), (1536, "1536B"), (2048, "2KiB")])
def test_a_size_has_one_name(size: int, text: str) -> None:
    assert format_level(size) == text
    assert resources_at({"memory": text, "cpus": "2", "cache": "cold"}) == {"memory": size, "cpus": 2}


def test_places_carry_their_resources(make: Make) -> None:
    places = combinations_of(make("docker", memory=["64MiB", "128MiB"]).scenario)
    assert [(place.spec.label, place.scenario.resources.memory) for place in places] == [
        ("docker", 64 * MIB),
        ("docker", 128 * MIB),
        ("process", 64 * MIB),
        ("process", 128 * MIB),
    ]


def test_the_plan_has_every_place_in_every_block(make: Make) -> None:
    loaded = narrowed(make("docker", residents=[1, 2]), blocks=2)
    trials = preview([loaded], seed=1)
    block = sorted(trial.cell.key for trial in trials if trial.block == 1)
    assert block == [f"hello/{box}{{residents={n}}}" for box in ("docker", "process") for n in (1, 2)]


def test_a_cell_without_axes_has_the_key_it_always_had(make: Make) -> None:
    assert {trial.cell.key for trial in preview([make("docker")], seed=1)} == {"hello/docker", "hello/process"}


def _refused(loaded: LoadedScenario) -> str:
    with pytest.raises(UsageError) as caught:
        check_matrix([loaded])
    assert "factors:" in caught.value.hint
    return caught.value.message


def test_all_that_cannot_be_honoured_is_named_at_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    said = _refused(make("libvirt", "vmm", residents=[2], concurrency=[4], cache="cold", cpus=[1, 3], memory="64MiB"))
    for words in (
        "residents with cache=cold",
        "cpus=3, but this process may use 2",
        "vmm with cpus=1 memory=64MiB: its boxes do not take CPUs and memory from the scenario",
        "libvirt with memory=64MiB: such a box needs at least 96.0 MiB",
    ):
        assert said.count(words) == 1, words


def test_boxes_that_stay_and_boxes_of_a_storm_are_on_the_host_together(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "read_text", lambda _root, _path: "MemTotal:  1048576 kB\n")
    check_matrix([make("libvirt", residents=[2], memory="128MiB")])
    check_matrix([make("libvirt", concurrency=[2], memory="128MiB")])
    said = _refused(make("libvirt", residents=[2], concurrency=[3], memory="128MiB"))
    assert "libvirt with residents=2 concurrency=3: its guests need 1.12 GiB, and the host has 1.00 GiB" in said


def test_the_least_memory_depends_on_the_firmware(make: Make) -> None:
    loaded = make("libvirt", memory="128MiB")
    check_matrix([loaded])
    ovmf = TargetSpec(target="libvirt", options={"firmware": "ovmf"})
    changed = loaded.scenario.model_copy(update={"targets": (ovmf,)})
    assert "needs at least 160 MiB" in _refused(loaded.model_copy(update={"scenario": changed}))


def test_too_little_memory_names_what_is_needed_and_where_the_edge_is_looked_for(make: Make) -> None:
    scenario = make("libvirt").scenario
    least_bytes, where = DIRECT_BOOT_MEMORY_BYTES["seabios"], "with seabios firmware"
    with pytest.raises(UsageError) as caught:
        check_memory(scenario.name, 80 * 2**20, least_bytes=least_bytes, where=where)
    assert caught.value.message.endswith(
        ": resources.memory is 80.0 MiB; with seabios firmware a scenario needs at least 96.0 MiB"
    )
    assert "`boxbench floor` finds the real limit" in caught.value.hint
    check_memory(scenario.name, scenario.resources.memory, least_bytes=least_bytes, where=where)


def test_more_guests_than_the_host_has_memory_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "read_text", lambda *_: "MemTotal: 2097152 kB")
    assert "libvirt with residents=64: its guests need 8.50 GiB, and the host has 2.00 GiB" in _refused(
        make("libvirt", residents=[2, 64])
    )
    check_matrix([make("docker", residents=[64])])


def test_a_host_that_cannot_drop_caches(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "why_never_cold", lambda: "no such kernel")
    assert "cache=cold: no such kernel" in _refused(make("docker", cache=["warm", "cold"]))
    check_matrix([make("docker", cache="warm")])


def test_the_scenario_without_factors_asks_for_too_many_cpus(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set())
    assert "resources.cpus is 1, but this process may use 0" in _refused(make("docker"))


def test_caches_are_dropped_through_the_kernels_file(tmp_path: Path) -> None:
    assert "this kernel has no" in (pagecache.why_never_cold(tmp_path) or "")
    with pytest.raises(HostUnfitError, match="caches cannot be dropped"):
        pagecache.drop_caches(tmp_path)
    (tmp_path / "proc/sys/vm").mkdir(parents=True)
    (tmp_path / "proc/sys/vm/drop_caches").touch()
    assert pagecache.why_never_cold(tmp_path) is None
    assert pagecache.drop_caches(tmp_path) is None
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nCached: 7 kB\n", encoding="ascii")
    assert pagecache.drop_caches(tmp_path) == 7 * 1024
    assert (tmp_path / "proc/sys/vm/drop_caches").read_text(encoding="ascii") == "3"


def test_an_old_manifest_has_no_factors() -> None:
    scenario = Scenario.model_validate_json('{"question": "?", "name": "old", "ready": {"when": "first-line"}}')
    assert scenario.factors == Factors()


def test_the_root_control_is_added_unless_it_is_left_out(make: Make) -> None:
    loaded = make("docker", "runc")
    assert [one.spec.label for one in combinations_of(loaded.scenario)] == ["docker", "runc", "process"]
    without = without_root_control(loaded).scenario
    assert [one.spec.label for one in combinations_of(without)] == ["docker", "runc"]
    # A scenario file can say the same.
    read = Scenario.model_validate_json(without.model_dump_json(by_alias=True))
    assert [one.spec.label for one in combinations_of(read)] == ["docker", "runc"]


def test_without_the_root_control_the_next_target_is_the_baseline(make: Make) -> None:
    loaded = make("process", "runc", "docker")
    assert (loaded.scenario.baseline, without_root_control(loaded).scenario.baseline) == ("docker", "docker")
    based = loaded.model_copy(update={"scenario": loaded.scenario.model_copy(update={"baseline": "process"})})
    found = without_root_control(based).scenario
    assert (found.baseline, [spec.label for spec in found.targets]) == ("runc", ["runc", "docker"])
    assert [one.spec.label for one in combinations_of(found)] == ["runc", "docker"]


def test_the_root_control_alone_cannot_be_left_out(make: Make) -> None:
    with pytest.raises(UsageError, match="leaves out its only target, process"):
        without_root_control(make("process"))


def test_both_sides_of_a_gate_lose_the_root_control() -> None:
    sides = SidePair(read_side("hello", "A", ("process", "docker")), read_side("hello", "B", ("docker", "process")))
    found = sides.without_root_control()
    assert (found.a.labels, found.b.labels, found.targets()) == (("docker",), ("docker",), {"docker": "docker"})
    assert "process" not in {one.spec.label for one in combinations_of(found.b.loaded.scenario)}


def test_a_first_start_needs_a_target_whose_image_travels(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    check_matrix([make("docker", "runc", "libvirt", cache=["absent", "warm"])])
    said = _refused(make("process", "vmm", "docker[network=bridge]", cache="absent"))
    names = "runc, crun, containerd, docker, podman, microvm, libvirt, libvirt-full"
    able = f"only these targets can do a first start: {names}"
    assert f"process with cache=absent: {able}" in said
    assert f"vmm with cache=absent: {able}" in said
    assert "docker[network=bridge] with cache=absent: the private engine at the end of the link has no other" in said


def test_many_boxes_have_no_first_start(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "residents with cache=absent: many boxes" in _refused(make("docker", residents=[2], cache="absent"))
    assert "concurrency with cache=absent: many boxes" in _refused(make("docker", concurrency=[2], cache="absent"))


def test_only_root_can_make_the_link(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "cache=absent: only root can make the link" in _refused(make("docker", cache="absent"))


def test_the_control_that_was_not_asked_for_has_no_first_start(make: Make) -> None:
    places = combinations_of(make("docker", cache=["absent", "warm"]).scenario)
    assert [(place.spec.label, place.levels["cache"]) for place in places] == [
        ("docker", "absent"),
        ("docker", "warm"),
        ("process", "warm"),
    ]


def test_several_problems_have_a_line_each(make: Make) -> None:
    first, *others = _refused(make("libvirt", "vmm", residents=[2], concurrency=[4], memory="64MiB")).split("\n")
    assert first == f"{len(others)} problems:"
    assert len(others) > 1
    assert all(line.startswith("hello: ") for line in others)
