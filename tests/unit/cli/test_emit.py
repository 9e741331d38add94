"""Campaigns without boxes on the command line: run, plan, report, quickstart --replay; and who refuses them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from bench.analysis.results import NotComparableError
from bench.gate.aa import aa_of_campaign
from bench.gate.baseline import read_baseline
from bench.gate.thresholds import Thresholds
from bench.records.campaign import read_campaign
from bench.records.manifest import read_manifest
from bench.util import package_data
from bench.util.errors import ExitCode
from tests.commands import boxbench as call
from tests.factories import make_manifest, make_records, write_campaign
from tests.histories import make_commit
from tests.stranger import NOBODY
from tests.unit.sim.emit.asked import scenario_file
from tests.unit.sim.emit.small import make_model, model_file
from tests.wheel import build_wheel

ROOT: Final = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory of the commands: a scenario, a model and a measured campaign of ``hello``."""
    monkeypatch.chdir(tmp_path)
    model_file(tmp_path)
    scenario_file(tmp_path / "s", "factors: {concurrency: [1, 2]}")
    manifest = make_manifest(("hello",))
    write_campaign(tmp_path / "old", manifest, make_records(manifest, troubles=False))
    return tmp_path


def simulate(monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    """Make the simulated campaign ``c``."""
    targets = "simulated:model.json:docker,simulated:model.json:libvirt/tcg"
    return call(monkeypatch, "run", "s", "-t", targets, "-o", "c", "--seed", "3", *more)


def test_run_makes_a_campaign_and_its_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(monkeypatch) == ExitCode.OK
    said = capsys.readouterr()
    assert said.out.startswith("Simulated: these numbers are computed by a model: no box ran.")
    assert said.err == "24 trials; no box runs\n"
    manifest, records = read_campaign(Path("c"))
    assert len(records) == len(manifest.plan) == 24
    assert manifest.request is not None
    assert manifest.request.targets == ("simulated:model.json:docker", "simulated:model.json:libvirt/tcg")
    assert Path("c/index.html").is_file()
    assert call(monkeypatch, "report", "c", "--json") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert (found["source"], found["seed"]) == ("simulated", 3)


def test_plan_shows_the_trials_of_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "plan", "s", "-t", "simulated:model.json:docker", "--seed", "3", "--json") == ExitCode.OK
    planned = json.loads(capsys.readouterr().out)["trials"]
    assert call(monkeypatch, "run", "s", "-t", "simulated:model.json:docker", "--seed", "3", "-o", "c") == ExitCode.OK
    assert planned == [trial.model_dump() for trial in read_manifest(Path("c")).plan]


def test_replayed_targets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "run", "hello", "-t", "replayed:old:docker", "-b", "6", "-o", "c") == ExitCode.OK
    said = capsys.readouterr()
    assert said.out.startswith("Replayed: ")
    assert "note: hello: the scenario is that of old; the file here is another one" in said.err
    manifest, records = read_campaign(Path("c"))
    assert {record.trial.cell.key for record in records} == {"hello/docker"}
    assert manifest.request is not None
    assert manifest.request.blocks == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "s", "-t", "simulated:nope.json:docker"), "nope.json"),
        (("run", "s", "-t", "simulated:model.json:runc"), "has no target 'runc'"),
        (("run", "s", "-t", "simulated:model.json:docker,docker"), "records of different sources"),
        (("run", "s", "-t", "simulated:model.json:docker", "--accel", "tcg"), "--accel has no effect on simulated"),
        (("run", "s", "-t", "simulated:model.json:docker", "--draw", "9"), "--draw 9"),
        (("run", "hello", "-t", "replayed:old", "--draw", "1"), "--draw has no effect on replayed targets"),
        (("run", "hello", "-t", "replayed:s"), "s is not a campaign directory"),
        (("run", "s", "-t", "replayed:old"), "has no scenario 'made'"),
        (("run", "hello", "-t", "docker", "--beyond"), "--beyond has no effect on targets whose boxes run"),
        (("certify", "hello", "-t", "simulated:model.json:docker"), "is not a target"),
        (("quickstart", "--replay", "--accel", "tcg"), "--accel has no effect on --replay"),
        (("quickstart", "--replay", "-b", "99"), "-b 99: the campaign in"),
    ],
)
def test_mistakes_cost_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    before = sorted(place.rglob("*"))
    assert call(monkeypatch, *words) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert said in err
    assert "\n  → " in err
    assert sorted(place.rglob("*")) == before


def test_a_question_beyond_the_data_cannot_be_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario_file(Path("far"), "factors: {concurrency: [64]}", blocks=1)
    words = ("run", "far", "-t", "simulated:model.json:docker", "-o", "c")
    assert call(monkeypatch, *words) == ExitCode.CANNOT_TELL
    assert "--beyond" in capsys.readouterr().err
    assert not Path("c").exists()
    assert call(monkeypatch, *words, "--beyond") == ExitCode.OK


def test_boxes_that_are_late_are_partial_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario_file(Path("late"), blocks=1, timeout="20ms")
    assert call(monkeypatch, "run", "late", "-t", "simulated:model.json", "-o", "c") == ExitCode.PARTIAL
    assert "not ready within 20.0 ms" in capsys.readouterr().err


USES: Final = {
    "history": ("history", "add", "c", "--commit", "HEAD"),
    "export": ("export", "c", "-f", "csv"),
    "bounds": ("gate", "bounds", "b.toml", "c"),
}


def _repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit to be measured, without git."""
    monkeypatch.setattr("bench.cli.history.add.find_commit", lambda *_: make_commit(1))
    Path("b.toml").write_text('[[bound]]\ntarget = "docker"\nmetric = "endpoint.ready"\nmax = "9s"\n')


@pytest.mark.parametrize("use", USES)
def test_uses_of_measured_numbers_refuse_simulated_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], use: str
) -> None:
    _repository(monkeypatch)
    assert simulate(monkeypatch) == ExitCode.OK
    capsys.readouterr()
    assert call(monkeypatch, *USES[use]) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert "are simulated (from model.json)" in err
    assert "--allow-simulated" in err
    assert call(monkeypatch, *USES[use], "--allow-simulated") in (ExitCode.OK, ExitCode.CANNOT_TELL)
    out = capsys.readouterr().out
    assert "simulated" in out or use == "history"
    if use == "history":
        assert "simulated-made/docker" in "".join(file.read_text() for file in Path("boxbench-history").glob("*.jsonl"))


def test_no_gate_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert simulate(monkeypatch) == ExitCode.OK
    with pytest.raises(NotComparableError, match="records of two sources have no ratio"):
        read_baseline(Path("c"), here=str(make_model().host.fingerprint))
    with pytest.raises(NotComparableError, match="the noise of a real host"):
        aa_of_campaign(Path("c"), thresholds=Thresholds(), seed=1)


def test_nothing_is_resumed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(monkeypatch) == ExitCode.OK
    assert call(monkeypatch, "resume", "c", "-b", "5") == ExitCode.USAGE
    assert "no box of it runs, so there is nothing to resume" in capsys.readouterr().err


def test_explain_says_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    scenario_file(Path("one"))
    assert call(monkeypatch, "run", "one", "-t", "simulated:model.json", "-o", "c") == ExitCode.OK
    capsys.readouterr()
    assert call(monkeypatch, "explain", "c:made/docker", ":made/libvirt/tcg") == ExitCode.OK
    assert "is simulated: no box ran for it" in capsys.readouterr().out
    assert call(monkeypatch, "explain", "c:made/docker", "old:hello/docker") == ExitCode.USAGE
    assert "different sources: simulated and measured" in capsys.readouterr().err


def test_a_wheel_packs_the_campaign_of_the_replay() -> None:
    """hatchling fails when a path is not there, and the sdist, from which wheels are built, must have the files."""
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    for name in ("manifest.json", "records.jsonl"):
        file = f"{package_data.REPLAYED}/{name}"
        assert (ROOT / file).is_file()
        assert targets["wheel"]["force-include"][file] == f"bench/_data/replay/{name}"
        assert targets["sdist"]["force-include"][file] == file


def test_the_sdist_has_no_test_that_cannot_be_collected_there() -> None:
    excluded = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"][
        "exclude"
    ]
    assert {"reports/published", "tests/gallery", "tests/unit/gallery"} <= set(excluded)


_IN_A_BARE_PLACE: Final = """
import os, sys
from bench import cli

class Blocked:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("docker", "libvirt", "numba"):
            raise ImportError(f"{name} is not there")

def call(*words):
    sys.argv = ["boxbench", *words]
    try:
        cli.main()
    except SystemExit as end:
        return end.code or 0

sys.meta_path.insert(0, Blocked())
uid, *words = sys.argv[1:]
if int(uid) != os.geteuid():
    # The interpreter may be where no other user can enter: everything is imported first.
    assert call(*words, "as-root") == 0
    os.setgroups([])
    os.setgid(int(uid))
    os.setuid(int(uid))
sys.exit(call(*words, *["c"] * (words[-1] == "-o")))
"""


@pytest.fixture
def open_place() -> Generator[Path, None, None]:
    """A directory that other users can enter; those of pytest they cannot."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.host
def test_the_wheel_works_where_nothing_is_installed(open_place: Path, tmp_path: Path) -> None:
    """No root, no PATH, no home, no Docker, no libvirt, no compiler: a report, and what doctor says is missing."""
    place = open_place
    (place / "dist").mkdir()
    shutil.unpack_archive(build_wheel(place / "dist"), place / "site", "zip")
    home = place / "home"
    home.mkdir()
    home.chmod(0o777)
    uid = NOBODY if os.geteuid() == 0 else os.geteuid()
    done = _in_a_bare_place(place, home, uid, "quickstart", "--replay", "-o")
    assert done.returncode == 0, done.stderr
    page = (place / "c/index.html").read_text()
    assert (place / "c/index.html").stat().st_uid == uid
    assert "Replayed: these numbers are those of an earlier campaign" in page
    assert "Measure your own: <code>boxbench quickstart</code>" in page
    assert done.stdout.rstrip().endswith("report: c/index.html")
    assert not list(home.glob(".cache/boxbench"))
    done = _in_a_bare_place(place, tmp_path, os.geteuid(), "doctor", "--json")
    assert done.returncode == ExitCode.HOST_UNFIT, done.stderr
    assert "bootstrap" not in done.stdout, "a wheel has no such script"
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert [checks[name]["status"] for name in ("docker", "libvirt", "qemu")] == ["fail"] * 3
    mend = checks["libvirt"]["mend"]
    assert any("libvirt" in word for word in (*mend["packages"], *mend["commands"]))


def _in_a_bare_place(place: Path, home: Path, uid: int, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "", "HOME": str(home), "PYTHONPATH": str(place / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", _IN_A_BARE_PLACE, str(uid), *words],
        cwd=place,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
