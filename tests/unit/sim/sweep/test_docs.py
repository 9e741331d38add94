"""The sweep of docs/how-to/sweeps.md runs on a model of the kind that `boxbench run calibrate` gives on two CPUs."""

from __future__ import annotations

import re
from pathlib import Path

from bench.sim.cost import read_prices
from bench.sim.sweep.file import read_sweep
from bench.sim.sweep.plan import build_plan
from bench.sim.sweep.run import run_sweep
from bench.sim.traces.law import LAWS
from bench.sim.traces.spec import open_trace, samples
from tests.synthetic_models import make_model

DOCS = Path(__file__).parents[4] / "docs/how-to/sweeps.md"


def blocks(language: str) -> list[str]:
    """The code blocks of the document."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_sweep_runs(tmp_path: Path) -> None:
    """With few draws; the points, targets and samples are those of the document, and none is beyond the limit."""
    text, _ = blocks("yaml")
    file = tmp_path / "sweep.yaml"
    file.write_text(text.replace("draws: 50", "draws: 2"), encoding="utf-8")
    asked = read_sweep(file)
    assert asked.draws == 2
    model = make_model(("docker", "libvirt/tcg", "runc"), draws=3)
    found = run_sweep(build_plan(asked, model), model, tmp_path / "sweep", scheduler="serial")
    assert found.targets == ("docker", "libvirt/tcg")
    assert len(found.of("storm.last", "docker")) == 15
    assert {one.parameter for one in found.sensitivities} == {"interval"}


def test_the_price_file_can_be_read(tmp_path: Path) -> None:
    _, text = blocks("yaml")
    file = tmp_path / "prices.yaml"
    file.write_text(text, encoding="utf-8")
    assert read_prices(file).about == "EUR, price list of a provider, its web page, 2026-11-01"


def test_the_traces_can_be_opened() -> None:
    text = DOCS.read_text(encoding="utf-8")
    named = re.findall(r"`((?:poisson|bursts|diurnal|sample):[^`]+)`", text)
    assert {name.partition(":")[0] for name in named} == {*LAWS, "sample"}
    assert {name for name in named if name.startswith("sample:")} == {f"sample:{name}" for name in samples()}
    for name in named:
        if "packing" not in name:
            assert open_trace(name).names
