"""The check of a simulation as text, JSON, page and figures."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.render.commands.simulation_check import check_json, figures, headline, storm_rows, view_check, write_check
from bench.render.figures.base import WIDTH_IN, styled, text_width_in
from bench.render.figures.simulation_check import draw
from bench.sim.check.check import Terms, check
from bench.sim.check.design import Levels, all_but_largest, by_levels, memory_levels
from bench.sim.check.predict import ModelPredictor
from bench.sim.check.result import Check
from tests.synthetic_storms import Campaign, known_model, observed, values

TRUTH = values(delay_ms=20, work_ms=16, background_ms=4, hold_ms=60)


@pytest.fixture(scope="module")
def found() -> Check:
    campaign = Campaign(boxes=(1, 2, 4, 8), beside=((8, 1), (8, 4)), memory=(1, 4, 16), blocks=6, cpus=4)
    seen = observed({"docker": TRUTH, "<b>odd</b>": TRUTH}, campaign)
    split = by_levels(seen, Levels(fit=frozenset({1, 2})), all_but_largest(memory_levels(seen)))
    model = known_model({"docker": TRUTH, "<b>odd</b>": TRUTH}, draws=10, cpus=4)
    assumed = {"docker": ("docker: the CPU inflation is 0.1, assumed by you",)}
    return check(split, ModelPredictor(model=model, seed=7), Terms(seed=1, assumed=assumed))


def _text(found: Check, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view_check(found))
    out = console.file
    assert isinstance(out, io.StringIO)
    return out.getvalue()


def test_the_text_has_every_scored_storm_and_says_simulated(found: Check) -> None:
    text = _text(found)
    assert "simulated [95 %]" in text
    assert "4 beside 8" in text
    assert "assumed by you" in text
    assert "16" in text
    assert len(storm_rows(found)) == 2 * (3 + 3 + 3)
    assert headline(found) in text


def test_narrow_terminals_lose_no_number(found: Check) -> None:
    wide, narrow = _text(found, 220), _text(found, 80)
    assert wide.count("%") == narrow.count("%")


def test_json_is_plain_and_whole(found: Check) -> None:
    value = json.loads(json.dumps(check_json(found), allow_nan=False))
    assert value["exit_code"] == int(found.exit_code)
    assert value["targets"][0]["levels"][0]["scored"] is False
    assert set(value["accepted"]) == {"docker", "<b>odd</b>"}


def test_the_page_is_escaped_and_loads_nothing(found: Check, tmp_path: Path) -> None:
    page = write_check(found, tmp_path / "out", command="boxbench simulate check")
    text = page.read_text()
    assert "<b>odd" not in text
    assert "&lt;b&gt;odd" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "Simulated" in text


def test_there_is_a_figure_per_target_and_residents(found: Check) -> None:
    drawn = figures(found)
    assert len(drawn) == 4
    assert len({one.name for one in drawn}) == 4
    for one in drawn:
        assert "simulated" in one.title
        assert "hatch" in one.how.lower()
        assert one.light_svg != one.dark_svg
        assert "<pattern" in one.light_svg


def test_no_title_is_cut_whatever_the_target_is_called(found: Check) -> None:
    long = found.targets[0].model_copy(update={"label": "vm-docker/tcg[console=serial,nic=virtio,disk=raw,kernel=a]"})
    with styled():
        for drawing in draw(long):
            for text in drawing.canvas.texts:
                for line in text.get_text().splitlines():
                    assert text_width_in(line, text, float(text.get_fontsize())) <= WIDTH_IN
            assert long.label in drawing.title


def test_the_files_of_a_page_are_for_slides_and_for_programs(found: Check, tmp_path: Path) -> None:
    page = write_check(found, tmp_path / "out", command="boxbench simulate check again")
    assert page == tmp_path / "out" / "index.html"
    names = {file.name for file in (tmp_path / "out" / "figures").iterdir()}
    assert {"check-docker.svg", "check-docker-dark.svg", "check-docker.png"} <= names
    assert json.loads((tmp_path / "out" / "answer.json").read_text()) == check_json(found)
    text = page.read_text()
    assert "boxbench simulate check again" in text
    for word in ("noise ceiling", "skill", "CPU only with spread", "shared CPUs"):
        assert f"<dt>{word}</dt>" in text
    for word in ("skill: 1 − CRPS", "noise ceiling: ", "held: "):
        assert word in _text(found)
