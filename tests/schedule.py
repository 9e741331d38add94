"""Which tests run in the same worker, where tests run in several."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling

FLEET: Final = (
    "tests/unit/cli/test_docs_fleet.py",
    "tests/unit/cli/test_simulate_fleet.py",
    "tests/unit/sim/fleet/",
    "tests/unit/sim/test_theory_pool.py",
)
"""Tests that call the compiled kernels of fleets. These take half a minute to compile, which one worker does once."""


def scope(nodeid: str) -> str:
    """What runs together with a test: its file, whose fixtures it shares, or all tests of fleets."""
    return "fleets" if nodeid.startswith(FLEET) else nodeid.partition("::")[0]


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """Hands out tests by their scope."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)
