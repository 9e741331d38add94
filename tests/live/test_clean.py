"""``boxbench clean`` beside what only looks like ours, and what it finds after a kill that no engine survived."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from bench.engines.containerd import box_records, remove_records
from bench.engines.containerd_api import SNAPSHOTTER
from bench.host.cgroup import remove_groups
from bench.host.mounts import read_mounts
from bench.host.processes import kill_and_wait
from bench.host.run_directory import box_tag, parse_tag, run_root
from bench.records.manifest import new_campaign_id
from bench.run.cleanup import find_leftovers
from bench.scenario.model import LoadedScenario
from bench.util import proc
from bench.util.clock import MonotonicClock
from bench.util.errors import ExitCode
from tests.lab import Lab, write_scenario
from tests.live.command import Command
from tests.live.test_campaign import DOCKERFILE, box_runs, nothing_of, own_engine, strike, tag_of
from tests.stranger import NOBODY
from tests.waiting import LIMIT_S

__all__ = ["own_engine"]

_SLEEP: Final = ("-c", "import time; time.sleep(3600)")
# A mount point that a user may have chosen, in a directory of the test where /mnt may not be written.
_SERVICE: Final = "actions.runner.boxbench-labs-repo.host1.service"


@contextmanager
def running(argv: list[str], *, name: str | None = None, user: int | None = None) -> Iterator[int]:
    """The pid of a process; ``name`` is what its command line says that it is."""
    words = [name or argv[0], *argv[1:]]
    process = subprocess.Popen(words, executable=argv[0], user=user, group=user, extra_groups=[] if user else None)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def mounted(point: Path) -> Iterator[str]:
    """A file system of somebody else."""
    point.mkdir()
    proc.run(["mount", "-t", "tmpfs", "tmpfs", point], timeout_s=LIMIT_S)
    try:
        yield str(point)
    finally:
        proc.run(["umount", point], timeout_s=LIMIT_S, check=False)
        point.rmdir()


@contextmanager
def in_service(pid: int) -> Iterator[list[Path]]:
    """Groups as a service manager makes them for a CI runner, with a process in each."""
    points = [Path(mount.point) for mount in read_mounts() if mount.kind in ("cgroup", "cgroup2")]
    # A group in a v1 cpuset hierarchy has no CPUs, and takes no process.
    groups = [point / _SERVICE for point in points if not (point / "cpuset.cpus").exists() or point.name == "unified"]
    try:
        for group in groups:
            group.mkdir()
            (group / "cgroup.procs").write_text(str(pid))
        yield groups
    finally:
        kill_and_wait(pid)
        assert remove_groups(groups, MonotonicClock()) == []


@contextmanager
def debugging(lab: Lab, loaded: LoadedScenario, name: str) -> Iterator[str]:
    """A container that a user made of an image of ours; it has the labels of the image and a name like ours."""
    image = lab.setting("docker", loaded).image
    container = lab.client.api.create_container(
        image.ref, name=name, entrypoint=["/bin/busybox"], command=["sleep", "9"]
    )
    try:
        assert lab.client.api.inspect_container(name)["Config"]["Labels"]["boxbench"] == "1"
        yield container["Id"]
    finally:
        lab.client.api.remove_container(container["Id"], force=True, v=True)


def test_clean_touches_nothing_of_other_people(boxbench: Command, loaded: LoadedScenario, tmp_path: Path) -> None:
    lab, python = boxbench.lab, os.path.realpath(sys.executable)
    engine_words = [python, *_SLEEP, "boxbench-x", "--host", boxbench.env["DOCKER_HOST"]]
    ours = [python, *_SLEEP, f"{run_root()}/{box_tag(new_campaign_id(), 't0001')}"]
    qemu = shutil.which("qemu-system-x86_64")
    assert qemu is not None
    vm = [qemu, "-name", "boxbench-dev", "-machine", "none", "-display", "none", "-nodefaults", "-S"]
    with ExitStack() as stack:
        enter = stack.enter_context
        # The interpreter may be where only root can enter, so strangers run the system's.
        stranger = shutil.which("python3", path="/usr/bin") or python
        pids = [
            enter(running([stranger, *engine_words[1:]], name="dockerd", user=NOBODY)),
            enter(running(engine_words, name="dockerd")),
            enter(running(ours, name="qemu-system-x86_64")),
            enter(running(vm)),
        ]
        service = enter(running([python, *_SLEEP]))
        groups = enter(in_service(service))
        point = enter(mounted(Path("/mnt/boxbench-data")))
        containers = [enter(debugging(lab, loaded, name)) for name in ("boxbench-debug", box_tag("0badcafe", "t0001"))]
        cleaned = boxbench("clean", env={"BOXBENCH_CACHE": str(tmp_path / "cache")})
        assert cleaned.returncode == ExitCode.OK, cleaned.stderr.decode()
        assert [pid for pid in (*pids, service) if not _lives(pid)] == [], cleaned.text
        assert all(group.is_dir() for group in groups)
        assert point in {mount.point for mount in read_mounts()}
        assert [lab.client.api.inspect_container(one)["Id"] for one in containers] == containers
        for word in ("boxbench-dev", "boxbench-data", "boxbench-debug", "boxbench-labs", "0badcafe"):
            assert word not in cleaned.text
    assert lab.client.ping()


def _lives(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def test_a_snapshot_without_a_container_is_found(lab: Lab) -> None:
    """As a kill between two calls to containerd leaves it."""
    api, tag = lab.engines.containerd.api, parse_tag(box_tag(new_campaign_id(), "t0001"))
    assert tag is not None
    api.prepare_snapshot(tag.text, "", snapshotter=SNAPSHOTTER)
    api.prepare_snapshot(f"user-{tag.text}", "", snapshotter=SNAPSHOTTER)
    try:
        assert tag in box_records(api)
        remove_records(api, tag)
        assert tag not in box_records(api)
        assert not api.has_snapshot(tag.text)
        assert api.has_snapshot(f"user-{tag.text}")
    finally:
        api.remove_snapshot(f"user-{tag.text}", snapshotter=SNAPSHOTTER)


@pytest.mark.parametrize("target", ["docker", "containerd"])
def test_what_a_killed_engine_leaves_is_cleaned(
    boxbench: Command, tmp_path: Path, own_engine: dict[str, str], target: str
) -> None:
    """The harness and its engine are killed together, as by a failing host: nobody is left to remove the box."""
    scenario = write_scenario(tmp_path / "made", DOCKERFILE, name="made").parent
    out, cache = boxbench.cwd / "out", Path(own_engine["BOXBENCH_CACHE"])
    if target == "containerd":
        (cache / "containerd").unlink(missing_ok=True)  # the session's own
    words = ("run", scenario, "-t", target, "--no-root-control", "-b", "3", "-o", out)
    assert strike(boxbench, signal.SIGKILL, box_runs(out, "boxinit", records=1), *words, env=own_engine) < 0
    engines = [leftover for leftover in find_leftovers(tag_of(out)) if leftover.kind == "engine"]
    assert {leftover.name.split()[0] for leftover in engines} == {"dockerd"} | {target} - {"docker"}
    for leftover in engines:
        assert kill_and_wait(int(leftover.name.split()[1]))
    listed = boxbench("clean", "--dry-run", env=own_engine).text
    engine = "containerd" if target == "containerd" else "dockerd"
    assert f"would remove containers of a {engine} that was killed" in listed
    cleaned = boxbench("clean", env=own_engine)
    assert cleaned.returncode == ExitCode.OK, cleaned.stderr.decode()
    assert find_leftovers(tag_of(out)) == ()
    assert list((cache / "docker" / "containers").iterdir()) == []
    nothing_of(str(cache))
    again = boxbench("clean", env=own_engine)
    assert again.text.startswith("nothing labelled boxbench is left"), again.text
    result = boxbench("resume", out, env=own_engine)
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    assert json.loads((out / "records.jsonl").read_text().splitlines()[-1])["outcome"] == "ok"
