"""Records: one line each, nothing invented, nothing else accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.plan.trials import Cell, Trial
from bench.records.record import SCHEMA, Endpoint, Failure, Record, parse_record
from bench.util.errors import RecordError
from tests.factories import HOSTILE

TRIAL = Trial(number=3, block=1, cell=Cell(scenario="hello", target="docker", accel="native"), warmup=False)


def _record(**changes: Any) -> Record:
    values: dict[str, Any] = {
        "campaign": "c0ffee42",
        "trial": TRIAL,
        "started_at": "2031-02-03T04:05:06+00:00",
        "outcome": "ok",
        "endpoints_ns": {Endpoint.REQUESTED: 0, Endpoint.READY: 5},
    }
    return Record(**{**values, **changes})


def test_a_record_is_one_line() -> None:
    record = _record(inside={"hostname": HOSTILE + "\n\r\u2028"})
    line = record.line()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert parse_record(line, where="x") == record


@given(
    endpoints=st.dictionaries(st.sampled_from(Endpoint), st.integers(0, 2**62)),
    inside=st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=4),
    sizes=st.dictionaries(st.text(max_size=20), st.integers(-(2**62), 2**62), max_size=4),
    doubts=st.lists(st.text(max_size=20), max_size=3),
)
def test_every_record_comes_back_as_it_was(
    endpoints: dict[Endpoint, int], inside: dict[str, str], sizes: dict[str, int], doubts: list[str]
) -> None:
    endpoints[Endpoint.REQUESTED] = 0
    record = _record(endpoints_ns=endpoints, inside=inside, memory_bytes=sizes, doubts=tuple(doubts))
    line = record.line()
    assert "\n" not in line[:-1]
    assert parse_record(line, where="x") == record


def test_what_was_not_measured_is_not_zero() -> None:
    stored = json.loads(_record().line())
    assert stored["memory_bytes"] == stored["cpu_ns"] == stored["disk_bytes"] == {}
    assert stored["exit_code"] is None
    assert "init" not in stored["endpoints_ns"]
    assert stored["schema_number"] == SCHEMA


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"endpoints_ns": {Endpoint.REQUESTED: 1}}, "requested is t0 and must be 0"),
        ({"endpoints_ns": {Endpoint.REQUESTED: 0, Endpoint.READY: -1}}, "before t0"),
        ({"outcome": "failed"}, "failure is given exactly when"),
        ({"failure": Failure(code="X", message="m", hint="h")}, "failure is given exactly when"),
        ({"endpoints_ns": {Endpoint.READY: 1.5}}, "valid integer"),
        ({"memory_bytes": {"pss": None}}, "valid integer"),
        ({"colour": "red"}, "Extra inputs"),
        ({"source": "guessed"}, "measured"),
        ({"schema_number": 1}, "Input should be 2"),
    ],
)
def test_a_record_checks_itself(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _record(**changes)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("endpoints_ns", "ready"), 10**400),
        (("memory_bytes", "total"), 10**400),
        (("cpu_ns", "total"), 2**63),
        (("disk_bytes", "written"), -(2**63) - 1),
        (("storm_ns", "wake.max"), 10**400),
        (("ledger_bytes", "host.used"), 10**400),
        (("exit_code",), 10**400),
        (("samples",), {"at_ns": [0], "memory_bytes": [10**400], "cpu_ns": [0]}),
        (("trial", "block"), 10**400),
    ],
)
def test_a_number_that_no_counter_can_have_is_no_record(path: tuple[str, ...], value: object) -> None:
    stored = json.loads(_record().line())
    place = stored
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(RecordError, match=r"must be (at most|at least|less than) -?9223372036854775808"):
        parse_record(json.dumps(stored), where="records.jsonl:1")


def test_failures_are_records() -> None:
    failure = Failure(code="NotReadyError", message="not ready within 5 s", hint="look at the log")
    record = _record(outcome="timeout", failure=failure, endpoints_ns={Endpoint.REQUESTED: 0})
    assert parse_record(record.line(), where="x").failure == failure


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"campaign": 1}', '{"schema_number": 99}'])
def test_a_line_that_is_no_record_says_where_it_stands(line: str) -> None:
    with pytest.raises(RecordError, match=rf"records\.jsonl:7: not a record of schema {SCHEMA}: (?!:)") as caught:
        parse_record(line, where="records.jsonl:7")
    assert caught.value.hint


def test_the_first_thing_wrong_is_named() -> None:
    stored = json.loads(_record().line())
    stored["trial"]["cell"]["accel"] = 5
    with pytest.raises(RecordError, match=r"trial\.cell\.accel"):
        parse_record(json.dumps(stored), where="x")


def test_endpoints_are_in_the_order_of_a_life() -> None:
    names = [endpoint.value for endpoint in Endpoint]
    assert names[0] == "requested"
    assert names[-1] == "gone"
    assert names.index("init") < names.index("exec") < names.index("ready") < names.index("stopped")
