"""How late readiness may be that was found by asking, and what the asking cost, in each box."""

from __future__ import annotations

from bench.analysis.analyse import analyse
from bench.analysis.results import Analysis
from bench.records.record import Endpoint, HealthChecks, Record
from bench.render.sections.facts import endpoint_table
from bench.render.sections.lateness import late_headline, polled_note
from bench.render.text import cell_label
from bench.render.view import build_view
from tests.factories import DOCKER, PROCESS, make_manifest, make_records

_MS = 10**6
_LATE_MS = {"process": 6, "docker": 150}
_CHECKS_MS = {"process": 4, "docker": 12}


def _checked(record: Record) -> Record:
    """The record with what health checks would have left in it; those of warm-ups were slower."""
    box, slower = record.trial.cell.target, 5 if record.trial.warmup else 1
    return record.model_copy(
        update={
            "endpoints_ns": record.endpoints_ns | {Endpoint.READY: {"process": 8, "docker": 2000}[box] * _MS},
            "resolution_ns": {Endpoint.READY: _LATE_MS[box] * _MS * slower},
            "health": HealthChecks(attempts=3, cpu_ns=_CHECKS_MS[box] * _MS * slower),
        }
    )


def _polled(record: Record) -> Record:
    return record.model_copy(update={"resolution_ns": {Endpoint.READY: 2 * _MS}})


def _analysed(change: object = None) -> Analysis:
    manifest = make_manifest(("hello",), (PROCESS, DOCKER))
    records = make_records(manifest, (PROCESS, DOCKER), troubles=False)
    return analyse(manifest, [change(record) for record in records] if callable(change) else records)


def _rows(analysis: Analysis) -> dict[str, tuple[str, ...]]:
    table = endpoint_table(analysis, "hello", [(cell, cell_label(cell)) for cell in analysis.cells("hello")])
    assert table is not None
    return {row[0]: row[1:] for row in table.rows}


def test_polling_is_said_once() -> None:
    analysis = _analysed(_polled)
    assert polled_note(analysis, "hello") == "Found by asking every 2.00 ms, and late by up to as much: ready."
    assert not [name for name in _rows(analysis) if "late by" in name]
    assert polled_note(_analysed(), "hello") == ""


def test_what_health_checks_cost_is_said_without_warm_ups() -> None:
    assert polled_note(_analysed(_checked), "hello") == (
        "Found by the health check, which ran up to 3 times in a start and used up to 12.0 ms of CPU time, by the "
        "clock of the kernel that ran it. It slows the start, and its time is in the box's CPU time. Late by up to "
        "150 ms: ready."
    )


def test_each_box_has_its_own_lateness_and_cost() -> None:
    rows = _rows(_analysed(_checked))
    assert rows["ready: late by up to (median)"] == ("6.00 ms", "150 ms")
    assert rows["health checks to ready, their CPU time (median)"] == ("4.00 ms", "12.0 ms")


def test_a_headline_that_is_mostly_lateness_is_told_beside_the_answer() -> None:
    expected = (
        "ready was found by asking. It may have been earlier by up to 6.00 ms in process (75% of it). Intervals and "
        "ratios do not contain this. Readiness by `tcp` or `http`, or a shorter `ready.poll`, comes nearer to the "
        "instant."
    )
    analysis = _analysed(_checked)
    assert late_headline(analysis, "hello") == expected
    assert expected in build_view(analysis).sections[0].notes
    assert late_headline(_analysed(), "hello") == ""
