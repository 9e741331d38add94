"""The check of a simulation as text, JSON, page and figures."""

from __future__ import annotations

import io
import json
import re
from html import unescape
from pathlib import Path

import pytest
from rich.console import Console

from bench.render.commands.check_words import headline, headline_parts
from bench.render.commands.simulation_check import check_json, figures, level_rows, storm_rows, view_check, write_check
from bench.render.figures.fitted_text import text_width_in
from bench.render.figures.settings import styled
from bench.render.figures.simulation_check import draw
from bench.render.figures.style import PAGE
from bench.sim.check.check import CheckTerms, check
from bench.sim.check.design import Levels, all_but_largest, by_levels, memory_levels
from bench.sim.check.predict import ModelPredictor
from bench.sim.check.result import Check
from bench.sim.check.verdict import Verdict
from tests.synthetic_storms import Campaign, known_model, observed, values

TRUTH = values(delay_ms=20, work_ms=16, background_ms=4, hold_ms=60)


@pytest.fixture(scope="module")
def found() -> Check:
    campaign = Campaign(boxes=(1, 2, 4, 8), beside=((8, 1), (8, 4)), memory=(1, 4, 16), blocks=6, cpus=4)
    seen = observed({"docker": TRUTH, "<b>odd</b>": TRUTH}, campaign)
    split = by_levels(seen, Levels(fit=frozenset({1, 2})), all_but_largest(memory_levels(seen)))
    model = known_model({"docker": TRUTH, "<b>odd</b>": TRUTH}, draws=10, cpus=4)
    assumed = {"docker": ("docker: the CPU inflation is 0.1, assumed by you",)}
    return check(split, ModelPredictor(model=model, seed=7), CheckTerms(seed=1, assumed=assumed))


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
    # Three times and the CPU time of storms of 4, of 8, and of 4 beside 8.
    assert len(storm_rows(found)) == 2 * 3 * 4
    assert all(part in text for part in headline_parts(found))
    assert "error of times: 4 boxes " in text
    assert "CPU time of a start: within the limit; error: 4 boxes " in text


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
        for drawing in draw(long, 2):
            for text in drawing.canvas.texts:
                for line in text.get_text().splitlines():
                    assert text_width_in(line, text, float(text.get_fontsize())) <= PAGE.width_in
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


def test_every_level_has_its_errors_beside_the_pooled_one(found: Check, tmp_path: Path) -> None:
    rows = level_rows(found)
    assert [row[:2] for row in rows[:3]] == [
        ("docker", "4 boxes"),
        ("docker", "8 boxes"),
        ("docker", "4 boxes beside 8"),
    ]
    # 4 boxes on an empty host are fewer than 8, and no more than 4 beside 8.
    assert [row[3].endswith("does not decide") for row in rows[:3]] == [True, False, False]
    assert all("%" in row[4] for row in rows)
    assert "Errors by level" in write_check(found, tmp_path / "out", command="x").read_text()
    by_level = check_json(found)["targets"][0]["by_level"]
    assert [(one["boxes"], one["residents"], one["largest"]) for one in by_level] == [
        (4, 0, False), (8, 0, True), (4, 8, True),
    ]  # fmt: skip


def _said(found: Check, **changes: object) -> str:
    target = found.targets[0].model_copy(update={"cpu": None, "memory": (), "by_level": (), **changes})
    return headline(found.model_copy(update={"targets": (target,)}))


def test_a_headline_says_what_a_verdict_means(found: Check) -> None:
    assert _said(found, verdict=Verdict.CPU, error=0.1, as_good=("line", "shared CPUs")) == (
        "docker: usable, off by 10%, but sharing CPUs alone predicts as well, so nothing is said about locks"
    )
    assert "CPU time alone predicts as well" in _said(found, verdict=Verdict.CPU, as_good=("CPU only",))
    assert "a line through the fitted storms predicts better" in _said(found, verdict=Verdict.LINE, beaten_by=("line",))
    assert _said(found, verdict=Verdict.WORSE) == "docker: not usable, CPU time alone predicts better"
    for verdict in Verdict:
        said = _said(found, verdict=verdict, error=0.1, limit=0.15)
        assert said.startswith("docker: ")
        assert "{" not in said
    narrow = _said(found, verdict=Verdict.TOO_FAR, error=0.1, limit=0.15)
    assert "bands are far too narrow: quote none" in narrow
    assert "off by 20%: quote no numbers" in _said(found, verdict=Verdict.TOO_FAR, error=0.2, limit=0.15)


def test_targets_of_one_verdict_share_a_part_with_an_error_each(found: Check) -> None:
    both = tuple(
        one.model_copy(update={"verdict": Verdict.BETTER, "error": error, "by_level": (), "cpu": None, "memory": ()})
        for one, error in zip(found.targets, (0.08, 0.12), strict=True)
    )
    said = headline(found.model_copy(update={"targets": both}))
    assert said == "docker, <b>odd</b>: usable, off by 8% and 12%, and better than CPU time alone"
    # What is worse at the largest storms is what counts.
    worse = found.targets[0].by_level[1].model_copy(update={"error": 0.14})
    alone = both[0].model_copy(update={"by_level": (worse,)})
    assert "off by 14%" in headline(found.model_copy(update={"targets": (alone,)}))


def test_cpu_time_that_is_too_far_off_is_in_the_headline(found: Check) -> None:
    cpu = found.targets[0].cpu
    assert cpu is not None
    off = cpu.model_copy(update={"verdict": "too far off", "error": 0.6, "by_level": ()})
    target = found.targets[0].model_copy(update={"cpu": off, "memory": ()})
    said = headline_parts(found.model_copy(update={"targets": (target,)}))
    assert said[0].startswith("docker: usable for times, off by ")
    assert said[-1] == "docker: not usable for the CPU time of starts, off by 60%"


def test_where_memory_alone_was_scored_its_words_are_the_headline(found: Check) -> None:
    target = found.targets[0].model_copy(update={"verdict": None, "cpu": None})
    assert headline(found.model_copy(update={"targets": (target,)})) == f"docker: memory {target.memory[0].verdict}"
    assert headline(found.model_copy(update={"targets": ()})) == "nothing was scored"


def test_a_figure_says_on_which_host_and_whether_the_cpu_is_emulated(found: Check) -> None:
    emulated = found.targets[0].model_copy(update={"label": "libvirt/tcg"})
    with styled():
        said = [" ".join(one.canvas.texts[1].get_text().split()) for one in draw(emulated, 2)]
        plain = [" ".join(one.canvas.texts[1].get_text().split()) for one in draw(found.targets[0], 1)]
    assert said
    assert all(text.startswith("on 2 CPUs; ") and text.endswith("; libvirt/tcg emulated") for text in said)
    assert all(text.startswith("on 1 CPU; ") and "emulated" not in text for text in plain)


def test_tables_keep_numbers_whole_and_break_sentences(found: Check, tmp_path: Path) -> None:
    text = write_check(found, tmp_path / "out", command="x").read_text()
    cells = [(kept, unescape(cell)) for kept, cell in re.findall(r"<td( class=\"whole\")?>([^<]*)</td>", text)]
    assert any(kept and "[" in cell for kept, cell in cells)
    assert all(bool(kept) == (len(cell) <= 34 and cell[:1] in "0123456789+-−") for kept, cell in cells)
