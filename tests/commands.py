"""Commands, called in this process as the command line calls them."""

from __future__ import annotations

import sys

import pytest

from bench import cli


def simulate(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run ``boxbench simulate WORDS``; returns the exit code."""
    return boxbench(monkeypatch, "simulate", *words)


def boxbench(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run ``boxbench WORDS``; returns the exit code.

    ``main`` takes signals: they stay as pytest has them.
    """
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["boxbench", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)
