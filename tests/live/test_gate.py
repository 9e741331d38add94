"""The gate with a real engine: equal sides never go red, a planted slowdown does, too few boots say so; the fixture."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any, Final

import pytest

from bench.gate.model import RESULT, GateResult, Verdict
from bench.records.campaign import RECORDS, read_records
from bench.records.manifest import read_manifest
from bench.util import proc
from bench.util.errors import ExitCode
from tests.lab import write_scenario
from tests.live.command import LIMIT_S, Command, refused
from tests.noise import TRIES
from tests.waiting import wait_until

pytest_plugins = ["pytester"]

QUICK: Final = (
    'FROM boxbench/base-busybox:latest\nCMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]\n'
)
# Some ten times as long as a quick one. Verdicts are of ratios within blocks: a stall of one quick boot hides that only
# when it takes a quarter of a minute.
SLOW: Final = QUICK.replace("echo up", "busybox sleep 1.5; echo up")
COUNTED: Final = QUICK.replace("; exec busybox sleep 1000", "")
VERDICTS: Final = (ExitCode.OK, ExitCode.REGRESSION, ExitCode.CANNOT_TELL)
TURNS: Final = 40
TARGET: Final = ("-t", "docker", "-m", "endpoint.ready", "--seed", "3")
ALONE: Final = (*TARGET, "--no-root-control")
"""Without the control for the host's drift, which takes half of the time."""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return write_scenario(tmp_path / "made", QUICK, name="made").parent


def read(place: Path) -> GateResult:
    return GateResult.model_validate_json((place / RESULT).read_text())


def test_equal_sides_never_go_red(boxbench: Command, made: Path) -> None:
    """Beyond twice the time, for which no noise suffices. tests/studies/gate.py has how often 5 % go red by chance."""
    words = (*ALONE, "--threshold", "endpoint.ready=100%", "--screening-blocks", "5", "-b", "12", "-o", "g")
    result = boxbench("gate", "compare", made, f"{made}/", *words)
    assert result.returncode in (ExitCode.OK, ExitCode.CANNOT_TELL), result.stderr.decode()
    found = read(boxbench.cwd / "g")
    (row,) = found.rows
    assert row.verdict is not Verdict.REGRESSED
    assert row.screening is not None
    assert row.screening.n_a == row.screening.n_b == 5
    if row.candidate:
        assert "new blocks" in result.stderr.decode()
        # SidePair stages are kept, each with records of its own.
        campaigns = [read_manifest(boxbench.cwd / "g" / stage).id for stage in ("screening", "confirmation")]
        assert list(found.b.campaigns) == campaigns
        assert len(read_records(boxbench.cwd / "g" / "confirmation")) == len(
            read_manifest(boxbench.cwd / "g" / "confirmation").plan
        )
    assert found.a is not None
    assert found.a.images == found.b.images


def git(repository: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    return proc.run(["git", "-C", repository, *identity, *words], timeout_s=30).text.strip()


def test_a_planted_slowdown_goes_red(boxbench: Command, made: Path) -> None:
    """Two commits of one scenario; the repository is left as it was, the summary names what happened."""
    git(made, "init", "-q", "-b", "main")
    git(made, "add", ".")
    git(made, "commit", "-q", "-m", "quick")
    (made / "Dockerfile").write_text(SLOW)
    git(made, "commit", "-q", "-a", "-m", "slow")
    before = git(made, "status", "--porcelain"), git(made, "worktree", "list")
    words = ("--commits", "HEAD~1", "HEAD", "--screening-blocks", "5", "-b", "7", "-o", "g", "--summary", "summary.md")
    result = boxbench("gate", "compare", made, *ALONE, *words)
    assert result.returncode == ExitCode.REGRESSION, result.stderr.decode()
    assert result.text.startswith("REGRESSED: made/docker: time to ready ")
    assert "time to ready" in (boxbench.cwd / "summary.md").read_text()
    found = read(boxbench.cwd / "g")
    assert found.a is not None
    assert (found.a.commit, found.b.commit) == (git(made, "rev-parse", "HEAD~1"), git(made, "rev-parse", "HEAD"))
    # Only the command has changed, which is no part of the tree.
    assert found.a.images == found.b.images
    assert (git(made, "status", "--porcelain"), git(made, "worktree", "list")) == before
    # Without its verdict the gate is judged again from its stages: the same but for the date.
    (boxbench.cwd / "g" / RESULT).unlink()
    assert boxbench("gate", "judge", "g").returncode == ExitCode.REGRESSION
    assert read(boxbench.cwd / "g").model_copy(update={"created_at": found.created_at}) == found


def test_too_few_boots_cannot_tell_and_a_baseline_is_of_this_host(boxbench: Command, made: Path) -> None:
    result = boxbench(
        "gate", "compare", made, f"{made}/", *TARGET, "--screening-blocks", "1", "-b", "2", "-o", "g", "--json"
    )
    assert result.returncode == ExitCode.CANNOT_TELL, result.stderr.decode()
    shown: dict[str, Any] = json.loads(result.text)
    assert shown["verdict"] == "cannot tell"
    assert "at least 5" in shown["rows"][0]["reason"]
    # The gate's own confirmation as a baseline, and the same from another machine.
    words = ("--baseline", "g", "--screening-blocks", "1", "-b", "1", "-o")
    assert boxbench("gate", "compare", made, *TARGET, *words, "h").returncode == ExitCode.CANNOT_TELL
    stored = read(boxbench.cwd / "h")
    assert stored.a is not None
    assert stored.a.kind == "baseline"
    manifest = boxbench.cwd / "g" / "confirmation" / "manifest.json"
    manifest.write_text(manifest.read_text().replace(stored.fingerprint, "0" * 12))
    refused(boxbench("gate", "compare", made, *TARGET, *words, "i"), ExitCode.USAGE, "another host")


def test_a_killed_gate_goes_on_to_its_verdict(boxbench: Command, made: Path) -> None:
    """kill -9 in screening, Ctrl-C in confirmation: `resume` goes on; in the end every trial has one record."""
    # A host may stall the test while the gate goes on to its verdict. That gate shows nothing, so there is another.
    name = next((name for name in map("g{}".format, range(TRIES)) if _struck_twice(boxbench, made, name)), None)
    assert name is not None, "every gate was struck too late"
    place = boxbench.cwd / name
    assert f"`boxbench resume {name}`" in (boxbench.cwd / "stderr").read_text()
    result = boxbench("resume", place / "confirmation")
    assert result.returncode in VERDICTS, result.stderr.decode()
    assert read(place).exit_code == result.returncode
    for stage in ("screening", "confirmation"):
        assert [record.trial for record in read_records(place / stage)] == list(read_manifest(place / stage).plan)


def _struck_twice(boxbench: Command, made: Path, name: str) -> bool:
    """Kill a gate in screening, and interrupt it in confirmation; False if either came too late."""

    def strike(number: signal.Signals, stage: str, *command: str | Path) -> int:
        records = boxbench.cwd / name / stage / RECORDS
        with boxbench.start(*command) as process:
            wait_until(lambda: records.exists() or process.poll() is not None, f"records of {stage}")
            process.send_signal(number)
            return process.wait(LIMIT_S)

    words = ("-t", "process", "-m", "endpoint.ready", "--seed", "3", "--threshold", "endpoint.ready=0.01%")
    asked = ("gate", "compare", made, f"{made}/", *words, "--screening-blocks", "5", "-b", "6", "-o", name)
    code = strike(signal.SIGKILL, "screening", *asked)
    assert code in (-signal.SIGKILL, *VERDICTS), (boxbench.cwd / "stderr").read_text()
    if code != -signal.SIGKILL:
        return False
    if (boxbench.cwd / name / "confirmation" / RECORDS).exists():
        if not (boxbench.cwd / name / RESULT).exists():
            # Its box stays on the host until the gate goes on.
            assert boxbench("resume", name).returncode in VERDICTS
        return False
    code = strike(signal.SIGINT, "confirmation", "resume", name)
    assert code in (ExitCode.INTERRUPTED, *VERDICTS), (boxbench.cwd / "stderr").read_text()
    return code == ExitCode.INTERRUPTED and not (boxbench.cwd / name / RESULT).exists()


def test_one_run_a_side_counted_in_instructions(boxbench: Command, made: Path, tmp_path: Path) -> None:
    """A loop goes red although the images differ in size; the same files elsewhere count the same, also when stored."""
    longer = COUNTED.replace("echo up", "i=0; while [ $i -lt 100 ]; do i=$((i+1)); done; echo up")
    (made / "Dockerfile").write_text(COUNTED)
    more, same = (
        write_scenario(tmp_path / name, text, name="made").parent
        for name, text in (("more", f"{longer}COPY Dockerfile /size\n"), ("same", COUNTED))
    )
    words = ("--accel", "icount", "-t", "process", "-b", "1", "-o")
    result = boxbench("gate", "compare", made, more, *words, "g", "--summary", "summary.md")
    assert result.returncode == ExitCode.REGRESSION, result.stderr.decode()
    assert result.text.startswith("REGRESSED: made/process/icount, first start: instructions +")
    assert "not time" in (boxbench.cwd / "summary.md").read_text()
    found = read(boxbench.cwd / "g")
    assert [(row.accel, row.verdict) for row in found.rows] == [("icount", Verdict.REGRESSED)] * 2
    assert all("in the workload: tree changed" in row.reason for row in found.rows)
    assert found.a is not None
    memory = {side.targets["process/icount"]["guest memory"] for side in (found.a, found.b)}
    assert memory == {"1024 MiB"}
    # The first's A is the second's.
    result = boxbench("gate", "compare", same, *words, "h", "--baseline", boxbench.cwd / "g" / "a")
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    assert {row.reason for row in read(boxbench.cwd / "h").rows} == {"the same to the instruction"}


def test_the_fixture(boxbench: Command, made: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """In somebody else's test run: measured, asserted, and nothing loaded by those who do not use it."""
    for name, value in boxbench.env.items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile(
        f"""
        import sys

        def test_first_nothing_is_loaded(boxbench):
            assert "bench.run.campaign" not in sys.modules and "pydantic" not in sys.modules

        def test_quick_enough(boxbench):
            docker = boxbench.measure({str(made)!r}, target="docker", blocks=5)
            assert docker.accel == "native" and len(docker.values("endpoint.ready")) == 5
            assert docker.at_most("endpoint.ready", 60e9)

        def test_too_slow(boxbench):
            assert boxbench.measure({str(made)!r}, target="docker", blocks=1).median("endpoint.ready") < 1
        """
    )
    for _ in range(TURNS):
        result = pytester.runpytest_subprocess(timeout=LIMIT_S)  # the installed package registers it
        if "another boxbench campaign is running" not in str(result.stdout):
            break
        time.sleep(5)  # somebody else's campaign on this host: ours waits its turn
    result.assert_outcomes(passed=2, failed=1)


def test_commits_need_a_repository(boxbench: Command, made: Path) -> None:
    refused(boxbench("gate", "compare", made, *TARGET, "--commits", "a", "b", "-o", "g"), ExitCode.USAGE, "git")
