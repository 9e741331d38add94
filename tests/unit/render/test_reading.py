"""What readers took for errors: scales, signs, repeated notes, names that break, and the command line to redo it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis.analyse import analyse
from bench.anatomy.steps import STEPS, explained
from bench.plan.trials import build_plan
from bench.records.manifest import OriginEntry, SittingEntry
from bench.records.record import Endpoint
from bench.render.figures import campaign_figures
from bench.render.html import seams, whole
from bench.render.markdown import report as to_markdown
from bench.render.redo import redo_command, redo_lines, redo_lines_of
from bench.render.report import write_report
from bench.render.script.data import report_data
from bench.render.sections.glossary import ENDPOINTS
from bench.render.text import clean
from bench.render.view import build_view
from tests.factories import (
    DOCKER,
    GVISOR,
    LIBVIRT,
    PROCESS,
    RUNC,
    THREE,
    Box,
    make_manifest,
    make_records,
    write_campaign,
)

NEAR = tuple(replace(box, instants_ms=DOCKER.instants_ms) for box in (PROCESS, RUNC, DOCKER, GVISOR))
FAR = (PROCESS, RUNC, DOCKER, LIBVIRT)


@pytest.mark.parametrize(("boxes", "scale", "other"), [(NEAR, "linear", "logarithmic"), (FAR, "logarithmic", "linear")])
def test_a_ladder_says_the_scale_that_it_has(boxes: tuple[Box, ...], scale: str, other: str) -> None:
    manifest = make_manifest(("hello",), boxes)
    figures = campaign_figures(analyse(manifest, make_records(manifest, boxes, troubles=False)))
    ladder = next(figure for figure in figures if figure.name == "hello-ladder")
    assert f"on a {scale} axis" in ladder.how
    assert other not in ladder.how
    assert ("equal ratios" in ladder.how) == (scale == "logarithmic")


def test_every_endpoint_and_every_step_is_explained() -> None:
    assert set(ENDPOINTS) == set(Endpoint)
    assert all(step.what for step in STEPS)
    assert explained(["hook", "engine"]) == (
        "engine: the engine's own work",
        "network hook: the runtime runs dockerd's helper for the network namespace, with network none too",
    )


@pytest.mark.parametrize("blocks", [1, 7])
def test_words_of_comparisons_are_explained_where_there_are_comparisons(blocks: int) -> None:
    manifest = make_manifest(("hello",), NEAR, blocks=blocks)
    view = build_view(analyse(manifest, make_records(manifest, NEAR, troubles=False)))
    assert any("tested pairs of box and metric" in note for note in view.footnotes) == (blocks > 1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("boxbench run hello", "boxbench run hello --seed 1"),
        ("boxbench run hello --seed 1 -b 9", "boxbench run hello --seed 1 -b 9"),
        ("boxbench run hello -o here -t docker,runc", "boxbench run hello -t docker,runc --seed 1"),
        ("boxbench run hello --out=here", "boxbench run hello --seed 1"),
        ("boxbench run apis/hello/", "boxbench run ../src/hello --seed 1"),
        ("boxbench run hello/scenario.yaml -b 5", "boxbench run ../src/hello/scenario.yaml -b 5 --seed 1"),
        ("boxbench run scenario.yaml", "boxbench run ../src/hello/scenario.yaml --seed 1"),
        ("boxbench run .", "boxbench run ../src/hello --seed 1"),
        ("boxbench run hello -t runc[program=/opt/runc]", "boxbench run hello -t runc[program=/opt/runc] --seed 1"),
    ],
)
def test_the_command_line_can_be_pasted_in_the_campaigns_directory(given: str, told: str) -> None:
    manifest = make_manifest(("hello",))
    entry = manifest.scenarios["hello"].model_copy(update={"directory": "../src/hello"})
    manifest = manifest.model_copy(update={"command": tuple(given.split()), "scenarios": {"hello": entry}})
    assert redo_command(manifest) == tuple(told.split())


def test_names_break_between_their_parts_and_are_escaped() -> None:
    assert seams("libvirt[console=serial]/tcg cache=cold") == "libvirt<wbr>[console=serial]/<wbr>tcg cache=cold"
    assert "<b>" not in seams("a/<b>")


def test_ratios_with_a_word_are_read_upwards() -> None:
    boxes = (PROCESS, DOCKER, replace(LIBVIRT, accel="kvm"))
    manifest = make_manifest(("hello",), boxes)
    analysis = analyse(manifest, make_records(manifest, boxes, troubles=False))
    (section,) = build_view(analysis).sections
    process, docker, libvirt = section.rows
    assert re.fullmatch(r"2\d\.\d× faster \[2\d\.\d, [23]\d\.\d\]", process.ratio)
    assert re.fullmatch(r"1\d\.\d× slower \[1\d\.\d, [12]\d\.\d\]", libvirt.ratio)
    assert (process.verdict, docker.verdict, libvirt.verdict) == ("sure", "", "sure")
    assert docker.ratio == "1 (baseline)"
    data = report_data(analysis)
    ready = [metric.name for metric in data.metrics].index("endpoint.ready_ns")
    shown = [(row.ratio_shown, row.verdict) for row in data.rows if row.metric == ready]
    assert shown[1] == ("1 (baseline)", "")
    # The word stands in the column beside it.
    assert re.fullmatch(r"2\d\.\d× \[2\d\.\d, [23]\d\.\d\]", shown[0][0])
    assert (shown[0][1], shown[2][1]) == ("faster", "slower")


def test_drift_that_cannot_be_told_has_no_numbers() -> None:
    manifest = make_manifest(("hello",))
    figures = campaign_figures(analyse(manifest, make_records(manifest, troubles=False)))
    alt = next(figure.alt for figure in figures if figure.name == "hello-blocks")
    assert alt == "Every boot by block. No drift of the native control (process) can be told from 7 blocks."


def test_reports_explain_their_words(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",))
    report = write_report(write_campaign(tmp_path / "c", manifest, make_records(manifest)), png=False)
    for text in (report.text.read_text("utf-8"), report.page.read_text("utf-8")):
        assert "one round of measuring: every cell once, in random order" in text
        assert "the start call has returned; this may come after init" in text
        assert "Own disk: disk blocks that belong to this box alone" in text, "the columns, where the table stands"
        assert "a shared page is divided among those that map it" in text
    assert "with 95 % intervals" not in report.page.read_text("utf-8"), "of 7 boots ranges are shown"


@pytest.mark.parametrize("warmups", [0, 1])
def test_the_commands_of_every_sitting_can_be_pasted(warmups: int) -> None:
    manifest = make_manifest(("hello", "web"), blocks=5, warmups=warmups)
    manifest = manifest.model_copy(update={"command": ("boxbench", "run", "my hello", "web", "-b", "5")})
    assert redo_lines(manifest) == ("boxbench run 'my hello' web -b 5 --seed 1",)
    for blocks in (5, 3):
        further = build_plan(
            tuple(dict.fromkeys(trial.cell for trial in manifest.plan)),
            blocks=dict.fromkeys(manifest.scenarios, blocks),
            warmups=dict.fromkeys(manifest.scenarios, warmups),
            seed=1,
            after=manifest.plan,
        )
        manifest = manifest.with_sitting(SittingEntry(started_at="2031-02-03T04:05:06+00:00"), further)
    resumed = ["boxbench resume again -b 8"] if warmups == 0 else [f"boxbench resume again -b {n}" for n in (5, 3)]
    assert redo_lines(manifest) == ("boxbench run 'my hello' web -b 5 --seed 1 --out again", *resumed)
    view = build_view(analyse(manifest, make_records(manifest, THREE)))
    text = "\n".join(redo_lines(manifest))
    assert text in to_markdown(view)
    (figure,) = campaign_figures(analyse(manifest, make_records(manifest, THREE)), only=["hello-ecdf"])
    assert " && ".join(redo_lines(manifest)) in figure.foot, "all of its sittings are measured again"
    analysis = analyse(manifest, ())
    assert redo_lines_of(analysis) == redo_lines(manifest)
    assert redo_lines_of(analysis) is redo_lines_of(analysis), "made once: each figure asks for them"
    origin = OriginEntry(source="replayed", name="c", digest="sha256:0", given="", place="", boxbench="1")
    replayed = manifest.model_copy(update={"origin": origin})
    assert len(redo_lines(replayed)) == 1, "such a campaign cannot be resumed"


@pytest.mark.host  # starts a shell
def test_a_command_is_whole_and_reads_the_same_when_it_is_pasted() -> None:
    words = ["boxbench", "run", "x" * 5000, "two  blanks\nand a line", "it's \\ \u202e \x1b[2J é", "--seed", "1"]
    manifest = make_manifest(("hello",)).model_copy(update={"command": tuple(words)})
    (line,) = redo_lines(manifest)
    (shown,) = build_view(analyse(manifest, make_records(manifest))).redo
    assert shown == line
    assert clean(line, limit=len(line)) == line, "no page and no terminal changes it"
    said = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True).stdout
    assert said.decode().split("\0")[:-1] == words


def test_one_sitting_of_scenarios_with_different_warmups_is_one_command() -> None:
    manifest = make_manifest(("hello", "web"), blocks=5)
    plan = build_plan(
        tuple(dict.fromkeys(trial.cell for trial in manifest.plan)),
        blocks=dict.fromkeys(manifest.scenarios, 5),
        warmups={"hello": 1, "web": 2},
        seed=1,
    )
    assert len(redo_lines(manifest.model_copy(update={"plan": plan}))) == 1


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    assert whole("+13.1 % [2 ms, 3 s] of 1.5 MiB") == "+13.1\u00a0% [2\u00a0ms, 3\u00a0s] of 1.5\u00a0MiB"
    assert whole("5 starts, 3 small boxes") == "5 starts, 3 small boxes"
