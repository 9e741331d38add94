"""Progress of simulations: one line on a terminal, nothing anywhere else."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench.cli.simulate import progress


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
