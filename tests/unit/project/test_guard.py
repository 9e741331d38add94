"""Unit tests cannot touch the host, processes that outlive the tests are found, and CI turns skips into failures."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.host.mounts import Mount
from bench.util import proc
from bench.util.tree import remove_tree
from tests import leftovers, needs, schedule
from tests.waiting import wait_until


@pytest.mark.parametrize(
    "start",
    [
        lambda: subprocess.run(["true"], check=False),
        lambda: proc.run(["true"], timeout_s=1),
        lambda: os.system("true"),  # noqa: S605
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        lambda: os.fork(),  # noqa: PLW0108 - the name must be looked up inside the test
        lambda: multiprocessing.get_context("spawn").Process(target=print).start(),
    ],
)
def test_a_unit_test_cannot_start_a_process(start: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="mark the test `host`"):
        start()


@pytest.mark.parametrize(
    "connect",
    [
        socket.socket,
        lambda: socket.socket(socket.AF_INET6),
        lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
        lambda: urllib.request.urlopen("http://127.0.0.1:9/", timeout=1),
    ],
)
def test_a_unit_test_cannot_reach_the_network(connect: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="network socket"):
        connect()


def test_sockets_within_the_process_are_fine() -> None:
    for end in socket.socketpair():
        end.close()
    with socket.socket(socket.AF_UNIX) as unix:
        assert unix.family is socket.AF_UNIX


@pytest.mark.host
def test_what_a_test_leaves_running_is_found() -> None:
    token = os.environ[leftovers.TOKEN_VARIABLE]
    before = leftovers.snapshot(token)
    process = proc.spawn(["sleep", "60"])
    named = proc.spawn(["sh", "-c", "sleep 60; : boxbench-0123abcd"])

    def is_found(line: str, *, by_name: bool) -> bool:
        return any(one.startswith(line) for one in leftovers.find(before, by_name=by_name))

    try:
        # The kernel shows a new program's arguments a moment after the call that starts it has returned.
        wait_until(lambda: is_found(f"process {process.pid}: sleep 60", by_name=False), "the child is found")
        wait_until(lambda: is_found(f"process {named.pid}: sh -c sleep 60", by_name=True), "its name is found")
    finally:
        proc.stop(process)
        proc.stop(named)
    assert not [line for line in leftovers.find(before, by_name=False) if "sleep 60" in line]


def test_names_that_are_no_text_and_groups_without_end_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workload chooses the names and the depth of what it mounts and of the groups in its own."""
    odd = os.fsdecode(b"\xff\x1b[31m")
    before = leftovers.snapshot("")
    fd = os.open(tmp_path, os.O_RDONLY)
    for name in ("boxbench", odd, *["d"] * 1500):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    mount = Mount("/", f"/run/boxbench/boxbench-0123abcd/{odd}", "tmpfs", ())
    monkeypatch.setattr(leftovers, "GROUPS", tmp_path)
    monkeypatch.setattr(leftovers, "read_mounts", lambda: (mount,))
    found = "\n".join(leftovers.find(before, by_name=True))
    remove_tree(tmp_path / "boxbench")
    assert found.encode()
    assert "mount '/run/boxbench/boxbench-0123abcd/\\udcff\\x1b[31m'" in found
    assert f"control group '{tmp_path}/boxbench/\\udcff\\x1b[31m'" in found


def test_only_names_of_campaigns_count() -> None:
    assert leftovers.IN_TEXT.search("/run/boxbench/boxbench-1a2b3c4d-t0012/console")
    assert not leftovers.IN_TEXT.search("vim boxbench/README.md boxbench-notes boxbench-1a2b3c4dd")


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_engine_skips_for_people_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    needs.need(None)
    with pytest.raises(outcome, match="no dockerd"):
        needs.need("no dockerd")


def test_what_no_package_brings_is_a_skip_in_ci_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.skip.Exception, match="this host cannot: run KVM"):
        needs.host_cannot("run KVM")


@pytest.mark.parametrize(("reason", "outcome"), [("no podman", "failed"), (f"{needs.HOST_CANNOT}run KVM", "skipped")])
def test_other_skips_fail_in_ci(reason: str, outcome: str) -> None:
    where = ("tests/x.py", 1, f"Skipped: {reason}")
    report = pytest.TestReport("x", ("tests/x.py", 1, "x"), {}, outcome="skipped", longrepr=where, when="call")
    needs.fail_skip(report)
    assert report.outcome == outcome
    assert reason in str(report.longrepr)


def test_a_live_test_where_nobody_looks_for_it_is_refused(request: pytest.FixtureRequest) -> None:
    """This test itself, before and after it gets the mark."""
    item = request.node
    needs.refuse_strays([item])
    item.add_marker("live")
    with pytest.raises(pytest.UsageError, match="move it to tests/live"):
        needs.refuse_strays([item])


def test_the_live_session_looks_in_the_folders_of_live_tests() -> None:
    root = Path(__file__).parents[3]
    folders = " ".join(str(folder.relative_to(root)) for folder in needs.LIVE_FOLDERS)
    assert f'"testpaths={folders}"' in (root / "noxfile.py").read_text(encoding="utf-8")


def test_tests_of_fleets_run_in_one_worker_and_files_exist() -> None:
    root = Path(__file__).parents[3]
    assert [path for path in schedule.FLEET if not (root / path).exists()] == []
    scopes = [schedule.scope(f"{path}::test") for path in ("tests/unit/sim/fleet/test_rules.py", schedule.FLEET[0])]
    assert scopes == ["fleets", "fleets"]
    assert schedule.scope("tests/unit/sim/test_theory.py::test[a::b]") == "tests/unit/sim/test_theory.py"
