"""Progress of a count: which guest begins, and how long the rest takes."""

from __future__ import annotations

from bench.instructions.run import Steps
from bench.util.clock import VirtualClock


def test_progress_names_the_guest_and_the_time_that_is_left() -> None:
    clock, said = VirtualClock(), list[str]()
    steps = Steps(4, said.append, clock)
    steps.begin("docker")
    steps.begin("docker")
    clock.advance_ns(30 * 10**9)
    steps.end()
    steps.begin("runc")
    clock.advance_ns(10 * 10**9)
    steps.end()
    steps.begin("runc")
    assert said == [
        "counting docker: guest 1 of 4",
        "counting docker: guest 2 of 4",
        "counting runc: guest 3 of 4, about 90.0 s left",
        "counting runc: guest 4 of 4, about 40.0 s left",
    ]
