"""``boxbench simulate check`` on a table that nobody has seen, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.plan.trials import Trial
from bench.sim.check.baselines import BASELINES, CPU_ONLY
from bench.sim.fit.fit import fit
from bench.sim.model.file import write_model
from bench.sim.observe.table import observe_table
from bench.util.errors import ExitCode
from tests.commands import simulate
from tests.factories import make_manifest, make_records, write_campaign
from tests.synthetic_models import make_values
from tests.synthetic_starts import make_storm_records
from tests.synthetic_storms import known_model, values


def call(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """Run `boxbench simulate check WORDS`; returns the exit code."""
    return simulate(monkeypatch, "check", *words)


def _law(boxes: int) -> float:
    """Time of the last box, ms, by the Universal Scalability Law: contention and coherence, which no model here has."""
    return 200 * (1 + 0.08 * (boxes - 1) + 0.0004 * boxes * (boxes - 1))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [f"some,{n},{_law(n):.0f},{0.8 * _law(n) + 0.2 * _law(1):.0f},150" for n in (1, 2, 5, 10, 20, 40, 80)]
    file = tmp_path / "unseen.csv"
    file.write_text("\n".join(["# cpus: 16", "runtime,n,last,median,cpu_per_start", *rows]) + "\n")
    return file


def test_a_table_that_nobody_has_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: Path, tmp_path: Path
) -> None:
    code = call(monkeypatch, "--table", table, "--fit-below", "10", "--draws", "50", "--json", "-o", tmp_path / "out")
    found = json.loads(capsys.readouterr().out)
    assert code == found["exit_code"]
    [target] = found["targets"]
    assert [(level["boxes"], level["scored"]) for level in target["levels"]] == [
        (1, False), (2, False), (5, False), (10, False), (20, True), (40, True), (80, True),
    ]  # fmt: skip
    # No model here has this law: a line may do as well, and CPU time alone does not.
    assert target["verdict"] not in ("CPU explains it", "worse than CPU only")
    assert next(one["value"] for one in target["skills"] if one["baseline"] == CPU_ONLY) > 0.3
    assert target["error"] < 0.3
    assert (tmp_path / "out" / "index.html").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing is named that could be scored"),
        (("--fit", "1;2"), "no list of numbers of boxes"),
        (("--table", "{table}", "--fit-below", "80"), "no level is larger than 80"),
        (("--table", "{table}", "--odd-even"), "a table has no blocks"),
        (("--table", "{table}", "--fit", "1,2", "--fit-below", "4"), "split in different ways"),
        (("--table", "{table}", "--fit", "1,3"), "storms of 3 boxes were not measured"),
        (("--table", "{table}", "--fit", "1", "--score", "1"), "level 1 is to be fitted and scored"),
        (("--table", "{table}", "-t", "other"), "no runtime 'other'"),
        (("--table", "{table}", "--fit-below", "10", "--table-cpus", "65537"), "--table-cpus"),
        (("--table", "{table}", "--fit-below", "10", "--seed", "8796093022208"), "--seed: 8796093022208 is more than"),
        (("--table", "{table}", "somewhere"), "a table and campaigns cannot be scored together"),
    ],
)
def test_bad_words_are_one_error(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table: Path,
    words: tuple[str, ...],
    message: str,
) -> None:
    assert call(monkeypatch, *(word.format(table=table) for word in words)) == ExitCode.USAGE
    said = capsys.readouterr()
    assert message in " ".join(said.err.split())
    assert said.out == ""


def test_a_fitted_model_says_what_to_fit_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "model.json"
    write_model(file, known_model({"docker": values()}, draws=4))
    campaign = tmp_path / "campaign"
    manifest = make_manifest(("hello",))
    write_campaign(campaign, manifest, make_records(manifest, troubles=False))
    assert call(monkeypatch, file, campaign, "--fit", "1,2") == ExitCode.USAGE
    assert "is fitted already" in " ".join(capsys.readouterr().err.split())
    assert call(monkeypatch, file, campaign, "--draws", "50") == ExitCode.USAGE
    assert "--draws says what to fit" in " ".join(capsys.readouterr().err.split())
    assert call(monkeypatch, file, campaign) == ExitCode.USAGE
    assert "another workload" in " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Storms of 1 and 2 boxes in the scenario hello, and of 4 and 8 in the scenario crowd, of one workload."""
    manifest, records = make_storm_records({"docker": make_values("docker")}, blocks=6)
    entry = manifest.scenarios["hello"]
    crowd = entry.model_copy(update={"scenario": entry.scenario.model_copy(update={"name": "crowd"})})
    manifest = manifest.model_copy(
        update={
            "scenarios": {"hello": entry, "crowd": crowd},
            "images": dict.fromkeys(("hello", "crowd"), manifest.images["hello"]),
            "plan": tuple(_in_scenario(trial) for trial in manifest.plan),
        }
    )
    records = tuple(one.model_copy(update={"trial": _in_scenario(one.trial)}) for one in records)
    return write_campaign(tmp_path_factory.mktemp("storms") / "a", manifest, records)


def _in_scenario(trial: Trial) -> Trial:
    if trial.cell.factors["concurrency"] in ("1", "2"):
        return trial
    return trial.model_copy(update={"cell": trial.cell.model_copy(update={"scenario": "crowd"})})


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Storms of the same host on another day."""
    manifest, records = make_storm_records({"docker": make_values("docker")}, blocks=6, seed=2)
    return write_campaign(
        tmp_path_factory.mktemp("storms") / "b",
        manifest.model_copy(update={"id": "deadbeef"}),
        [record.model_copy(update={"campaign": "deadbeef"}) for record in records],
    )


@pytest.mark.parametrize(
    ("words", "scored"),
    [
        (("--fit", "1,2,4"), {8}),
        (("--fit", "1,2,8", "--score", "4"), {4}),
        (("--odd-even",), {1, 2, 4, 8}),
        (("--hold-out", "crowd"), {4, 8}),
        (("--against", "{another}"), {1, 2, 4, 8}),
    ],
)
def test_every_design_scores_what_it_did_not_fit(  # noqa: PLR0917
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    campaign: Path,
    another: Path,
    words: tuple[str, ...],
    scored: set[int],
) -> None:
    filled = [word.format(another=another) for word in words]
    code = call(monkeypatch, campaign, *filled, "--draws", "50", "--json")
    found = json.loads(capsys.readouterr().out)
    assert code == found["exit_code"]
    [target] = found["targets"]
    assert {level["boxes"] for level in target["levels"] if level["scored"]} == scored
    assert target["verdict"] is not None
    assert target["error"] < 0.3
    assert {one["baseline"] for one in target["skills"]} <= set(BASELINES)
    assert [one["level"] for one in target["coverage"]] == [0.5, 0.8, 0.95]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--fit", "1,2,4,8"), "nothing is left to score"),
        (("--fit-below", "2", "--fit", "1"), "split in different ways"),
        (("--odd-even", "--hold-out", "crowd"), "split in different ways"),
        (("--hold-out", "web"), "there is no scenario 'web'"),
        (("--hold-out", "crowd", "--hold-out", "hello"), "no scenario is left to fit"),
        (("--against", "{campaign}"), "cells used in the fit cannot be scored"),
        (("--against", "{another}", "--fit", "1,2"), "--against names another"),
        (("--table-cpus", "4"), "--table-cpus is for tables"),
        (("--table", "rund-2022", "--against", "{another}"), "cannot be scored together"),
    ],
)
def test_designs_that_cannot_be(  # noqa: PLR0917
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    campaign: Path,
    another: Path,
    words: tuple[str, ...],
    message: str,
) -> None:
    filled = [word.format(another=another, campaign=campaign) for word in words]
    assert call(monkeypatch, *([] if "--table" in words else [campaign]), *filled) == ExitCode.USAGE
    said = capsys.readouterr()
    assert message in " ".join(said.err.split())
    assert said.out == ""


def test_a_bundled_table_by_its_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = call(monkeypatch, "--table", "rund-2022", "--fit-below", "10", "-t", "kata-qemu", "--draws", "50", "--json")
    found = json.loads(capsys.readouterr().out)
    assert code == found["exit_code"]
    assert found["sources"] == ["rund-2022.csv"]
    # The discrepancy knows predictions for this table: they are left out.
    wider = next(note for note in found["notes"] if note.startswith("bands beyond the data"))
    assert "RunD" not in wider
    assert [target["label"] for target in found["targets"]] == ["kata-qemu"]


def test_a_model_of_one_table_is_scored_on_the_rest_of_it_under_another_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: Path, tmp_path: Path
) -> None:
    lines = table.read_text().splitlines()
    small = tmp_path / "small.csv"
    small.write_text("\n".join(lines[:4]) + "\n")
    model = tmp_path / "model.json"
    fitted = fit(observe_table(small), draws=50, seed=1)
    doubted = fitted.targets["some"].model_copy(update={"warnings": ("its CPU time falls.",)})
    write_model(model, fitted.model_copy(update={"targets": {"some": doubted}}))
    code = call(monkeypatch, model, "--table", table, "--json")
    found = json.loads(capsys.readouterr().out)
    assert code == found["exit_code"]
    # What the fit doubts is said where the model is scored, too.
    assert found["notes"][0] == "some: its CPU time falls."
    assert [(level["boxes"], level["scored"]) for level in found["targets"][0]["levels"]] == [
        (1, False), (2, False), (5, True), (10, True), (20, True), (40, True), (80, True),
    ]  # fmt: skip
    # The same rows with one comment more are still the same rows.
    again = tmp_path / "again.csv"
    again.write_text("# a comment\n" + small.read_text())
    assert call(monkeypatch, model, "--table", again) == ExitCode.USAGE
    assert "cells used in the fit cannot be scored" in " ".join(capsys.readouterr().err.split())
