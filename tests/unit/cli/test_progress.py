"""What people see of a campaign: quiet in a log, one line that moves on a terminal, and no markup of a guest's."""

from __future__ import annotations

import io
import random
from typing import Final

import pytest
from rich.console import Console

from bench.cli.progress import LiveProgress, LogProgress, make_progress, waiting
from bench.plan.trials import Trial
from bench.records.record import Record
from bench.run.pace import Pace, duration_text
from tests.factories import HOSTILE, THREE, make_manifest, make_record


@pytest.fixture
def trials() -> tuple[Trial, ...]:
    return make_manifest().plan


def record_of(trial: Trial, *, failure: str | None = None) -> Record:
    box = next(box for box in THREE if box.target == trial.cell.target)
    record = make_record(trial, box, random.Random(1))
    if failure is None:
        return record
    failed = {"code": "NotReadyError", "message": failure, "hint": "look"}
    return Record.model_validate({**record.model_dump(), "outcome": "failed", "failure": failed}, strict=False)


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=120, highlight=False), text


def test_a_log_has_one_line_a_block(trials: tuple[Trial, ...]) -> None:
    where, text = console(terminal=False)
    with LogProgress(where) as progress:
        progress.say("checking target docker")
        progress.say("Step 1/3 : FROM scratch")
        progress.say(" ---> abc")
        progress.plan(trials, len(trials))
        for trial in trials:
            progress.begin(trial)
            progress.end(record_of(trial))
    lines = text.getvalue().splitlines()
    blocks = 1 + max(trial.block for trial in trials)
    assert lines[:2] == [
        "checking target docker",
        f"{len(trials)} of {len(trials)} trials to run; how long is known after the first block",
    ]
    assert lines[2] == f"block 1 of {blocks} (warm-up)"
    assert len(lines) == 2 + blocks


@pytest.mark.parametrize("terminal", [False, True])
def test_a_failure_is_printed_at_once_without_markup(trials: tuple[Trial, ...], terminal: bool) -> None:
    where, text = console(terminal=terminal)
    with make_progress(where) as progress:
        progress.plan(trials, len(trials))
        progress.begin(trials[0])
        progress.end(record_of(trials[0], failure=f"it said {HOSTILE}"))
    assert "said <script>alert('box')</script>red [bold]markup[/bold]" in text.getvalue()
    assert f"{trials[0].cell.key}: failed: " in text.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_the_duration_is_said_before_the_first_trial(trials: tuple[Trial, ...], terminal: bool) -> None:
    """With its basis; in a log the time left stands in the line of each block."""
    where, text = console(terminal=terminal)
    pace = Pace({trial.cell.key: [30.0] for trial in trials})
    with make_progress(where) as progress:
        progress.plan(trials, len(trials), pace)
        whole = duration_text(30.0 * len(trials))
        said = (
            f"{len(trials)} of {len(trials)} trials to run, about {whole}, as trials of these cells took on this host"
        )
        assert said in text.getvalue()
        for trial in trials:
            progress.begin(trial)
            pace.add(trial, 60.0)
            progress.end(record_of(trial))
    if not terminal:
        lines = text.getvalue().splitlines()
        assert lines[1] == f"block 1 of {1 + trials[-1].block} (warm-up), about {whole} left"
        last = sum(trial.block == trials[-1].block for trial in trials)
        assert lines[-1].endswith(f", about {duration_text(60.0 * last)} left"), "this campaign took longer"


def test_the_terminal_shows_block_and_time_left(trials: tuple[Trial, ...]) -> None:
    where, text = console(terminal=True)
    with LiveProgress(where) as progress:
        progress.say("preparing")
        progress.plan(trials, len(trials), Pace({trial.cell.key: [1.0] for trial in trials}))
        for trial in trials:
            progress.begin(trial)
            progress.end(record_of(trial))
        last = progress._bar.tasks[0]
        assert (last.completed, last.total) == (len(trials), len(trials))
        assert "ready in" in last.description
    assert "left" in text.getvalue()


def test_on_a_narrow_terminal_only_the_step_is_cut() -> None:
    where = Console(file=io.StringIO(), force_terminal=True, width=80, highlight=False)
    progress = LiveProgress(where)
    with progress:
        progress.say("pulling registry.example/team/application:1.0: 2.03 MiB of 2.03 MiB, 0 of 1 layers")
        line = "".join(part.text for part in where.render(progress._bar.get_renderable()))
    assert line.startswith("setting up ")
    assert "0:00:0" in line
    assert "pulling registry.example/team/application" in line


def test_a_resumed_campaign_starts_where_it_was(trials: tuple[Trial, ...]) -> None:
    where, _ = console(terminal=True)
    with LiveProgress(where) as progress:
        progress.plan(trials[5:], len(trials))
        assert progress._bar.tasks[0].completed == 5


def test_a_terminal_gets_the_live_display() -> None:
    assert isinstance(make_progress(console(terminal=True)[0]), LiveProgress)
    assert isinstance(make_progress(console(terminal=False)[0]), LogProgress)


@pytest.mark.parametrize("terminal", [False, True])
def test_what_has_no_steps_is_named_on_a_terminal(terminal: bool) -> None:
    where, text = console(terminal=terminal)
    with waiting(where, "writing the report"):
        pass
    assert ("writing the report" in text.getvalue()) is terminal
    assert bool(text.getvalue()) is terminal


NASTY: Final = "it said \x1b[2J\x1b[31mall is well\x9b\u202e\nboxbench: 0 failures\ud800"


@pytest.mark.parametrize("terminal", [False, True])
def test_output_of_a_guest_cannot_control_the_terminal(trials: tuple[Trial, ...], terminal: bool) -> None:
    # The display's own sequences are not in question here, so none of it is refreshed.
    text = io.StringIO()
    where = Console(file=text, force_terminal=terminal, color_system=None, width=120, highlight=False)
    progress = make_progress(where)
    progress.end(record_of(trials[0], failure=NASTY))
    lines = text.getvalue().splitlines()
    assert lines[0].rstrip() == f"{trials[0].cell.key}: failed: it said all is well"
    assert lines[1].rstrip() == "    boxbench: 0 failures?", "no line of ours"


def test_output_of_an_image_build_cannot_control_the_terminal(trials: tuple[Trial, ...]) -> None:
    where, text = console(terminal=False)
    LogProgress(where).say("pulling \x1b]0;title\x07a layer")
    assert text.getvalue() == "pulling a layer\n"
    where, _ = console(terminal=True)
    with LiveProgress(where) as progress:
        progress.say("pulling \x1b]0;title\x07a layer")
        assert progress._bar.tasks[0].description == "pulling a layer"
