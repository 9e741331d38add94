"""Exports of a gate: JUnit XML, the job's summary, annotations."""

from __future__ import annotations

from pathlib import Path

import junitparser
import pytest

from bench.analysis.estimates import Interval
from bench.export.annotations import MOST, command, commands
from bench.export.base import ExportError
from bench.export.formats import export_from
from bench.export.jobsummary import LIMIT_BYTES, bounded, summary
from bench.gate.model import RESULT, Bound, GateResult, GateRow, Identity, StageResult, Verdict
from tests.factories import HOSTILE


def make_row(
    verdict: Verdict, ratio: float | None, *, box: str = "docker", improved: bool = False, reason: str = ""
) -> GateRow:
    look = None
    if ratio is not None:
        limits = Interval(ratio * 0.98, ratio * 1.02, 0.95)
        look = StageResult(n_a=12, n_b=12, median_a=188e6, median_b=188e6 * ratio, ratio=ratio, interval=limits)
    return GateRow(
        scenario="hello",
        box=box,
        cell_a=f"hello/{box}",
        cell_b=f"hello/{box}",
        accel="tcg" if "tcg" in box else "native",
        metric="endpoint.ready_ns",
        threshold=0.03,
        confirmation=look,
        verdict=verdict,
        improved=improved,
        reason=reason,
    )


def make_gate(*rows: GateRow, bounds: tuple[Bound, ...] = (), notes: tuple[str, ...] = ()) -> GateResult:
    return GateResult(
        created_at="2031-02-03T04:05:06+00:00",
        boxbench="0.1.0",
        a=Identity(name="A", label="main", kind="commit", commit="ab" * 20),
        b=Identity(name="B", label="HEAD", kind="commit", commit="cd" * 20),
        fingerprint="5f1d0c2ab877",
        rows=rows,
        bounds=bounds,
        blocks_screening=5,
        blocks_confirmation=12,
        notes=notes,
    )


RED = make_row(Verdict.REGRESSED, 1.08)
GREEN = make_row(Verdict.NOT_REGRESSED, 1.001, box="runc")
UNSURE = make_row(
    Verdict.CANNOT_TELL, 1.02, box="libvirt/tcg", reason="the interval reaches beyond 3 %: run more blocks"
)
FASTER = make_row(Verdict.NOT_REGRESSED, 0.9, box="podman", improved=True)


def test_a_red_run_says_what_and_how_much_on_top() -> None:
    text = summary(make_gate(GREEN, UNSURE, FASTER, RED))
    lines = text.splitlines()
    assert lines[0] == "## ❌ Boxbench: B is worse than A"
    assert lines[2] == "main (abababababab) → HEAD (cdcdcdcdcdcd)"
    first = next(line for line in lines if line.startswith("| ❌"))
    assert first == (
        "| ❌ | hello/docker | time to ready | 188 ms | 203 ms | **+8.0 %** | [+5.8 %, +10.2 %] | 12 + 12 |"
    )
    assert text.index("❌ | hello/docker") < text.index("🎉 | hello/podman") < text.index("❔ | hello/libvirt")
    assert "Not regressed: 1" in text
    assert "emulated CPU" in text


@pytest.mark.parametrize(
    ("rows", "head"),
    [
        ((GREEN,), "## ✅ Boxbench: no regression"),
        ((GREEN, UNSURE), "## ❔ Boxbench: cannot tell: too noisy, or too few boots"),
    ],
)
def test_green_and_unsure_are_told_apart(rows: tuple[GateRow, ...], head: str) -> None:
    assert summary(make_gate(*rows)).splitlines()[0] == head


def test_a_summary_stays_below_what_github_takes() -> None:
    many = tuple(make_row(Verdict.NOT_REGRESSED, 1.0, box=f"docker[option={'x' * 300}{n}]") for n in range(4000))
    whole = summary(make_gate(RED, *many))
    assert len(whole.encode()) > LIMIT_BYTES
    cut = bounded(whole)
    assert len(cut.encode()) < LIMIT_BYTES
    assert cut.startswith("## ❌")
    assert cut.rstrip().endswith("artefact.*")
    assert cut.count("<details>") == cut.count("</details>")


def test_hostile_names_stay_text() -> None:
    gate = make_gate(make_row(Verdict.REGRESSED, 1.2, box=HOSTILE), notes=(HOSTILE,))
    text = summary(gate)
    assert "<script>" not in text
    assert "\x1b" not in text
    lines = commands(gate)
    assert len(lines) == 1
    assert "\n" not in lines[0]


def test_annotations_are_few_and_their_commands_cannot_be_ended() -> None:
    many = [make_row(Verdict.REGRESSED, 1.0 + n / 100, box=f"b{n}") for n in range(1, 16)]
    lines = commands(make_gate(*many, UNSURE, FASTER))
    levels = [line.split(" ", 1)[0] for line in lines]
    assert (levels.count("::error"), levels.count("::warning"), levels.count("::notice")) == (MOST, 1, 1)
    assert lines[MOST - 1].endswith("and 6 more, in the job's summary")
    assert "+15.0 %25" in lines[0], "the largest first, per cent encoded"
    assert command("error", "a:b,c", "x\n::error::y%") == "::error title=a%3Ab%2Cc::x%0A::error::y%25"


def test_a_green_gate_has_one_notice() -> None:
    assert commands(make_gate(GREEN)) == ("::notice title=Boxbench::no regression",)


def test_junit_is_read_back(tmp_path: Path) -> None:
    bound = Bound(
        cell="hello/docker", metric="memory.pss.total_bytes", maximum=10, n=7, median=20, verdict=Verdict.REGRESSED
    )
    gate = make_gate(RED, GREEN, UNSURE, FASTER, bounds=(bound,))
    (tmp_path / RESULT).write_text(gate.model_dump_json(), encoding="utf-8")
    xml = junitparser.JUnitXml.fromstring(export_from(tmp_path, "junit").files["junit.xml"])
    assert (xml.tests, xml.failures, xml.skipped) == (5, 2, 1)
    cases = {case.classname: case for suite in xml for case in suite if "gate" in suite.name}
    failure = cases["hello.docker"].result[0]
    assert isinstance(failure, junitparser.Failure)
    assert failure.message.startswith("time to ready of hello/docker: 188 ms → 203 ms, +8.0 %")
    assert isinstance(cases["hello.libvirt/tcg"].result[0], junitparser.Skipped)
    assert cases["hello.runc"].is_passed


def test_a_broken_result_is_told(tmp_path: Path) -> None:
    for content in (b"{}", b"\xff\xfe", b""):
        (tmp_path / RESULT).write_bytes(content)
        with pytest.raises(ExportError, match="not a gate's result"):
            export_from(tmp_path, "summary")
