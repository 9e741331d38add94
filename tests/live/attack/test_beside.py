"""Other users of the host beside a campaign of root: they watch, guess, take our names, and look like us."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest

from bench.host.run_directory import campaign_tag, run_root
from bench.records.manifest import read_manifest
from bench.util.errors import ExitCode
from tests.lab import write_scenario
from tests.live.attack.intruder import Aim, Report
from tests.live.attack.strangers import strangers
from tests.live.attack.verdict import INTRUDER, Ground, Judge
from tests.live.command import linked_cache
from tests.waiting import LIMIT_S

BASE: Final = "FROM boxbench/base-busybox:latest\n"
SLEEPER: Final = BASE + (
    'RUN ["/usr/bin/busybox", "sh", "-c", "busybox cp /usr/bin/busybox /setuid; busybox chmod 4755 /setuid"]\n'
    'RUN ["/usr/bin/busybox", "mknod", "-m", "666", "/disk", "b", "7", "0"]\n'
    'CMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]\n'
)
ENV: Final = "\nworkload:\n  env: {{SECRET: {secret}}}"


@contextmanager
def intruder(aim: Aim) -> Iterator[Callable[[], Report]]:
    """Run the intruder; what it yields stops it and returns its report."""
    process = subprocess.Popen(
        [sys.executable, "-I", str(Path(__file__).with_name("intruder.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(asdict(aim)).encode() + b"\n")
        process.stdin.flush()
        first = process.stdout.readline()
        if first != b"ready\n":
            process.kill()
            pytest.fail(f"the intruder ended: {process.communicate()[1].decode()}")

        def stop() -> Report:
            stdout, stderr = process.communicate(timeout=LIMIT_S)
            assert process.returncode == 0, stderr.decode()
            return Report(**json.loads(stdout))

        yield stop
    finally:
        # When its stdin ends it ends its own processes.
        if process.poll() is None:
            process.communicate(timeout=LIMIT_S)


def write(directory: Path, dockerfile: str, name: str, env: str = "") -> Path:
    """A scenario whose boxes live for a while, with a variable in their environment."""
    scenario = write_scenario(directory / name, dockerfile, name=name)
    text = scenario.read_text().replace("settle: 20ms", "settle: 700ms")
    scenario.write_text(text.replace("\nworkload:", ENV.format(secret=env)) if env else text)
    return scenario


def test_another_user_gains_nothing_beside_a_campaign(judge: Judge, ground: Ground, tmp_path: Path) -> None:
    """Everything that is shown to all users is read and tried: files, FIFOs, sockets, processes, control groups."""
    boxbench, out = judge.boxbench, judge.boxbench.cwd / "out"
    hidden = "hidden-" + ground.secret
    scenario = write(tmp_path, SLEEPER, "sleeper", hidden[:20])
    address = boxbench.lab.docker_host
    cache = ground.place / "cache"
    # What takes long to make is there already. The intruder tries to open it, and changes nothing that opens.
    linked_cache(cache, "agent", "base", "initramfs", "kernel")
    env = {"BOXBENCH_CACHE": str(cache)}
    aim = Aim(INTRUDER, str(run_root()), str(cache), str(ground.proofs), hidden[:20], address, lock=True)
    with strangers(ground.place, boxbench.lab.client, address) as gone, intruder(aim) as stop:
        words = ("run", scenario, "-t", "process,runc,docker,namespaces,microvm", "--accel", "tcg", "-b", "1")
        result = boxbench(*words, "-o", out, env=env)
        cleaned = boxbench("clean", env=env)
        report, missing = stop(), gone()
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    assert cleaned.returncode == ExitCode.OK, cleaned.stderr.decode()
    assert (report.gained, report.ended, missing) == ([], [], [])
    # It was there, saw the boxes, and took their names.
    tag = campaign_tag(read_manifest(out).id)
    assert [seen for seen in report.tags if seen.startswith(f"{tag}-t")], report.tags
    assert min(report.rounds, report.pids, report.started) > 1, report
    judge.campaign(out, result.text + result.stderr.decode(), {})
