"""Whole campaigns through the command line: finished, killed, interrupted, resumed, cleaned."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from bench.host.run_directory import campaign_tag
from bench.records.campaign import read_records
from bench.records.manifest import read_manifest
from bench.run.cleanup import find_leftovers
from bench.util.cache import cache_dir
from bench.util.errors import ExitCode
from tests.lab import write_scenario
from tests.live.command import Command, refused
from tests.needs import host_cannot
from tests.noise import TRIES
from tests.waiting import LIMIT_S, wait_until

BASE: Final = "FROM boxbench/base-busybox:latest\n"
DOCKERFILE: Final = BASE + 'CMD ["/usr/bin/busybox", "sh", "-c", "busybox sleep 1; echo up; exec busybox sleep 1000"]\n'
ONLY_DOCKER: Final = ("-t", "docker", "--no-root-control")
"""Without the control beside it, whose boxes prove nothing in tests of engines."""
# Entries of the cache that an engine, a disk or a box ties to its own place.
_NOT_SHARED: Final = ("docker", "boxes", "disk", "scratch")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A directory whose name people give: a space, an umlaut, another script, a quote."""
    return write_scenario(tmp_path / "mein Prüfling 測試's", DOCKERFILE, name="made").parent


@pytest.fixture
def own_engine(tmp_path: Path) -> dict[str, str]:
    """Variables for a run that starts its own dockerd: a cache with a data root of its own."""
    own = tmp_path / "cache"
    own.mkdir()
    for entry in cache_dir().iterdir():
        if entry.is_dir() and entry.name not in _NOT_SHARED:
            (own / entry.name).symlink_to(entry)
    return {"DOCKER_HOST": "", "BOXBENCH_CACHE": str(own)}


def tag_of(out: Path) -> str:
    """The campaign's tag, from its manifest; not there yet when empty."""
    try:
        return campaign_tag(json.loads((out / "manifest.json").read_text())["id"])
    except (FileNotFoundError, json.JSONDecodeError):
        return ""


def box_runs(out: Path, program: str, *, records: int) -> Callable[[], bool]:
    """Whether so many records are written and a box lives, some time already, that has a process called so."""
    seen: dict[str, float] = {}

    def look() -> bool:
        tag = tag_of(out)
        if not tag or len(read_records(out)) < records:
            return False
        now = time.monotonic()
        for leftover in find_leftovers(tag):
            if leftover.kind == "process" and program in leftover.name:
                # A VM that is just being made would end with its maker.
                return now - seen.setdefault(leftover.name, now) > (2.0 if program.startswith("qemu") else 0.1)
        return False

    return look


def strike(boxbench: Command, number: signal.Signals, until: Callable[[], Any], *words: Any, **more: Any) -> int:
    """Start, wait, send a signal to the harness alone; returns its exit code.

    A host may stall the test while the campaign goes on to its end. Such a campaign was not struck and shows nothing,
    so another one is started.

    Args:
        words: a command with ``-o``, whose directory is removed before another try.
    """
    for _ in range(TRIES):
        code = _strike(boxbench, number, until, words, more)
        if code is not None:
            return code
        shutil.rmtree(boxbench.cwd / words[words.index("-o") + 1], ignore_errors=True)
    pytest.fail("every campaign ended before it was struck")


def _strike(
    boxbench: Command,
    number: signal.Signals,
    until: Callable[[], Any],
    words: tuple[Any, ...],
    more: Mapping[str, Any],
) -> int | None:
    """One try; None: the campaign has ended well by itself."""
    process = boxbench.start(*words, **more)
    try:
        wait_until(lambda: process.poll() is not None or _holds_still(process, until), "the moment to strike")
        if process.poll() is not None:
            assert process.returncode == ExitCode.OK, (boxbench.cwd / "stderr").read_text()
            return None
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        return process.wait(LIMIT_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _holds_still(process: subprocess.Popen[bytes], condition: Callable[[], Any]) -> bool:
    """Whether the condition holds. If so the process is stopped, so that it still holds when a signal comes."""
    if not condition():
        return False
    process.send_signal(signal.SIGSTOP)
    if condition():
        return True
    process.send_signal(signal.SIGCONT)
    return False


def finished(out: Path, *, before: bytes = b"") -> None:
    """Every trial of the plan has one record; what was there before is there byte for byte.

    They are in the plan's order, but for the warm-ups of a resumed campaign, which run first and have the last numbers.
    """
    content = (out / "records.jsonl").read_bytes()
    assert content.startswith(before)
    records = read_records(out)
    assert sorted((record.trial for record in records), key=lambda trial: trial.number) == list(read_manifest(out).plan)
    assert {record.outcome for record in records} == {"ok"}
    assert find_leftovers(campaign_tag(read_manifest(out).id)) == ()


def test_a_whole_campaign(boxbench: Command, scenario: Path) -> None:
    """From a directory with a difficult name to a report, on another file system than the cache."""
    place = Path("/dev/shm") / f"boxbench out {os.getpid()}"
    if place.parent.stat().st_dev == cache_dir().stat().st_dev:
        host_cannot("/dev/shm is not a file system of its own")
    try:
        targets = "process,docker,libvirt"
        result = boxbench("run", scenario, "-t", targets, "--accel", "tcg", "-b", "1", "--seed", "7", "-o", place)
        assert result.returncode == ExitCode.OK, result.stderr.decode()
        finished(place)
        boxes = {record.trial.cell.box for record in read_records(place)}
        assert boxes == {"process", "docker", "libvirt/tcg"}
        assert f"report: {place}/index.html" in result.text
        summary = json.loads(boxbench("report", place, "--json").text)
        assert summary["seed"] == 7
    finally:
        shutil.rmtree(place, ignore_errors=True)
    assert "Traceback" not in result.stderr.decode()


def test_killed_while_a_vm_lives_and_resumed(boxbench: Command, scenario: Path) -> None:
    out = boxbench.cwd / "out"
    words = ("run", scenario, "-t", "process,libvirt", "--accel", "tcg", "-b", "2", "-o", out)
    assert strike(boxbench, signal.SIGKILL, box_runs(out, "qemu-system", records=1), *words) == -signal.SIGKILL
    tag, before = tag_of(out), (out / "records.jsonl").read_bytes()
    assert find_leftovers(tag)
    result = boxbench("resume", out)
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    assert "removing what the last run left: process" in result.stderr.decode()
    finished(out, before=before)
    again = boxbench("resume", out)
    assert (again.returncode, "no trial remained" in again.text) == (ExitCode.OK, True)


def test_killed_with_its_own_engine_and_resumed(boxbench: Command, scenario: Path, own_engine: dict[str, str]) -> None:
    out = boxbench.cwd / "out"
    words = ("run", scenario, *ONLY_DOCKER, "-b", "3", "-o", out)
    until = box_runs(out, "boxinit", records=1)
    assert strike(boxbench, signal.SIGKILL, until, *words, env=own_engine) == -signal.SIGKILL
    before = (out / "records.jsonl").read_bytes()
    assert [leftover for leftover in find_leftovers(tag_of(out)) if leftover.kind == "engine"]
    new = boxbench("run", scenario, "-t", "docker", "-o", "other", env=own_engine)
    refused(new, ExitCode.HOST_UNFIT, "another private dockerd", "boxbench clean")
    result = boxbench("resume", out, env=own_engine)
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    finished(out, before=before)
    nothing_of(own_engine["BOXBENCH_CACHE"])


EXERCISE: Final = """\
exercise:
  parser: key-value
  quick: {command: [/usr/bin/busybox, echo, size_bytes=1], timeout: 30s}
  full: {command: [/usr/bin/busybox, echo, size_bytes=2], timeout: 30s}
"""


def test_resume_runs_the_rest_of_exactly_what_was_asked_for(boxbench: Command, scenario: Path) -> None:
    """Accelerator, profile, blocks and targets come from the manifest; a target left out stays left out."""
    file = scenario / "scenario.yaml"
    file.write_text(file.read_text() + EXERCISE)
    out = boxbench.cwd / "out"
    # Where this host cannot run crun, it is left out; where it can run VMs under KVM, --accel asks for none.
    targets = "process,libvirt,crun"
    chosen = ("-t", targets, "--accel", "tcg", "--profile", "full", "--skip-unavailable", "-b", "2", "--seed", "5")
    words = ("run", scenario, *chosen, "-o", out)
    assert strike(boxbench, signal.SIGKILL, box_runs(out, "boxinit", records=2), *words) == -signal.SIGKILL
    manifest, before = read_manifest(out), (out / "records.jsonl").read_bytes()
    assert manifest.request is not None
    assert manifest.request.model_dump() == {
        **{"accel": "tcg", "skip_unavailable": True, "blocks": 2, "profile": "full"},
        "targets": tuple(targets.split(",")),
    }
    done = len(read_records(out))
    assert done < len(manifest.plan)
    result = boxbench("resume", out)
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    finished(out, before=before)
    records = read_records(out)
    assert {record.trial.cell.accel for record in records if record.trial.cell.target == "libvirt"} == {"tcg"}
    assert {record.exercise_facts["profile"] for record in records} == {"full"}
    assert {record.exercise["size_bytes"] for record in records} == {2.0}
    resumed = read_manifest(out)
    assert len(resumed.sittings) == len(manifest.sittings) + 1
    # The scenario has no warm-ups, so none come again.
    assert resumed.model_copy(update={"sittings": manifest.sittings}) == manifest
    again = resumed.sittings[-1].preparation
    assert again is not None
    assert again.took_ns > 0
    assert {one.name for one in again.steps}.isdisjoint({"export", "digest", "layer sizes", "unpack", "disk", "agent"})
    cached = {(part.target, part.name) for part in again.parts if part.took_ns is None}
    assert cached >= {("", "export"), ("libvirt", "disk"), ("libvirt", "initramfs")}


def test_a_campaign_of_an_older_version_is_reported_and_not_resumed(boxbench: Command, scenario: Path) -> None:
    out = boxbench.cwd / "out"
    words = ("run", scenario, "-t", "process", "-b", "2", "-o", out)
    assert strike(boxbench, signal.SIGINT, box_runs(out, "boxinit", records=1), *words) == ExitCode.INTERRUPTED
    stored = json.loads((out / "manifest.json").read_text())
    del stored["request"]
    (out / "manifest.json").write_text(json.dumps(stored))
    refused(
        boxbench("resume", out), ExitCode.USAGE, "did not store what was asked for", "boxbench report", "-t process"
    )
    assert boxbench("report", out).returncode == ExitCode.OK


def nothing_of(cache: str) -> None:
    """No process and no mount of an engine whose data were there."""

    def at_work() -> list[str]:
        lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
        return [line for line in lines if cache in line]

    # An engine sends a program of its own after a shim that has died. It ends by itself.
    wait_until(lambda: not at_work(), "the end of all processes of the engine")
    assert cache not in Path("/proc/self/mountinfo").read_text()


def test_killed_and_cleaned(boxbench: Command, scenario: Path, own_engine: dict[str, str]) -> None:
    """Nobody resumes: `clean` finds everything, the engine and its container included, and spares the living."""
    out = boxbench.cwd / "out"
    words = ("run", scenario, *ONLY_DOCKER, "-b", "3", "-o", out)
    strike(boxbench, signal.SIGKILL, box_runs(out, "boxinit", records=0), *words, env=own_engine)
    tag = tag_of(out)
    listed = boxbench("clean", "--dry-run", env=own_engine)
    assert "would remove engine dockerd" in listed.text
    assert find_leftovers(tag)
    cleaned = boxbench("clean", env=own_engine)
    assert cleaned.returncode == ExitCode.OK, cleaned.stderr.decode()
    assert find_leftovers(tag) == ()
    nothing_of(own_engine["BOXBENCH_CACHE"])
    assert boxbench.lab.client.ping()  # ours lives


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
def test_interrupted_and_resumed(
    boxbench: Command, scenario: Path, own_engine: dict[str, str], number: signal.Signals
) -> None:
    out = boxbench.cwd / "out"
    vm = number == signal.SIGINT
    chosen = ("-t", "libvirt", "--accel", "tcg", "--no-root-control", "-b", "1") if vm else (*ONLY_DOCKER, "-b", "3")
    words = ("run", scenario, *chosen, "-o", out)
    until = box_runs(out, "qemu-system" if vm else "boxinit", records=0)
    assert strike(boxbench, number, until, *words, env=own_engine) == ExitCode.INTERRUPTED
    said = (boxbench.cwd / "stderr").read_text()
    assert "trials remain" in said
    assert f"boxbench resume {out}" in said.replace("'", "")
    assert "Traceback" not in said
    assert find_leftovers(tag_of(out)) == ()
    nothing_of(own_engine["BOXBENCH_CACHE"])
    before = b"".join(record.line().encode() for record in read_records(out))
    assert boxbench("resume", out, env=own_engine).returncode == ExitCode.OK
    finished(out, before=before)


def test_interrupted_while_it_builds(boxbench: Command, scenario: Path, own_engine: dict[str, str]) -> None:
    # One stage: BuildKit leaves out a stage that nothing uses.
    seconds = str(secrets.randbelow(10**6) + 10**6)
    (scenario / "Dockerfile").write_text(
        DOCKERFILE.replace(BASE, f'{BASE}RUN ["/usr/bin/busybox", "sleep", "{seconds}"]\n')
    )
    before = boxbench.on_host()

    def builds() -> bool:
        lines = (process.info["cmdline"] for process in psutil.process_iter(["cmdline"]))
        return any(line and line[-1] == seconds for line in lines)

    words = ("run", scenario, "-t", "docker", "-o", "out")
    assert strike(boxbench, signal.SIGINT, builds, *words, env=own_engine) == ExitCode.INTERRUPTED
    said = (boxbench.cwd / "stderr").read_text()
    assert "interrupted before a trial began" in said
    assert "Traceback" not in said
    assert not (boxbench.cwd / "out").exists()
    assert not builds()
    assert boxbench.on_host() - before == set()
    nothing_of(own_engine["BOXBENCH_CACHE"])
