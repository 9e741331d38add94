"""An A/A run whose sides are not equal: it says so, first of all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.console import Console

from bench import cli
from bench.gate.aa import AA, AaRequest, aa_of_campaign, run_aa
from bench.gate.false_alarms import AaResult
from bench.gate.measure import Silent
from bench.gate.sides import SidePair, read_side
from bench.gate.thresholds import Thresholds
from bench.records.record import Record
from bench.render.commands.false_alarms import aa_report
from bench.util.errors import ExitCode
from tests.gates import edit, install, scenario_at, unchanged


def biased(record: Record) -> Record:
    """B takes 1.1 times as long as A by construction."""
    if not record.trial.cell.scenario.endswith("-b"):
        return record
    return edit(record, endpoints_ns={name: round(1.1 * value) for name, value in record.endpoints_ns.items()})


@pytest.mark.parametrize("stored", [False, True])
def test_a_bias_between_equal_sides_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """B = 1.1 x A by construction. Exchanged at random, the sides look equal; as they ran, they do not."""
    install(monkeypatch, biased)
    side = str(scenario_at(tmp_path / "made", targets=["docker"]))
    request = AaRequest(
        sides=SidePair(read_side(side, "A", None), read_side(side, "B", None)),
        out=tmp_path / "g",
        seed=1,
        blocks=12,
        metrics=("endpoint.ready", "memory.pss.total"),
        command=("boxbench", "gate", "aa", "made"),
    )
    result = run_aa(request, Silent())
    if stored:
        result = aa_of_campaign(
            tmp_path / "g" / AA, thresholds=Thresholds(), metrics=request.metrics, blocks=12, runs=10, seed=1
        )
    ready, memory = result.differences
    assert ready.metric == "endpoint.ready_ns"
    assert ready.ratio == pytest.approx(1.1, rel=0.01)
    assert ready.p == pytest.approx(2 * 2.0**-12)
    assert (ready.differs, memory.differs, result.differs) == (True, False, True)
    text = printed(result)
    assert text.startswith("A AND B DIFFER, although they are the same: made/docker: time to ready +1")
    assert "bias between the sides does not show here" in " ".join(text.split())
    # The table that exchanges sides cannot see it.
    assert result.rows[0].red.share < 0.2


def test_equal_sides_show_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scenario_at(tmp_path / "made", targets=["docker"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for change, code in ((unchanged, ExitCode.OK), (biased, ExitCode.REGRESSION)):
        install(monkeypatch, change)
        words = ["gate", "aa", "made", "-b", "12", "-m", "endpoint.ready", "--seed", "1", "-o", f"g{code}"]
        monkeypatch.setattr(sys, "argv", ["boxbench", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == code
        first = capsys.readouterr().out.splitlines()[0]
        assert first.startswith("A against A as they ran: no difference" if change is unchanged else "A AND B DIFFER")


def printed(result: AaResult) -> str:
    console = Console(width=100, record=True, file=sys.stderr)
    console.print(aa_report(result))
    # Long lines are folded.
    return console.export_text().replace("\n", " ", 3)
