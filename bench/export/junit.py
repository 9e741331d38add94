"""A gate as JUnit XML: one test case per metric and cell, made by junitparser."""

from __future__ import annotations

from typing import Any

from bench.export.base import Export
from bench.export.verdicts import sentence, sides
from bench.gate.model import Bound, GateResult, GateRow, Verdict
from bench.render.text import clean


def export(result: GateResult) -> Export:
    """``junit.xml``. Regressed is a failure; cannot tell is a skip."""
    import junitparser  # noqa: PLC0415 - only this export needs it

    suites: Any = junitparser.JUnitXml("boxbench")
    for scenario in dict.fromkeys(row.scenario for row in result.rows):
        cases = [_case(row) for row in result.rows if row.scenario == scenario]
        suites.add_testsuite(_suite(result, f"boxbench gate {scenario}", cases))
    if result.bounds:
        suites.add_testsuite(_suite(result, "boxbench bounds", [_bound(bound) for bound in result.bounds]))
    suites.update_statistics()
    return Export({"junit.xml": suites.tostring()})


def _suite(result: GateResult, name: str, cases: list[Any]) -> Any:
    import junitparser  # noqa: PLC0415

    suite = junitparser.TestSuite(clean(name))
    suite.timestamp = result.created_at
    for key, value in {"sides": sides(result), "fingerprint": result.fingerprint, "boxbench": result.boxbench}.items():
        suite.add_property(key, clean(value))
    for case in cases:
        suite.add_testcase(case)
    return suite


def _case(row: GateRow) -> Any:
    import junitparser  # noqa: PLC0415

    case = junitparser.TestCase(clean(row.metric), classname=clean(f"{row.scenario}.{row.box}"))
    case.result = _outcome(row.verdict, sentence(row), clean(row.reason))
    # Also in green runs, for readers of the log.
    case.system_out = sentence(row)
    return case


def _bound(bound: Bound) -> Any:
    import junitparser  # noqa: PLC0415

    case = junitparser.TestCase(clean(bound.metric), classname=clean(bound.cell))
    case.result = _outcome(bound.verdict, clean(bound.reason) or str(bound.verdict), "")
    return case


def _outcome(verdict: Verdict, message: str, detail: str) -> list[Any]:
    import junitparser  # noqa: PLC0415

    if verdict is Verdict.REGRESSED:
        failure = junitparser.Failure(message, "regressed")
        failure.text = detail or message
        return [failure]
    return [junitparser.Skipped(f"cannot tell: {detail or message}")] if verdict is Verdict.CANNOT_TELL else []
