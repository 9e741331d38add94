"""Container targets beyond the contract: options, components, and clean-up after a killed Boxbench."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

from bench.engines.containerd import containerd_engine
from bench.host.run_directory import box_tag, campaign_tag
from bench.records.manifest import new_campaign_id
from bench.records.record import Record
from bench.run.cleanup import find_leftovers, remove_leftovers
from bench.scenario.model import LoadedScenario, TargetSpec
from bench.scenario.options import Value
from bench.targets.table import make_target
from bench.util import proc
from tests.lab import Lab
from tests.waiting import LIMIT_S, wait_until

# Docker's default filter, installed (2), against none (0), as /proc/self/status says it.
FILTER, NO_FILTER = "2", "0"


def run(lab: Lab, loaded: LoadedScenario, name: str, **options: Value) -> Record:
    """One trial with options."""
    trialed = lab.run(lab.make(name, **options), loaded)
    trialed.assert_gone()
    assert trialed.record.outcome == "ok", trialed.record.failure
    return trialed.record


def components(record: Record) -> set[str]:
    return {key.removeprefix("pss.") for key in record.memory_bytes if key.startswith("pss.")} - {"total"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("process", {"agent", "workload"}),
        ("namespaces", {"agent", "workload"}),
        ("bubblewrap", {"agent", "workload", "bwrap"}),
        ("runc", {"agent", "workload"}),
        ("containerd", {"agent", "workload", "shim"}),
        ("docker", {"agent", "workload", "shim"}),
        ("docker-cli", {"agent", "workload", "shim"}),
        ("podman", {"agent", "workload", "monitor"}),
        ("gvisor", {"sentry", "workload", "gofer"}),
    ],
)
def test_every_process_that_exists_for_the_box_is_counted(
    lab: Lab, loaded: LoadedScenario, name: str, expected: set[str]
) -> None:
    record = run(lab, loaded, name)
    assert components(record) == expected
    requesters = {"docker-cli": "client", "podman": "client", "runc": "runtime", "gvisor": "runtime"}
    if name in requesters:
        assert record.cpu_ns[f"start.{requesters[name]}"] > 0
    if name in ("containerd", "docker", "docker-cli"):
        assert record.memory_bytes["daemon.containerd"] > 0


def test_filter_of_system_calls_can_be_left_out(lab: Lab, loaded: LoadedScenario) -> None:
    assert run(lab, loaded, "docker").inside["seccomp"] == FILTER
    assert run(lab, loaded, "docker", seccomp=False).inside["seccomp"] == NO_FILTER
    assert run(lab, loaded, "docker-cli", seccomp=False).inside["seccomp"] == NO_FILTER


def test_dockers_runtime_can_be_another(lab: Lab, loaded: LoadedScenario) -> None:
    record = run(lab, loaded, "docker", runtime="runsc")
    assert components(record) == {"sentry", "gofer", "workload", "shim"}
    assert record.inside["kernel"] != os.uname().release


@pytest.mark.parametrize("platform", ["systrap", "ptrace"])
def test_gvisor_answers_by_its_own_kernel(lab: Lab, loaded: LoadedScenario, platform: str) -> None:
    assert run(lab, loaded, "gvisor", platform=platform).inside["kernel"] != os.uname().release


@pytest.mark.parametrize(
    ("options", "pid", "hostname"),
    [
        ({}, "1", "boxbench"),
        ({"user": True}, "1", "boxbench"),
        ({"root": "chroot"}, "1", "boxbench"),
        ({"mount": False}, "1", "boxbench"),
        ({"pid": False}, None, "boxbench"),
        ({"uts": False}, "1", os.uname().nodename),
        ({"net": False, "ipc": False, "cgroup": False}, "1", "boxbench"),
    ],
    ids=str,
)
def test_each_primitive_can_be_left_out(
    lab: Lab, loaded: LoadedScenario, options: dict[str, Value], pid: str | None, hostname: str
) -> None:
    inside = run(lab, loaded, "namespaces", **options).inside
    assert inside["hostname"] == hostname
    assert (inside["pid"] == "1") == (pid == "1")
    assert inside["memory_limit_bytes"] == str(loaded.scenario.resources.memory)


def test_a_refusal_is_the_tools_own_word(lab: Lab) -> None:
    """crun refuses hybrid control groups; where it does not, it runs."""
    reason = make_target(TargetSpec(target="crun"), lab.engines, accel="tcg").why_unavailable()
    hybrid = Path("/sys/fs/cgroup/unified").is_dir() and Path("/sys/fs/cgroup/memory").is_dir()
    if hybrid:
        assert reason is not None
        assert "cgroups in hybrid mode not supported" in reason
    else:
        assert reason is None


DIES: str = """
    import os, signal, sys
    from pathlib import Path
    from bench.util.clock import MonotonicClock
    from bench.engines.lazy import open_engines
    from bench.image.build import build_image
    from bench.image.stores.choice import image_store
    from bench.host.run_directory import box_tag, boxes_root, campaign_dir, owned_dir
    from bench.scenario.model import TargetSpec, load_scenario
    from bench.targets.base import Order, no_mark
    from bench.targets.table import make_target

    name, campaign, scenario = sys.argv[1:]
    tag = box_tag(campaign, "t0001")
    loaded = load_scenario(Path(scenario))
    with owned_dir(campaign_dir(campaign)), open_engines(campaign_dir(campaign)) as engines:
        target = make_target(TargetSpec(target=name), engines, accel="tcg")
        image = build_image(image_store(engines), loaded, lambda text: None)
        target.prepare(image, loaded.scenario.resources, loaded.scenario.ready)
        directory, storage = campaign_dir(campaign) / tag, boxes_root() / tag
        directory.mkdir(parents=True), storage.mkdir(parents=True)
        order = Order(
            tag=tag,
            directory=directory,
            storage=storage,
            image=image,
            resources=loaded.scenario.resources,
            ready=loaded.scenario.ready,
            cpus=(0,),
            mark=no_mark,
        )
        with target.provision(order) as box:
            box.start()
            print(box.main_pid(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("name", ["namespaces", "bubblewrap", "runc", "gvisor", "containerd", "podman", "docker-cli"])
def test_what_a_killed_harness_leaves_is_found_and_removed(
    lab: Lab, loaded: LoadedScenario, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.target(name)
    campaign = new_campaign_id()
    engines = {"DOCKER_HOST": lab.docker_host}
    if name == "containerd":
        engines["CONTAINERD_ADDRESS"] = str(lab.engines.containerd.api.socket)
    argv = [sys.executable, "-c", textwrap.dedent(DIES), name, campaign, str(loaded.directory)]
    result = proc.run(argv, timeout_s=2 * LIMIT_S, check=False, env=engines)
    assert result.returncode == -signal.SIGKILL, result.stderr.decode()
    pid = int(result.text)
    if name == "docker-cli":  # the engine lives on, and so does the container
        lab.client.api.remove_container(box_tag(campaign, "t0001"), force=True)
    found = find_leftovers(campaign_tag(campaign))
    kinds = {leftover.kind for leftover in found}
    assert "directory" in kinds
    assert "process" in kinds or name == "docker-cli"
    assert remove_leftovers(found) == ()
    assert _left_for_good(campaign_tag(campaign)) == []
    with suppress(OSError):  # it is gone altogether
        assert "State:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    if name == "containerd":
        _opening_removes_the_record(lab, campaign, tmp_path, monkeypatch)


def _left_for_good(tag: str) -> list[str]:
    """A living engine sends a program of its own after a dead shim: it carries the tag too, and ends by itself."""
    wait_until(lambda: not any(left.kind == "process" for left in find_leftovers(tag)), "the end of all processes")
    return [str(left) for left in find_leftovers(tag)]


def _opening_removes_the_record(lab: Lab, campaign: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = box_tag(campaign, "t0001")
    api = lab.engines.containerd.api
    assert name in api.containers()
    monkeypatch.setenv("CONTAINERD_ADDRESS", str(api.socket))
    with containerd_engine(home) as engine:
        assert not engine.private
    assert name not in api.containers()
    assert not api.has_snapshot(name)
