from __future__ import annotations

import threading

import pytest

from bench.agent.protocol import AgentError, Exit, FactsEnd, Mark, Pong, ReportedFact
from bench.agent.timeline import Timeline
from bench.records.record import Endpoint
from bench.scenario.secrets import NOT_SHOWN
from bench.util.errors import ProtocolError
from tests.virtual_clock import VirtualClock


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(VirtualClock(1000))


def test_times_are_relative_to_the_request_and_in_order(timeline: Timeline) -> None:
    assert timeline.relative_ns() == {}
    timeline.mark(Endpoint.REQUESTED)
    timeline.receive(Mark(Endpoint.EXEC, 7), 1300)
    timeline.receive(Mark(Endpoint.INIT, 5), 1200)
    assert list(timeline.relative_ns().items()) == [
        (Endpoint.REQUESTED, 0),
        (Endpoint.INIT, 200),
        (Endpoint.EXEC, 300),
    ]
    assert timeline.guest_ns == {Endpoint.EXEC: 7, Endpoint.INIT: 5}


def test_secret_values_of_a_box_are_not_kept(timeline: Timeline) -> None:
    reported = {"env.PATH": "/bin", "env.API_TOKEN": "hush", "env.PGPASSWORD.cut": "hush-", "argv": "a TOKEN=b"}
    for key, value in reported.items():
        timeline.receive(ReportedFact(key, value), 0)
    assert timeline.facts == {
        "env.PATH": "/bin",
        "env.API_TOKEN": NOT_SHOWN,
        "env.PGPASSWORD.cut": "",
        "argv": "a TOKEN=b",
    }


def test_the_first_stamp_wins(timeline: Timeline) -> None:
    timeline.mark(Endpoint.REQUESTED)
    for stamp, guest in ((1100, 1), (1900, 2)):
        timeline.receive(Mark(Endpoint.READY, guest), stamp)
    assert (timeline.relative_ns()[Endpoint.READY], timeline.guest_ns[Endpoint.READY]) == (100, 1)


def test_only_the_first_end_counts(timeline: Timeline) -> None:
    first = Exit(7, 0, 1, 1, 1, 1)
    timeline.mark(Endpoint.REQUESTED)
    timeline.receive(first, 1500)
    timeline.receive(Exit(0, 0, 1, 1, 1, 1), 1600)
    assert timeline.exit == first
    assert timeline.failed()


@pytest.mark.parametrize("error", [AgentError("bad"), ProtocolError("bad", hint="look")])
def test_errors_are_failures(timeline: Timeline, error: AgentError | ProtocolError) -> None:
    assert not timeline.failed()
    timeline.receive(error, 1)
    assert (timeline.failed(), timeline.errors) == (True, ["bad"])


def test_facts_are_complete_when_the_agent_says_so(timeline: Timeline) -> None:
    timeline.receive(ReportedFact("cpus", "1"), 1)
    assert not timeline.facts_complete()
    timeline.receive(FactsEnd(), 2)
    assert (timeline.facts_complete(), timeline.facts) == (True, {"cpus": "1"})


@pytest.mark.parametrize("early", [Mark(Endpoint.READY, 1), Exit(0, 0, 1, 1, 1, 1)])
def test_what_a_box_sends_before_the_request_is_its_error(timeline: Timeline, early: Mark | Exit) -> None:
    timeline.receive(early, 900)
    timeline.mark(Endpoint.REQUESTED)
    timeline.receive(early, 999)
    assert timeline.relative_ns() == {Endpoint.REQUESTED: 0}
    assert timeline.exit is None
    assert timeline.errors == 2 * ["the box sent a mark before it was requested"]


def test_our_own_mark_before_the_request_is_a_fault(timeline: Timeline) -> None:
    timeline.mark(Endpoint.CREATED, at_ns=999)
    timeline.mark(Endpoint.REQUESTED)
    with pytest.raises(ValueError, match="before the request: created"):
        timeline.relative_ns()


def test_nobody_waits_for_messages_that_are_not_read_any_more(timeline: Timeline) -> None:
    cutter = threading.Timer(0.05, timeline.cut_short)
    cutter.start()
    assert not timeline.wait_for(timeline.facts_complete, timeout_s=3600)
    assert timeline.failed()
    cutter.join()


def test_waiting_ends_when_the_message_arrives(timeline: Timeline) -> None:
    sender = threading.Timer(0.05, timeline.receive, (Pong("p1"), 1234))
    sender.start()
    assert timeline.wait_for(lambda: timeline.has_pong("p1"), timeout_s=30)
    assert timeline.pong_ns("p1") == 1234
    assert not timeline.wait_for(lambda: timeline.has_pong("p2"), timeout_s=0.01)
    sender.join()
