"""Errors before and during campaigns: one clear paragraph, the right exit code, nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from bench.records.campaign import read_records
from bench.util.errors import ExitCode
from tests.lab import write_scenario
from tests.live.command import Command, refused

BASE: Final = "FROM boxbench/base-busybox:latest\n"
GOOD: Final = BASE + 'CMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]\n'
NOBODY: Final = 65534


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A good one, to be spoilt."""
    return write_scenario(tmp_path / "made", GOOD, name="made")


@pytest.fixture(autouse=True)
def _nothing_is_left(boxbench: Command) -> Iterator[None]:
    before = boxbench.on_host()
    yield
    assert boxbench.on_host() - before == set()
    assert not (boxbench.cwd / "out").exists() or (boxbench.cwd / "out/manifest.json").exists()


def change(scenario: Path, old: str, new: str) -> None:
    text = scenario.read_text()
    assert old in text
    scenario.write_text(text.replace(old, new))


def test_wrong_types(boxbench: Command, scenario: Path) -> None:
    change(scenario, "cpus: 1", 'cpus: "one"')
    change(scenario, "blocks: 1", "blocks: 0")
    change(scenario, "question:", "colour: red\nquestion:")
    said = refused(boxbench("run", scenario, "-o", "out"), ExitCode.USAGE, "3 problems", "boxbench schema")
    for line, key in ((1, "colour"), (8, "resources.cpus"), (11, "design.blocks")):
        assert f"{scenario}:{line}: {key}: " in said


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "question: [\n", "\x00", "a: &a [*a]\n"])
def test_a_file_that_is_no_scenario(boxbench: Command, scenario: Path, text: str) -> None:
    scenario.write_text(text)
    refused(boxbench("run", scenario, "-o", "out"), ExitCode.USAGE, str(scenario))


def test_no_such_scenario(boxbench: Command) -> None:
    refused(boxbench("run", "helo", "-o", "out"), ExitCode.USAGE, "helo")


def test_unknown_target(boxbench: Command, scenario: Path) -> None:
    refused(boxbench("run", scenario, "-t", "process,warp", "-o", "out"), ExitCode.USAGE, "'warp'", "docker", "libvirt")
    change(scenario, "targets: [process]", "targets: [process, woof]")
    refused(boxbench("run", scenario, "-o", "out"), ExitCode.USAGE, "'woof'", "docker", "libvirt")


def test_unknown_accelerator(boxbench: Command, scenario: Path) -> None:
    words = ("run", scenario, "-t", "libvirt", "--accel", "warp", "-o", "out")
    refused(boxbench(*words), ExitCode.USAGE, "'warp'", "tcg")


def test_unknown_option(boxbench: Command, scenario: Path) -> None:
    refused(boxbench("run", scenario, "--blokcs", "3"), ExitCode.USAGE, "--blokcs", "--help")


def test_missing_dockerfile(boxbench: Command, scenario: Path) -> None:
    (scenario.parent / "Dockerfile").unlink()
    refused(boxbench("run", scenario, "-o", "out"), ExitCode.USAGE, str(scenario.parent / "Dockerfile"))


def test_build_failure(boxbench: Command, scenario: Path) -> None:
    (scenario.parent / "Dockerfile").write_text(BASE + 'RUN ["/usr/bin/busybox", "false"]\n')
    refused(boxbench("run", scenario, "-o", "out"), ExitCode.ERROR, "[2/2] RUN", "(Dockerfile:2)", "exit code: 1")


def test_base_that_no_registry_has(boxbench: Command, scenario: Path) -> None:
    (scenario.parent / "Dockerfile").write_text("FROM boxbench-test-no-such.invalid/image:latest\n")
    refused(boxbench("run", scenario, "-o", "out"), ExitCode.ERROR, "boxbench-test-no-such", "workload.base")


def test_command_not_in_image(boxbench: Command, scenario: Path) -> None:
    (scenario.parent / "Dockerfile").write_text(BASE + 'CMD ["/bin/nginx"]\n')
    refused(boxbench("run", scenario, "-o", "out"), ExitCode.ERROR, "'/bin/nginx' is not in the image")


def test_user_not_in_image(boxbench: Command, scenario: Path) -> None:
    (scenario.parent / "Dockerfile").write_text(GOOD + "USER nemo\n")
    refused(boxbench("run", scenario, "-o", "out"), ExitCode.ERROR, "'nemo'", "/etc/passwd")


def test_too_many_cpus(boxbench: Command, scenario: Path) -> None:
    change(scenario, "cpus: 1", "cpus: 256")
    refused(boxbench("run", scenario, "-o", "out"), ExitCode.USAGE, "resources.cpus is 256", "may use", "`resources:`")


def test_memory_too_small_for_the_guest(boxbench: Command, scenario: Path) -> None:
    change(scenario, "memory: 128MiB", "memory: 64MiB")
    words = ("run", scenario, "-t", "libvirt", "--accel", "tcg", "-o", "out")
    refused(boxbench(*words), ExitCode.USAGE, "64.0 MiB", "more memory")


def test_disk_too_small_for_the_image(boxbench: Command, scenario: Path) -> None:
    change(scenario, "disk: 64MiB", "disk: 1MiB")
    words = ("run", scenario, "-t", "libvirt", "--accel", "tcg", "-o", "out")
    refused(boxbench(*words), ExitCode.ERROR, "1.00 MiB cannot hold", "resources.disk")


def test_guest_kernel_missing(boxbench: Command, scenario: Path) -> None:
    words = ("run", scenario, "-t", "libvirt", "--accel", "tcg", "-o", "out")
    result = boxbench(*words, env={"BOXBENCH_KERNEL": "/nonexistent/vmlinuz"})
    refused(result, ExitCode.HOST_UNFIT, "guest kernel missing", "/nonexistent/vmlinuz")


def test_docker_that_does_not_answer(boxbench: Command, scenario: Path) -> None:
    result = boxbench("run", scenario, "-o", "out", env={"DOCKER_HOST": "unix:///nonexistent/sock"})
    refused(result, ExitCode.HOST_UNFIT, "unix:///nonexistent/sock", "unset DOCKER_HOST")


def test_docker_not_installed(boxbench: Command, scenario: Path) -> None:
    hidden = 'mount --bind /dev/null "$(command -v dockerd)"; exec "$@"'
    inside = ("unshare", "--mount", "sh", "-ec", hidden, "sh")
    result = boxbench("run", scenario, "-t", "docker", "-o", "out", env={"DOCKER_HOST": ""}, inside=inside)
    refused(result, ExitCode.HOST_UNFIT, "'dockerd' was not found", "docker.io")


def test_no_libvirt(boxbench: Command, scenario: Path, tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "libvirt.py").write_text("raise ImportError('libvirt is blocked here')\n")
    words = ("run", scenario, "-t", "libvirt", "--accel", "tcg", "-o", "out")
    result = boxbench(*words, env={"PYTHONPATH": str(stub)})
    refused(result, ExitCode.HOST_UNFIT, "blocked here", "boxbench[vm]")


def test_no_libvirt_can_be_left_out(boxbench: Command, scenario: Path, tmp_path: Path) -> None:
    stub = tmp_path / "stub"
    stub.mkdir()
    (stub / "libvirt.py").write_text("raise ImportError('libvirt is blocked here')\n")
    words = ("run", scenario, "-t", "process,libvirt", "--accel", "tcg", "--skip-unavailable", "-o", "out")
    result = boxbench(*words, env={"PYTHONPATH": str(stub)})
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    assert {record.trial.cell.target for record in read_records(boxbench.cwd / "out")} == {"process"}
    assert "blocked here" in result.text


@pytest.mark.parametrize("target", ["process", "docker"])
def test_no_root(boxbench: Command, scenario: Path, tmp_path: Path, target: str) -> None:
    for directory in ("cache", "run"):
        (tmp_path / directory).mkdir()
        os.chown(tmp_path / directory, NOBODY, NOBODY)
    os.chown(boxbench.cwd, NOBODY, NOBODY)
    # The capability lets an ordinary user read an environment that lies in root's home, and nothing else.
    read = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")
    inside = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *read)
    env = {"BOXBENCH_CACHE": str(tmp_path / "cache"), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "DOCKER_HOST": ""}
    result = boxbench("run", scenario, "-t", target, "-o", "out", env=env, inside=inside)
    refused(result, ExitCode.HOST_UNFIT, "root")


def test_read_only_output_directory(boxbench: Command, scenario: Path, tmp_path: Path) -> None:
    place = tmp_path / "read only"
    place.mkdir()
    inside = ("unshare", "--mount", "sh", "-ec", f'mount -t tmpfs -o ro none "{place}"; exec "$@"', "sh")
    result = boxbench("run", scenario, "-o", place / "out", inside=inside)
    refused(result, ExitCode.USAGE, f"{place}/out", "Read-only file system", "--out")


def test_output_directory_that_exists(boxbench: Command, scenario: Path, tmp_path: Path) -> None:
    place = tmp_path / "taken"
    place.mkdir()
    (place / "mine").write_text("precious")
    refused(boxbench("run", scenario, "-o", place), ExitCode.USAGE, str(place), "boxbench resume", "--out")
    assert [path.name for path in place.iterdir()] == ["mine"]


def test_output_directory_that_is_a_file(boxbench: Command, scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    refused(boxbench("run", scenario, "-o", tmp_path / "file"), ExitCode.USAGE, "file", "--out")


@pytest.mark.parametrize("command", ["resume", "report"])
def test_not_a_campaign(boxbench: Command, tmp_path: Path, command: str) -> None:
    refused(boxbench(command, tmp_path / "nowhere"), ExitCode.USAGE, "nowhere", "not a campaign")


def test_never_ready_is_a_partial_result(boxbench: Command, scenario: Path) -> None:
    change(scenario, "when: first-line, timeout: 90s", "when: log, text: never said, timeout: 4s")
    result = boxbench("run", scenario, "-b", "1", "-o", "out")
    refused(result, ExitCode.PARTIAL, "1 of 1 trials gave no result", "not ready within 4.0", "artefacts")
    (record,) = read_records(boxbench.cwd / "out")
    assert record.outcome == "timeout"
    assert (boxbench.cwd / "out" / record.artefacts["stdout"]).read_text() == "up\n"


def test_one_failing_target_does_not_stop_the_others(boxbench: Command, scenario: Path) -> None:
    """Only in a container of its own the workload is one of the first processes."""
    script = "test $$ -lt 100 && exit 9; echo up; exec busybox sleep 1000"
    (scenario.parent / "Dockerfile").write_text(f'{BASE}CMD ["/usr/bin/busybox", "sh", "-c", "{script}"]\n')
    result = boxbench("run", scenario, "-t", "process,docker", "-b", "3", "-o", "out")
    refused(result, ExitCode.PARTIAL, "3 of 6 trials gave no result", "made/docker", "status 9")
    outcomes = {(record.trial.cell.target, record.outcome) for record in read_records(boxbench.cwd / "out")}
    assert outcomes == {("process", "ok"), ("docker", "failed")}
    assert "report: " in result.text
