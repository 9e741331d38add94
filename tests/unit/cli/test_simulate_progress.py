"""Progress of simulations: one line on a terminal, and elsewhere one now and then."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from bench.cli.simulate import progress
from bench.cli.simulate.progress import Reminder, Step
from tests.waiting import wait_until


def _console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=40, highlight=False)


def _said(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_steps_are_on_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    found = _console(terminal=terminal)
    monkeypatch.setattr(progress, "console", lambda **_named: found)
    with progress.Step() as step:
        for number in range(40):
            step.say(f"docker: {number} boxes of a question whose name is longer than the line of the terminal")
    text = _said(found)
    if not terminal:
        assert text == ""
        return
    # Of forty steps no line stays: what is drawn is erased, and no step takes two lines.
    assert text.count("\n") <= 2
    assert "\x1b[2K" in text


def test_control_characters_of_a_model_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _console(terminal=True)
    monkeypatch.setattr(progress, "console", lambda **_named: found)
    with progress.Step() as step:
        step.say("evil\x1b]0;title\x07")
    assert "\x1b]0;" not in _said(found)


def test_a_long_step_is_told_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []

    def lines() -> list[str]:
        told.append(capsys.readouterr().err)
        return re.findall(r"^docker: draw 1 of 20 \(.+ so far\)$", "".join(told), re.MULTILINE)

    with Step("reading", every_s=0.001) as step:
        step.say("docker: draw 1 of 20")
        wait_until(lambda: len(lines()) > 1, "two lines")


def test_nothing_is_told_after_the_end_or_before_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    with Step("reading") as step:
        step.say("docker: draw 1 of 20")
    assert not capsys.readouterr().err


def test_what_is_said_at_once_is_what_is_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    with Reminder("fitting") as reminder:
        reminder.say("fitting docker\x1b[2J")
        assert reminder.line == "fitting docker\x1b[2J"
    assert "\x1b" not in (found := capsys.readouterr().err)
    assert found.startswith("fitting docker")
