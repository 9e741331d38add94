"""Names of signals."""

from __future__ import annotations

import pytest

from bench.util.signals import signal_number


@pytest.mark.parametrize(
    ("name", "number"),
    [("SIGTERM", 15), ("TERM", 15), ("15", 15), ("SIGRTMIN", 34), ("64", 64)]
    + [(wrong, None) for wrong in ("", "0", "65", "SIGWHAT", "term", "²", "-1", "SIG")],
)
def test_signals(name: str, number: int | None) -> None:
    assert signal_number(name) == number
