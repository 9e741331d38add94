"""The page of a gate: verdict first, paired differences, the same words as on a terminal; made again by `report`."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.analysis.estimates import Interval
from bench.cli.report import report
from bench.gate.block_ratios import block_ratios
from bench.gate.model import SCREENING, Bound, GateResult, GateRow, Identity, StageResult, Verdict
from bench.gate.result import write_result
from bench.render.commands.gate import bound_table, headline
from bench.render.commands.gate_page import gate_content, gate_figures, write_gate_page
from bench.util.errors import CampaignError, ResultError
from tests.factories import DOCKER, HOSTILE, PROCESS, make_manifest, make_records, write_campaign

BLOCKS = 7


def make_row(verdict: Verdict = Verdict.REGRESSED, ratio: float | None = 1.131) -> GateRow:
    limits = None if ratio is None else Interval(ratio * 0.98, ratio * 1.02, 0.95)
    seen = StageResult(n_a=7, n_b=7, median_a=260e6, median_b=288e6, ratio=ratio, interval=limits)
    return GateRow(
        scenario="hello",
        box="docker",
        cell_a="hello/process",
        cell_b="hello/docker",
        accel="native",
        metric="endpoint.ready_ns",
        threshold=0.05,
        screening=seen,
        verdict=verdict,
        reason="slower",
    )


def make_result(*rows: GateRow, kind: str = "scenario") -> GateResult:
    a = Identity.model_validate({"name": "A", "label": "<b>main</b>", "kind": kind})
    b = Identity(name="B", label="HEAD", kind="scenario")
    return GateResult(created_at="2031-02-03T04:05:06+00:00", boxbench="0.1.0", a=a, b=b, fingerprint="5f1d", rows=rows)


def gate(path: Path, result: GateResult) -> Path:
    boxes = (PROCESS, DOCKER)
    manifest = make_manifest(["hello"], boxes, blocks=BLOCKS)
    write_campaign(path / SCREENING, manifest, make_records(manifest, boxes, troubles=False))
    write_result(result, path)
    return path


def test_the_page_has_the_verdict_first_and_says_why_the_change_is_no_quotient(tmp_path: Path) -> None:
    result = make_result(make_row())

    page = write_gate_page(result, gate(tmp_path, result)).read_text(encoding="utf-8")
    assert page.index("<h1>REGRESSED: hello/docker") < page.index('id="figures"') < page.index('id="rows"')
    assert "not the quotient of the two medians" in page
    assert "260 ms" in page
    assert "288 ms" in page
    assert "<script" not in page
    assert "<b>main</b>" not in page
    assert headline(result) in (tmp_path / "report.md").read_text(encoding="utf-8").replace("\\", "")
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {
        f"gate{end}" for end in (".svg", "-dark.svg", ".png", ".csv", ".json")
    }


def test_the_figure_has_a_pair_of_each_block_of_the_decisive_stage(tmp_path: Path) -> None:
    result = make_result(make_row())
    ratios = block_ratios(result, gate(tmp_path, result))

    assert len(ratios[result.rows[0].name]) == BLOCKS
    (figure,) = gate_figures(result, ratios)
    assert figure.data.column("n") == (BLOCKS,)
    assert figure.data.column("ratio") == (1.131,)
    assert figure.title == headline(result)


def test_a_stored_side_and_a_result_without_its_stages_have_no_pairs(tmp_path: Path) -> None:
    stored = make_result(make_row(), kind="baseline")
    assert block_ratios(stored, gate(tmp_path / "a", stored)) == {}
    (tmp_path / "b").mkdir()
    assert block_ratios(make_result(make_row()), tmp_path / "b") == {}


def test_rows_without_a_ratio_have_no_figure(tmp_path: Path) -> None:
    result = make_result(make_row(Verdict.CANNOT_TELL, None))

    page = write_gate_page(result, gate(tmp_path, result)).read_text(encoding="utf-8")
    assert "<svg" not in page
    assert gate_figures(make_result(make_row(ratio=math.inf)), {}) == ()


def test_limits_have_the_interval_that_decides(tmp_path: Path) -> None:
    inside = Bound(
        cell="hello/libvirt/tcg",
        metric="endpoint.ready_ns",
        maximum=4e9,
        n=20,
        median=3.9e9,
        interval=Interval(3.5e9, 4.2e9, 0.95),
        verdict=Verdict.CANNOT_TELL,
        reason="the limit lies inside the interval",
    )
    lost = Bound(cell="hello/runc", metric="endpoint.ready_ns", n=0, verdict=Verdict.CANNOT_TELL, reason="not measured")
    result = make_result().model_copy(update={"a": None, "bounds": (inside, lost)})
    assert bound_table(result.bounds) == (
        ("cell", "metric", "median [95 %]", "at least", "at most", "verdict"),
        ("hello/libvirt/tcg", "time to ready", "3.90 s [3.50, 4.20]", "–", "4.00 s", f"? {inside.reason}"),
        ("hello/runc", "time to ready", "–", "–", "–", "? not measured"),
    )
    page = write_gate_page(result, gate(tmp_path, result)).read_text(encoding="utf-8")
    assert "3.90 s [3.50, 4.20]" in page
    assert "tcg: an emulated CPU; a limit for it says nothing of KVM" in page


def test_the_command_that_gives_the_same_again_is_the_one_that_judges_stored_records(tmp_path: Path) -> None:
    judged = ("boxbench", "gate", "bounds", "my limits.toml", "DIR")
    limits = make_result().model_copy(update={"a": None, "command": judged})
    assert gate_content(limits, tmp_path).command == "boxbench gate bounds 'my limits.toml' DIR"
    measured = make_result(make_row()).model_copy(
        update={"command": ("boxbench", "gate", "compare", "a", "b"), "seed": 7}
    )
    content = gate_content(measured, tmp_path)
    assert content.command == f"boxbench report {tmp_path}", "the other one measures again"
    (basis,) = (part for part in content.parts if part.anchor == "basis")
    assert basis.lines[-1] == "measured by `boxbench gate compare a b`; the order of its trials is drawn from seed 7"


def test_a_hostile_command_changes_no_page(tmp_path: Path) -> None:
    judged = ("boxbench", "gate", "bounds", HOSTILE, "two\nlines")
    limits = make_result().model_copy(update={"a": None, "command": judged})
    page = write_gate_page(limits, tmp_path).read_text(encoding="utf-8")
    for text in (page, (tmp_path / "report.md").read_text(encoding="utf-8")):
        assert "\x1b" not in text
        assert "two\nlines" not in text
        assert "two lines" in text


def test_report_makes_the_page_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = make_result(make_row())
    write_gate_page(result, gate(tmp_path, result))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    (tmp_path / "index.html").unlink()

    report(tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert f"report: {tmp_path}/index.html" in capsys.readouterr().out


def test_a_gate_without_a_verdict_is_resumed_first(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text("{}")
    with pytest.raises(CampaignError, match="no verdict yet") as caught:
        report(tmp_path)
    assert "resume" in (caught.value.hint or "")


def test_a_page_that_cannot_be_written_names_the_command(tmp_path: Path) -> None:
    result = make_result(make_row())
    gate(tmp_path, result)
    (tmp_path / "figures").write_text("in the way")
    with pytest.raises(ResultError, match="cannot be written") as caught:
        write_gate_page(result, tmp_path)
    assert "boxbench report" in (caught.value.hint or "")
