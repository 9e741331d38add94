"""Progress of a simulation where stderr is no terminal."""

from __future__ import annotations

import re

import pytest

from bench.cli.simulate.progress import Reminder, Step
from tests.waiting import wait_until


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
