"""Readiness by health check, in an agent that is a bare process over real FIFOs."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bench.agent.boxconf import BoxConfig, HealthCheck
from bench.agent.protocol import HealthReport, parse_message
from bench.scenario.model import ReadyHealthcheck
from tests.unit.agent.test_agent import HERE, Box, binary, box
from tests.waiting import LIMIT_S, wait_until

__all__ = ["binary", "box"]
pytestmark = pytest.mark.host

SOON = ReadyHealthcheck(when="healthcheck", poll=10**6)
STAYS = replace(HERE, argv=("sleep", "1000"))


def checked(script: str, *, limit_ms: int = 30_000, config: BoxConfig = STAYS) -> BoxConfig:
    return replace(config, healthcheck=HealthCheck(("/bin/sh", "-c", script), limit_ms))


def reports(box: Box) -> list[HealthReport]:
    found = [parse_message(line.encode()) for line in box.lines if line.startswith("BB1 health")]
    return [report for report in found if isinstance(report, HealthReport)]


def runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False


def test_ready_is_the_first_check_that_passes(box: Box, tmp_path: Path) -> None:
    """Three checks fail alike, one in another way, and the fifth passes."""
    count = tmp_path / "count"
    script = (
        f'echo x >> {count}; n=$(wc -l < {count}); [ $n = 5 ] && exit 0; [ $n = 4 ] && exit 9; echo "no yet"; exit 1'
    )
    box.start(checked(script), SOON)
    box.wait_for("BB1 health 0")
    assert box.marks() == ["init", "exec", "ready"]
    said = [(one.code, one.signal, one.limit_passed, one.attempts, one.line) for one in reports(box)]
    assert said == [(1, 0, False, 1, "no yet"), (9, 0, False, 4, ""), (0, 0, False, 5, "")]
    last = reports(box)[-1]
    assert last.cpu_us > reports(box)[0].cpu_us > 0
    # Since the fourth check began, which is one interval and two checks ago.
    assert 10**6 < last.unseen_ns < LIMIT_S * 10**9
    box.tell("ping x")
    box.wait_for("BB1 pong x")
    assert count.read_text(encoding="ascii").count("x") == 5, "no check follows the one that passed"


def test_the_first_check_begins_at_another_time_in_each_box(binary: Path, tmp_path: Path) -> None:
    """At fixed times a change smaller than the interval would not show in any number of boots."""
    unseen = []
    for number in range(8):
        directory = tmp_path / str(number)
        directory.mkdir()
        started = Box(binary, directory)
        try:
            started.start(checked("exit 0"), ReadyHealthcheck(when="healthcheck", poll=400 * 10**6))
            started.wait_for("BB1 health 0")
            (report,) = reports(started)
        finally:
            started.close()
        assert report.attempts == 1
        unseen.append(report.unseen_ns)
    # Eight equal ones within a tenth of the interval are one case in a million.
    assert max(unseen) - min(unseen) > 40 * 10**6


def test_the_mark_comes_before_the_report(box: Box) -> None:
    box.start(checked("exit 0"), SOON)
    box.wait_for("BB1 health")
    kinds = [" ".join(line.split(" ")[1:3]) for line in box.lines]
    assert kinds == ["mark init", "mark exec", "mark ready", "health 0"]


def test_a_check_runs_as_the_workload_does(box: Box) -> None:
    """Its environment, directory and input; it writes nothing where the workload writes."""
    script = 'echo "$GREETING in $(pwd), $(id -u), $(cat | wc -c)"; echo lost >&2; exit 3'
    started = box.start(checked(script, config=replace(STAYS, cwd="/usr")), SOON)
    box.wait_for("BB1 health 3")
    assert reports(box)[0].line == "lost"
    box.tell("stop")
    stdout, stderr = started.communicate(timeout=LIMIT_S)
    assert (stdout, stderr) == (b"", b"")


def test_the_environment_is_the_workloads(box: Box) -> None:
    box.start(checked('echo "$GREETING in $(pwd)"; exit 3', config=replace(STAYS, cwd="/usr")), SOON)
    box.wait_for("BB1 health 3")
    assert reports(box)[0].line == "hello world in /usr"


def test_a_check_that_takes_too_long_is_killed_with_its_children(box: Box, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    box.start(checked(f"sleep 98765 & echo $! >> {pid}; echo stuck; wait", limit_ms=300), SOON)
    box.wait_for("BB1 health 137")
    # On a host that stalls the limit may pass before the check has written anything. The next one has its own time.

    def written() -> HealthReport | None:
        box.read()
        return next((one for one in reports(box) if one.line), None)

    report = wait_until(written, "what the check wrote")
    assert report is not None
    assert (report.signal, report.limit_passed, report.line) == (9, True, "stuck")
    left = int(pid.read_text(encoding="ascii").split()[0])
    wait_until(lambda: not runs(left), f"the end of process {left}")
    box.tell("ping x")
    box.wait_for("BB1 pong x")


def test_what_a_check_leaves_running_is_killed(box: Box) -> None:
    box.start(checked("sleep 98765 & echo $!"), SOON)
    box.wait_for("BB1 health 0")
    left = int(reports(box)[0].line)
    wait_until(lambda: not runs(left), f"the end of process {left}")


def test_a_check_that_cannot_be_executed_fails_like_a_shell(box: Box) -> None:
    box.start(replace(STAYS, healthcheck=HealthCheck(("/no/such/check",), 1000)), SOON)
    box.wait_for("BB1 health 127")
    assert reports(box)[0].line == "exec /no/such/check: No such file or directory"
    assert box.process is not None
    assert box.process.poll() is None, "the box lives on"


def test_a_passing_check_that_a_signal_ended_is_none(box: Box) -> None:
    box.start(checked("kill -11 $$"), SOON)
    box.wait_for("BB1 health 139 11 ")
    assert box.marks() == ["init", "exec"]


# It leaves its session, keeps the output open and writes on, which holds up a reader that waits for the end.
FLOOD = """
import os
if os.fork() == 0:
    os.setsid()
    while True:
        os.write(1, bytes(65536))
os.write(1, b"x" * 100000 + b"\\n" + b"y" * 4000)
os._exit(7)
"""


def test_endless_output_holds_nothing_up_and_its_end_is_kept(box: Box) -> None:
    config = replace(STAYS, healthcheck=HealthCheck((sys.executable, "-c", FLOOD), 30_000))
    box.start(config, SOON)
    box.wait_for("BB1 health 7")
    box.tell("ping x")
    box.wait_for("BB1 pong x")
    box.tell("stop")
    box.wait_for("BB1 exit")
    assert {len(report.line) for report in reports(box)} <= set(range(513))


def test_only_the_last_line_is_kept(box: Box) -> None:
    box.start(checked("printf 'first\\nla\\000st \\377\\n\\n'; exit 2"), SOON)
    box.wait_for("BB1 health 2")
    assert reports(box)[0].line == "la?st \ufffd"


def test_a_stopped_box_checks_no_more(box: Box, tmp_path: Path) -> None:
    """The check would pass after the workload was asked to stop."""
    stopping = tmp_path / "stopping"
    workload = replace(
        HERE, argv=("/bin/sh", "-c", f"trap 'touch {stopping}; sleep 0.3; exit 4' TERM; sleep 1000 & wait")
    )
    started = box.start(checked(f"test -e {stopping}", config=workload), SOON)
    box.wait_for("BB1 health 1")
    box.tell("stop")
    box.wait_for("BB1 exit 4")
    assert started.wait(LIMIT_S) == 4
    assert box.marks() == ["init", "exec"]


def test_the_workloads_output_is_forwarded_while_a_check_hangs(box: Box) -> None:
    config = checked("sleep 98765", config=replace(HERE, argv=("/bin/sh", "-c", "echo one; sleep 1000")))
    started = box.start(config, SOON)
    box.wait_for_output(b"one\n")
    box.tell("stop")
    box.wait_for("BB1 exit 143")
    reader = threading.Thread(target=started.wait, daemon=True)
    reader.start()
    reader.join(LIMIT_S)
    assert started.poll() == 143
