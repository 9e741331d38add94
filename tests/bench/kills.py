"""Campaigns that are killed with SIGKILL at random moments and resumed: every trial must be ok, and nothing left.

Run as root, while no other campaign runs: ``python -m tests.bench.kills --kills 10``. It prints one line per kill and
exits with 1 if a trial failed or something was left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.host.mounts import read_mounts
from bench.host.processes import command_lines
from bench.host.run_directory import campaign_tag
from bench.records.campaign import read_records
from bench.records.manifest import read_manifest
from bench.run.cleanup import find_leftovers
from bench.util import proc
from bench.util.clock import MonotonicClock
from bench.util.errors import BoxbenchError
from tests.lab import write_scenario

TARGETS: Final = ("containerd", "docker", "podman", "runc", "libvirt")
DOCKERFILE: Final = """\
FROM boxbench/base-busybox:latest
CMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]
"""
CLOCK: Final = MonotonicClock()
_LIMIT_S: Final = 300.0
_PAUSE_S: Final = 0.02
# A trial of a container takes about this long here; that of a VM some times longer.
_WITHIN_S: Final = 1.5


@dataclass
class Kill:
    """One campaign that was killed and resumed."""

    number: int
    after: int
    """The number of records at which the wait for the kill began."""
    delay_s: float
    struck: str = ""
    """The box whose trial was running."""
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for people."""
        state = "; ".join(self.problems) or "all trials ok, nothing left"
        return f"kill {self.number}: {self.struck} ({self.after} records + {self.delay_s:.2f} s): {state}"


def run_one(number: int, rng: random.Random, targets: Sequence[str], blocks: int) -> Kill:
    """Start a campaign, kill it in one of its trials, resume it and look at what it has and what it left."""
    kill = Kill(number, rng.randrange(len(targets) * blocks), rng.uniform(0.0, _WITHIN_S))
    with tempfile.TemporaryDirectory() as folder:
        scenario = write_scenario(Path(folder) / "made", DOCKERFILE, name="made").parent
        out = Path(folder) / "out"
        words = ["run", str(scenario), "-t", ",".join(targets), "--accel", "tcg", "-b", str(blocks), "-o", str(out)]
        _run_and_kill(kill, [*words, "--seed", str(number)], out)
        if not kill.problems:
            _resume(kill, out)
    return kill


def _run_and_kill(kill: Kill, words: list[str], out: Path) -> None:
    with tempfile.TemporaryFile() as log:
        process = proc.spawn(_command(*words), stdout=log, stderr=subprocess.STDOUT, env={"DOCKER_HOST": ""})
        try:
            deadline_ns = CLOCK.now_ns() + round(_LIMIT_S * 1e9)
            while _records(out) < kill.after and process.poll() is None and CLOCK.now_ns() < deadline_ns:
                CLOCK.sleep(_PAUSE_S)
            CLOCK.sleep(kill.delay_s)
        finally:
            process.kill()
            status = process.wait()
        if status != -signal.SIGKILL or _records(out) < kill.after:
            log.seek(0)
            kill.problems.append(f"not struck, it ended with {status}: {proc.tail(log.read())}")
            return
    plan = read_manifest(out).plan
    done = _records(out)
    kill.struck = plan[done].cell.box if done < len(plan) else "after the last trial"


def _resume(kill: Kill, out: Path) -> None:
    result = proc.run(_command("resume", str(out)), timeout_s=_LIMIT_S, check=False, env={"DOCKER_HOST": ""})
    if result.returncode != 0:
        kill.problems.append(f"resume ended with {result.returncode}: {proc.tail(result.stderr)}")
    manifest, records = read_manifest(out), read_records(out)
    if [record.trial for record in records] != list(manifest.plan):
        kill.problems.append(f"{len(records)} records of {len(manifest.plan)} trials")
    for record in records:
        if record.failure is not None:
            kill.problems.append(f"{record.trial.id} {record.trial.cell.box}: {record.failure.message}")
    kill.problems += what_is_left(campaign_tag(manifest.id))


def what_is_left(tag: str) -> list[str]:
    """All that has the tag on this host, found by the search of ``clean`` and by a look at everything's name."""
    left = [f"left: {leftover}" for leftover in find_leftovers(tag)]
    left += [f"mounted: {mount.point}" for mount in read_mounts() if tag in mount.point or tag in mount.source]
    left += [f"running: {' '.join(argv)[:120]}" for _, argv in command_lines() if any(tag in word for word in argv)]
    left += [f"group: {folder}" for folder, _, _ in os.walk("/sys/fs/cgroup") if tag in folder]
    return left


def _records(out: Path) -> int:
    """The number of records; -1 before the campaign is written, when nothing could be resumed."""
    try:
        return len(read_records(out)) if (out / "manifest.json").exists() else -1
    except (BoxbenchError, OSError):
        return -1


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "bench.cli", *words]


def main() -> None:
    """Print one line per kill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-t", "--targets", default=",".join(TARGETS))
    words = parser.parse_args()
    rng = random.Random(words.seed)
    kills = []
    for number in range(words.kills):
        kills.append(run_one(number + 1, rng, words.targets.split(","), words.blocks))
        print(kills[-1].line(), flush=True)
    bad = sum(bool(kill.problems) for kill in kills)
    print(f"{len(kills) - bad} of {len(kills)} kills: every trial ok and nothing left")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
