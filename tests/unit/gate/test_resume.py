"""A gate that was broken off goes on to the verdict that it would have had."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from bench import __version__, cli
from bench.engines.lazy import Engines
from bench.gate import icount_run as counting
from bench.gate.icount_run import Watchers, run_counted
from bench.gate.measure import Silent
from bench.gate.model import CONFIRMATION, RESULT, SCREENING, GateResult
from bench.gate.request import REQUEST, GateRequest
from bench.gate.resume import gate_of, resume_gate
from bench.gate.run import _refuse_changed, run_gate
from bench.gate.sides import SidePair, read_side
from bench.gate.thresholds import parse_thresholds
from bench.instructions.model import FILE, Instructions, write_instructions
from bench.records.campaign import RECORDS
from bench.records.manifest import ImageEntry, read_manifest
from bench.records.record import Record
from bench.run.prepare import Prepared
from bench.util.errors import CampaignError, ExitCode, InterruptedCampaignError
from tests.gates import Campaigns, edit, install, of_side, scenario_at
from tests.unit.gate.test_again import counts

IN_B: Final = of_side("b", "docker")


class KilledError(BaseException):
    """Stands for kill -9: nothing of ours handles it."""


def slower(record: Record) -> Record:
    changed = {name: 2 * value for name, value in record.endpoints_ns.items()}
    return edit(record, endpoints_ns=changed) if IN_B(record) else record


def said(*_: object) -> None:
    """Ignore it."""


WATCHERS: Final = Watchers(Silent(), said, said)


def keep(place: Path, counted: Instructions) -> None:
    place.mkdir()
    write_instructions(place / FILE, counted)


@pytest.fixture
def campaigns(monkeypatch: pytest.MonkeyPatch) -> Campaigns:
    return install(monkeypatch, slower)


@pytest.fixture
def request_of_two(tmp_path: Path, campaigns: Campaigns) -> GateRequest:
    """B's docker is twice as slow, so that docker has a confirmation."""
    del campaigns
    places = [str(scenario_at(tmp_path / name)) for name in ("old", "new")]
    return GateRequest(
        sides=SidePair(read_side(places[0], "A", None), read_side(places[1], "B", None)),
        out=tmp_path / "whole",
        seed=7,
        thresholds=parse_thresholds(["endpoint.*=3%", "memory.*=7%"]),
        metrics=("endpoint.ready", "memory.*"),
        detect=0.03,
    )


@dataclass
class Shell:
    """The command line in this process: call it for the exit code; ``out`` and ``err`` are what it printed."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def __call__(self, *words: str | Path) -> int:
        self.monkeypatch.setattr("signal.signal", lambda *_: None)
        self.monkeypatch.setattr(sys, "argv", ["boxbench", *map(str, words)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        self.out, self.err = self.capsys.readouterr()
        return int(end.value.code or 0)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


def plan_of(out: Path, stage: str) -> list[str]:
    return [trial.id for trial in read_manifest(out / stage).plan]


def break_off(request: GateRequest, campaigns: Campaigns, after: int, end: type[BaseException]) -> BaseException:
    campaigns.die_after, campaigns.end = after, end
    with pytest.raises(BaseException, match=r"broken off|no verdict yet") as caught:
        run_gate(request, Silent(), said)
    campaigns.die_after = None
    assert not (request.out / RESULT).exists()
    return caught.value


@pytest.mark.parametrize("end", [KeyboardInterrupt, KilledError])
@pytest.mark.parametrize("stage", [SCREENING, CONFIRMATION])
def test_a_gate_goes_on_to_the_same_verdict(
    request_of_two: GateRequest,
    campaigns: Campaigns,
    shell: Shell,
    stage: str,
    end: type[BaseException],
) -> None:
    """Named by its own directory after Ctrl-C, by that of the stage after a kill."""
    whole = run_gate(request_of_two, Silent(), said)
    order, campaigns.begun = campaigns.begun, []
    first = len(plan_of(request_of_two.out, SCREENING))
    out = request_of_two.out.with_name("broken")
    error = break_off(replace(request_of_two, out=out), campaigns, 5 + first * (stage == CONFIRMATION), end)
    if end is KeyboardInterrupt:
        assert isinstance(error, InterruptedCampaignError)
        assert error.hint == f"go on to the verdict with `boxbench resume {out}`"
    else:
        with (out / stage / RECORDS).open("a") as file:
            file.write('{"torn": ')
        cut = cut_first(campaigns, out / stage / RECORDS)
        shell.monkeypatch.setattr("bench.gate.run.resume_campaign", cut)
    assert shell("resume", out if end is KeyboardInterrupt else out / stage) == ExitCode.REGRESSION == whole.exit_code
    assert shell.out.startswith("REGRESSED")
    assert ("is a stage of the gate" in shell.err) is (end is KilledError)
    again = GateResult.model_validate_json((out / RESULT).read_bytes())
    assert again.rows == whole.rows
    assert (again.blocks_screening, again.blocks_confirmation) == (whole.blocks_screening, whole.blocks_confirmation)
    # No trial ran twice, and all ran in the order of a gate that was not broken off.
    assert campaigns.begun == order
    for each in (SCREENING, CONFIRMATION):
        assert plan_of(out, each) == plan_of(request_of_two.out, each)


def cut_first(campaigns: Campaigns, file: Path) -> Callable[[Path, object], tuple[Record, ...]]:
    """As an open campaign does: cut off what a kill left of a line."""
    resume = campaigns.resume

    def cut(path: Path, progress: object) -> tuple[Record, ...]:
        content = file.read_bytes()
        file.write_bytes(content[: content.rfind(b"\n") + 1])
        return resume(path, progress)  # type: ignore[arg-type]

    return cut


def test_a_gate_with_its_verdict_has_nothing_to_run(
    request_of_two: GateRequest, campaigns: Campaigns, shell: Shell
) -> None:
    out = request_of_two.out
    run_gate(request_of_two, Silent(), said)
    stored, campaigns.begun = (out / RESULT).read_bytes(), []
    assert shell("resume", out) == ExitCode.REGRESSION
    assert "has the same verdicts and numbers" in shell.err
    assert ((out / RESULT).read_bytes(), campaigns.begun) == (stored, [])
    # More blocks until it is red would be no test.
    assert shell("resume", out, "-b", "5") == ExitCode.USAGE
    assert "leave -b out" in shell.err


def test_confirmation_tests_what_screening_did(request_of_two: GateRequest, campaigns: Campaigns) -> None:
    break_off(request_of_two, campaigns, 5, KilledError)
    screening = read_manifest(request_of_two.out / SCREENING)
    (name, *_) = screening.images
    image = ImageEntry(id="sha256:1", digest="cd" * 32, sizes_bytes={})
    prepared = Prepared("0badcafe", Engines.__new__(Engines), images={name: image})
    with (
        pytest.raises(CampaignError, match=f"changed since the screening of this gate: {name}"),
        _refuse_changed(request_of_two, None, prepared),
    ):
        raise AssertionError("it was accepted")
    file = request_of_two.out / SCREENING / "manifest.json"
    file.write_text(file.read_text().replace(f'"boxbench": "{screening.boxbench}"', '"boxbench": "0.0.1"'))
    prepared.images.clear()
    with (
        pytest.raises(CampaignError, match=f"started by boxbench 0.0.1, and this is {__version__}"),
        _refuse_changed(request_of_two, None, prepared),
    ):
        raise AssertionError("it was accepted")


def test_a_scenario_that_is_gone_is_named(request_of_two: GateRequest, campaigns: Campaigns, shell: Shell) -> None:
    out = request_of_two.out
    break_off(request_of_two, campaigns, 5, KilledError)
    request_of_two.sides.b.loaded.directory.rename(out.with_name("moved"))
    with pytest.raises(CampaignError, match="is no longer in"):
        resume_gate(out, keep, WATCHERS)
    assert shell("resume", out) == ExitCode.USAGE


def test_what_is_a_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (SCREENING, "elsewhere"):
        (tmp_path / name).mkdir()
    assert gate_of(tmp_path) is None
    (tmp_path / REQUEST).write_text("{}")
    assert gate_of(tmp_path) == gate_of(tmp_path / SCREENING) == tmp_path
    assert gate_of(tmp_path / "elsewhere") is None
    monkeypatch.chdir(tmp_path)
    assert gate_of(Path()) == Path()
    assert gate_of(Path(SCREENING)) == Path()
    monkeypatch.chdir(tmp_path / SCREENING)
    assert gate_of(Path()) == tmp_path
    (tmp_path / "elsewhere" / "link").symlink_to(tmp_path / SCREENING)
    assert gate_of(tmp_path / "elsewhere" / "link") == tmp_path


def test_a_report_of_a_directory_of_campaigns_names_them(request_of_two: GateRequest, shell: Shell) -> None:
    run_gate(request_of_two, Silent(), said)
    out = request_of_two.out
    assert shell("report", out) == ExitCode.OK
    (out / REQUEST).unlink()
    (out / RESULT).unlink()
    assert shell("report", out) == ExitCode.USAGE
    error = " ".join(shell.err.split())
    assert f"it holds campaigns: name {out}/confirmation or {out}/screening" in error


@pytest.mark.parametrize("end", [KeyboardInterrupt, KilledError])
def test_counts_that_were_made_are_kept(request_of_two: GateRequest, shell: Shell, end: type[BaseException]) -> None:
    """Broken off while B was counted: A is not counted again."""
    left: list[Instructions | type[BaseException]] = [counts(10**6), end, counts(2 * 10**6, tree="u")]

    def count(*_: object) -> Instructions:
        found = left.pop(0)
        if not isinstance(found, Instructions):
            raise found
        return found

    shell.monkeypatch.setattr(counting, "count_instructions", count)
    shell.monkeypatch.setattr(counting, "room_of", lambda _loaded, _say: 0)
    shell.monkeypatch.setattr(counting, "host_facts", lambda: {"cpu_model": "one"})
    request = replace(
        request_of_two, accel="icount", metrics=("instructions",), thresholds=parse_thresholds([]), blocks=1
    )
    with pytest.raises(InterruptedCampaignError if end is KeyboardInterrupt else end) as caught:
        run_counted(request, keep, WATCHERS)
    if isinstance(caught.value, InterruptedCampaignError):
        assert "boxbench resume" in caught.value.hint
    out = request.out
    shell.monkeypatch.setattr("bench.cli.gate.resume.write_files", keep)
    assert shell("resume", out) == ExitCode.REGRESSION
    assert left == []
    (row,) = json.loads((out / RESULT).read_bytes())["rows"]
    assert (row["confirmation"]["median_a"], row["confirmation"]["median_b"]) == (10**6, 2 * 10**6)
