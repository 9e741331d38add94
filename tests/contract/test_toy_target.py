"""A target is one row and one module: the toy, which is nothing else, does all that a target does."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from bench.plan.matrix import check_matrix
from bench.scenario.model import LoadedScenario, load_scenario
from bench.scenario.target_table import TARGETS
from bench.scenario.targets import parse_targets
from bench.targets.table import make_target
from bench.util.errors import ScenarioError, UsageError
from tests.contract import test_target_contract as contract
from tests.contract.toy_target import NAME, ROW
from tests.factories import DOCKER, Box, make_manifest, make_records, write_campaign
from tests.lab import Lab, write_scenario

ROOT: Final = Path(__file__).parents[2]
LABEL: Final = f"{NAME}[mood=sad]"
loaded = contract.loaded

CONTRACT: Final = [
    check
    for name, check in vars(contract).items()
    if name.startswith("test_") and "name" in inspect.signature(check).parameters
]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> str:
    """The toy's name; it is in the table as long as the test runs."""
    monkeypatch.setitem(TARGETS, NAME, ROW)
    return NAME


@pytest.mark.live
@pytest.mark.parametrize("check", CONTRACT)
def test_the_toy_keeps_the_contract(
    check: Callable[..., None], toy: str, lab: Lab, loaded: LoadedScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is the process target under another name.
    monkeypatch.setattr(contract, "PHASE_CPU", {*contract.PHASE_CPU, toy})
    given = {"name": toy, "lab": lab, "loaded": loaded, "monkeypatch": monkeypatch, "when": "log"}
    check(**{name: given[name] for name in inspect.signature(check).parameters})


def test_the_contract_was_found() -> None:
    assert len(CONTRACT) >= 9


def scenario_of(directory: Path, targets: str) -> Path:
    """A scenario file with these targets."""
    (directory / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    file = directory / "scenario.yaml"
    file.write_text(
        f"question: Does the toy count?\nname: toys\nready: {{when: tcp, port: 80}}\ntargets: {targets}\n"
        "factors: {concurrency: [2], memory: [32MiB]}\nbaseline: docker\n",
        encoding="utf-8",
    )
    return file


def test_a_scenario_may_ask_for_it(toy: str, tmp_path: Path) -> None:
    file = scenario_of(tmp_path, f"[docker, {{target: {toy}, options: {{mood: sad}}}}]")
    made = load_scenario(file).scenario
    assert [spec.label for spec in made.targets] == ["docker", LABEL]
    assert [spec.label for spec in parse_targets([LABEL])] == [LABEL]
    with pytest.raises(UsageError, match="option 'mood' cannot be 'angry'"):
        parse_targets([f"{NAME}[mood=angry]"])
    with pytest.raises(UsageError) as caught:
        check_matrix([load_scenario(file)])
    assert f"{LABEL} with concurrency=2: its boxes share the host's network" in caught.value.message
    assert f"{LABEL} with memory=32MiB: such a box needs at least 64.0 MiB" in caught.value.message


def test_without_its_row_there_is_no_such_target(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=f"there is no target '{NAME}'"):
        load_scenario(scenario_of(tmp_path, f"[docker, {NAME}]"))


def test_its_module_is_found_through_its_row(toy: str) -> None:
    no_engines: Any = None
    made = make_target(parse_targets([LABEL])[0], no_engines, accel="auto")
    assert made.name == toy
    assert made.describe()["toy"] == "yes"


def boxbench(*words: str | Path) -> str:
    """Standard output of the command with the toy among its targets."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.toy_target", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.host
def test_the_command_line_knows_it(tmp_path: Path) -> None:
    listed = json.loads(boxbench("targets", "--json"))
    assert listed[NAME]["summary"] == ROW.summary
    scenario = write_scenario(tmp_path / "toys", "FROM scratch\n", name="toys")
    assert NAME in boxbench("plan", scenario, "-t", f"process,{NAME}")


@pytest.mark.host
def test_a_report_gives_it_its_colour_and_marker(tmp_path: Path) -> None:
    boxes = (DOCKER, Box(LABEL, instants_ms=DOCKER.instants_ms, pss_mib=DOCKER.pss_mib, cpu_ms=DOCKER.cpu_ms))
    manifest = make_manifest(("hello",), boxes)
    campaign = write_campaign(tmp_path / "campaign", manifest, make_records(manifest, boxes))
    boxbench("report", campaign)
    page = (campaign / "index.html").read_text(encoding="utf-8")
    light, dark = ROW.colours
    assert f"--c-t-{NAME}:{light}" in page
    assert f"--c-t-{NAME}:{dark}" in page
    figure = (campaign / "figures" / "hello-ratios.svg").read_text(encoding="utf-8")
    assert light in figure
    assert dark in (campaign / "figures" / "hello-ratios-dark.svg").read_text(encoding="utf-8")
