"""Every example of docs/how-to/simulation.md ends with 0 on a model such as `boxbench run calibrate` and `fit` make."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

import pytest

from bench import cli
from bench.sim.model.file import Model, write_model
from bench.sim.observe.campaign import observe
from bench.util.errors import ExitCode
from tests.docs_check import commands_in
from tests.factories import write_campaign
from tests.synthetic_models import make_model, make_values
from tests.synthetic_starts import make_storm_records

PAGE: Final = Path(__file__).parents[3] / "docs/how-to/simulation.md"
QUESTIONS: Final = ("storm", "density", "reboot")
"""Commands of this page that are run here. `fit`, `explain` and `check` have campaigns in tests of their own."""
WITH_MEMORY: Final = ("docker", "libvirt/tcg")
"""Targets whose memory a calibration measures."""
BESIDE: Final = ("docker", "gvisor", "libvirt/tcg")
"""Targets whose storms it measures beside boxes that live already."""


def _examples() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    found = [command.partition("  #")[0].strip() for _, command in commands_in(text)]
    begins = tuple(f"boxbench simulate {name} model.json" for name in QUESTIONS)
    return [command for command in dict.fromkeys(found) if command.startswith(begins)]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Storms of docker."""
    manifest, records = make_storm_records({"docker": make_values("docker")}, blocks=2)
    return write_campaign(tmp_path_factory.mktemp("calibrated") / "a", manifest, records)


def _calibrated(campaign: Path) -> Model:
    """A model of the campaign's host, with two CPUs: storms up to 8, some beside 8 boxes, the memory of two targets up
    to 16."""
    seen = observe([campaign])
    model = make_model(draws=8)
    host = model.host.model_copy(update={"fingerprint": seen.sources[0].host, "cpus": seen.sources[0].cpus})
    model = model.model_copy(update={"workload": seen.workload, "host": host})
    targets = {}
    for label, entry in model.targets.items():
        known = label in WITH_MEMORY
        parameters = {name: one for name, one in entry.parameters.items() if known or not name.startswith("memory_")}
        measured: dict[str, tuple[int, ...]] = {"boxes": (1, 2, 4, 8)}
        measured |= {"memory": (1, 8, 16)} if known else {}
        measured |= {"residents": (8,)} if label in BESIDE else {}
        targets[label] = entry.model_copy(update={"parameters": parameters, "measured": measured})
    draws = {
        label: {name: values for name, values in model.draws[label].items() if name in targets[label].parameters}
        for label in targets
    }
    return model.model_copy(update={"targets": targets, "draws": draws})


def test_the_page_has_examples_of_every_question() -> None:
    asked = {command.split()[2] for command in _examples()}
    assert asked == set(QUESTIONS)
    assert len(_examples()) >= 7


@pytest.mark.parametrize("command", _examples())
def test_an_example_ends_with_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, campaign: Path, command: str
) -> None:
    write_model(tmp_path / "model.json", _calibrated(campaign))
    (tmp_path / "reports/out").mkdir(parents=True)
    (tmp_path / "reports/out/CAMPAIGN").symlink_to(campaign)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", [*shlex.split(command), "--draws", "2"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    assert int(end.value.code or 0) == ExitCode.OK, said.err
    assert "Simulated: " in said.out
    assert all(line.endswith("so far)") for line in said.err.splitlines()), said.err
