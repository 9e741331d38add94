"""A scenario's design with the workload of another, and names that stand for several scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli.loading import load
from bench.scenario.borrow import with_workload_of
from bench.scenario.model import load_scenario
from bench.util.errors import ScenarioError, UsageError
from bench.util.package_data import find_scenario, scenarios_dir, scenarios_named

TEXT = """question: How long until my API answers?
name: my-api
workload: {env: {COLOUR: red}}
ready: {when: http, port: 8080, timeout: 300s}
resources: {cpus: 2, memory: 512MiB}
targets: [docker, libvirt]
headline: replied
exercise: {parser: key-value, quick: {command: [/bin/true]}}
design: {root_control: false}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    (tmp_path / "scenario.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_the_workload_of_one_with_the_design_of_another(own: Path) -> None:
    mine, design = load_scenario(own), load_scenario(find_scenario("calibrate-storms"))
    both = with_workload_of(design, mine)
    assert both.scenario.name == "my-api-calibrate-storms"
    assert both.directory == mine.directory
    for key in ("workload", "resources", "targets", "baseline", "headline"):
        assert getattr(both.scenario, key) == getattr(mine.scenario, key)
    for key in ("question", "factors", "storm"):
        assert getattr(both.scenario, key) == getattr(design.scenario, key)
    assert both.scenario.ready.when == "http"
    assert both.scenario.ready.timeout == 300 * 10**9
    assert both.scenario.exercise is None
    assert both.scenario.design.blocks == design.scenario.design.blocks
    assert not both.scenario.design.root_control
    assert both.text.startswith("# The design of the scenario calibrate-storms with this workload:\nquestion: ")


def test_a_name_that_is_too_long(own: Path) -> None:
    text = TEXT.replace("name: my-api", f"name: {'x' * 40}")
    (own / "scenario.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be the name of a scenario") as caught:
        with_workload_of(load_scenario(find_scenario("calibrate-storms")), load_scenario(own))
    assert "shorter" in caught.value.hint


def test_calibrate_stands_for_three_scenarios(own: Path) -> None:
    names = ["calibrate-beside", "calibrate-residents", "calibrate-storms"]
    assert [path.name for path in scenarios_named("calibrate")] == names
    assert [one.scenario.name for one in load(["calibrate"], starts=False)] == names
    mine = load(["calibrate"], starts=False, workload=str(own), targets="docker", blocks=2)
    assert [one.scenario.name for one in mine] == [f"my-api-{name}" for name in names]
    assert all(len(one.scenario.targets) == 1 and one.scenario.design.blocks == 2 for one in mine)


def test_a_directory_of_that_name_comes_first(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own)
    (own / "calibrate").mkdir()
    # What `boxbench run calibrate -o calibrate` makes does not hide the shipped ones.
    assert len(scenarios_named("calibrate")) == 3
    (own / "calibrate" / "scenario.yaml").write_text(TEXT, encoding="utf-8")
    assert scenarios_named("calibrate") == (Path("calibrate"),)


def test_other_names_stand_for_one() -> None:
    assert scenarios_named("hello") == (scenarios_dir() / "hello",)
    assert scenarios_named("python") == (Path("python"),)
    with pytest.raises(ScenarioError):
        load(["calibrat"], starts=False)
