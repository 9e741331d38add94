"""Reports of guests: their starts on one clock, and what a failed guest reported."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event

import pytest

from bench.instructions import boot
from bench.instructions.boot import parse_report
from bench.util.errors import LaunchError, NotReadyError, ProtocolError
from tests import guest_report

REPORT = guest_report.REPORT.splitlines()


def test_a_start_is_counted_from_its_request_on_one_clock() -> None:
    (started,) = parse_report("runc", REPORT)
    # The agent's clock is 1000 behind the counter.
    assert [(step.name, step.at) for step in started.steps] == [
        ("init", 500),
        ("ready", 1500),
        ("start_returned", 2000),
    ]
    assert (started.clock, started.waited) == (1500, 40)


def test_a_vm_is_counted_from_power_on() -> None:
    report = [
        "mark init 900",
        "clock 910 10",
        "request first",
        "mark requested 0",
        "agent BB1 mark ready 300",
        "finished",
    ]
    (started,) = parse_report("microvm", report)
    assert [(step.name, step.at) for step in started.steps] == [("system", 900), ("ready", 1200)]


def test_clocks_that_drift_apart_are_an_error() -> None:
    with pytest.raises(ProtocolError, match="drifted apart by 5000"):
        parse_report("runc", [line.replace("clock 9000 8010", "clock 14000 8000") for line in REPORT])


@pytest.mark.parametrize(
    ("report", "kind", "words"),
    [
        (
            [*REPORT[:-2], "log no such\x1b[31m file", "error /usr/sbin/runc: status 256"],
            LaunchError,
            "status 256.*no such",
        ),
        ([*REPORT[:-2], "error the box ended without being ready"], NotReadyError, "without being ready"),
        (REPORT[:-1], LaunchError, "ended before its script"),
        ([], LaunchError, "ended before its script"),
    ],
)
def test_the_error_of_a_failed_guest_has_its_reason(report: list[str], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        parse_report("runc", report)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "kind", "words"),
    [
        (
            "agent BB1 mark ready 5500",
            "agent BB1 fact a b",
            NotReadyError,
            "no moment at which the first start was ready",
        ),
        ("waited 40", "waited 1500", ProtocolError, "1500 ticks from the request to ready, of which 1500 were idle"),
        ("waited 40", "waited -1", ProtocolError, "impossible times"),
        ("mark requested 5000", f"mark requested {10**400}", ProtocolError, "impossible times"),
        ("mark start_returned 7000", f"mark start_returned {2**63}", ProtocolError, "impossible times"),
        ("mark requested 5000", f"mark requested {'9' * 5000}", ProtocolError, "not a line of its protocol"),
    ],
)
def test_a_report_that_no_guest_can_give_is_an_error(old: str, new: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        parse_report("runc", [line.replace(old, new) for line in REPORT])


def test_a_line_outside_the_protocol_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="mark requested later"):
        parse_report("runc", ["request first", "mark requested later"])


@pytest.mark.host
def test_a_guest_that_writes_too_long_a_report_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "_POLL_S", 0.01)
    report = tmp_path / "report"
    flood = f"report = open({str(report)!r}, 'wb'); report.truncate({boot.REPORT_BYTES + 1})"
    argv = [sys.executable, "-c", f"{flood}; import time; time.sleep(1000)"]
    with pytest.raises(ProtocolError, match=rf"more than 4\.00 MiB to its report {report}"):
        boot._run(argv, tmp_path / "log", "runc", Event(), report=report)
