"""``boxbench simulate pool`` and ``fleet``: text, JSON, pages, and one clear error for bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.sim.fleet.fleet_answer import FleetAnswer
from bench.sim.fleet.pool_answer import PoolAnswer
from bench.sim.model.file import write_model
from bench.util.errors import ExitCode
from tests.commands import simulate as call
from tests.fleets import few_windows
from tests.synthetic_models import make_model

_TRACE = "poisson:rate=2,duration=500ms,length=20s"
_HOSTS = "hosts: {count: 3, cpus: 2, memory: 2GiB}\n"
_FEW = ("--draws", "2", "-t", "docker,libvirt")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    few_windows(monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file."""
    file = tmp_path / "model.json"
    write_model(file, make_model(draws=4))
    return file


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet file."""
    file = tmp_path / "fleet.yaml"
    file.write_text(_HOSTS)
    return file


def test_a_pool_as_text_and_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    words = ("pool", model, "--trace", _TRACE, "--keep-alive", "0s,10s", "--prewarmed", "0,1", *_FEW)
    assert call(monkeypatch, *words, "-o", tmp_path / "page") == ExitCode.OK
    text = " ".join(capsys.readouterr().out.split())
    assert "Simulated: with boxes kept for 10.0 s and 1 pre-warmed" in text
    assert "start delay, 99.9th percentile" in text
    assert "stayed incomplete." in text
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "of the starts are cold" in page
    assert "Keep-alive and pre-warmed boxes" in page


def test_a_pool_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path) -> None:
    words = ("pool", model, "--trace", _TRACE, *_FEW, "--snapshot", "150ms,60ms", "--json")
    assert call(monkeypatch, *words) == ExitCode.OK
    found = PoolAnswer.model_validate_json(capsys.readouterr().out)
    assert {one.target for one in found.points} == {
        "docker",
        "libvirt/tcg",
        "docker from a snapshot",
        "libvirt/tcg from a snapshot",
    }
    assert any("assumed by you" in line for line in found.assumed)


def test_a_fleet_as_json_is_the_same_for_the_same_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, fleet: Path
) -> None:
    words = ("fleet", model, "--trace", _TRACE, "--fleet", fleet, *_FEW, "--json")
    assert call(monkeypatch, *words) == ExitCode.OK
    first = capsys.readouterr().out
    answer = FleetAnswer.model_validate_json(first)
    assert answer.quantities[0].name == "fleet.hosts_needed"
    assert call(monkeypatch, *words) == ExitCode.OK
    assert capsys.readouterr().out == first
    assert call(monkeypatch, *words, "--seed", "5") == ExitCode.OK
    assert capsys.readouterr().out != first


def test_a_fleet_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, fleet: Path, tmp_path: Path
) -> None:
    words = ("fleet", model, "--trace", _TRACE, "--fleet", fleet, *_FEW, "-o", tmp_path / "page")
    assert call(monkeypatch, *words) == ExitCode.OK
    text = " ".join(capsys.readouterr().out.split())
    assert "Simulated: no invocation may wait for a host with room, so this trace needs hosts: " in text
    assert "decided by memory" in text
    assert "The smallest fleet that is enough" in text
    assert "Your fleet of fleet.yaml" in text
    assert "libvirt/tcg: on 2 hosts instead of 3, " in text
    assert "e+" not in text
    assert (tmp_path / "page" / "answer.json").is_file()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--keep-alive", "soon"), "--keep-alive: 'soon'"),
        (("--keep-alive", "10"), "--keep-alive: '10' has no unit"),
        (("--keep-alive", "1s,1s"), "names a time twice"),
        (("--prewarmed", "-1"), "--prewarmed: -1 is less than 0"),
        (("--prewarmed", "1.5"), "--prewarmed: '1.5' is not a whole number"),
        (("--prewarmed", "1" * 5000), "--prewarmed: 1111111111111111111... is more than 1000000"),
        (("--prewarmed", "1,01"), "--prewarmed: 1,01 names a number twice"),
        (("--memory", "1MiB", "-t", "docker"), "a box of f0 takes"),
        (("--memory", "none"), "--memory"),
        (("--reserve", "100GiB"), "a box of f0 takes"),
        (("--cpus", "0"), "--cpus"),
        (("--queue", "-1"), "--queue"),
        (("--queue", "9" * 30), "--queue"),
        (("--prewarmed", "1000000"), "pre-warmed boxes of each of 1 functions take"),
        (("--keep-alive", "3y"), "the unknown unit 'y'"),
        (("--snapshot", "150ms"), "--snapshot: '150ms' has no two times"),
        (("--snapshot", "60ms,150ms"), "a start from a snapshot"),
        (("-t", "podman"), "the model has no target 'podman'"),
        (("--within", "middle"), "--within: 'middle' is not known"),
        (("--draws", "99"), "--draws 99"),
        (("--trace", "poisson:rate=-1,duration=1s"), "rate is '-1'"),
        (("--trace", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_mistakes_end_with_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: Path,
    words: tuple[str, ...],
    problem: str,
) -> None:
    given = words if "--trace" in words else ("--trace", _TRACE, *words)
    assert call(monkeypatch, "pool", model, *given) == ExitCode.USAGE
    said = capsys.readouterr()
    assert problem in " ".join(said.err.split())
    assert said.out == ""


@pytest.mark.parametrize(
    ("text", "words", "problem"),
    [
        ("hosts: {count: 3, cpus: 2, memory: 8MiB}\n", ("-t", "libvirt"), "a box of f0 takes"),
        ("hosts: {count: 0, cpus: 2, memory: 8GiB}\n", (), "hosts.count: must be at least 1"),
        (_HOSTS, ("--in-vm", "docker,libvirt,4"), "--in-vm: 'docker,libvirt,4'"),
        (
            _HOSTS,
            ("--in-vm", f"docker,libvirt,{'1' * 5000},8GiB"),
            "--in-vm: CPUs: 1111111111111111111... is more than",
        ),
        (_HOSTS, ("--in-vm", "docker,libvirt,4,64GiB"), "--in-vm: libvirt/tcg has an emulated CPU"),
        (_HOSTS + "prewarmed: 1000000\n", (), "pre-warmed boxes of each of 1 functions take"),
        (_HOSTS, ("--limit-waiting", "2"), "--limit-waiting: '2'"),
        (_HOSTS, ("--prices", "none.yaml"), "none.yaml"),
    ],
)
def test_mistakes_about_fleets(  # noqa: PLR0917
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: Path,
    fleet: Path,
    text: str,
    words: tuple[str, ...],
    problem: str,
) -> None:
    fleet.write_text(text)
    assert call(monkeypatch, "fleet", model, "--trace", _TRACE, "--fleet", fleet, *words) == ExitCode.USAGE
    said = capsys.readouterr()
    assert problem in " ".join(said.err.split())
    assert said.out == ""
