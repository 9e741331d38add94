"""An anatomy as JSON, Chrome trace, figure and terminal table, from a start made up here."""

from __future__ import annotations

import json
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bench.analysis.in_order import estimate
from bench.anatomy.activity import Activity, Seen
from bench.anatomy.model import FILE, Anatomy, CellAnatomy, Limits, Overhead, StartAnatomy, read_anatomy, write_anatomy
from bench.anatomy.processes import Life
from bench.anatomy.steps import step_named
from bench.anatomy.summary import overhead
from bench.anatomy.sweep import sweep, totals
from bench.export.chrometrace import ATTRIBUTION_PID, CPUS_PID, chrome_trace, start_trace
from bench.records.record import Endpoint, Record
from bench.render.commands.anatomy import (
    anatomy_figures,
    bar,
    describe_doubts,
    describe_overhead,
    view_anatomy,
    write_files,
)
from bench.render.commands.anatomy_page import anatomy_content, write_anatomy_page
from bench.render.text import quantity
from bench.util.errors import CampaignError
from tests.factories import DOCKER, HOSTILE, make_manifest, make_records

T0, TOTAL = 5_000_000, 1_000_000
MS = 10**6
OVERHEAD = Overhead(ratio=1.02, interval=Limits(low=0.99, high=1.05, level=0.95), blocks=7, untraced_ns=(1,) * 7)


def activity(begin: int, end: int, step: str, tid: int, *how: str, cpu: int = 0) -> Activity:
    return Activity(T0 + begin, T0 + end, step, tid, cpu, *how)  # type: ignore[arg-type]


ACTIVITIES = (
    activity(-5_000, 120_000, "client", 10),
    activity(100_000, 400_000, "engine", 20, cpu=1),
    activity(150_000, 160_000, "storage", 21, "call", "mount"),
    activity(390_000, 600_000, "runtime", 30, "blocked"),
    activity(395_000, 400_000, "namespaces", 30, "call", "unshare"),
    activity(590_000, 600_000, "exec", 30, "call", "execve"),
    activity(600_000, 700_000, "agent", 30),
    activity(750_000, 2_000_000, "application", 40, cpu=1),
)
LIVES = {
    10: Life(10, None, [(0, "client")], [(0, "/usr/bin/python3")]),
    20: Life(20, None, [(0, "engine")], [(0, "/usr/sbin/dockerd")]),
    30: Life(
        30, 20, [(T0 + 380_000, "runtime"), (T0 + 600_000, "agent")], [(T0 + 600_000, "/boxinit")], T0 + 380_000, None
    ),
    40: Life(40, 30, [(T0 + 710_000, "application")], [(T0 + 710_000, HOSTILE)], T0 + 710_000, T0 + 990_000),
    50: Life(50, 20, [(T0 + 1, "engine")], [], T0 + 1, T0 + 2),
}
SEEN = Seen(ACTIVITIES, LIVES, None, {10: 10, 20: 20, 21: 20, 30: 30, 40: 40})


def make_start(block: int = 1, *, scale: int = 1, total: int = TOTAL) -> StartAnatomy:
    segments = sweep(ACTIVITIES, begin_ns=T0, end_ns=T0 + total)
    return StartAnatomy(
        trial=f"t{block:04d}",
        block=block,
        total_ns=total * scale,
        segments=tuple((s.begin_ns * scale, s.end_ns * scale, s.step) for s in segments),
        steps_ns={step: value * scale for step, value in totals(segments).items()},
        marks_ns={Endpoint.REQUESTED: 0, Endpoint.INIT: 650_000 * scale, Endpoint.READY: total * scale},
        events=100,
        trace_bytes=4096,
    )


def make_cell(starts: int = 7) -> CellAnatomy:
    return CellAnatomy(
        cell="hello/docker",
        scenario="hello",
        box="docker",
        accel="native",
        description={},
        starts=tuple(make_start(block, scale=1 + block % 3) for block in range(starts)),
        overhead=OVERHEAD,
        refused=("t0009: 3 events were lost",),
    )


ANATOMY = Anatomy(
    campaign="c0ffee42",
    fingerprint="f" * 12,
    scenario="hello",
    goal=Endpoint.READY,
    resolution_ns=None,
    missing_events=("syscalls/sys_enter_fsopen",),
    cells=(make_cell(),),
)


def text_of(anatomy: Anatomy, *, width: int) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(view_anatomy(anatomy))
    return console.export_text()


def test_it_survives_the_disk(tmp_path: Path) -> None:
    assert read_anatomy(tmp_path) is None
    write_anatomy(tmp_path, ANATOMY)
    assert read_anatomy(tmp_path) == ANATOMY


def test_a_file_that_is_no_anatomy_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"campaign": 3}', encoding="utf-8")
    with pytest.raises(CampaignError, match=r"anatomy\.json: not an anatomy"):
        read_anatomy(tmp_path)


def test_shares_are_the_whole_and_the_typical_start_is_the_median() -> None:
    cell = make_cell()
    assert sum(cell.shares().values()) == pytest.approx(1)
    assert sum(cell.share(step) for step in cell.steps()) == pytest.approx(1)
    assert cell.typical.total_ns == sorted(start.total_ns for start in cell.starts)[3]
    assert cell.attributed == pytest.approx(0.95)
    assert cell.waited() == pytest.approx({"application": 0.05})


def slices(trace: dict[str, Any]) -> dict[tuple[int, int], list[dict[str, Any]]]:
    tracks: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for one in trace["traceEvents"]:
        if one["ph"] == "X":
            tracks.setdefault((one["pid"], one["tid"]), []).append(one)
    return tracks


def assert_nested(track: list[dict[str, Any]]) -> None:
    """Every slice lies inside the one it begins in."""
    open_until: list[float] = []
    for one in sorted(track, key=lambda s: (s["ts"], -s["dur"])):
        end = one["ts"] + one["dur"]
        while open_until and open_until[-1] <= one["ts"] + 1e-9:
            open_until.pop()
        assert not open_until or end <= open_until[-1] + 1e-9, one
        open_until.append(end)


def test_a_chrome_trace_is_valid_nested_and_inside_the_start() -> None:
    trace = chrome_trace(make_start(), SEEN, requested_ns=T0, title="hello/docker")
    for one in trace["traceEvents"]:
        assert {"name", "ph", "ts", "pid", "tid"} <= one.keys()
        assert one["ph"] in ("X", "i", "M")
        if one["ph"] == "X":
            assert one["ts"] >= 0
            assert one["dur"] > 0
            assert one["ts"] + one["dur"] <= TOTAL / 1e3 + 1e-9
    for track in slices(trace).values():
        assert_nested(track)


def test_the_nesting_check_can_fail() -> None:
    with pytest.raises(AssertionError):
        assert_nested([{"ts": 0.0, "dur": 2.0}, {"ts": 1.0, "dur": 2.0}])


def test_a_chrome_trace_has_steps_cpus_processes_and_calls() -> None:
    trace = chrome_trace(make_start(), SEEN, requested_ns=T0, title="x")
    tracks = slices(trace)
    steps = sorted(tracks[ATTRIBUTION_PID, 1], key=lambda one: one["ts"])
    assert steps[0]["ts"] == 0
    assert all(a["ts"] + a["dur"] == pytest.approx(b["ts"]) for a, b in pairwise(steps))
    assert {one["name"] for one in tracks[CPUS_PID, 2]} == {"engine", "application"}
    assert [one["name"] for one in tracks[20, 21]] == ["mount"]
    assert {one["name"] for one in tracks[30, 30]} == {"runtime", "agent", "unshare", "execve"}
    # A process that did nothing in this start is not in it.
    assert 50 not in {pid for pid, _ in tracks}
    names = {one["pid"]: one["args"]["name"] for one in trace["traceEvents"] if one["name"] == "process_name"}
    assert names[20] == "dockerd (engine)"


def test_hostile_names_are_harmless_in_a_chrome_trace() -> None:
    class Traced:
        anatomy, seen, requested_ns = make_start(), SEEN, T0

    text = start_trace(Traced(), title=HOSTILE)
    assert text.isascii()
    assert json.loads(text)["traceEvents"]
    assert "\\u001b" not in text
    assert "\\u202e" not in text


@pytest.mark.parametrize("width", [1, 7, 40])
def test_a_bar_is_as_wide_as_told_and_shows_every_step(width: int) -> None:
    start = make_start()
    for step in start.steps_ns:
        drawn = bar(start, step, width)
        assert len(drawn) == width
        assert drawn.strip()
    assert not bar(start, "vmm", width).strip()


def test_the_terminal_fits_80_columns_and_says_everything() -> None:
    text = text_of(ANATOMY, width=80)
    assert max(map(len, text.splitlines())) <= 80
    said = ("hello/docker", "engine", "workload exec", "unattributed", "95.0% attributed", "1.02×", "7 traced starts")
    for words in (*said, "isolate", "mount", "start", "3 events were lost", "sys_enter_fsopen"):
        assert words in text


def test_the_price_of_tracing_needs_five_blocks() -> None:
    few = Overhead(ratio=None, interval=None, blocks=2, untraced_ns=(1, 2), note="2 boots: too few")
    assert "cost unknown: 2 boots" in describe_overhead(few)
    assert describe_overhead(OVERHEAD) == "1.02× [0.990, 1.05] of an untraced start (7 blocks)"


def _records(*, blocks: int, slower: float) -> list[Record]:
    manifest = make_manifest(["hello"], [DOCKER], blocks=blocks, warmups=1)
    found = []
    for record in make_records(manifest, [DOCKER], troubles=False):
        for level, pace in (("off", 1.0), ("on", slower)):
            cell = record.trial.cell.model_copy(update={"factors": {"trace": level}})
            at = {name: round(value * pace) for name, value in record.endpoints_ns.items()}
            trial = record.trial.model_copy(update={"cell": cell})
            found.append(record.model_copy(update={"trial": trial, "endpoints_ns": at}))
    return found


def test_overhead_is_traced_over_untraced_in_the_same_block() -> None:
    found = overhead(_records(blocks=7, slower=1.25))
    assert found.ratio == pytest.approx(1.25, rel=1e-6)
    assert found.blocks == 7
    assert found.interval is not None
    assert found.interval.low <= 1.25 <= (found.interval.high or 0)
    few = overhead(_records(blocks=3, slower=1.25))
    assert few.ratio is None
    assert few.note


def test_figures_are_the_same_bytes_in_every_run_and_well_formed() -> None:
    (first,), (second,) = anatomy_figures(ANATOMY), anatomy_figures(ANATOMY)
    assert first.light_svg == second.light_svg
    assert first.light_svg != first.dark_svg
    for svg in (first.light_svg, first.dark_svg):
        ET.fromstring(svg)
    assert first.table[0] == ("step", "in this one start", "share of all traced starts")
    assert "engine" in first.alt


def test_files_are_written_under_safe_names(tmp_path: Path) -> None:
    written = write_files(tmp_path, ANATOMY, {"hello/libvirt[a=../x]/tcg": "{}\n"})
    trace = "hello_libvirt-a---_x-_tcg-b75bf231.trace.json"
    assert {file.name for file in written} == {"hello-docker-anatomy.svg", trace}
    assert (tmp_path / "figures" / "hello-docker-anatomy-dark.svg").exists()
    assert {file.name.partition(".")[2] for file in (tmp_path / "figures").iterdir()} == {"svg", "png", "csv", "json"}
    assert (tmp_path / "figures" / "hello-docker-anatomy.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["figures", "traces"])
def test_no_file_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.mkdir()
    out.mkdir()
    (out / name).symlink_to(victim)
    with pytest.raises(CampaignError, match=f"{name} is a link, or no directory"):
        write_files(out, ANATOMY, {"hello/docker": "{}\n"})
    assert not list(victim.iterdir())


def test_two_builds_of_a_program_have_files_of_their_own(tmp_path: Path) -> None:
    """Paths of which nothing is left to tell them apart once their slashes are gone, and one that is too long."""
    paths = ("/a/b-c/runc", "/a/b/c/runc", f"/{'x' * 4000}/runc")
    traces = {f"hello/runc[program={path}]": "{}\n" for path in paths}
    written = [file for file in write_files(tmp_path, ANATOMY, traces) if file.suffix == ".json"]
    assert len({file.name for file in written}) == len(paths)
    assert all(file.name.startswith("hello_runc-program-") for file in written)


def test_the_page_explains_each_step_and_names_the_files(tmp_path: Path) -> None:
    write_files(tmp_path, ANATOMY, {"hello/docker": "{}\n"})
    page = write_anatomy_page(ANATOMY, tmp_path)
    text = unescape(page.read_text(encoding="utf-8")).replace("<wbr>", "")
    assert page.name == "anatomy.html", "index.html is the report of the campaign"
    assert all(step_named(step).what in text for step in ANATOMY.cells[0].steps())
    assert "traces/hello_docker.trace.json" in text
    assert "Perfetto" in text
    assert "isolate sums up: control groups, namespaces, " in text
    assert "<svg" in text
    assert "<script" not in text
    assert "traces/hello\\_docker.trace.json" in (tmp_path / "anatomy.md").read_text(encoding="utf-8")


def test_the_page_tells_traced_starts_from_others(tmp_path: Path) -> None:
    (cell,) = ANATOMY.cells
    content = anatomy_content(ANATOMY, tmp_path)
    plain = estimate(cell.overhead.untraced_ns).value
    traced = estimate([start.total_ns for start in cell.starts]).value
    assert plain != traced
    begin = f"hello/docker: {quantity(plain, 'ns')} from request to ready, and {quantity(traced, 'ns')} when traced: "
    assert content.verdict.startswith(begin)
    assert "of starts that were not traced" in content.lead
    bare = cell.model_copy(update={"overhead": cell.overhead.model_copy(update={"untraced_ns": ()})})
    alone = anatomy_content(ANATOMY.model_copy(update={"cells": (bare,)}), tmp_path)
    assert alone.verdict.startswith(f"hello/docker: {quantity(traced, 'ns')} from request to ready when traced, most ")
    assert alone.lead.startswith("All numbers are of traced starts.")


def test_a_title_has_the_name_that_its_row_has() -> None:
    """The longest step of this start is called "hook" in records, and "network hook" everywhere else."""
    start = make_start().model_copy(update={"steps_ns": {"hook": TOTAL}, "segments": ((0, TOTAL, "hook"),)})
    cell = make_cell().model_copy(update={"starts": (start,)})
    (figure,) = anatomy_figures(ANATOMY.model_copy(update={"cells": (cell,)}))
    assert figure.title.endswith("“network hook”")


def test_doubts_are_named_on_the_terminal_and_on_the_page(tmp_path: Path) -> None:
    starts = tuple(start.model_copy(update={"doubts": ("busy:2",)}) for start in ANATOMY.cells[0].starts)
    doubtful = ANATOMY.model_copy(update={"cells": (ANATOMY.cells[0].model_copy(update={"starts": starts}),)})
    said = f"{len(starts)} of {len(starts)} starts carry doubts about the host: busy in "
    assert said in " ".join(text_of(doubtful, width=120).split())
    assert said in write_anatomy_page(doubtful, tmp_path).read_text(encoding="utf-8")


def test_a_counter_that_could_not_be_read_disturbs_no_start() -> None:
    """As in reports: it is counted neither where the host never has it nor where one start lacks it."""
    absent, first, others = "unknown:throttle", ANATOMY.cells[0].starts[0], ANATOMY.cells[0].starts[1:]

    def said(*of_first: str) -> str:
        starts = [first.model_copy(update={"doubts": (*of_first, absent)})]
        starts += [start.model_copy(update={"doubts": (absent,)}) for start in others]
        return describe_doubts(ANATOMY.cells[0].model_copy(update={"starts": tuple(starts)}))

    total = 1 + len(others)
    assert said() == ""
    assert said("busy:2").startswith(f"1 of {total} starts carry doubts about the host: busy in 1 of {total} trials")
    assert said("unknown:psi") == f"psi could not be read in 1 of {total} trials"


def test_a_page_names_no_trace_that_is_not_there(tmp_path: Path) -> None:
    text = write_anatomy_page(ANATOMY, tmp_path).read_text(encoding="utf-8")
    assert "trace.json" not in text
    assert "Perfetto" not in text
