from __future__ import annotations

import threading

import pytest

from bench.agent.protocol import AgentError, Exit, FactsEnd, Mark, Pong, ReportedFact, parse_message
from bench.agent.timeline import MOST_ERROR_CHARACTERS, MOST_ERRORS, MOST_FACTS, Timeline
from bench.plan.trials import Cell, Trial
from bench.records.record import Endpoint, Record
from bench.scenario.secrets import NOT_SHOWN
from bench.util.clock import VirtualClock
from bench.util.errors import ProtocolError
from tests.waiting import LIMIT_S


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


def test_secret_values_in_other_facts_of_a_box_are_not_kept() -> None:
    timeline = Timeline(VirtualClock(1000), ("hush hush",))
    for key, value in {"argv": "redis -a hush%20hush", "env.URL": "x://a:hush hush@b", "user": "hush hush"}.items():
        timeline.receive(ReportedFact(key, value), 0)
    assert timeline.facts == {"argv": "redis -a ...", "env.URL": "x://a:...@b", "user": "hush hush"}


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
    assert timeline.wait_for(lambda: timeline.has_pong("p1"), timeout_s=LIMIT_S)
    assert timeline.pong_ns("p1") == 1234
    assert not timeline.wait_for(lambda: timeline.has_pong("p2"), timeout_s=0.01)
    sender.join()


def _facts_of_a_hostile_box(timeline: Timeline) -> Record:
    """The longest facts that a channel carries; every byte of them takes six in JSON."""
    for number in range(1000):
        word = "%01" * 1300
        timeline.receive(parse_message(f"BB1 fact k{number} {word}".encode()), 1)
    cell = Cell(scenario="hello", target="runc", accel="native")
    trial = Trial(number=0, block=0, cell=cell, warmup=False)
    return Record(
        campaign="c0ffee42", trial=trial, started_at="x", outcome="ok", endpoints_ns={}, inside=timeline.facts
    )


def test_facts_do_not_make_a_record_larger_than_a_mebibyte(timeline: Timeline) -> None:
    assert len(_facts_of_a_hostile_box(timeline).line().encode()) < 2**20
    assert timeline.facts["k0"] == "\1" * 1300
    assert "more facts than are kept" in timeline.errors[0]
    assert len(timeline.errors) <= MOST_ERRORS


def test_the_number_of_facts_is_limited(timeline: Timeline) -> None:
    for number in range(MOST_FACTS + 1):
        timeline.receive(ReportedFact(f"k{number}", ""), 1)
    assert len(timeline.facts) == MOST_FACTS
    assert f"k{MOST_FACTS} and others are missing" in timeline.errors[0]


def test_a_fact_that_is_reported_again_counts_once(timeline: Timeline) -> None:
    for _ in range(300):
        timeline.receive(ReportedFact("env.BIG", "x" * 4000), 1)
    timeline.receive(ReportedFact("cpus", "1"), 1)
    assert (set(timeline.facts), timeline.errors) == ({"env.BIG", "cpus"}, [])


def test_errors_are_limited_in_number_and_length(timeline: Timeline) -> None:
    for number in range(1000):
        timeline.receive(AgentError(f"{number} " + "x" * 4000), 1)
    assert (len(timeline.errors), len(timeline.errors[0])) == (MOST_ERRORS, MOST_ERROR_CHARACTERS)
    assert timeline.errors[0].startswith("0 x")
